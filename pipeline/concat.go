package pipeline

import "fmt"

// Concat puts the rows of several tables into one. So that two rows never share
// a key, whatever the tables are, a row's key is derived from its key and the
// path of its table (see Named); use Rekey after it to go back to keys of your
// own. No state is kept.
func Concat[T any](first *Table[T], more ...*Table[T]) *Table[T] {
	tables := append([]*Table[T]{first}, more...)
	in := make([]*node, len(tables))
	for i, t := range tables {
		in[i] = t.n
	}
	out := table[T]("concat", in...)
	n := out.n
	n.keys, n.passes = "derived from key and path of the table", true
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
					rows = append(rows, Change[T]{mixKeys(b[i].Key, salt), b[i].Row, b[i].N})
				}
				o.emit(rows)
			})
		}
	}
	return out
}
