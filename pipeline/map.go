package pipeline

// Map makes one row of each row, under its key. f must depend on the row alone
// and always give the same result: it is called again when the row is
// retracted, and what it returns then must be what it returned before. A
// function of which that is not true, such as a call to a model, belongs into
// Async, which remembers. A row on which f panics goes to the error table
// instead. No state is kept.
func Map[T, U any](t *Table[T], f func(row T) U) *Table[U] {
	return MapErr(t, func(row T) (U, error) { return f(row), nil })
}

// MapErr is Map with a function that can fail: a row for which it returns an
// error goes to the error table.
func MapErr[T, U any](t *Table[T], f func(row T) (U, error)) *Table[U] {
	return mapErr(t, "map", f)
}

func mapErr[T, U any](t *Table[T], op string, f func(row T) (U, error)) *Table[U] {
	out := table[U](op, t.n)
	n := out.n
	n.keys, n.passes = "kept", true
	n.start = func(w *worker) {
		o := newOutlet[U](w, n)
		var rows []Change[U]
		subscribe(w, n, t.n, func(b []Change[T]) {
			rows = rows[:0]
			guard(len(b), func(i int) {
				row, err := f(b[i].Row)
				if err != nil {
					w.fail(n, b[i].Key, "", err, b[i].N)
					return
				}
				rows = append(rows, Change[U]{b[i].Key, row, b[i].N})
			}, func(i int, err error) { w.fail(n, b[i].Key, "", err, b[i].N) })
			o.emit(rows)
		})
	}
	return out
}

// Rekey gives each row the key that f makes of it. Two rows with one key are
// then in the table at once if f gives them the same: who needs one row a key,
// such as Async or a sink that writes by key, needs an f that is one to one. A
// row on which f panics goes to the error table. No state is kept.
func Rekey[T any](t *Table[T], f func(row T) Key) *Table[T] {
	out := table[T]("rekey", t.n)
	n := out.n
	n.keys, n.keyless = "by the user's function", true
	n.start = func(w *worker) {
		o := newOutlet[T](w, n)
		var rows []Change[T]
		subscribe(w, n, t.n, func(b []Change[T]) {
			rows = rows[:0]
			guard(len(b), func(i int) {
				rows = append(rows, Change[T]{f(b[i].Row), b[i].Row, b[i].N})
			}, func(i int, err error) { w.fail(n, b[i].Key, "", err, b[i].N) })
			o.emit(rows)
		})
	}
	return out
}
