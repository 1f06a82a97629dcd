package pipeline

import "encoding/binary"

// When lets an aggregate see only the rows for which keep holds, as FILTER does
// in SQL: rows without a value, for example. A group none of whose rows it sees
// keeps the zero value in the fields that the aggregate would set; who must tell
// that from a real zero sets a pointer or a flag beside it. It keeps what the
// aggregate keeps, and the number of rows that it sees.
func When[T, R any](keep func(row T) bool, agg Agg[T, R]) Agg[T, R] {
	if agg.err != nil || agg.make == nil {
		return agg
	}
	return Agg[T, R]{name: agg.name + " of some rows", make: func(slot int) aggregate[T, R] {
		return &whenAgg[T, R]{aggregate: agg.make(slot), keep: keep}
	}}
}

// whenAgg saves how many rows it has seen and, if any, what the aggregate saves.
type whenAgg[T, R any] struct {
	aggregate[T, R]
	keep  func(T) bool
	taken bool
	n     []int64
}

func (a *whenAgg[T, R]) values() *values {
	if v, ok := a.aggregate.(valued); ok {
		return v.values()
	}
	return nil
}

func (a *whenAgg[T, R]) reset() {
	a.n = reuse(a.n)
	a.aggregate.reset()
}

func (a *whenAgg[T, R]) open(i int, saved []byte) ([]byte, bool) {
	var n int64
	if saved != nil {
		var w int
		if n, w = binary.Varint(saved); w <= 0 {
			return nil, false
		}
		saved = saved[w:]
	}
	a.n = append(a.n[:i], n)
	if n == 0 {
		_, ok := a.aggregate.open(i, nil)
		return saved, ok
	}
	return a.aggregate.open(i, saved)
}

func (a *whenAgg[T, R]) take(i int, row *T, n int) {
	if a.taken = a.keep(*row); a.taken {
		a.aggregate.take(i, row, n)
	}
}

func (a *whenAgg[T, R]) add(i int, g Key, n int) {
	if a.taken {
		a.n[i] += int64(n)
		a.aggregate.add(i, g, n)
	}
}

func (a *whenAgg[T, R]) save(i int, g Key, b []byte) []byte {
	b = binary.AppendVarint(b, a.n[i])
	if a.n[i] == 0 {
		return b
	}
	return a.aggregate.save(i, g, b)
}

func (a *whenAgg[T, R]) result(saved []byte, r *R) ([]byte, error) {
	n, w := binary.Varint(saved)
	if n == 0 {
		return saved[w:], nil
	}
	if n < 0 {
		return nil, errNegative
	}
	return a.aggregate.result(saved[w:], r)
}
