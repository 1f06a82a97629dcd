package index

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The benchmarks use 100,000 chunks of some 60 words from a vocabulary of 30,000
// with Zipf's frequencies, ten a document, and vectors of 384 dims around 400
// centres. INDEX_BENCH_CHUNKS sets another number.
const benchDims = 384

type corpus struct {
	r       *rand.Rand
	zipf    *rand.Zipf
	centres [][]float32
}

func newCorpus() *corpus {
	r := rand.New(rand.NewPCG(1, 2))
	c := &corpus{r: r, zipf: rand.NewZipf(r, 1.1, 8, 30000)}
	for range 400 {
		v := make([]float32, benchDims)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		c.centres = append(c.centres, v)
	}
	return c
}

func (c *corpus) words(n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "w%dx ", c.zipf.Uint64())
	}
	return strings.TrimSpace(b.String())
}

func (c *corpus) vector() []float32 {
	v := slices.Clone(c.centres[c.r.IntN(len(c.centres))])
	var n float32
	for i := range v {
		v[i] += .6 * float32(c.r.NormFloat64())
		n += v[i] * v[i]
	}
	for i := range v {
		v[i] /= n
	}
	return v
}

func (c *corpus) content() (*Content, [][]float32) {
	var lines []string
	for range 10 {
		lines = append(lines, c.words(40+c.r.IntN(40)))
	}
	x := contentOf("", strings.Join(lines, "\n"))
	var vs [][]float32
	for range x.Chunks {
		vs = append(vs, c.vector())
	}
	return x, vs
}

// fill puts chunks in, 100 documents an epoch.
func (c *corpus) fill(b *testing.B, x *Index, chunks int) (contents, vectors, applied time.Duration) {
	for done := 0; done < chunks; {
		batch := Batch{Epoch: x.Epoch() + 1}
		for range 100 {
			content, vs := c.content()
			start := time.Now()
			if err := x.PutContent(b.Context(), content); err != nil {
				b.Fatal(err)
			}
			contents += time.Since(start)
			start = time.Now()
			if err := x.PutVectors(b.Context(), hashes(content), vs); err != nil {
				b.Fatal(err)
			}
			vectors += time.Since(start)
			n := done / 10
			batch.Put = append(batch.Put, Document{ID: id(fmt.Sprint(n)), Path: fmt.Sprint(n), Version: content.Version, Embedded: true,
				Meta: Meta{Owner: fmt.Sprint("o", n%100), Size: int64(n)}})
			done += len(content.Chunks)
		}
		start := time.Now()
		apply(b, x, batch)
		applied += time.Since(start)
	}
	return contents, vectors, applied
}

func benchChunks() int {
	n := 100_000
	fmt.Sscan(os.Getenv("INDEX_BENCH_CHUNKS"), &n)
	return n
}

// BenchmarkIndex fills an index, searches it and opens it again.
func BenchmarkIndex(b *testing.B) {
	dir, c, n := b.TempDir(), newCorpus(), benchChunks()
	space := Space{Name: "bench", Dims: benchDims, Weight: .3}
	x, err := Open(Options{Dir: dir, Space: space})
	if err != nil {
		b.Fatal(err)
	}
	contents, vectors, applied := c.fill(b, x, n)
	b.Run("fill", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(float64(n)/contents.Seconds(), "chunks/s-PutContent")
		b.ReportMetric(float64(n)/vectors.Seconds(), "chunks/s-PutVectors")
		b.ReportMetric(float64(n)/applied.Seconds(), "chunks/s-Apply")
	})
	if err := x.tidy(time.Now()); err != nil {
		b.Fatal(err)
	}
	v := x.View()
	queries := func(q Query) []Query {
		qs := make([]Query, 300)
		for i := range qs {
			qs[i] = q
			qs[i].K = 10
			qs[i].Text = c.words(3 + c.r.IntN(6))
			if q.Mode != Keyword {
				qs[i].Vector = c.vector()
			}
		}
		return qs
	}
	for _, k := range []struct {
		name string
		q    Query
	}{
		{"hybrid", Query{}}, {"keyword", Query{Mode: Keyword}}, {"vector", Query{Mode: Vector}},
		{"hybrid-1%", Query{Filter: "owner == `o7`"}}, {"hybrid-50%", Query{Filter: fmt.Sprintf("size > %d", n/20)}},
	} {
		b.Run(k.name, func(b *testing.B) {
			qs := queries(k.q)
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if hits := find(b, v, qs[len(took)%len(qs)]); len(hits) != 10 {
					b.Fatalf("%d hits", len(hits))
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
	b.Run("one-document-epochs", func(b *testing.B) {
		var took []time.Duration
		for i := 0; b.Loop(); i++ {
			content, vs := c.content()
			if err := x.PutContent(b.Context(), content); err != nil {
				b.Fatal(err)
			}
			if err := x.PutVectors(b.Context(), hashes(content), vs); err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			apply(b, x, Batch{Epoch: x.Epoch() + 1, Put: []Document{{ID: id(fmt.Sprint(i % (n / 10))), Path: "p", Version: content.Version, Embedded: true}}})
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	})
	b.Run("stats", func(b *testing.B) {
		for b.Loop() {
		}
		s := x.View().Stats()
		b.ReportMetric(float64(s.HeapBytes)/float64(s.Chunks), "B/chunk-memory")
		b.ReportMetric(float64(s.DiskBytes)/float64(s.Chunks), "B/chunk-disk")
	})
	b.Run("start", func(b *testing.B) {
		best := time.Hour // of five
		for range 5 {
			if err := x.Close(); err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			var err error
			if x, err = Open(Options{Dir: dir, Space: space}); err != nil {
				b.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		for b.Loop() {
		}
		b.ReportMetric(best.Seconds()*1000, "ms-open")
	})
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
}
