package keyword

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"
)

var genWord = rapid.OneOf(
	rapid.SampledFrom([]string{"the", "the", "the", "of", "running", "runs", "run", "file", "files", "Häuser", "Haus", "données", "l'avion", "don't",
		"ERR_CONN_RESET", "conn", "v1.2.3", "camelCase", "1,000", "東京都", "水", "水電", "Москва", "москвы", "الكتاب", "كتاب", "C++", "x", "🙂", "...", "ﬁle"}),
	rapid.Map(rapid.IntRange(0, 60), func(i int) string { return fmt.Sprint("w", i*i%61) }))

var genText = rapid.Map(rapid.SliceOfN(genWord, 0, 12), func(w []string) string { return strings.Join(w, " ") })

var genRow = rapid.Custom(func(t *rapid.T) Fields {
	return Fields{Title: rapid.SampledFrom([]string{"", "File system", "Über uns"}).Draw(t, "title"),
		Heading: rapid.SampledFrom([]string{"", "A > B"}).Draw(t, "heading"), Body: genText.Draw(t, "body")}
})

func sameHits(a, b []Scored) bool { return slices.Equal(a, b) }

// TestOracle adds, replaces and removes at random; every snapshot, also an old
// one, gives exactly the hits and scores of the exhaustive scorer.
func TestOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, o := New(), oracle{}
		type state struct {
			s *Snapshot
			o oracle
		}
		var states []state
		rows := rapid.SampledFrom([]uint32{30, 500, 3000}).Draw(t, "rows")
		for range rapid.IntRange(1, 14).Draw(t, "epochs") {
			for range rapid.IntRange(0, 8).Draw(t, "changes") {
				row := rapid.Uint32Range(0, rows).Draw(t, "row")
				if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
					x.Remove(row)
					delete(o, row)
					continue
				}
				lang := rapid.SampledFrom([]string{"en", "en", "de", "ru", "zh", "ar", "fr"}).Draw(t, "lang")
				f := genRow.Draw(t, "fields")
				x.Add(row, lang, f)
				o.add(row, lang, f)
			}
			states = append(states, state{x.Snapshot(), maps.Clone(o)})
		}
		for range 4 {
			text := genText.Draw(t, "query")
			k := rapid.IntRange(1, 12).Draw(t, "k")
			for i, st := range states {
				q := st.s.Parse(text)
				all := func(uint32) bool { return true }
				if got, want := st.s.TopK(q, k, nil), st.o.topK(text, k, all); !sameHits(got, want) {
					t.Fatalf("%q, snapshot %d: %v, want %v", text, i, got, want)
				}
				allow := roaring.New()
				for r := range rows + 1 {
					if r%3 != 0 {
						allow.Add(r)
					}
				}
				if got, want := st.s.TopK(q, k, allow), st.o.topK(text, k, allow.Contains); !sameHits(got, want) {
					t.Fatalf("%q, snapshot %d, allowed: %v, want %v", text, i, got, want)
				}
				checkScores(t, st.s, q, st.o.scores(text), rows)
				if n := st.s.Stats().Rows; n != len(st.o) {
					t.Fatalf("%d rows, want %d", n, len(st.o))
				}
			}
		}
	})
}

func checkScores(t *rapid.T, s *Snapshot, q Query, want map[uint32]float64, rows uint32) {
	var ask []uint32
	for r := rows + 1; r > 0; r -= min(r, 1+rows/40) {
		ask = append(ask, r-1)
	}
	for row := range want {
		ask = append(ask, row)
	}
	for i, v := range s.Score(q, ask) {
		if v != score(uint64(want[ask[i]])) {
			t.Fatalf("Score of row %d: %v, want %v", ask[i], v, want[ask[i]]/scoreUnit)
		}
	}
	for row, v := range want {
		sum := 0.0
		for _, x := range s.Explain(q, row) {
			sum += x
		}
		if math.Abs(sum-v/scoreUnit) > 1e-9 {
			t.Fatalf("Explain of row %d adds up to %v, want %v", row, sum, v/scoreUnit)
		}
		break
	}
}

// zipf gives texts with terms from very frequent to unique, so that lists have
// many blocks and MaxScore has something to skip.
func zipf(i int) string {
	var b strings.Builder
	x := uint64(i)*0x9e3779b97f4a7c15 + 1
	for range 5 + i%20 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		u := float64(x>>11) / (1 << 53)
		fmt.Fprintf(&b, "w%d ", int(math.Exp(u*9)))
	}
	return b.String()
}

