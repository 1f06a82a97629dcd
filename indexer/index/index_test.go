package index

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDims = 24

var testSpace = Space{Name: "test", Dims: testDims, Weight: .3}

func id(s string) ID {
	h := sha256.Sum256([]byte(s))
	return ID(h[:16])
}

// vectorOf is the tests' embedder: a vector made of the text's words, so that
// texts with common words are similar.
func vectorOf(text string) []float32 {
	v := make([]float32, testDims)
	for _, w := range strings.Fields(text) {
		h := sha256.Sum256([]byte(w))
		for i := range v {
			v[i] += float32(int8(h[i])) / 128
		}
	}
	var n float64
	for _, x := range v {
		n += float64(x) * float64(x)
	}
	for i := range v {
		if n > 0 {
			v[i] /= float32(math.Sqrt(n))
		}
	}
	return v
}

// contentOf cuts a text into chunks of one line each.
func contentOf(title, text string) *Content {
	c := &Content{Version: id(title + "\x00" + text), Title: title, Language: "en", Text: text}
	at := uint32(0)
	for i, line := range strings.SplitAfter(text, "\n") {
		end := at + uint32(len(strings.TrimSuffix(line, "\n")))
		if end > at {
			c.Chunks = append(c.Chunks, Chunk{Start: at, End: end, Page: uint32(i + 1), Heading: fmt.Sprintf("part %d", (i/3)*3)})
		}
		at += uint32(len(line))
	}
	for i := range c.Chunks {
		c.Chunks[i].Hash = id(c.EmbedText(i))
	}
	return c
}

func open(t testing.TB, o Options) *Index {
	t.Helper()
	if o.Dir == "" && o.fs == nil {
		o.Dir = t.TempDir()
	}
	if o.Space.Name == "" {
		o.Space = testSpace
	}
	x, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// put stores a content with its vectors.
func put(t testing.TB, x *Index, c *Content) {
	t.Helper()
	if err := x.PutContent(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	embed(t, x, c)
}

func embed(t testing.TB, x *Index, c *Content) {
	t.Helper()
	var hs []ID
	var vs [][]float32
	for i, ch := range c.Chunks {
		hs = append(hs, ch.Hash)
		vs = append(vs, vectorOf(c.EmbedText(i)))
	}
	if err := x.PutVectors(t.Context(), hs, vs); err != nil {
		t.Fatal(err)
	}
}

func apply(t testing.TB, x *Index, b Batch) Applied {
	t.Helper()
	a, err := x.Apply(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func find(t testing.TB, v *View, q Query) []Hit {
	t.Helper()
	if q.K == 0 {
		q.K = 10
	}
	r, err := v.Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r.Hits
}

func TestLife(t *testing.T) {
	dir := t.TempDir()
	x := open(t, Options{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if got := find(t, x.View(), Query{Text: "anything", Vector: vectorOf("anything")}); len(got) != 0 {
		t.Fatalf("an empty index found %v", got)
	}
	a := contentOf("Engines", "The steam engine burns coal.\nA diesel engine burns oil.\n\nPage two says nothing of it.")
	put(t, x, a)
	d := Document{ID: id("a"), Source: "docs", Path: "a.txt", Version: a.Version, Embedded: true, Meta: Meta{Owner: "ann", Size: 12}}
	done := apply(t, x, Batch{Epoch: 3, Put: []Document{d}})
	if done.Epoch != 3 || done.Documents[0].Document.Chunks != 3 || done.Documents[0].Document.Vectored != 3 || done.Documents[0].Kept != 0 {
		t.Fatalf("applied: %+v", done)
	}
	v := x.View()
	check := func(v *View) {
		t.Helper()
		for _, q := range []Query{
			{Text: "diesel"}, {Text: "diesel", Vector: vectorOf("A diesel engine burns oil.")},
			{Mode: Vector, Vector: vectorOf("Engines part 0 A diesel engine burns oil.")},
			{Text: "diesel", Filter: "owner == `ann`", Glob: "*.txt", Documents: []ID{d.ID}, Explain: true},
		} {
			hits := find(t, v, q)
			if len(hits) == 0 || hits[0].Text != "A diesel engine burns oil." || hits[0].Page != 2 || hits[0].Heading != "part 0" || hits[0].Title != "Engines" || hits[0].Document.Path != "a.txt" {
				t.Fatalf("%+v found %+v", q, hits)
			}
		}
		for _, q := range []Query{{Text: "diesel", Filter: "owner == `bob`"}, {Text: "diesel", Glob: "*.pdf"}, {Text: "diesel", Documents: []ID{}}, {Text: "zebra"}} {
			if hits := find(t, v, q); len(hits) != 0 {
				t.Fatalf("%+v found %+v", q, hits)
			}
		}
	}
	check(v)
	// An edit keeps the chunks that did not change.
	b := contentOf("Engines", "The steam engine burns coal.\nA diesel engine burns kerosene.\n\nPage two says nothing of it.")
	put(t, x, b)
	d.Version = b.Version
	done = apply(t, x, Batch{Epoch: 4, Put: []Document{d}})
	if done.Documents[0].Kept != 2 {
		t.Fatalf("applied: %+v", done)
	}
	check(v) // the old view still shows the old text
	if got := find(t, x.View(), Query{Text: "oil"}); len(got) != 0 {
		t.Fatalf("found what is gone: %+v", got)
	}
	if got := find(t, x.View(), Query{Text: "kerosene"}); len(got) != 1 {
		t.Fatalf("did not find what is new: %+v", got)
	}
	if done = apply(t, x, Batch{Epoch: 4, Delete: []ID{d.ID}}); !done.Repeated {
		t.Fatalf("an epoch was applied twice: %+v", done)
	}
	for range 2 {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x = open(t, Options{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if x.Epoch() != 4 {
			t.Fatalf("epoch %d after a restart", x.Epoch())
		}
		if got := find(t, x.View(), Query{Text: "kerosene", Vector: vectorOf("kerosene")}); len(got) != 3 || got[0].Text != "A diesel engine burns kerosene." {
			t.Fatalf("after a restart: %+v", got)
		}
		x.maintaining.Lock()
		if err := x.checkpoint(); err != nil {
			t.Fatal(err)
		}
		x.maintaining.Unlock()
	}
	apply(t, x, Batch{Epoch: 9, Delete: []ID{d.ID}})
	if s := x.View().Stats(); s.Documents != 0 || s.Chunks != 0 || s.Embedded != 0 {
		t.Fatalf("after all is deleted: %+v", s)
	}
}

// contextOf is the test's own context if it has one.
func contextOf(t any) context.Context {
	if c, ok := t.(interface{ Context() context.Context }); ok {
		return c.Context()
	}
	return context.Background()
}
