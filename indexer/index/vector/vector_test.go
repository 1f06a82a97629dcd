package vector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// world is a Writer with its vectors beside it, for the brute-force twin.
type world struct {
	t     testing.TB
	space *Space
	w     *Writer
	shift uint
	vecs  [][]float32 // by slot, as given
	n     int
}

func newWorld(t testing.TB, dims int) *world {
	s, err := NewSpace(dims)
	if err != nil {
		t.Fatal(err)
	}
	shift := SegmentShift(4 * s.Padded())
	return &world{t: t, space: s, w: NewWriter(s, shift), shift: shift}
}

// store puts v into the next slot.
func (w *world) store(v []float32) uint32 {
	slot := uint32(len(w.vecs))
	w.vecs = append(w.vecs, v)
	p, e := int(slot>>w.shift), slot&(1<<w.shift-1)
	if w.w.Segment(p) == nil {
		slots := 1 << w.shift
		m, err := Reserve(slots * 4 * w.space.Padded())
		if err != nil {
			w.t.Fatal(err)
		}
		g, err := NewSegment(w.space, slots, m.Bytes, Layout{0, 4 * w.space.Padded()}, m.Release)
		if err != nil {
			w.t.Fatal(err)
		}
		w.w.SetSegment(p, g)
	}
	g := w.w.Segment(p)
	w.space.Rotate(g.Row(e), v)
	g.Fill(e)
	return slot
}

// add makes a row with vector v.
func (w *world) add(v []float32) uint32 {
	row := uint32(w.n)
	w.n++
	w.w.Grow(w.n)
	w.w.Set(row, w.store(v))
	return row
}

// brute is the twin: all similarities in float64, from the vectors as given.
func (w *world) brute(f *Flat, q []float32, k int, allow []uint64) []Scored {
	var out []Scored
	for r := range f.Rows() {
		slot := f.Slot(uint32(r))
		if allow[r>>6]>>(r&63)&1 == 0 || slot == NoSlot {
			continue
		}
		var s float64
		for i, x := range w.vecs[slot] {
			s += float64(x) * float64(q[i])
		}
		out = append(out, Scored{uint32(r), float32(s)})
	}
	slices.SortFunc(out, better)
	return out[:min(k, len(out))]
}

func random(r *rand.Rand, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// clustered is a unit vector near one of 40 centres, as texts are.
func clustered(r *rand.Rand, centres [][]float32) []float32 {
	c := centres[r.IntN(len(centres))]
	v := random(r, len(c))
	var n float64
	for i := range v {
		v[i] = c[i] + .6*v[i]
		n += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(n))
	}
	return v
}

func all(n int) []uint64 {
	b := make([]uint64, (n+63)/64)
	for i := range n {
		b[i>>6] |= 1 << (i & 63)
	}
	return b
}

func count(b []uint64) (n int) {
	for i := range b {
		for w := b[i]; w != 0; w &= w - 1 {
			n++
		}
	}
	return n
}

func TestRotationKeepsInnerProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, d := range []int{1, 3, 63, 64, 65, 127, 128, 129, 192, 300, 384, 448, 768, 1000, 1536, 3072, 4096} {
		s, err := NewSpace(d)
		if err != nil {
			t.Fatal(err)
		}
		a, b := random(r, d), random(r, d)
		ra, rb := make([]float32, s.Padded()), make([]float32, s.Padded())
		s.Rotate(ra, a)
		s.Rotate(rb, b)
		var want, got, size float64
		for i := range a {
			want += float64(a[i]) * float64(b[i])
		}
		for i := range ra {
			got += float64(ra[i]) * float64(rb[i])
			size += math.Abs(float64(ra[i]) * float64(rb[i]))
		}
		if math.Abs(want-got) > 1e-5*size {
			t.Errorf("%d dims: inner product %v became %v", d, want, got)
		}
		// A single dim must be spread over all: that is what codes need.
		e := make([]float32, d)
		e[d-1] = 1
		s.Rotate(ra, e)
		for i, x := range ra {
			if math.Abs(float64(x)) > 6/math.Sqrt(float64(s.Padded())) {
				t.Errorf("%d dims: the last dim went to dim %d with %v", d, i, x)
				break
			}
		}
	}
}

func TestSpaceRefuses(t *testing.T) {
	for _, d := range []int{-1, 0, MaxDims + 1} {
		if _, err := NewSpace(d); err == nil {
			t.Errorf("a space of %d dims was made", d)
		}
	}
	s, _ := NewSpace(3)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		v    []float32
		zero bool
		err  string
	}{
		{[]float32{1, 2}, false, "2 dims where the embedder has 3"},
		{[]float32{1, nan, 2}, false, "dim 1 is NaN"},
		{[]float32{1, 1, inf}, false, "dim 2 is +Inf"},
		{[]float32{1e30, 0, 0}, false, "length is 1e+30"},
		{[]float32{0, 0, 0}, true, ""},
		{[]float32{1e-30, 0, 0}, true, ""},
		{[]float32{1e-3, 0, 0}, false, ""},
	} {
		zero, err := s.Check(c.v)
		if zero != c.zero || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("Check(%v) = %v, %v", c.v, zero, err)
		}
	}
}

// TestExact compares with the twin where the result must be exact: few rows.
func TestExact(t *testing.T) {
	for _, dims := range []int{2, 64, 100, 384} {
		r := rand.New(rand.NewPCG(2, uint64(dims)))
		w := newWorld(t, dims)
		for range 700 {
			w.add(random(r, dims))
		}
		w.w.Clear(5)
		f := w.w.Snapshot()
		for range 30 {
			q := random(r, dims)
			allow := all(w.n)
			for i := range allow {
				allow[i] &= r.Uint64()
			}
			k := 1 + r.IntN(400)
			same(t, f.Search(w.space.Query(q), k, 10, allow, count(allow)), w.brute(f, q, k, allow))
		}
	}
}