// TestLarge compares searches over many blocks, windows and merges.
func TestLarge(t *testing.T) {
	x, o := New(), oracle{}
	const n = 6000
	for i := range n {
		f := Fields{Body: zipf(i)}
		x.Add(uint32(i), "en", f)
		o.add(uint32(i), "en", f)
		if i%7 == 3 {
			x.Remove(uint32(i / 2))
			delete(o, uint32(i/2))
		}
		if i%500 == 0 || i > n-40 {
			x.Snapshot()
		}
	}
	s := x.Snapshot()
	if got := s.Stats().Segments; got > 40 {
		t.Errorf("%d segments", got)
	}
	allow := roaring.New()
	for i := range uint32(n) {
		if i%5 == 1 {
			allow.Add(i)
		}
	}
	for i := range 8 {
		text := zipf(i*77 + 5)
		q := s.Parse(text)
		for _, k := range []int{1, 10, 1000} {
			if got, want := s.TopK(q, k, nil), o.topK(text, k, func(uint32) bool { return true }); !sameHits(got, want) {
				t.Fatalf("%q k %d: got %v, want %v", text, k, got[:min(5, len(got))], want[:min(5, len(want))])
			}
			if got, want := s.TopK(q, k, allow), o.topK(text, k, allow.Contains); !sameHits(got, want) {
				t.Fatalf("%q k %d allowed: got %v, want %v", text, k, got[:min(5, len(got))], want[:min(5, len(want))])
			}
		}
	}
}

func TestEdges(t *testing.T) {
	x := New()
	if s := x.Snapshot(); !s.Parse("anything").Empty() || s.TopK(s.Parse("x"), 5, nil) != nil {
		t.Error("hits in an empty index")
	}
	huge := strings.Repeat("abcdefgh", 1<<17)
	x.Add(1, "", Fields{Body: huge})
	x.Add(2, "", Fields{Body: huge + "x"})
	x.Add(3, "", Fields{})
	x.Add(4, "", Fields{Body: "\xff\xfe \x00\x01 🙂🙂 \u200d\u0301 ٠١٢"})
	x.Add(5, "xx", Fields{Title: "only a title"})
	s := x.Snapshot()
	for text, want := range map[string][]uint32{huge: {1}, huge + "x": {2}, "": nil, "🙂": nil, "title": {5}, "\xff": nil, "only": {5}} {
		q := s.Parse(text)
		var got []uint32
		for _, h := range s.TopK(q, 10, nil) {
			got = append(got, h.Row)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%.20q: %v, want %v", text, got, want)
		}
	}
	if got := s.TopK(s.Parse("title"), 0, nil); got != nil {
		t.Errorf("k = 0: %v", got)
	}
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "t%d ", i)
	}
	x.Add(9, "en", Fields{Body: many.String()})
	s = x.Snapshot()
	if q := s.Parse(many.String()); len(q.terms) != maxQueryTerms || s.TopK(q, 1, nil)[0].Row != 9 {
		t.Errorf("a query of %d terms", len(q.terms))
	}
}

// TestReaders searches snapshots while the writer goes on, for the race
// detector.
func TestReaders(t *testing.T) {
	x := New()
	var wg sync.WaitGroup
	for i := range 400 {
		x.Add(uint32(i), "en", Fields{Body: zipf(i)})
		if i%3 == 0 {
			x.Remove(uint32(i / 2))
		}
		if i%20 == 0 {
			s := x.Snapshot()
			wg.Go(func() {
				q := s.Parse("w1 w2 w30")
				a := s.TopK(q, 20, nil)
				if b := s.TopK(q, 20, nil); !sameHits(a, b) {
					t.Error("one snapshot, two answers")
				}
			})
		}
	}
	wg.Wait()
}

func filled(b *testing.B, n int) (*Index, []string) {
	x := New()
	texts := make([]string, n)
	for i := range texts {
		texts[i] = zipf(i) + zipf(i+n) + zipf(i+2*n) + zipf(i+3*n)
	}
	return x, texts
}

func BenchmarkAdd(b *testing.B) {
	x, texts := filled(b, 20000)
	for b.Loop() {
		x = New()
		for i, s := range texts {
			x.Add(uint32(i), "en", Fields{Body: s})
		}
		x.Snapshot()
	}
	b.ReportMetric(float64(len(texts)*b.N)/b.Elapsed().Seconds(), "rows/s")
	s := x.Snapshot()
	b.ReportMetric(float64(s.Stats().Bytes)/float64(len(texts)), "B/row")
}

func BenchmarkTopK(b *testing.B) {
	x, texts := filled(b, 50000)
	for i, s := range texts {
		x.Add(uint32(i), "en", Fields{Body: s})
	}
	s := x.Snapshot()
	for _, k := range []int{10, 1000} {
		b.Run(fmt.Sprint("k", k), func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				s.TopK(s.Parse(zipf(i*20)), k, nil)
			}
		})
	}
}

// BenchmarkLive adds and removes a few rows an epoch.
func BenchmarkLive(b *testing.B) {
	x, texts := filled(b, 50000)
	for i, s := range texts {
		x.Add(uint32(i), "en", Fields{Body: s})
	}
	x.Snapshot()
	row := uint32(len(texts))
	for b.Loop() {
		for range 5 {
			x.Add(row, "en", Fields{Body: texts[int(row)%len(texts)]})
			x.Remove(row - uint32(len(texts)))
			row++
		}
		x.Snapshot()
	}
}
