package pipeline

import (
	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// Fold makes one row of all rows of a table. For each change f is given the
// accumulator, the row, and n: +1 when the row appears, −1 when it goes (other
// numbers when it is there several times). f must be such that the
// accumulator depends only on the rows that remain, not on their order: add n
// times what the row contributes. Within an epoch a row may go before it
// appears. What has no such inverse, like a maximum, is a matter for GroupBy
// and Aggregate, as are sums of floats, which would drift here.
//
// While the table has no rows the result has none either. Its one row has
// always the same key. A row on which f panics counts for nothing and goes to
// the error table, provided that f panics before it changes what a map, slice or
// pointer of the accumulator refers to. The accumulator is kept as state.
func Fold[T, A any](t *Table[T], f func(acc *A, row T, n int)) *Table[A] {
	return foldBy[T, struct{}](t, "fold", func(T) struct{} { return struct{}{} }, f)
}

// FoldBy is Fold for each group of rows with the same key(row): it makes one row
// a group. The row's key in the table is a hash of the group's canonical
// encoding. When the last row of a group goes, so do its row and its state.
func FoldBy[T, K, A any](t *Table[T], key func(row T) K, f func(acc *A, row T, n int)) *Table[A] {
	return foldBy(t, "foldby", key, f)
}

func foldBy[T, K, A any](t *Table[T], op string, key func(row T) K, f func(acc *A, row T, n int)) *Table[A] {
	out := table[A](op, t.n)
	n := out.n
	n.keys, n.keeps = "of the group", "an accumulator a group"
	n.keyless, n.once = true, true
	groups := keyCodecFor[K](n, "group")
	c := codecFor[A](n)
	if c != nil {
		n.fingerprint = op + " " + c.Fingerprint()
	}
	n.start = func(w *worker) {
		g := startGrouping[T, A](w, n, &foldAcc[T, A]{f: f, c: c, w: w, n: n})
		subscribe(w, n, t.n, byGroup(w, n, groups, key, g.route.put))
	}
	return out
}

// byGroup replaces the key of each row by that of its group.
func byGroup[T, K any](w *worker, n *node, c *codec.Codec[K], key func(T) K, put func([]Change[T])) func([]Change[T]) {
	var rows []Change[T]
	var scratch []byte
	var k K // here, so that it is not allocated for each row
	return func(b []Change[T]) {
		rows = rows[:0]
		guard(len(b), func(i int) {
			k = key(b[i].Row)
			var g Key
			g.Hi, g.Lo, scratch = c.Hash(&k, scratch)
			rows = append(rows, Change[T]{g, b[i].Row, b[i].N})
		}, func(i int, err error) { w.fail(n, b[i].Key, "", err, b[i].N) })
		put(rows)
	}
}

// foldAcc is an accumulator that the user's function folds into.
type foldAcc[T, A any] struct {
	f    func(*A, T, int)
	c    *codec.Codec[A]
	w    *worker
	n    *node
	accs []A
	last int // the copy that add changed, and what it was
	was  A
	acc  [1]A // being decoded, so that it is not allocated for each group
	txt  codec.Arena
}

func (a *foldAcc[T, A]) reset() { a.accs = reuse(a.accs) }

func (a *foldAcc[T, A]) open(i int, _ Key, _ *T, saved []byte) {
	clear(a.acc[:])
	if saved != nil {
		a.w.must(a.n, "read the state of a group", a.c.DecodeCopy(saved, &a.acc[0], &a.txt))
	}
	a.accs = append(a.accs[:i], a.acc[0])
}

func (a *foldAcc[T, A]) add(i int, _ Key, row *T, n int) {
	a.last, a.was = i, a.accs[i]
	a.f(&a.accs[i], *row, n)
}

func (a *foldAcc[T, A]) undo() { a.accs[a.last] = a.was }

func (a *foldAcc[T, A]) save(i int, _ Key, b []byte) []byte { return a.c.Append(b, &a.accs[i]) }

func (a *foldAcc[T, A]) result(saved []byte) (row A, err error) {
	clear(a.acc[:])
	a.w.must(a.n, "read the state of a group", a.c.DecodeCopy(saved, &a.acc[0], &a.txt))
	return a.acc[0], nil
}

func (a *foldAcc[T, A]) same(x, y *A) bool          { return a.c.Equal(x, y) }
func (a *foldAcc[T, A]) end(*worker, string)        {}
func (a *foldAcc[T, A]) load(*worker, string) error { return nil }
func (a *foldAcc[T, A]) size() (int, int)           { return 0, 0 }
func (a *foldAcc[T, A]) drop(Key)                   {}
