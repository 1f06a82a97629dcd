package pipeline

import (
	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// Join makes a row of each pair of rows, one of each table, for which lk and rk
// give the same key. Any number of rows may match on either side, and rows may
// come and go on both. out must depend on the two rows alone and always give
// the same result, as for Map. The key of a row that comes out is derived from
// the keys of its two rows, in this order: it stays the same when only their
// content changes. A row on which lk or rk panics, or a pair on which out does,
// goes to the error table. Both tables are kept as state. A change costs time
// in proportion to the rows it matches.
func Join[L, R, K, O any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(L, R) O) *Table[O] {
	return joinOn("join", l, r, lk, rk, joiner[L, R, O]{pair: out})
}

// LeftJoin is Join, and also makes a row of each left row that has no match:
// out gets nil for the right one then, and the key of what comes out is derived
// from the left row's key alone.
func LeftJoin[L, R, K, O any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(L, *R) O) *Table[O] {
	return joinOn("leftjoin", l, r, lk, rk, joiner[L, R, O]{
		pair:  func(l L, r R) O { return out(l, &r) },
		loneL: func(l L) O { return out(l, nil) },
	})
}

// RightJoin is LeftJoin with the sides exchanged: it also makes a row of each
// right row that has no match, for which out gets nil for the left one.
func RightJoin[L, R, K, O any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(*L, R) O) *Table[O] {
	return joinOn("rightjoin", l, r, lk, rk, joiner[L, R, O]{
		pair:  func(l L, r R) O { return out(&l, r) },
		loneR: func(r R) O { return out(nil, r) },
	})
}

// OuterJoin is Join, and also makes a row of each row of either side that has no
// match, for which out gets nil for the other one.
func OuterJoin[L, R, K, O any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(*L, *R) O) *Table[O] {
	return joinOn("outerjoin", l, r, lk, rk, joiner[L, R, O]{
		pair:  func(l L, r R) O { return out(&l, &r) },
		loneL: func(l L) O { return out(&l, nil) },
		loneR: func(r R) O { return out(nil, &r) },
	})
}

// joiner says what a join makes of rows.
type joiner[L, R, O any] struct {
	pair  func(L, R) O
	loneL func(L) O // of a left row without a match; nil: nothing
	loneR func(R) O
	// missing, if not nil, is the error of a left row without a match.
	missing error
	keep    bool // rows have the key of their left row
}

// lacks reports whether something comes of a left row because it has no match.
func (d *joiner[L, R, O]) lacks() bool { return d.loneL != nil || d.missing != nil }

func joinOn[L, R, K, O any](op string, l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, does joiner[L, R, O]) *Table[O] {
	t := table[O](op, l.n, r.n)
	kc := keyCodecFor[K](t.n, "key")
	buildJoin(t, l, r, byJoinKey(kc, lk), byJoinKey(kc, rk), does)
	return t
}

func buildJoin[L, R, O any](t *Table[O], l *Table[L], r *Table[R], lon onKey[L], ron onKey[R], does joiner[L, R, O]) {
	n := t.n
	n.keys, n.keeps = "derived from both keys", "the rows of both tables"
	if does.keep {
		n.keys = "of the left row"
	}
	lc, rc := codecFor[L](n), codecFor[R](n)
	if lc != nil && rc != nil {
		n.fingerprint = n.op + " " + lc.Fingerprint() + " " + rc.Fingerprint()
	}
	n.start = func(w *worker) {
		j := &join[L, R, O]{}
		j.joiner, j.w, j.n = does, w, n
		j.out.o = newOutlet[O](w, n)
		j.l, j.r = newSide(w, n, "left", lc), newSide(w, n, "right", rc)
		j.l.sums, j.r.sums = does.loneR != nil, does.lacks()
		subscribe(w, n, l.n, lon(w, n, j.l.route.put))
		subscribe(w, n, r.n, ron(w, n, j.r.route.put))
		w.queues = append(w.queues, j)
		w.ends = append(w.ends, j.end)
		w.loads = append(w.loads, j.load)
	}
}

// joinRow is a change on its way into a join, with the key that it joins by.
type joinRow[T any] struct {
	on Key
	Change[T]
}

// onKey makes what finds the key that rows join by and passes them on.
type onKey[T any] func(w *worker, n *node, put func([]joinRow[T])) func([]Change[T])

func byJoinKey[T, K any](c *codec.Codec[K], key func(T) K) onKey[T] {
	return func(w *worker, n *node, put func([]joinRow[T])) func([]Change[T]) {
		var rows []joinRow[T]
		var scratch []byte
		var k K // here, so that it is not allocated for each row
		return func(b []Change[T]) {
			rows = rows[:0]
			guard(len(b), func(i int) {
				k = key(b[i].Row)
				var on Key
				on.Hi, on.Lo, scratch = c.Hash(&k, scratch)
				rows = append(rows, joinRow[T]{on, b[i]})
			}, func(i int, err error) { w.fail(n, b[i].Key, "", err, b[i].N) })
			put(rows)
		}
	}
}

// byOwnKey joins by the keys of the rows in their table.
func byOwnKey[T any](_ *worker, _ *node, put func([]joinRow[T])) func([]Change[T]) {
	var rows []joinRow[T]
	return func(b []Change[T]) {
		rows = rows[:0]
		for _, c := range b {
			rows = append(rows, joinRow[T]{c.Key, c})
		}
		put(rows)
	}
}

// byKeyIn joins by a key that the rows hold.
func byKeyIn[T any](key func(T) Key) onKey[T] {
	return func(w *worker, n *node, put func([]joinRow[T])) func([]Change[T]) {
		var rows []joinRow[T]
		return func(b []Change[T]) {
			rows = rows[:0]
			guard(len(b), func(i int) {
				rows = append(rows, joinRow[T]{key(b[i].Row), b[i]})
			}, func(i int, err error) { w.fail(n, b[i].Key, "", err, b[i].N) })
			put(rows)
		}
	}
}

// join takes one change at a time: it is paired with what the other side holds
// at that moment and then held on its own side. So each pair comes out once,
// whatever the order.
type join[L, R, O any] struct {
	pairer[L, R, O]
	l *joinSide[L]
	r *joinSide[R]
}

// pairer makes rows of pairs of rows.
type pairer[L, R, O any] struct {
	joiner[L, R, O]
	w     *worker
	n     *node
	out   buffer[O]
	pairs []pairing[L, R]
}

type pairing[L, R any] struct {
	key  Key
	l    L
	r    R
	n    int
	made madeOf
}

type madeOf uint8

const (
	ofBoth madeOf = iota
	ofLeft
	ofRight
)

// joinSide is the index of one table, and its changes not yet applied.
type joinSide[T any] struct {
	w     *worker
	n     *node
	table string
	c     *codec.Codec[T]
	route *router[joinRow[T]]
	rows  hashtab.Multi
	sums  bool                 // total is kept
	total hashtab.Table[int64] // sum of weights by key
	txt   codec.Arena
	row   [1]T

	todo   []joinRow[T]
	next   int    // of todo
	warmed int    // of todo: the blocks of those before are in the cache
	warm   uint64 // see hashtab.Table.Warm
	bucket int    // of the other side, already paired with todo[next]
	tmp    []joinRow[T]
	swept  bool
}

func newSide[T any](w *worker, n *node, part string, c *codec.Codec[T]) *joinSide[T] {
	s := &joinSide[T]{w: w, n: n, c: c, table: n.tableName(part)}
	s.route = newRouter(w, func(m *joinRow[T]) Key { return m.on }, func(b []joinRow[T]) {
		s.todo, s.swept = append(s.todo, b...), false
	})
	return s
}

func (s *joinSide[T]) pending() bool { return s.next < len(s.todo) }

func (j *join[L, R, O]) pending() bool { return j.l.pending() || j.r.pending() }

func (j *join[L, R, O]) step() {
	j.out.sum = 0
	// The right side first: where it is the table of few rows that many rows
	// on the left look something up in, it is there before they come. But a
	// left row that has been paired with a part of the right ones must see the
	// rest before they change.
	if j.l.bucket > 0 {
		j.l.drain(&j.out.sum, &j.r.rows, j.left)
	}
	j.r.drain(&j.out.sum, &j.l.rows, j.right)
	j.l.drain(&j.out.sum, &j.r.rows, j.left)
	j.out.flush()
}

// drain applies the side's changes until enough has come out. other is the index
// that they are paired with.
func (s *joinSide[T]) drain(emitted *int, other *hashtab.Multi, apply func(*joinRow[T]) (done bool)) {
	if !s.swept && len(s.todo)-s.next >= sweepRows && s.bucket == 0 {
		s.todo, s.tmp = sweep(s.todo[s.next:], s.tmp, func(m *joinRow[T]) hashtab.Key { return m.on.cell() })
		s.next, s.warmed, s.swept = 0, 0, true
	}
	for s.next < len(s.todo) && *emitted < budgetRows {
		if s.next >= s.warmed {
			some := s.todo[s.next:min(s.next+warmRows, len(s.todo))]
			key := func(i int) hashtab.Key { return some[i].on.cell() }
			s.warm += other.Warm(len(some), key) + s.rows.Warm(len(some), key)
			s.warmed = s.next + len(some)
		}
		if apply(&s.todo[s.next]) {
			s.next++
			s.bucket = 0
		}
	}
	if s.next == len(s.todo) {
		s.todo, s.tmp, s.next, s.warmed = reuse(s.todo), reuse(s.tmp), 0, 0
	}
}

// left pairs a left change with the right rows, a bucket at a time. When the
// first match of a right row comes or its last one goes, the row without a match
// goes or comes.
func (j *join[L, R, O]) left(m *joinRow[L]) (done bool) {
	on := m.on.cell()
	lone := j.l.turn(on, m.N)
	for n := j.r.rows.Buckets(on); j.l.bucket < n; j.l.bucket++ {
		if j.out.sum >= budgetRows {
			return false
		}
		j.r.rows.Block(on, j.l.bucket, func(e hashtab.Entry) {
			r := j.r.decode(e.Row)
			j.pairs = append(j.pairs, pairing[L, R]{j.keyOf(m.Key, Key(e.ID)), m.Row, r, m.N * e.N, ofBoth})
			if lone != 0 {
				j.pairs = append(j.pairs, pairing[L, R]{key: j.keyOf(Key{}, Key(e.ID)), r: r, n: lone * e.N, made: ofRight})
			}
		})
		j.emit()
	}
	if j.lacks() && j.r.sum(on) == 0 {
		j.pairs = append(j.pairs, pairing[L, R]{key: j.keyOf(m.Key, Key{}), l: m.Row, n: m.N, made: ofLeft})
		j.emit()
	}
	j.l.hold(m)
	return true
}

// right is left for a right change.
func (j *join[L, R, O]) right(m *joinRow[R]) (done bool) {
	on := m.on.cell()
	lone := j.r.turn(on, m.N)
	for n := j.l.rows.Buckets(on); j.r.bucket < n; j.r.bucket++ {
		if j.out.sum >= budgetRows {
			return false
		}
		j.l.rows.Block(on, j.r.bucket, func(e hashtab.Entry) {
			l := j.l.decode(e.Row)
			j.pairs = append(j.pairs, pairing[L, R]{j.keyOf(Key(e.ID), m.Key), l, m.Row, m.N * e.N, ofBoth})
			if lone != 0 {
				j.pairs = append(j.pairs, pairing[L, R]{key: j.keyOf(Key(e.ID), Key{}), l: l, n: lone * e.N, made: ofLeft})
			}
		})
		j.emit()
	}
	if j.loneR != nil && j.l.sum(on) == 0 {
		j.pairs = append(j.pairs, pairing[L, R]{key: j.keyOf(Key{}, m.Key), r: m.Row, n: m.N, made: ofRight})
		j.emit()
	}
	j.r.hold(m)
	return true
}

func (j *join[L, R, O]) keyOf(l, r Key) Key {
	if j.keep {
		return l
	}
	return mixKeys(l, r)
}

// add collects a pair.
func (j *pairer[L, R, O]) add(p pairing[L, R]) {
	if j.pairs = append(j.pairs, p); len(j.pairs) >= chunkRows {
		j.emit()
	}
}

// emit makes rows of the pairs collected.
func (j *pairer[L, R, O]) emit() {
	guard(len(j.pairs), func(i int) {
		p := &j.pairs[i]
		var row O
		switch p.made {
		case ofLeft:
			if j.missing != nil {
				j.w.fail(j.n, p.key, "", j.missing, p.n)
				return
			}
			row = j.loneL(p.l)
		case ofRight:
			row = j.loneR(p.r)
		default:
			row = j.pair(p.l, p.r)
		}
		j.out.rows = append(j.out.rows, Change[O]{p.key, row, p.n})
	}, func(i int, err error) { j.w.fail(j.n, j.pairs[i].key, "", err, j.pairs[i].n) })
	clear(j.pairs)
	j.pairs = j.pairs[:0]
	if len(j.out.rows) >= chunkRows {
		j.out.flush()
	}
}

func (j *join[L, R, O]) end(uint64) {
	l, r := j.l, j.r
	j.n.count[j.w.id].state(l.rows.Len()+r.rows.Len(), l.size()+r.size())
}

func (j *join[L, R, O]) load() error {
	if err := j.l.load(); err != nil {
		return err
	}
	if err := j.r.load(); err != nil {
		return err
	}
	j.end(0)
	return nil
}
