package pipeline

import "errors"

// ErrNoRow is why a row for which Lookup finds nothing is in the error table.
var ErrNoRow = errors.New("there is no row of this key")

// Lookup makes a row of each row of t and the row of another table whose key it
// names: a pointer that is followed, and followed again when what it points to
// changes. Keys of tables are what their sources and operators say; KeyOf makes
// those of most sources. The row that comes out has the key of its row of t. A row
// that names a key which the other table has not goes to the error table with
// ErrNoRow, and comes out of it when the key is there; LookupOr makes a row
// of it instead. If the table has several rows under a key, as within an epoch of
// a Rekey that is not one to one, each makes a row.
//
// Both tables are kept as state. A change costs time in proportion to the rows
// that point to it.
func Lookup[T, V, O any](t *Table[T], key func(T) Key, in *Table[V], out func(T, V) O) *Table[O] {
	return lookup("lookup", t, key, in, joiner[T, V, O]{pair: out, missing: ErrNoRow, keep: true})
}

// LookupOr is Lookup that gives out nil for a key which the other table has not.
func LookupOr[T, V, O any](t *Table[T], key func(T) Key, in *Table[V], out func(T, *V) O) *Table[O] {
	return lookup("lookupor", t, key, in, joiner[T, V, O]{
		pair:  func(row T, v V) O { return out(row, &v) },
		loneL: func(row T) O { return out(row, nil) },
		keep:  true,
	})
}

func lookup[T, V, O any](op string, t *Table[T], key func(T) Key, in *Table[V], does joiner[T, V, O]) *Table[O] {
	o := table[O](op, t.n, in.n)
	buildJoin(o, t, in, byKeyIn(key), byOwnKey, does)
	return o
}

// UpdateRows is t with the rows of another table in place of its own where both
// have a key, and beside them where only the other has it. A row that goes from
// the other table uncovers the one below. Kept as state are the rows of t and the
// keys of the other.
func UpdateRows[T any](t, with *Table[T]) *Table[T] {
	return Concat(Difference(t, with), with)
}

// UpdateCells is t with what f makes of a row and the one of the same key in
// another table, where that has one: f sets the fields that are to change. Keys
// that only the other table has make no row. Both tables are kept as state.
func UpdateCells[T, U any](t *Table[T], with *Table[U], f func(row T, with U) T) *Table[T] {
	o := table[T]("updatecells", t.n, with.n)
	buildJoin(o, t, with, byOwnKey, byOwnKey, joiner[T, U, T]{pair: f, loneL: func(row T) T { return row }, keep: true})
	return o
}
