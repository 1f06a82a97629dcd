package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"reflect"

	"github.com/ragserver/ragserver/pipeline/internal/exact"
)

// Integer is any integer type, Number any number that can be summed.
type (
	Integer interface {
		~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
	}
	Number interface {
		Integer | ~float32 | ~float64
	}
)

// Count counts rows. It keeps nothing but the count.
func Count[T, R any](set func(row *R, n int64)) Agg[T, R] {
	return Agg[T, R]{name: "count", make: func(int) aggregate[T, R] { return &countAgg[T, R]{set: set} }}
}

// Sum adds up of(row). The sum of integers is computed in 128 bits; a group whose
// sum does not fit into N goes to the error table until it does. The sum of
// floats is exact and rounded once, when it is read: it does not depend on the
// order of rows, and when rows go it is what it would be had they never been.
// Infinities and NaNs are counted, so that they can go as well. It keeps 16 bytes
// for integers, about 40 for floats of similar size.
func Sum[T, R any, N Number](of func(row T) N, set func(row *R, sum N)) Agg[T, R] {
	if isFloat[N]() {
		return Agg[T, R]{name: "sum of floats", make: func(int) aggregate[T, R] {
			return &floatAgg[T, R]{of: func(t T) float64 { return float64(of(t)) }, set: func(r *R, s float64, _ int64) { set(r, N(s)) }}
		}}
	}
	return Agg[T, R]{name: "sum of integers", make: func(int) aggregate[T, R] { return &intAgg[T, R, N]{of: of, set: set} }}
}

// Avg is the mean of of(row): the exact sum divided by the number of rows,
// rounded once. It keeps what Sum of floats and Count keep.
func Avg[T, R any, N Number](of func(row T) N, set func(row *R, mean float64)) Agg[T, R] {
	return Agg[T, R]{name: "avg", make: func(int) aggregate[T, R] {
		return &floatAgg[T, R]{
			of:    func(t T) float64 { return float64(of(t)) },
			exact: exactOf(of),
			set:   func(r *R, s float64, n int64) { set(r, s) },
			mean:  true,
		}
	}}
}

func isFloat[N Number]() bool {
	k := reflect.TypeFor[N]().Kind()
	return k == reflect.Float32 || k == reflect.Float64
}

// exactOf splits 64-bit integers, which a float64 does not hold exactly, into
// two parts that it does.
func exactOf[T any, N Number](of func(T) N) func(T) (hi, lo float64) {
	if isFloat[N]() {
		return nil
	}
	return func(t T) (float64, float64) {
		v := of(t)
		if v < 0 {
			i := int64(v)
			hi := i >> 32
			return float64(hi) * (1 << 32), float64(i - hi<<32)
		}
		u := uint64(v)
		return float64(u>>32) * (1 << 32), float64(u & (1<<32 - 1))
	}
}

type countAgg[T, R any] struct {
	set func(*R, int64)
	n   []int64
}

func (a *countAgg[T, R]) reset() { a.n = reuse(a.n) }

func (a *countAgg[T, R]) open(i int, saved []byte) ([]byte, bool) {
	var n int64
	if saved != nil {
		var w int
		if n, w = binary.Varint(saved); w <= 0 {
			return nil, false
		}
		saved = saved[w:]
	}
	a.n = append(a.n[:i], n)
	return saved, true
}

func (a *countAgg[T, R]) take(int, *T, int)                  {}
func (a *countAgg[T, R]) add(i int, _ Key, n int)            { a.n[i] += int64(n) }
func (a *countAgg[T, R]) save(i int, _ Key, b []byte) []byte { return binary.AppendVarint(b, a.n[i]) }
func (a *countAgg[T, R]) result(b []byte, r *R) ([]byte, error) {
	n, w := binary.Varint(b)
	a.set(r, n)
	return b[w:], nil
}

// intAgg sums integers in 128 bits, two's complement.
type intAgg[T, R any, N Number] struct {
	of  func(T) N
	set func(*R, N)
	sum []int128
	v   N
}

