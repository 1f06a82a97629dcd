package pipeline

import (
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// CountDistinct counts the different values of(row) of a group, exactly. Values
// are compared as groups are: 0 and −0 are one value, as are all NaNs and times
// of one instant in different zones. It keeps every different value, or a hash
// of 128 bits where that is shorter, with how often it is there. A change costs a
// search among them.
func CountDistinct[T, R, V any](of func(row T) V, set func(row *R, n int64)) Agg[T, R] {
	c, err := codec.ForKey[V]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("count distinct: %w", err)}
	}
	return Agg[T, R]{name: "count of distinct " + c.Fingerprint(), make: func(int) aggregate[T, R] {
		return &distinctAgg[T, R, V]{of: of, c: c, countAgg: countAgg[T, R]{set: set}}
	}}
}

// distinctAgg counts the values whose weight is positive.
type distinctAgg[T, R, V any] struct {
	countAgg[T, R]
	of func(T) V
	c  *codec.Codec[V]
	v  values
	b  []byte
}

func (a *distinctAgg[T, R, V]) values() *values { return &a.v }

func (a *distinctAgg[T, R, V]) take(_ int, row *T, _ int) {
	v := a.of(*row)
	a.b = a.c.Append(a.b[:0], &v)
	if len(a.b) >= 16 {
		h := xxh3.Hash128(a.b).Bytes()
		a.b = append(a.b[:0], h[:]...)
	}
}

func (a *distinctAgg[T, R, V]) add(i int, g Key, n int) {
	now := a.v.add(g, a.b, n)
	a.n[i] += presence(now) - presence(now-n)
}

// presence is 1 for what is there and 0 for what is not.
func presence(weight int) int64 {
	if weight > 0 {
		return 1
	}
	return 0
}
