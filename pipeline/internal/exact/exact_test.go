package exact

import (
	"bytes"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// floats draws numbers whose naive sums go wrong: of all sizes, cancelling,
// subnormal, special.
func floats() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64(),
		rapid.Custom(func(t *rapid.T) float64 {
			return math.Ldexp(float64(rapid.Int64().Draw(t, "m")), rapid.IntRange(-1130, 950).Draw(t, "e"))
		}),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 0.1, -0.1, 1e308, -1e308, math.SmallestNonzeroFloat64, math.MaxFloat64, -math.MaxFloat64}),
	)
}

func TestSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Sum
		want := new(big.Float).SetPrec(5000)
		var taken []float64
		for range rapid.IntRange(0, 30).Draw(t, "adds") {
			v := floats().Draw(t, "v")
			n := rapid.SampledFrom([]int{1, 1, -1, 3, 1 << 40, -(1 << 35)}).Draw(t, "n")
			if v != v || math.IsInf(v, 0) {
				v = 1
			}
			s.Add(v, n)
			taken = append(taken, v, float64(n))
			x := new(big.Float).SetPrec(5000).SetFloat64(v)
			want.Add(want, x.Mul(x, new(big.Float).SetPrec(5000).SetInt64(int64(n))))
			if rapid.Bool().Draw(t, "save") {
				b := s.Append(nil)
				var back Sum
				rest, ok := back.Decode(append(b, 'x'))
				if !ok || string(rest) != "x" {
					t.Fatal("the encoding does not decode")
				}
				s = back
			}
		}
		w, _ := want.Float64()
		if got := s.Float(); got != w {
			t.Fatalf("sum %v, want %v", got, w)
		}
		k := rapid.Int64Range(1, math.MaxInt64).Draw(t, "k")
		m, _ := new(big.Float).SetPrec(5000).Quo(want, new(big.Float).SetPrec(5000).SetInt64(k)).Float64()
		if got := s.Mean(k); got != m {
			t.Fatalf("mean of %d: %v, want %v", k, got, m)
		}
		// Taken back in any order, nothing remains, not even in the encoding.
		for _, i := range rapid.Permutation(indexes(len(taken)/2)).Draw(t, "order") {
			s.Add(taken[2*i], -int(taken[2*i+1]))
		}
		if !bytes.Equal(s.Append(nil), new(Sum).Append(nil)) {
			t.Fatalf("%+v remains", s)
		}
	})
}

func indexes(n int) []int {
	is := make([]int, n)
	for i := range is {
		is[i] = i
	}
	return is
}

// TestEncodingIsUnique: one value has one encoding, however it came about.
func TestEncodingIsUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, b Sum
		vs := rapid.SliceOfN(floats(), 1, 10).Draw(t, "vs")
		for _, v := range vs {
			a.Add(v, 1)
		}
		noise := floats().Draw(t, "noise")
		b.Add(noise, 2)
		for _, v := range rapid.Permutation(vs).Draw(t, "order") {
			b.Add(v, 1)
			b = decoded(t, &b)
		}
		b.Add(noise, -2)
		if !bytes.Equal(a.Append(nil), b.Append(nil)) {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

func decoded(t *rapid.T, s *Sum) (back Sum) {
	if rest, ok := back.Decode(s.Append(nil)); !ok || len(rest) != 0 {
		t.Fatal("the encoding does not decode")
	}
	return back
}

func TestSpecial(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		add, undo []float64
		want      float64
	}{
		{[]float64{1, inf}, nil, inf},
		{[]float64{1, inf}, []float64{inf}, 1},
		{[]float64{-inf, inf}, nil, nan},
		{[]float64{-inf, inf, 2}, []float64{inf}, -inf},
		{[]float64{nan, 5}, nil, nan},
		{[]float64{nan, 5}, []float64{nan}, 5},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, nil, inf},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, []float64{math.MaxFloat64}, math.MaxFloat64},
	} {
		var s Sum
		for _, v := range c.add {
			s.Add(v, 1)
		}
		for _, v := range c.undo {
			s.Add(v, -1)
		}
		if got := s.Float(); got != c.want && (got == got || c.want == c.want) {
			t.Errorf("%v without %v: %v, want %v", c.add, c.undo, got, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var s Sum
	f.Add(s.Append(nil))
	s.Add(-1.5e300, 3)
	s.Add(1e-300, 1)
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Sum
		if _, ok := s.Decode(b); ok {
			s.Float()
			s.Add(1, 1)
			s.Append(nil)
		}
	})
}
