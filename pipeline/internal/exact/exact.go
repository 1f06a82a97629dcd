// Package exact adds floating-point numbers without rounding. A Sum is a
// fixed-point number wide enough for every float64, of which only the digits in
// use are kept; its value is rounded once, when it is read. So it depends on
// neither the order of additions nor on what was added and taken back.
package exact

import (
	"encoding/binary"
	"math"
	"math/big"
)

// Sum is an exact sum of float64 values. The zero Sum is 0.
type Sum struct {
	low   int     // position of the first digit
	digit []int64 // of 32 bits, the least first; between Adds each is in [0, 2³²) but the last, which has the sign
	nan   int64   // how many NaNs,
	pos   int64   // +Inf
	neg   int64   // and −Inf have been added
}

const (
	digitBits = 32
	bias      = 1074 // 2^-1074 is the least float64: bit 0 of digit 0
)

// Add adds v n times; n may be negative.
func (s *Sum) Add(v float64, n int) {
	switch {
	case v != v:
		s.nan += int64(n)
		return
	case math.IsInf(v, 1):
		s.pos += int64(n)
		return
	case math.IsInf(v, -1):
		s.neg += int64(n)
		return
	case v == 0 || n == 0:
		return
	}
	// A large n in parts, so that no digit can overflow.
	for n > 1<<29 || n < -(1<<29) {
		m := 1 << 29
		if n < 0 {
			m = -m
		}
		s.add(v, int64(m))
		n -= m
	}
	s.add(v, int64(n))
}

func (s *Sum) add(v float64, n int64) {
	u := math.Float64bits(v)
	mant, exp := u&(1<<52-1), int(u>>52&0x7ff)
	if exp > 0 {
		mant |= 1 << 52
		exp--
	}
	if v < 0 {
		n = -n
	}
	// v = mant × 2^(exp-bias): spread over three digits.
	at, shift := exp/digitBits, exp%digitBits
	s.cover(at, at+4)
	d := s.digit[at-s.low:]
	d[0] += int64(mant<<shift&(1<<32-1)) * n
	d[1] += int64(mant>>(32-shift)&(1<<32-1)) * n
	if shift > 0 {
		d[2] += int64(mant>>(64-shift)) * n
	}
	s.carry()
}

// cover makes room for the digits from … to-1.
func (s *Sum) cover(from, to int) {
	switch {
	case len(s.digit) == 0:
		s.low = from
		s.digit = make([]int64, to-from)
		return
	case from < s.low:
		s.digit = append(make([]int64, s.low-from, s.low-from+len(s.digit)), s.digit...)
		s.low = from
	}
	for s.low+len(s.digit) < to {
		// What was the last digit may be negative; carry moves its sign up.
		s.digit = append(s.digit, 0)
	}
}

// carry brings all digits back into their range.
func (s *Sum) carry() {
	last := len(s.digit) - 1
	for i := range last {
		c := s.digit[i] >> digitBits
		s.digit[i] -= c << digitBits
		s.digit[i+1] += c
	}
	for s.digit[last] >= 1<<(digitBits-1) || s.digit[last] < -(1<<(digitBits-1)) {
		c := s.digit[last] >> digitBits
		s.digit[last] -= c << digitBits
		s.digit = append(s.digit, c)
		last++
	}
}

// trim drops digits at both ends that say nothing.
func (s *Sum) trim() {
	n := len(s.digit)
	for n > 0 {
		next := int64(0)
		if n > 1 {
			next = s.digit[n-2]
		}
		// The last digit goes if the next one, read with its sign, says the same.
		switch last := s.digit[n-1]; {
		case last == 0 && next < 1<<(digitBits-1):
		case last == -1 && n > 1 && next >= 1<<(digitBits-1):
			s.digit[n-2] -= 1 << digitBits
		default:
			next = -1
		}
		if next < 0 {
			break
		}
		n--
	}
	s.digit = s.digit[:n]
	for len(s.digit) > 0 && s.digit[0] == 0 {
		s.digit = s.digit[1:]
		s.low++
	}
	if len(s.digit) == 0 {
		s.low = 0
	}
}

// special returns what infinities and NaNs make of the sum.
func (s *Sum) special() (v float64, ok bool) {
	switch {
	case s.nan > 0 || s.pos > 0 && s.neg > 0:
		return math.NaN(), true
	case s.pos > 0:
		return math.Inf(1), true
	case s.neg > 0:
		return math.Inf(-1), true
	}
	return 0, false
}

// int returns the sum as an integer times 2^(exp).
func (s *Sum) int() (m *big.Int, exp int) {
	m = new(big.Int)
	for i := len(s.digit) - 1; i >= 0; i-- {
		m.Lsh(m, digitBits)
		m.Add(m, big.NewInt(s.digit[i]))
	}
	return m, s.low*digitBits - bias
}

// Float returns the sum, rounded to the nearest float64, ties to even.
func (s *Sum) Float() float64 {
	if v, ok := s.special(); ok {
		return v
	}
	m, exp := s.int()
	return round(m, exp)
}

// Mean returns the sum divided by n, rounded once; NaN if n is 0.
func (s *Sum) Mean(n int64) float64 {
	if v, ok := s.special(); ok {
		return v
	}
	if n == 0 {
		return math.NaN()
	}
	m, exp := s.int()
	if n < 0 {
		m, n = m.Neg(m), -n
	}
	// 128 bits more than the divisor has, and a sticky bit for the rest.
	m.Lsh(m, 192)
	var rest big.Int
	m.QuoRem(m, big.NewInt(n), &rest)
	m.Lsh(m, 1)
	if sign := rest.Sign(); sign != 0 {
		m.Add(m, big.NewInt(int64(sign)))
	}
	return round(m, exp-193)
}

// round returns m × 2^exp.
func round(m *big.Int, exp int) float64 {
	if m.Sign() == 0 {
		return 0
	}
	f := new(big.Float).SetInt(m)
	v, _ := f.SetMantExp(f, exp).Float64()
	return v
}

// Append appends the sum's encoding to b. Equal sums have equal encodings.
func (s *Sum) Append(b []byte) []byte {
	s.trim()
	b = append(b, byte(len(s.digit)), byte(s.low))
	for _, d := range s.digit {
		b = binary.LittleEndian.AppendUint32(b, uint32(d))
	}
	b = binary.AppendVarint(b, s.nan)
	b = binary.AppendVarint(b, s.pos)
	return binary.AppendVarint(b, s.neg)
}

// Decode reads what Append wrote and returns the bytes after it.
func (s *Sum) Decode(b []byte) (rest []byte, ok bool) {
	if len(b) < 2 || len(b) < 2+4*int(b[0]) {
		return nil, false
	}
	n := int(b[0])
	*s = Sum{low: int(b[1]), digit: make([]int64, n)}
	b = b[2:]
	for i := range n {
		d := binary.LittleEndian.Uint32(b)
		s.digit[i], b = int64(d), b[4:]
		if i == n-1 {
			s.digit[i] = int64(int32(d))
		}
	}
	for _, c := range []*int64{&s.nan, &s.pos, &s.neg} {
		v, w := binary.Varint(b)
		if w <= 0 {
			return nil, false
		}
		*c, b = v, b[w:]
	}
	return b, true
}
