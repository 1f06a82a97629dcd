package pipeline

// Filter keeps the rows for which keep is true, under their keys. keep must
// depend on the row alone: it is called again when the row is retracted. A row
// on which it panics goes to the error table instead. No state is kept.
func Filter[T any](t *Table[T], keep func(row T) bool) *Table[T] {
	return FilterErr(t, func(row T) (bool, error) { return keep(row), nil })
}

// FilterErr is Filter with a function that can fail: a row for which it returns
// an error goes to the error table.
func FilterErr[T any](t *Table[T], keep func(row T) (bool, error)) *Table[T] {
	out := table[T]("filter", t.n)
	n := out.n
	n.keys, n.passes, n.once = "kept", true, t.n.once
	n.start = func(w *worker) {
		o := newOutlet[T](w, n)
		var rows []Change[T]
		subscribe(w, n, t.n, func(b []Change[T]) {
			rows = rows[:0]
			guard(len(b), func(i int) {
				ok, err := keep(b[i].Row)
				switch {
				case err != nil:
					w.fail(n, b[i].Key, "", err, b[i].N)
				case ok:
					rows = append(rows, b[i])
				}
			}, func(i int, err error) { w.fail(n, b[i].Key, "", err, b[i].N) })
			o.emit(rows)
		})
	}
	return out
}
