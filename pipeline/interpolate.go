package pipeline

import "time"

// Interpolate fills in values that are missing: where value(row) is nil, out gets the
// one that lies on the line between those of the nearest rows before and after with
// the same key, by time. Before the first known value and after the last it is that
// one; if none is known, out gets nil. Where value(row) is there, out gets it as it is.
//
// Rows keep their keys. Among rows at one time the one with the greatest key counts
// for what is after it, and the one with the least for what is before. A row on which
// a function panics goes to the error table. It is two LeftAsOfJoins with the rows
// whose values are known, and keeps and costs what they do.
func Interpolate[T, K, O any](t Timed[T, K], value func(row T) *float64, out func(row T, value *float64) O) *Table[O] {
	known := Timed[T, K]{Filter(t.Table, func(row T) bool { return value(row) != nil }), t.Key, t.At}
	before := Timed[between[T], K]{
		Table: asOfJoin("interpolatebefore", t, known, Backward, joiner[T, T, between[T]]{
			pair:  func(row, prev T) between[T] { return between[T]{row, t.known(prev, value), nil} },
			loneL: func(row T) between[T] { return between[T]{Row: row} },
		}),
		Key: func(b between[T]) K { return t.Key(b.Row) },
		At:  func(b between[T]) time.Time { return t.At(b.Row) },
	}
	return asOfJoin("interpolate", before, known, Forward, joiner[between[T], T, O]{
		pair: func(b between[T], next T) O {
			b.Next = t.known(next, value)
			return out(b.Row, b.value(t.At(b.Row), value))
		},
		loneL: func(b between[T]) O { return out(b.Row, b.value(t.At(b.Row), value)) },
	})
}

// between is a row and what is known before and after it.
type between[T any] struct {
	Row        T
	Prev, Next *knownValue
}

type knownValue struct {
	At    time.Time
	Value float64
}

func (t Timed[T, K]) known(row T, value func(T) *float64) *knownValue {
	return &knownValue{t.At(row), *value(row)}
}

func (b between[T]) value(at time.Time, value func(T) *float64) *float64 {
	if v := value(b.Row); v != nil {
		return v
	}
	switch {
	case b.Prev == nil && b.Next == nil:
		return nil
	case b.Prev == nil:
		return &b.Next.Value
	case b.Next == nil || !b.Next.At.After(b.Prev.At):
		return &b.Prev.Value
	}
	part := float64(at.Sub(b.Prev.At)) / float64(b.Next.At.Sub(b.Prev.At))
	v := b.Prev.Value + part*(b.Next.Value-b.Prev.Value)
	return &v
}
