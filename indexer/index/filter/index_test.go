package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var genScalar = rapid.OneOf(
	rapid.Just[any](nil),
	rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	rapid.Map(rapid.IntRange(-3, 12), func(i int) any { return i }),
	rapid.Map(rapid.SampledFrom([]string{"", "a", "ab", "b", "5", "-1", "true", "null", "2024-01-02", "é'x", "a/b.pdf", "docs/x.txt", "x.txt"}), func(s string) any { return s }),
)

var genValue = rapid.OneOf(genScalar, genScalar,
	rapid.Map(rapid.SliceOfN(genScalar, 0, 3), func(a []any) any { return a }),
	rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b"}), genScalar, 0, 2), func(m map[string]any) any { return m }))

var genNames = []string{"path", "source", "owner", "size", "modified_at", "a", "b"}

var genFields = rapid.Custom(func(t *rapid.T) Fields {
	f := Fields(rapid.MapOfN(rapid.SampledFrom(genNames), genValue, 0, 5).Draw(t, "fields"))
	if rapid.Bool().Draw(t, "filed") {
		f["path"] = rapid.SampledFrom([]string{"x.txt", "a/x.txt", "a/b.pdf", "b.pdf"}).Draw(t, "path")
		f["source"] = rapid.SampledFrom([]string{"docs", "a", ""}).Draw(t, "source")
	}
	return f
})

func genExpr(t *rapid.T, depth int) string {
	operand := func() string {
		switch rapid.IntRange(0, 6).Draw(t, "operand") {
		case 0, 1, 2:
			return rapid.SampledFrom(append([]string{"a.b", "b[0]", "a[-1].a"}, genNames...)).Draw(t, "field")
		case 3:
			return "`" + rapid.SampledFrom([]string{"a", "ab", "5", "-1", "true", "null", "2024-01-02", "é'x", "[1]", "{\"a\":1}", ""}).Draw(t, "text") + "`"
		case 4:
			return "'" + rapid.SampledFrom([]string{"a", "ab", "5", "2024-01-02", "true", ""}).Draw(t, "raw") + "'"
		case 5:
			return rapid.SampledFrom([]string{"5", "-1", "0", "1704153600", "true", "false", "null"}).Draw(t, "json")
		}
		f := rapid.SampledFrom([]string{"length(%s)", "to_number(%s)", "to_string(%s)", "type(%s)", "lower(%s)", "abs(%s)", "not_null(%s, owner)"}).Draw(t, "function")
		return fmt.Sprintf(f, rapid.SampledFrom(genNames).Draw(t, "argument"))
	}
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return "(" + genExpr(t, depth-1) + " && " + genExpr(t, depth-1) + ")"
		case 1:
			return "(" + genExpr(t, depth-1) + " || " + genExpr(t, depth-1) + ")"
		case 2:
			return "!(" + genExpr(t, depth-1) + ")"
		}
	}
	switch rapid.IntRange(0, 5).Draw(t, "leaf") {
	case 0:
		return operand()
	case 1:
		f := rapid.SampledFrom([]string{"contains", "starts_with", "ends_with"}).Draw(t, "function")
		return f + "(" + operand() + ", " + operand() + ")"
	case 2:
		g := rapid.SampledFrom([]string{"*", "*.pdf", "**/x.txt", "a/**", "docs/*", "[!a]*", "a?b", "ab"}).Draw(t, "glob")
		return "globmatch(`" + g + "`, " + rapid.SampledFrom(genNames).Draw(t, "field") + ")"
	}
	return operand() + " " + rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="}).Draw(t, "op") + " " + operand()
}

