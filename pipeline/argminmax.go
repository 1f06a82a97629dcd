package pipeline

import (
	"cmp"
	"fmt"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// ArgMin is of(row) of the row of a group whose by(row) is least, in the order of
// cmp.Compare (a NaN is less than all numbers: a row without a number to compare
// by is better filtered out before). Of rows with the same least by it is always
// the same one, that whose of(row) has the least encoding, whatever the order in
// which they came.
//
// It keeps every different pair of by(row) and of(row) of the group, sorted. A
// change costs a search among them.
func ArgMin[T, R any, V cmp.Ordered, W any](by func(row T) V, of func(row T) W, set func(row *R, of W)) Agg[T, R] {
	return argExtreme("argmin", by, of, set, false)
}

// ArgMax is of(row) of the row of a group whose by(row) is greatest; of rows with
// the same by that whose of(row) has the greatest encoding. It is else as ArgMin.
func ArgMax[T, R any, V cmp.Ordered, W any](by func(row T) V, of func(row T) W, set func(row *R, of W)) Agg[T, R] {
	return argExtreme("argmax", by, of, set, true)
}

func argExtreme[T, R any, V cmp.Ordered, W any](name string, by func(T) V, of func(T) W, set func(*R, W), greatest bool) Agg[T, R] {
	order := codec.Ordered[V]()
	c, err := codec.For[W]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("%s: %w", name, err)}
	}
	name = fmt.Sprintf("%s of %s by %s", name, c.Fingerprint(), typeOf[V]().Kind())
	return Agg[T, R]{name: name, make: func(int) aggregate[T, R] {
		return &extremeAgg[T, R]{
			encode: func(b []byte, row *T) []byte {
				w := of(*row)
				return c.Append(order.AppendPart(b, by(*row)), &w)
			},
			put: func(r *R, v []byte) error {
				v, ok := order.SkipPart(v)
				if !ok {
					return errDamagedState
				}
				return putDecoded(c, v, r, set)
			},
			greatest: greatest,
		}
	}}
}

// putDecoded sets what v, an encoded value that nobody changes, holds.
func putDecoded[V, R any](c *codec.Codec[V], v []byte, r *R, set func(*R, V)) error {
	var val V
	if _, err := c.Decode(v, &val); err != nil {
		return err
	}
	set(r, val)
	return nil
}
