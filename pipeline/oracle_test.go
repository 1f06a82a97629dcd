package pipeline_test

import (
	"math"
	"math/big"
)

// bigSum adds floats the plain way: with more digits than any sum of them has.
type bigSum struct {
	sum           big.Float
	pos, neg, nan bool
}

func (s *bigSum) add(f float64) {
	switch {
	case f != f:
		s.nan = true
	case math.IsInf(f, 1):
		s.pos = true
	case math.IsInf(f, -1):
		s.neg = true
	default:
		s.sum.SetPrec(5000).Add(&s.sum, new(big.Float).SetFloat64(f))
	}
}

func (s *bigSum) value() float64 {
	switch {
	case s.nan || s.pos && s.neg:
		return math.NaN()
	case s.pos:
		return math.Inf(1)
	case s.neg:
		return math.Inf(-1)
	}
	f, _ := s.sum.Float64()
	return f
}
