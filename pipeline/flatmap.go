package pipeline

// FlatMap makes any number of rows of each row. f must depend on the row alone
// and always give the same result, as for Map. A row on which f panics goes to
// the error table. No state is kept.
//
// The key of a row that comes out is derived from the key of the row it comes
// from, its own content and, among equal rows from the same parent, its
// ordinal. So when a parent changes, only those of its rows change that differ,
// wherever they now stand.
func FlatMap[T, U any](t *Table[T], f func(row T) []U) *Table[U] {
	return FlatMapErr(t, func(row T) ([]U, error) { return f(row), nil })
}

// FlatMapErr is FlatMap with a function that can fail: a row for which it
// returns an error goes to the error table and gives no rows.
func FlatMapErr[T, U any](t *Table[T], f func(row T) ([]U, error)) *Table[U] {
	return flatMapErr(t, "flatmap", f)
}

func flatMapErr[T, U any](t *Table[T], op string, f func(row T) ([]U, error)) *Table[U] {
	out := table[U](op, t.n)
	n := out.n
	n.passes = true
	n.keys = "derived from parent, content, ordinal among equals"
	c := codecFor[U](n)
	n.start = func(w *worker) {
		keyed := keysWanted(n)
		b := buffer[U]{o: newOutlet[U](w, n)}
		var scratch []byte
		seen := map[Key]int{}
		hash := func(row *U) (k Key) {
			k.Hi, k.Lo, scratch = c.Hash(row, scratch)
			return k
		}
		subscribe(w, n, t.n, func(in []Change[T]) {
			var made [chunkRows][]U
			for len(in) > 0 {
				part := in[:min(len(in), chunkRows)]
				in = in[len(part):]
				guard(len(part), func(i int) {
					rows, err := f(part[i].Row)
					if err != nil {
						w.fail(n, part[i].Key, "", err, part[i].N)
						return
					}
					made[i] = rows
				}, func(i int, err error) {
					made[i] = nil
					w.fail(n, part[i].Key, "", err, part[i].N)
				})
				for i := range part {
					clear(seen)
					for j := range made[i] {
						key := part[i].Key
						if keyed {
							key = mixKeys(key, hash(&made[i][j]))
							if len(made[i]) > 1 {
								nth := seen[key]
								seen[key]++
								if nth > 0 {
									key = mixKeys(key, Key{0, uint64(nth)})
								}
							}
						}
						b.add(key, made[i][j], part[i].N)
					}
					made[i] = nil
				}
			}
			b.flush()
		})
	}
	return out
}

// keysWanted reports whether anybody looks at the keys of n's table. Deriving
// them costs more than many an operator.
func keysWanted(n *node) bool {
	if n.g.errTable != nil {
		return true
	}
	for _, o := range n.outs {
		if !o.keyless && (!o.passes || keysWanted(o)) {
			return true
		}
	}
	return false
}