// same compares rows and scores; rows whose scores differ by rounding only may
// change places.
func same(t *testing.T, got, want []Scored) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d results, not %d", len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i].Score - want[i].Score)); d > 1e-4*(1+math.Abs(float64(want[i].Score))) {
			t.Fatalf("result %d is %v, not %v", i, got[i], want[i])
		}
	}
}

// TestRecall bounds what the scan of codes misses, at several selectivities,
// and that it never returns fewer than k.
func TestRecall(t *testing.T) {
	const n, dims, k = 12000, 128, 100
	r := rand.New(rand.NewPCG(3, 3))
	w := newWorld(t, dims)
	var centres [][]float32
	for range 40 {
		centres = append(centres, random(r, dims))
	}
	for range n {
		w.add(clustered(r, centres))
	}
	f := w.w.Snapshot()
	for _, share := range []int{1, 2, 4, 16, 200, 20000} {
		var found, wanted int
		for range 20 {
			q := clustered(r, centres)
			allow := make([]uint64, len(all(n)))
			for i := range n {
				if r.IntN(share) == 0 {
					allow[i>>6] |= 1 << (i & 63)
				}
			}
			got, want := f.Search(w.space.Query(q), k, 50, allow, count(allow)), w.brute(f, q, k, allow)
			if len(got) != len(want) {
				t.Fatalf("1/%d allowed: %d results, not %d", share, len(got), len(want))
			}
			in := map[uint32]bool{}
			for _, s := range got {
				if allow[s.Row>>6]>>(s.Row&63)&1 == 0 {
					t.Fatalf("row %d is not allowed", s.Row)
				}
				in[s.Row] = true
			}
			for _, s := range want[:min(10, len(want))] {
				wanted++
				if in[s.Row] && s.Row == got[slices.IndexFunc(got, func(g Scored) bool { return g.Row == s.Row })].Row {
					found++
				}
			}
		}
		if found*1000 < wanted*995 {
			t.Errorf("1/%d allowed: %d of the %d best were found", share, found, wanted)
		}
	}
}

// TestOldStatesStay changes rows, slots and segments under an older Flat.
func TestOldStatesStay(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	const dims = 64
	w := newWorld(t, dims)
	type old struct {
		f    *Flat
		q    []float32
		want []Scored
	}
	var olds []old
	for range 60 {
		for range 50 {
			switch r.IntN(4) {
			case 0:
				if w.n > 0 {
					w.w.Clear(uint32(r.IntN(w.n)))
				}
			case 1:
				if w.n > 0 {
					w.w.Set(uint32(r.IntN(w.n)), w.store(random(r, dims)))
				}
			default:
				w.add(random(r, dims))
			}
		}
		f, q := w.w.Snapshot(), random(r, dims)
		olds = append(olds, old{f, q, w.brute(f, q, 20, all(w.n))})
		for _, o := range olds {
			n := o.f.Rows()
			same(t, o.f.Search(w.space.Query(o.q), 20, 20, all(n), n), o.want)
		}
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t, 8)
	q := w.space.Query([]float32{1, 0, 0, 0, 0, 0, 0, 0})
	if got := w.w.Snapshot().Search(q, 10, 10, nil, 0); len(got) != 0 {
		t.Errorf("no rows: %v", got)
	}
	w.add(make([]float32, 8)) // zero: no vector
	w.add([]float32{0, 1, 0, 0, 0, 0, 0, 0})
	if got := w.w.Snapshot().Search(q, 1<<40, 10, all(2), 2); len(got) != 1 || got[0].Row != 1 {
		t.Errorf("a zero vector and one other: %v", got)
	}
	// All equal, more than the exact search takes: by row.
	for range 5000 {
		w.add([]float32{1, 1, 1, 1, 1, 1, 1, 1})
	}
	got := w.w.Snapshot().Search(q, 100, 10, all(w.n), w.n)
	for i, s := range got {
		if s.Row != uint32(i+2) {
			t.Fatalf("equal vectors: result %d is row %d", i, s.Row)
		}
	}
	if len(got) != 100 {
		t.Errorf("equal vectors: %d results", len(got))
	}
	// A query of equal dims has no 4-bit range.
	one := make([]float32, 8)
	one[3] = 1e-12
	if got := w.w.Snapshot().Search(w.space.Query(one), 5, 5, all(w.n), w.n); len(got) != 5 {
		t.Errorf("a tiny query: %d results", len(got))
	}
}

func BenchmarkSearch(b *testing.B) {
	const n, dims = 100_000, 384
	r := rand.New(rand.NewPCG(5, 5))
	w := newWorld(b, dims)
	var centres [][]float32
	for range 400 {
		centres = append(centres, random(r, dims))
	}
	for range n {
		w.add(clustered(r, centres))
	}
	f, allow := w.w.Snapshot(), all(n)
	var qs [][]float32
	for range 64 {
		qs = append(qs, clustered(r, centres))
	}
	for _, k := range []int{10, 1000} {
		b.Run(fmt.Sprintf("k=%d", k), func(b *testing.B) {
			i := 0
			for b.Loop() {
				f.Search(w.space.Query(qs[i%len(qs)]), k, 64, allow, n)
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/query")
		})
	}
}
