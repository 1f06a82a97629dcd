package keyword

import (
	"cmp"
	"math/bits"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// Scored is a row and its BM25 score, which is above zero.
type Scored struct {
	Row   uint32
	Score float32
}

// Scores are added as integers in units of 1/scoreUnit, because sums of integers
// are the same in any order: a row scores the same whichever way it is found.
const scoreUnit = 1 << 24

// units gives a contribution: at least 1, since whatever matches is a hit.
func units(weight float64, tf, length uint32, slope float64) uint64 {
	t := float64(tf)
	return uint64(weight*t/(t+k1*(1-b)+slope*float64(length))) + 1
}

// slope is the factor of a document's length in the denominator of BM25.
func (s *Snapshot) slope() float64 { return k1 * b / s.avgLen }

// window is the number of documents whose scores are collected at a time.
const window = 2048

// search is what one search needs, reused between searches.
type search struct {
	acc     [window]uint64
	set     [window / 64]uint64
	cursors []*cursor // in use: the first n
	n       int
	best    heap
	slope   float64
}

var searches = sync.Pool{New: func() any { return new(search) }}

// open gives the cursors of a query's terms in a part.
func (x *search) open(q Query, i int, p *part) []*cursor {
	x.n = 0
	for _, t := range q.terms {
		if t.ords[i] < 0 {
			continue
		}
		if x.n == len(x.cursors) {
			x.cursors = append(x.cursors, new(cursor))
		}
		c := x.cursors[x.n]
		c.weight = t.weight * scoreUnit
		c.open(p.segment, t.ords[i])
		x.n++
	}
	return x.cursors[:x.n]
}

// release gives the search back. The cursors let go of the segment.
func (x *search) release() {
	for _, c := range x.cursors {
		c.seg, c.desc, c.data = nil, nil, nil
	}
	x.best.rows = x.best.rows[:0]
	searches.Put(x)
}

// fewRows is how many allowed rows are scored one by one instead of searched.
const fewRows = 1024

// TopK gives the k best rows that match and, if allow is not nil, are in allow:
// by falling score, equal scores by row. It gives k rows whenever k match.
func (s *Snapshot) TopK(q Query, k int, allow *roaring.Bitmap) []Scored {
	if k <= 0 || q.Empty() {
		return nil
	}
	x := searches.Get().(*search)
	defer x.release()
	x.best.k = k
	x.slope = s.slope()
	if allow != nil && allow.GetCardinality() <= fewRows {
		rows := allow.ToArray()
		for i, v := range s.score(x, q, rows) {
			if v > 0 {
				x.best.add(rows[i], v)
			}
		}
		return x.best.sorted()
	}
	for i := range s.parts {
		x.part(&s.parts[i], x.open(q, i, &s.parts[i]), allow)
	}
	return x.best.sorted()
}

// part searches one part by MaxScore in windows: the lists that cannot lift a
// row among the best by themselves, all taken together, are only asked about
// rows that the others have brought up (Turtle and Flood 1995; windows as in
// Lucene's MaxScoreBulkScorer).
func (x *search) part(p *part, cs []*cursor, allow *roaring.Bitmap) {
	if len(cs) == 0 {
		return
	}
	for _, c := range cs {
		c.setBound(x.slope)
	}
	slices.SortFunc(cs, func(a, b *cursor) int { return cmp.Compare(a.bound, b.bound) })
	sum := make([]uint64, len(cs)+1) // sum[i]: bound of cs[:i] together
	for i, c := range cs {
		sum[i+1] = sum[i] + c.bound
	}
	first := 0 // cs[first:] are walked, cs[:first] asked
	for {
		for first < len(cs) && sum[first+1] < x.best.least() {
			first++
		}
		w := uint32(noDoc)
		for _, c := range cs[first:] {
			w = min(w, c.doc())
		}
		if w == noDoc {
			return
		}
		for _, c := range cs[first:] {
			x.collect(c, w)
		}
		x.settle(p, cs[:first], sum, w, allow)
	}
}

// setBound finds the largest contribution from the blocks' descriptors, and
// from the rest itself.
func (c *cursor) setBound(slope float64) {
	c.bound = 0
	for k := range c.blocks {
		d := c.desc[k*descriptor:]
		tf, length := uint32(le.Uint16(d[8:])), uint32(le.Uint16(d[10:]))
		if tf == 1<<16-1 {
			c.bound = uint64(c.weight) + 2
			return
		}
		c.bound = max(c.bound, units(c.weight, tf, length, slope)+1)
	}
	if c.count > c.blocks*blockSize {
		tf, length := uint32(0), ^uint32(0)
		if c.blocks > 0 {
			c.load(c.blocks)
		}
		for i := range c.n {
			tf, length = max(tf, c.tf[i]), min(length, c.seg.len(c.docs[i]))
		}
		c.bound = max(c.bound, units(c.weight, tf, length, slope)+1)
		if c.blocks > 0 {
			c.load(0)
		}
	}
}

// collect adds a list's contributions to the window that starts at w.
func (x *search) collect(c *cursor, w uint32) {
	end := uint64(w) + window
	lens := c.seg.lens
	for {
		i := c.i
		if i >= c.n || uint64(c.docs[i]) >= end {
			return
		}
		c.loadTFs()
		for ; i < c.n && uint64(c.docs[i]) < end; i++ {
			d := c.docs[i]
			o := d - w
			x.acc[o&(window-1)] += units(c.weight, c.tf[i], u32(lens, int(d)), x.slope)
			x.set[o>>6&(window/64-1)] |= 1 << (o & 63)
		}
		if c.i = i; i < c.n || c.block >= c.blocks {
			return
		}
		c.load(c.block + 1)
	}
}

// settle takes the window's documents that can be among the best, asks the other
// lists about them, and clears the window.
func (x *search) settle(p *part, asked []*cursor, sum []uint64, w uint32, allow *roaring.Bitmap) {
	rest := sum[len(asked)]
	for wi := range x.set {
		m := x.set[wi]
		x.set[wi] = 0
		for ; m != 0; m &= m - 1 {
			o := wi<<6 + bits.TrailingZeros64(m)
			v := x.acc[o]
			x.acc[o] = 0
			d := w + uint32(o)
			if v+rest < x.best.least() || p.isDead(d) {
				continue
			}
			row := p.row(d)
			if allow != nil && !allow.Contains(row) {
				continue
			}
			for j := len(asked) - 1; j >= 0 && v+sum[j+1] >= x.best.least(); j-- {
				v += asked[j].at(d, x.slope)
			}
			x.best.add(row, v)
		}
	}
}

// at gives the contribution to document d, which must not be before one asked
// about earlier; 0 if the list does not have it.
func (c *cursor) at(d uint32, slope float64) uint64 {
	if c.seek(d); c.doc() != d {
		return 0
	}
	c.loadTFs()
	return units(c.weight, c.tf[c.i], c.seg.len(d), slope)
}

// heap holds the best rows so far, the worst on top.
type heap struct {
	k    int
	rows []scoredUnits
}

type scoredUnits struct {
	row   uint32
	score uint64
}

// before says that a is the better of the two.
func (a scoredUnits) before(b scoredUnits) bool {
	return a.score > b.score || a.score == b.score && a.row < b.row
}

// least is a score below which nothing is taken any more.
func (h *heap) least() uint64 {
	if len(h.rows) < h.k {
		return 0
	}
	return h.rows[0].score
}

func (h *heap) add(row uint32, score uint64) {
	s := scoredUnits{row, score}
	a := h.rows
	if len(a) < h.k {
		a = append(a, s)
		h.rows = a
		for i := len(a) - 1; i > 0 && a[(i-1)/2].before(a[i]); i = (i - 1) / 2 {
			a[i], a[(i-1)/2] = a[(i-1)/2], a[i]
		}
		return
	}
	if !s.before(a[0]) {
		return
	}
	a[0] = s
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(a) {
			return
		}
		if c+1 < len(a) && a[c].before(a[c+1]) {
			c++
		}
		if !a[i].before(a[c]) {
			return
		}
		a[i], a[c] = a[c], a[i]
		i = c
	}
}

func (h *heap) sorted() []Scored {
	slices.SortFunc(h.rows, func(a, b scoredUnits) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	out := make([]Scored, len(h.rows))
	for i, r := range h.rows {
		out[i] = Scored{r.row, score(r.score)}
	}
	return out
}

func score(v uint64) float32 { return float32(float64(v) / scoreUnit) }
