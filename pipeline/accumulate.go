package pipeline

import (
	"encoding/binary"
	"fmt"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// Accumulate is an aggregate of one's own that can be undone: for each change f
// is given the accumulator, the row, and n, as for Fold, whose rules for f it
// has; set puts what comes of it into the row, and a set that panics sends the
// group to the error table. It keeps the accumulator; a change costs one call.
func Accumulate[T, R, A any](f func(acc *A, row T, n int), set func(row *R, acc A)) Agg[T, R] {
	c, err := codec.For[A]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("accumulate: %w", err)}
	}
	return Agg[T, R]{name: "accumulator " + c.Fingerprint(), make: func(int) aggregate[T, R] {
		return &ownAgg[T, R, A]{f: f, set: set, c: c}
	}}
}

// ownAgg has the user's accumulator.
type ownAgg[T, R, A any] struct {
	f    func(*A, T, int)
	set  func(*R, A)
	c    *codec.Codec[A]
	accs []A
	next A // accumulator of the row that was taken, with it
	b    []byte
	txt  codec.Arena
}

func (a *ownAgg[T, R, A]) reset() { a.accs = reuse(a.accs) }

func (a *ownAgg[T, R, A]) open(i int, saved []byte) (rest []byte, ok bool) {
	var acc A
	if saved != nil {
		var b []byte
		if b, rest, ok = cutBytes(saved); !ok || a.c.DecodeCopy(b, &acc, &a.txt) != nil {
			return nil, false
		}
	}
	a.accs = append(a.accs[:i], acc)
	return rest, true
}

func (a *ownAgg[T, R, A]) take(i int, row *T, n int) {
	a.next = a.accs[i]
	a.f(&a.next, *row, n)
}

func (a *ownAgg[T, R, A]) add(i int, _ Key, _ int) { a.accs[i] = a.next }

func (a *ownAgg[T, R, A]) save(i int, _ Key, b []byte) []byte {
	a.b = a.c.Append(a.b[:0], &a.accs[i])
	return append(binary.AppendUvarint(b, uint64(len(a.b))+1), a.b...)
}

func (a *ownAgg[T, R, A]) result(b []byte, r *R) ([]byte, error) {
	v, rest, _ := cutBytes(b)
	return rest, putDecoded(a.c, v, r, a.set)
}

// Reduce is an aggregate of one's own that cannot be undone, such as a product or
// a median: what it keeps is of(row) of all rows of a group, and when they have
// changed f is called for each of them anew, on an empty accumulator, in the
// order of List, n times where there are n equal ones in one call. What f made of
// them set puts into the row. Where f or set panics, the group goes to the error
// table. It costs what List does, and a call for each different value of the
// group: who can undo a row has Accumulate.
func Reduce[T, R, V, A any](of func(row T) V, f func(acc *A, v V, n int), set func(row *R, acc A)) Agg[T, R] {
	c, err := codec.For[V]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("reduce: %w", err)}
	}
	return Agg[T, R]{name: "list of " + c.Fingerprint(), make: func(int) aggregate[T, R] {
		return &bagAgg[T, R]{
			encode: func(b []byte, row *T) []byte {
				v := of(*row)
				return c.Append(b, &v)
			},
			put: func(r *R, bag []byte) error {
				var acc A
				err := eachOf(bag, func(b []byte, n int) error {
					var v V
					_, err := c.Decode(b, &v)
					if err == nil {
						f(&acc, v, n)
					}
					return err
				})
				if err == nil {
					set(r, acc)
				}
				return err
			},
		}
	}}
}
