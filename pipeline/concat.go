package pipeline

import "fmt"

// Concat puts the rows of several tables into one, under their keys. The tables
// should have no key in common, as tables of different sources or the two
// sides of a Filter do; where they have one, both rows are in the table at once,
// which Async and sinks that write by key do not want: see ConcatFresh. No
// state is kept.
func Concat[T any](first *Table[T], more ...*Table[T]) *Table[T] {
	return concat("concat", "kept", first, more, func(k, _ Key) Key { return k })
}

// ConcatFresh is Concat for tables that may have keys in common, or for a table
// with itself: a row's key is derived from its key and the path of its table
// (see Named). No state is kept.
func ConcatFresh[T any](first *Table[T], more ...*Table[T]) *Table[T] {
	return concat("concatfresh", "derived from key and path of the table", first, more, mixKeys)
}

func concat[T any](op, keys string, first *Table[T], more []*Table[T], key func(k, salt Key) Key) *Table[T] {
	tables := append([]*Table[T]{first}, more...)
	in := make([]*node, len(tables))
	for i, t := range tables {
		in[i] = t.n
	}
	out := table[T](op, in...)
	n := out.n
	n.keys, n.passes = keys, true
	n.start = func(w *worker) {
		o := newOutlet[T](w, n)
		nth := map[string]int{}
		for _, i := range in {
			p := i.path()
			salt := KeyOf("concat", p, fmt.Sprint(nth[p]))
			nth[p]++
			var rows []Change[T]
			subscribe(w, n, i, func(b []Change[T]) {
				rows = rows[:0]
				for i := range b {
					rows = append(rows, Change[T]{key(b[i].Key, salt), b[i].Row, b[i].N})
				}
				o.emit(rows)
			})
		}
	}
	return out
}
