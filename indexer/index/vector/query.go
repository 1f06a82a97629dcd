package vector

import (
	"math"

	"github.com/ragserver/ragserver/indexer/index/vector/kern"
)

// Query is a vector prepared for searching: rotated, and in the coarser forms
// that the coarser rows are compared with. It is immutable.
type Query struct {
	full   []float32
	q8     []int8
	off8   int32   // 64·Σq8: rows of 7 bits are stored with 64 added
	scale8 float32 // of q8
	tables kern.Tables
	affine kern.Affine
	margin float32 // of the error bound, per f1
}

// errorMargin is how many standard deviations of a code's estimate the bound
// allows for. The deviation of <r,q> is |r||q|·0.75/√D, f1 is |r|/(0.8·√D): so
// it is 0.6·f1·|q|.
const errorMargin = 1.9 * 0.6

// Query prepares v, which Check found good and not zero.
func (s *Space) Query(v []float32) *Query {
	q := &Query{full: make([]float32, s.padded), q8: make([]int8, s.padded)}
	s.Rotate(q.full, v)
	lo, hi := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	var norm float64
	for _, y := range q.full {
		lo, hi = min(lo, y), max(hi, y)
		norm += float64(y) * float64(y)
	}
	// Four bits: q ≈ lo + step·c. A code b has signs 2b-1, so its product with
	// q is 2·step·Σbc + 2·lo·Σb - Σq; f2 carries 2·f1·Σb.
	step := (hi - lo) / 15
	if step == 0 {
		step = 1
	}
	c := make([]byte, s.padded)
	var sum int
	for i, y := range q.full {
		b := byte((y-lo)/step + 0.5)
		c[i] = b
		sum += int(b)
	}
	q.tables.Build(c)
	q.margin = errorMargin * float32(math.Sqrt(norm))
	total := lo*float32(s.padded) + step*float32(sum)
	q.affine = kern.Affine{Scale: 2 * step, Shift: -total + q.margin, Lo: lo}

	mx := max(hi, -lo)
	q.scale8 = mx / 127
	for i, y := range q.full {
		x := int8(math.Floor(float64(y/mx*127) + 0.5))
		q.q8[i] = x
		q.off8 += 64 * int32(x)
	}
	return q
}
