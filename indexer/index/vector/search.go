package vector

import (
	"cmp"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"github.com/ragserver/ragserver/indexer/index/vector/kern"
)

// Scored is a row and its similarity to a query.
type Scored struct {
	Row   uint32
	Score float32
}

// ExactRows is the number of allowed rows up to which every similarity is
// computed from full vectors.
const ExactRows = 2048

// Search finds the k rows most similar to q among those whose bit is set in
// allow and that have a vector, best first, equal ones by row. allowed is the
// number of bits set; allow has a bit for each row. The first `full` results
// carry similarities computed from full vectors, the rest from 7 bits, capped by
// the last of the former.
//
// As many as k are returned whenever so many exist.
func (f *Flat) Search(q *Query, k, full int, allow []uint64, allowed int) []Scored {
	if k <= 0 || allowed == 0 || f.rows == 0 {
		return nil
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.rows = s.rows[:0]
	switch {
	case allowed <= max(ExactRows, f.rows/32):
		f.list(s, allow)
	default:
		f.scan(s, q, max(full, 1), k, allow)
	}
	out := make([]Scored, len(s.rows))
	if allowed <= ExactRows {
		full = len(out)
	} else {
		f.score8(q, s.rows)
		out = out[:len(top(s.rows, k))]
		s.rows = s.rows[:len(out)]
		slices.SortFunc(s.rows, better)
	}
	copy(out, s.rows)
	head := out[:min(full, len(out))]
	for i := range head {
		g, e := f.at(f.Slot(head[i].Row))
		head[i].Score = kern.Dot(q.full, g.Row(e))
	}
	slices.SortFunc(head, better)
	if len(head) > 0 {
		// Seven bits must not overtake four bytes by their rounding.
		for i, last := len(head), head[len(head)-1].Score; i < len(out); i++ {
			out[i].Score = min(out[i].Score, last)
		}
	}
	runtime.KeepAlive(f)
	return out[:min(k, len(out))]
}

// Similarity computes the similarity of one row from its full vector; ok is
// false if the row has none.
func (f *Flat) Similarity(q *Query, row uint32) (s float32, ok bool) {
	slot := f.Slot(row)
	if slot == NoSlot {
		return 0, false
	}
	g, e := f.at(slot)
	s = kern.Dot(q.full, g.Row(e))
	runtime.KeepAlive(f)
	return s, true
}

func better(a, b Scored) int {
	switch { // there is no NaN among them
	case a.Score > b.Score:
		return -1
	case a.Score < b.Score:
		return 1
	}
	return cmp.Compare(a.Row, b.Row)
}

// scratch is reused between searches.
type scratch struct {
	rows []Scored
	est  []Scored // the best by estimate; rows are others, with their upper bounds
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// list takes all allowed rows that have a vector.
func (f *Flat) list(s *scratch, allow []uint64) {
	for i, w := range allow {
		for ; w != 0; w &= w - 1 {
			row := uint32(i<<6 + bits.TrailingZeros64(w))
			if f.Slot(row) != NoSlot {
				s.rows = append(s.rows, Scored{Row: row})
			}
		}
	}
}

// scan takes the allowed rows that may be among the n best, by the upper bound of
// their estimates, and those that are among the k best by the estimate itself:
// the head of the result is held to a bound, its tail is not. The thresholds are
// raised whenever enough estimates have come together, which is cheaper than a
// heap of k and as good.
func (f *Flat) scan(s *scratch, q *Query, n, k int, allow []uint64) {
	var est [32]float32
	bound, low := float32(-math.MaxFloat32), float32(-math.MaxFloat32) // of the n-th and the k-th best estimate
	limit := max(2*k, 512)
	s.est = s.est[:0]
	group := 4 * f.space.padded
	for i, b := range f.blocks {
		first := i * blockRows
		for g := 0; g < blockRows && first+g < f.rows; g += scanRows {
			word := uint32(allow[(first+g)>>6] >> ((first + g) & 63))
			if word == 0 {
				continue
			}
			mask := word & q.tables.Scan(b.codes[g/scanRows*group:][:group], (*[32]float32)(b.f1[g:]), (*[32]float32)(b.f2[g:]), q.affine, low, &est)
			for ; mask != 0; mask &= mask - 1 {
				j := bits.TrailingZeros32(mask)
				if b.slot[g+j] == NoSlot {
					continue
				}
				row := uint32(first + g + j)
				e := est[j] - b.f1[g+j]*q.margin
				if e > low {
					s.est = append(s.est, Scored{row, e})
				} else if est[j] > bound {
					s.rows = append(s.rows, Scored{row, est[j]})
				}
			}
			if len(s.est) >= limit {
				bound, low = s.raise(f, q, n, k)
			}
		}
	}
	if len(s.est) > k {
		bound, _ = s.raise(f, q, n, k)
	}
	s.rows = slices.DeleteFunc(s.rows, func(r Scored) bool { return r.Score < bound })
	s.rows = append(s.rows, s.est...)
}

// raise cuts est to the k best and returns the worst of the n best and the worst
// of them all. What is cut off and has a high bound goes to rows.
func (s *scratch) raise(f *Flat, q *Query, n, k int) (bound, low float32) {
	best := top(s.est, k)
	bound = worst(top(best, min(n, k)))
	for _, e := range s.est[k:] {
		b := f.blocks[e.Row/blockRows]
		if ub := e.Score + b.f1[e.Row%blockRows]*q.margin; ub > bound {
			s.rows = append(s.rows, Scored{e.Row, ub})
		}
	}
	s.est = best
	return bound, worst(best)
}

func worst(c []Scored) float32 {
	w := c[0].Score
	for _, e := range c {
		w = min(w, e.Score)
	}
	return w
}

// score8 computes similarities from the 7-bit rows.
func (f *Flat) score8(q *Query, rows []Scored) {
	const ahead = 4
	for i := range rows {
		if i+ahead < len(rows) {
			g, e := f.at(f.Slot(rows[i+ahead].Row))
			kern.Prefetch(g.row8(e))
		}
		g, e := f.at(f.Slot(rows[i].Row))
		rows[i].Score = float32(kern.DotU7S8(g.row8(e), q.q8)-q.off8) * g.scale[e] * q.scale8
	}
}

// top moves the k best to the front, in any order, and cuts the rest off.
func top(c []Scored, k int) []Scored {
	if len(c) <= k {
		return c
	}
	lo, hi := 0, len(c)-1
	for lo < hi {
		p := c[(lo+hi)/2]
		i, j := lo, hi
		for i <= j {
			for better(c[i], p) < 0 {
				i++
			}
			for better(p, c[j]) < 0 {
				j--
			}
			if i <= j {
				c[i], c[j] = c[j], c[i]
				i++
				j--
			}
		}
		switch {
		case k-1 <= j:
			hi = j
		case k-1 >= i:
			lo = i
		default:
			return c[:k]
		}
	}
	return c[:k]
}