type int128 struct {
	hi int64
	lo uint64
}

var errOverflow = errors.New("the sum does not fit into its type")

func (a *intAgg[T, R, N]) reset() { a.sum = reuse(a.sum) }

func (a *intAgg[T, R, N]) open(i int, saved []byte) ([]byte, bool) {
	var s int128
	if saved != nil {
		if len(saved) < 16 {
			return nil, false
		}
		s = int128{int64(binary.LittleEndian.Uint64(saved)), binary.LittleEndian.Uint64(saved[8:])}
		saved = saved[16:]
	}
	a.sum = append(a.sum[:i], s)
	return saved, true
}

func (a *intAgg[T, R, N]) take(_ int, row *T, _ int) { a.v = a.of(*row) }

func (a *intAgg[T, R, N]) add(i int, _ Key, n int) {
	// v × n in 128 bits, by absolute values.
	neg := n < 0
	m := uint64(n)
	if neg {
		m = -m
	}
	v := uint64(a.v)
	if a.v < 0 {
		neg = !neg
		v = -uint64(int64(a.v))
	}
	hi, lo := bits.Mul64(v, m)
	s := &a.sum[i]
	var c uint64
	if neg {
		s.lo, c = bits.Sub64(s.lo, lo, 0)
		s.hi -= int64(hi + c)
	} else {
		s.lo, c = bits.Add64(s.lo, lo, 0)
		s.hi += int64(hi + c)
	}
}

func (a *intAgg[T, R, N]) save(i int, _ Key, b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(a.sum[i].hi))
	return binary.LittleEndian.AppendUint64(b, a.sum[i].lo)
}

func (a *intAgg[T, R, N]) result(b []byte, r *R) ([]byte, error) {
	s := int128{int64(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:])}
	v := N(s.lo)
	back := int128{0, uint64(v)}
	if v < 0 {
		back = int128{-1, uint64(int64(v))}
	}
	if back != s {
		return nil, fmt.Errorf("%w %s", errOverflow, reflect.TypeFor[N]())
	}
	a.set(r, v)
	return b[16:], nil
}

// floatAgg sums numbers exactly and counts them.
type floatAgg[T, R any] struct {
	of     func(T) float64
	exact  func(T) (hi, lo float64) // instead of of, where that would round
	set    func(r *R, v float64, n int64)
	mean   bool
	sum    []exact.Sum
	n      []int64
	hi, lo float64
}

func (a *floatAgg[T, R]) reset() { a.sum, a.n = reuse(a.sum), reuse(a.n) }

func (a *floatAgg[T, R]) open(i int, saved []byte) ([]byte, bool) {
	var s exact.Sum
	var n int64
	if saved != nil {
		var w int
		if n, w = binary.Varint(saved); w <= 0 {
			return nil, false
		}
		var ok bool
		if saved, ok = s.Decode(saved[w:]); !ok {
			return nil, false
		}
	}
	a.sum, a.n = append(a.sum[:i], s), append(a.n[:i], n)
	return saved, true
}

func (a *floatAgg[T, R]) take(_ int, row *T, _ int) {
	if a.exact != nil {
		a.hi, a.lo = a.exact(*row)
	} else {
		a.hi, a.lo = a.of(*row), 0
	}
}

func (a *floatAgg[T, R]) add(i int, _ Key, n int) {
	a.n[i] += int64(n)
	a.sum[i].Add(a.hi, n)
	if a.lo != 0 {
		a.sum[i].Add(a.lo, n)
	}
}

func (a *floatAgg[T, R]) save(i int, _ Key, b []byte) []byte {
	return a.sum[i].Append(binary.AppendVarint(b, a.n[i]))
}

func (a *floatAgg[T, R]) result(b []byte, r *R) ([]byte, error) {
	n, w := binary.Varint(b)
	var s exact.Sum
	rest, _ := s.Decode(b[w:])
	if a.mean {
		a.set(r, s.Mean(n), n)
	} else {
		a.set(r, s.Float(), n)
	}
	return rest, nil
}
