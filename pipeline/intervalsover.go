package pipeline

import "time"

// IntervalsOver computes, for each row of at, aggregates of the rows of its key
// whose times are within an interval of its own: of the minute before each alarm,
// say. set puts the row of at into the row that comes out. A row of at with nothing
// around it makes a row too, with the zero value in the fields of the aggregates.
//
// Time is data here: a row that comes late counts like any other, and what it
// changes is corrected. The key of a row that comes out is a hash of the row of at
// and its key. A row on which a function panics goes to the error table. Kept as
// state are the rows of both tables, sorted by time, and what GroupBy keeps; a
// change costs time in proportion to the rows it is near to.
func IntervalsOver[P, T, K, R any](at Timed[P, K], t Timed[T, K], within Interval, set func(row *R, at P), aggs ...Agg[T, R]) *Table[R] {
	probes := Timed[keyed[P], K]{withKeys(at.Table), func(p keyed[P]) K { return at.Key(p.Row) }, func(p keyed[P]) time.Time { return at.At(p.Row) }}
	near := LeftIntervalJoin(probes, t, within, func(p keyed[P], row *T) nearRow[P, T] { return nearRow[P, T]{p, row} })
	there := func(n nearRow[P, T]) bool { return n.Row != nil }
	of := ofRows(aggs, func(n *nearRow[P, T]) *T { return n.Row })
	for i := range of {
		of[i] = When(there, of[i])
	}
	return groupBy(near, "intervalsover", func(n nearRow[P, T]) keyed[P] { return n.At },
		func(row *R, p keyed[P]) { set(row, p.Row) }, of)
}

// keyed is a row with its key in its table.
type keyed[T any] struct {
	Key Key
	Row T
}

// nearRow is a row of a table and one that is near to it in time, if any is.
type nearRow[P, T any] struct {
	At  keyed[P]
	Row *T
}

// withKeys puts the key of each row beside it, where operators can see it.
func withKeys[T any](t *Table[T]) *Table[keyed[T]] {
	out := table[keyed[T]]("withkeys", t.n)
	n := out.n
	n.keys, n.passes = "kept", true
	n.start = func(w *worker) {
		o := newOutlet[keyed[T]](w, n)
		var rows []Change[keyed[T]]
		subscribe(w, n, t.n, func(b []Change[T]) {
			rows = rows[:0]
			for i := range b {
				rows = append(rows, Change[keyed[T]]{b[i].Key, keyed[T]{b[i].Key, b[i].Row}, b[i].N})
			}
			o.emit(rows)
		})
	}
	return out
}