// TestSelectIsMatch puts, replaces and removes at random; every snapshot, also
// an old one, selects what the plain evaluator says.
func TestSelectIsMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, docs := New(), map[uint32]Fields{}
		type state struct {
			s    *Snapshot
			docs map[uint32]Fields
		}
		var states []state
		for range rapid.IntRange(1, 12).Draw(t, "epochs") {
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				row := rapid.Uint32Range(0, 40).Draw(t, "row")
				if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
					x.Remove(row)
					delete(docs, row)
				} else {
					f := genFields.Draw(t, "doc")
					x.Put(row, f)
					docs[row] = f
				}
			}
			states = append(states, state{x.Snapshot(), maps.Clone(docs)})
		}
		for range 8 {
			src := genExpr(t, 3)
			e, err := Parse(src)
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			for i, s := range states {
				var want []uint32
				for row, f := range s.docs {
					if e.Match(f) {
						want = append(want, row)
					}
				}
				slices.Sort(want)
				if got := s.s.Select(e).ToArray(); !slices.Equal(got, want) {
					t.Fatalf("%s, snapshot %d: %v, want %v", src, i, got, want)
				}
				if s.s.Len() != len(s.docs) {
					t.Fatalf("Len %d, want %d", s.s.Len(), len(s.docs))
				}
			}
		}
	})
}

// TestSimplify compares the simplified expression with the one that was written.
func TestSimplify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := genExpr(t, 4)
		p := &parser{src: src}
		if err := p.next(); err != nil {
			t.Fatal(err)
		}
		n, err := p.or()
		if err != nil {
			t.Fatal(err)
		}
		f := genFields.Draw(t, "doc")
		if a, b := (Expr{n}).Match(f), (Expr{simplify(n)}).Match(f); a != b {
			t.Fatalf("%s: %v, simplified %v", src, a, b)
		}
	})
}

func manyFields(i int) Fields {
	return Fields{"path": fmt.Sprintf("dir%d/file%d.%s", i%37, i, []string{"pdf", "md", "txt"}[i%3]), "source": []string{"docs", "mail"}[i%2],
		"owner": fmt.Sprint("user", i%100), "size": i * 7 % 100000, "modified_at": 1700000000 + i, "type": "text/plain", "title": fmt.Sprint("Title ", i)}
}

// TestMany goes through merges of several tiers.
func TestMany(t *testing.T) {
	x := New()
	const n = 20000
	for i := range n {
		x.Put(uint32(i), manyFields(i))
		if i%3 == 0 {
			x.Remove(uint32(i / 2))
		}
		if i%50 == 0 {
			x.Snapshot()
		}
	}
	s := x.Snapshot()
	if len(s.segs) > 5*mergeWidth {
		t.Errorf("%d segments", len(s.segs))
	}
	for _, src := range []string{"", "owner == `user7`", "globmatch(`**/*.pdf`, path) && size < 500", "modified_at >= 1700019000", "!contains(title, `99`)", "globmatch(`mail/dir3*/**`, path)"} {
		e, err := Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		got := s.Select(e)
		for i := range n {
			removed := i < n/2 && (i*2%3 == 0 || (i*2+1)%3 == 0)
			if want := !removed && e.Match(manyFields(i)); got.Contains(uint32(i)) != want {
				t.Fatalf("%s: row %d: %v, want %v", src, i, !want, want)
			}
		}
	}
}

// TestReaders reads snapshots while the writer goes on, for the race detector.
func TestReaders(t *testing.T) {
	x := New()
	e, err := Parse("size > 100 && globmatch(`*.md`, path)")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 300 {
		x.Put(uint32(i), manyFields(i))
		x.Remove(uint32(i - 20))
		if i%10 == 0 {
			s := x.Snapshot()
			wg.Go(func() {
				a := s.Select(e)
				if b := s.Select(e); !a.Equals(b) {
					t.Error("one snapshot, two answers")
				}
			})
		}
	}
	wg.Wait()
}

func BenchmarkSelect(b *testing.B) {
	x := New()
	for i := range 100000 {
		x.Put(uint32(i), manyFields(i))
	}
	s := x.Snapshot()
	for _, src := range []string{"owner == `user7`", "modified_at >= 1700090000", "globmatch(`**/*.pdf`, path)", "contains(title, `99`)"} {
		e, err := Parse(src)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.ReplaceAll(src, "/", "|"), func(b *testing.B) {
			for b.Loop() {
				s.Select(e)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		x := New()
		for i := range 100000 {
			x.Put(uint32(i), manyFields(i))
		}
		x.Snapshot()
	}
}
