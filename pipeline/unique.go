package pipeline

import (
	"bytes"
	"fmt"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// Any is of(row) of some row of a group: always of the same one, whatever the
// order in which they came and how many workers there are, namely that with the
// least encoding. So it changes only when that value goes or a lesser one comes.
// It keeps every different value of the group, sorted; a change costs a search
// among them.
func Any[T, R, V any](of func(row T) V, set func(row *R, v V)) Agg[T, R] {
	c, err := codec.For[V]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("any: %w", err)}
	}
	return Agg[T, R]{name: "any of " + c.Fingerprint(), make: func(int) aggregate[T, R] {
		a := anyOf(c, of, set)
		return &a
	}}
}

func anyOf[T, R, V any](c *codec.Codec[V], of func(T) V, set func(*R, V)) extremeAgg[T, R] {
	return extremeAgg[T, R]{
		encode: func(b []byte, row *T) []byte {
			v := of(*row)
			return c.Append(b, &v)
		},
		put: func(r *R, v []byte) error { return putDecoded(c, v, r, set) },
	}
}

// Unique is of(row) where it is the same for all rows of a group. A group with
// different values goes to the error table, with two of them in the message,
// and comes back when only one is left. Values are compared as groups are: 0 and
// −0 are one value, as are all NaNs and times of one instant in different zones,
// which come out in UTC. It keeps every different value of the group, sorted; a
// change costs a search among them.
func Unique[T, R, V any](of func(row T) V, set func(row *R, v V)) Agg[T, R] {
	c, err := codec.ForKey[V]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("unique: %w", err)}
	}
	return Agg[T, R]{name: "unique of " + c.Fingerprint(), make: func(int) aggregate[T, R] {
		return &uniqueAgg[T, R, V]{anyOf(c, of, set), c}
	}}
}

// uniqueAgg saves the least and the greatest value of a group: if they are one,
// all are.
type uniqueAgg[T, R, V any] struct {
	extremeAgg[T, R]
	c *codec.Codec[V]
}

func (a *uniqueAgg[T, R, V]) open(_ int, saved []byte) ([]byte, bool) {
	if saved == nil {
		return nil, true
	}
	_, rest, ok := cutBytes(saved)
	if ok {
		_, rest, ok = cutBytes(rest)
	}
	return rest, ok
}

func (a *uniqueAgg[T, R, V]) save(_ int, g Key, b []byte) []byte {
	return a.v.appendExtreme(a.v.appendExtreme(b, g, false), g, true)
}

func (a *uniqueAgg[T, R, V]) result(b []byte, r *R) ([]byte, error) {
	least, rest, _ := cutBytes(b)
	greatest, rest, _ := cutBytes(rest)
	if least == nil || greatest == nil {
		return nil, errNegative
	}
	if !bytes.Equal(least, greatest) {
		var x, y V
		if _, err := a.c.Decode(least, &x); err != nil {
			return nil, err
		}
		if _, err := a.c.Decode(greatest, &y); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("the group has different values, such as %s and %s", excerptOf(x), excerptOf(y))
	}
	return rest, a.put(r, least)
}

// excerptOf prints a value for a message.
func excerptOf(v any) string {
	const most = 80
	s := fmt.Sprintf("%+v", v)
	if len(s) > most {
		s = s[:most] + "…"
	}
	return fmt.Sprintf("%q", s)
}
