package pipeline

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// List is of(row) of all rows of a group. Equal values are there as often as
// there are rows. The order is that of their encodings: it means nothing, but it
// depends on the values alone, not on when they came. Who wants two fields side
// by side has of return both.
//
// It keeps the values with the group, equal ones once. Each epoch that changes a
// group costs its whole list, which also goes to the sinks, twice: this is for
// groups of some thousands of rows at most.
func List[T, R, V any](of func(row T) V, set func(row *R, values []V)) Agg[T, R] {
	c, err := codec.For[V]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("list: %w", err)}
	}
	encode := func(b []byte, row *T) []byte {
		v := of(*row)
		return c.Append(b, &v)
	}
	return listOf("list of "+c.Fingerprint(), encode, decodeWith(c), set)
}

// ListBy is List in the order of by(row), that of cmp.Compare; rows with the same
// by are in the order of List.
func ListBy[T, R any, K cmp.Ordered, V any](by func(row T) K, of func(row T) V, set func(row *R, values []V)) Agg[T, R] {
	order := codec.Ordered[K]()
	c, err := codec.For[V]()
	if err != nil {
		return Agg[T, R]{err: fmt.Errorf("list by: %w", err)}
	}
	encode := func(b []byte, row *T) []byte {
		v := of(*row)
		return c.Append(order.AppendPart(b, by(*row)), &v)
	}
	value := decodeWith(c)
	decode := func(b []byte) (v V, err error) {
		b, ok := order.SkipPart(b)
		if !ok {
			return v, errDamagedState
		}
		return value(b)
	}
	return listOf(fmt.Sprintf("list of %s by %s", c.Fingerprint(), typeOf[K]().Kind()), encode, decode, set)
}

// SortedList is List in the order of cmp.Compare: NaNs come first.
func SortedList[T, R any, V cmp.Ordered](of func(row T) V, set func(row *R, values []V)) Agg[T, R] {
	order := codec.Ordered[V]()
	encode := func(b []byte, row *T) []byte { return order.Append(b, of(*row)) }
	decode := func(b []byte) (V, error) { return order.Decode(b), nil }
	return listOf(fmt.Sprint("sorted list of ", typeOf[V]().Kind()), encode, decode, set)
}

func decodeWith[V any](c *codec.Codec[V]) func([]byte) (V, error) {
	return func(b []byte) (v V, err error) {
		_, err = c.Decode(b, &v)
		return v, err
	}
}

func listOf[T, R, V any](name string, encode func([]byte, *T) []byte, decode func([]byte) (V, error), set func(*R, []V)) Agg[T, R] {
	return Agg[T, R]{name: name, make: func(int) aggregate[T, R] {
		return &bagAgg[T, R]{encode: encode, put: func(r *R, bag []byte) error {
			total := 0
			eachOf(bag, func(_ []byte, n int) error { total += n; return nil })
			list := make([]V, 0, total)
			err := eachOf(bag, func(b []byte, n int) error {
				v, err := decode(b)
				for range n {
					list = append(list, v)
				}
				return err
			})
			set(r, list)
			return err
		}}
	}}
}

// bagAgg keeps a group's values as one string of bytes: each value behind its
// length and before its weight, in the order of the bytes. What an epoch changes
// is gathered and merged into it when the group is saved.
type bagAgg[T, R any] struct {
	encode func(b []byte, row *T) []byte
	put    func(r *R, bag []byte) error
	copies []bagCopy
	mem    []byte // bags and values of the working copies
	b, tmp []byte
}

type bagCopy struct {
	bag     span
	changes []bagChange
}

// span is a part of mem.
type span struct{ from, to int }

type bagChange struct {
	val span
	n   int
}

func (a *bagAgg[T, R]) keep(b []byte) span {
	from := len(a.mem)
	a.mem = append(a.mem, b...)
	return span{from, len(a.mem)}
}

func (a *bagAgg[T, R]) at(s span) []byte { return a.mem[s.from:s.to] }

func (a *bagAgg[T, R]) reset() { a.copies, a.mem = reuse(a.copies), reuse(a.mem) }

func (a *bagAgg[T, R]) open(i int, saved []byte) (rest []byte, ok bool) {
	var bag []byte
	if saved != nil {
		if bag, rest, ok = cutBytes(saved); !ok {
			return nil, false
		}
	}
	a.copies = append(a.copies[:i], bagCopy{bag: a.keep(bag)})
	return rest, true
}

func (a *bagAgg[T, R]) take(_ int, row *T, _ int) { a.b = a.encode(a.b[:0], row) }

func (a *bagAgg[T, R]) add(i int, _ Key, n int) {
	c := &a.copies[i]
	c.changes = append(c.changes, bagChange{a.keep(a.b), n})
}

func (a *bagAgg[T, R]) save(i int, _ Key, b []byte) []byte {
	c := &a.copies[i]
	slices.SortFunc(c.changes, func(x, y bagChange) int { return bytes.Compare(a.at(x.val), a.at(y.val)) })
	a.tmp = a.tmp[:0]
	bag := a.at(c.bag)
	for i := 0; i < len(c.changes); {
		val, n := a.at(c.changes[i].val), 0
		for ; i < len(c.changes) && bytes.Equal(a.at(c.changes[i].val), val); i++ {
			n += c.changes[i].n
		}
		var was int
		var less []byte
		less, was, bag = splitBag(bag, val)
		a.tmp = append(a.tmp, less...)
		if was+n != 0 {
			a.tmp = appendWeighted(a.tmp, val, was+n)
		}
	}
	a.tmp = append(a.tmp, bag...)
	b = binary.AppendUvarint(b, uint64(len(a.tmp))+1)
	return append(b, a.tmp...)
}

func (a *bagAgg[T, R]) result(b []byte, r *R) ([]byte, error) {
	bag, rest, _ := cutBytes(b)
	return rest, a.put(r, bag)
}

func appendWeighted(b, val []byte, n int) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(val))), val...)
	return binary.AppendVarint(b, int64(n))
}

// cutWeighted reads what appendWeighted wrote; ok is false at the end, and if the
// bytes are damaged.
func cutWeighted(b []byte) (val []byte, n int, rest []byte, ok bool) {
	size, w := binary.Uvarint(b)
	if w <= 0 || size > uint64(len(b)-w) {
		return nil, 0, nil, false
	}
	end := w + int(size)
	weight, v := binary.Varint(b[end:])
	if v <= 0 {
		return nil, 0, nil, false
	}
	return b[w:end:end], int(weight), b[end+v:], true
}

// splitBag splits a bag at val: what is less, how often val is there, and what
// is greater.
func splitBag(bag, val []byte) (less []byte, n int, greater []byte) {
	for rest := bag; ; {
		v, m, next, ok := cutWeighted(rest)
		if !ok {
			return bag, 0, nil
		}
		switch bytes.Compare(v, val) {
		case 0:
			return bag[:len(bag)-len(rest)], m, next
		case 1:
			return bag[:len(bag)-len(rest)], 0, rest
		}
		rest = next
	}
}

// eachOf calls f for the values of a bag that are there n > 0 times.
func eachOf(bag []byte, f func(val []byte, n int) error) error {
	for len(bag) > 0 {
		val, n, rest, ok := cutWeighted(bag)
		if !ok {
			return errDamagedState
		}
		if bag = rest; n > 0 {
			if err := f(val, n); err != nil {
				return err
			}
		}
	}
	return nil
}
