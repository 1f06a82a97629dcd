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
	return newJoin("join", l, r, lk, rk, out, nil)
}

// LeftJoin is Join, and also makes a row of each left row that has no match:
// out gets nil for the right one then, and the key of what comes out is derived
// from the left row's key alone.
func LeftJoin[L, R, K, O any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(L, *R) O) *Table[O] {
	return newJoin("leftjoin", l, r, lk, rk,
		func(l L, r R) O { return out(l, &r) }, func(l L) O { return out(l, nil) })
}

func newJoin[L, R, K, O any](op string, l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(L, R) O, alone func(L) O) *Table[O] {
	t := table[O](op, l.n, r.n)
	n := t.n
	n.keys, n.keeps = "derived from both keys", "the rows of both tables"
	kc := keyCodecFor[K](n, "key")
	lc, rc := codecFor[L](n), codecFor[R](n)
	if lc != nil && rc != nil {
		n.fingerprint = op + " " + lc.Fingerprint() + " " + rc.Fingerprint()
	}
	n.start = func(w *worker) {
		j := &join[L, R, O]{w: w, n: n, pair: out, alone: alone}
		j.out.o = newOutlet[O](w, n)
		j.l, j.r = newSide(w, n, "left", lc, j, true), newSide(w, n, "right", rc, j, false)
		subscribe(w, n, l.n, byJoinKey(w, n, kc, lk, j.l.route.put))
		subscribe(w, n, r.n, byJoinKey(w, n, kc, rk, j.r.route.put))
		w.queues = append(w.queues, j)
		w.ends = append(w.ends, j.end)
		w.loads = append(w.loads, j.load)
	}
	return t
}

// joinRow is a change on its way into a join, with the key that it joins by.
type joinRow[T any] struct {
	on Key
	Change[T]
}

func byJoinKey[T, K any](w *worker, n *node, c *codec.Codec[K], key func(T) K, put func([]joinRow[T])) func([]Change[T]) {
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

// join takes one change at a time: it is paired with what the other side holds
// at that moment and then held on its own side. So each pair comes out once,
// whatever the order.
type join[L, R, O any] struct {
	w     *worker
	n     *node
	pair  func(L, R) O
	alone func(L) O // nil for an inner join

	l     *joinSide[L]
	r     *joinSide[R]
	out   buffer[O]
	pairs []pairing[L, R]
	row   []byte
}

type pairing[L, R any] struct {
	key  Key
	l    L
	r    R
	n    int
	null bool
}

// joinSide is the index of one table, and its changes not yet applied.
type joinSide[T any] struct {
	w     *worker
	n     *node
	left  bool
	table string
	c     *codec.Codec[T]
	route *router[joinRow[T]]
	rows  hashtab.Multi
	total hashtab.Table[int64] // sum of weights by key, kept of the right side of a left join
	txt   codec.Arena
	row   [1]T

	todo   []joinRow[T]
	next   int // of todo
	bucket int // of the other side, already paired with todo[next]
	tmp    []joinRow[T]
	swept  bool
}

func newSide[T, L, R, O any](w *worker, n *node, part string, c *codec.Codec[T], j *join[L, R, O], left bool) *joinSide[T] {
	s := &joinSide[T]{w: w, n: n, c: c, table: n.tableName(part), left: left}
	s.route = newRouter(w, func(m *joinRow[T]) Key { return m.on }, func(b []joinRow[T]) {
		s.todo, s.swept = append(s.todo, b...), false
	})
	return s
}

func (j *join[L, R, O]) pending() bool {
	return j.l.next < len(j.l.todo) || j.r.next < len(j.r.todo)
}

func (j *join[L, R, O]) step() {
	j.out.sum = 0
	// The right side first: where it is the table of few rows that many rows
	// on the left look something up in, it is there before they come. But a
	// left row that has been paired with a part of the right ones must see the
	// rest before they change.
	if j.l.bucket > 0 {
		drain(j, j.l, j.left)
	}
	drain(j, j.r, j.right)
	drain(j, j.l, j.left)
	j.out.flush()
}

// drain applies the side's changes until enough has come out.
func drain[T, L, R, O any](j *join[L, R, O], s *joinSide[T], apply func(*joinRow[T]) (done bool)) {
	if !s.swept && len(s.todo)-s.next >= sweepRows && s.bucket == 0 {
		s.todo, s.tmp = sweep(s.todo[s.next:], s.tmp, func(m *joinRow[T]) hashtab.Key { return m.on.cell() })
		s.next, s.swept = 0, true
	}
	for s.next < len(s.todo) && j.out.sum < budgetRows {
		if apply(&s.todo[s.next]) {
			s.next++
			s.bucket = 0
		}
	}
	if s.next == len(s.todo) {
		s.todo, s.tmp, s.next = reuse(s.todo), reuse(s.tmp), 0
	}
}

// left pairs a left change with the right rows, a bucket at a time.
func (j *join[L, R, O]) left(m *joinRow[L]) (done bool) {
	on := m.on.cell()
	for n := j.r.rows.Buckets(on); j.l.bucket < n; j.l.bucket++ {
		if j.out.sum >= budgetRows {
			return false
		}
		j.r.rows.Block(on, j.l.bucket, func(e hashtab.Entry) {
			j.pairs = append(j.pairs, pairing[L, R]{mixKeys(m.Key, Key(e.ID)), m.Row, j.r.decode(e.Row), m.N * e.N, false})
		})
		j.emit()
	}
	if j.alone != nil && j.r.sum(on) == 0 {
		j.pairs = append(j.pairs, pairing[L, R]{key: mixKeys(m.Key, Key{}), l: m.Row, n: m.N, null: true})
		j.emit()
	}
	j.l.hold(m)
	return true
}

// right pairs a right change with the left rows; when the first match of a left
// row comes or its last one goes, the row without a match goes or comes.
func (j *join[L, R, O]) right(m *joinRow[R]) (done bool) {
	on := m.on.cell()
	null := 0
	if j.alone != nil {
		switch before := j.r.sum(on); {
		case before == 0:
			null = -1
		case before+int64(m.N) == 0:
			null = 1
		}
	}
	for n := j.l.rows.Buckets(on); j.r.bucket < n; j.r.bucket++ {
		if j.out.sum >= budgetRows {
			return false
		}
		j.l.rows.Block(on, j.r.bucket, func(e hashtab.Entry) {
			l := j.l.decode(e.Row)
			j.pairs = append(j.pairs, pairing[L, R]{mixKeys(Key(e.ID), m.Key), l, m.Row, m.N * e.N, false})
			if null != 0 {
				j.pairs = append(j.pairs, pairing[L, R]{key: mixKeys(Key(e.ID), Key{}), l: l, n: null * e.N, null: true})
			}
		})
		j.emit()
	}
	j.r.hold(m)
	if j.alone != nil {
		j.r.addTotal(on, m.N)
	}
	return true
}

// emit makes rows of the pairs collected.
func (j *join[L, R, O]) emit() {
	guard(len(j.pairs), func(i int) {
		p := &j.pairs[i]
		var row O
		if p.null {
			row = j.alone(p.l)
		} else {
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
	j.n.count[j.w.id].state(l.rows.Len()+r.rows.Len(), l.rows.Bytes()+r.rows.Bytes()+r.total.Bytes())
}

func (j *join[L, R, O]) load() error {
	if err := j.l.load(nil); err != nil {
		return err
	}
	var total func(hashtab.Key, int)
	if j.alone != nil {
		total = j.r.addTotal
	}
	if err := j.r.load(total); err != nil {
		return err
	}
	j.end(0)
	return nil
}

func (s *joinSide[T]) decode(b []byte) T {
	clear(s.row[:]) // decoded here, so that it is not allocated for each row
	s.w.must(s.n, "read a row of the state", s.c.DecodeCopy(b, &s.row[0], &s.txt))
	return s.row[0]
}

func (s *joinSide[T]) sum(on hashtab.Key) int64 {
	if c := s.total.Find(on); c != nil {
		return c.Val
	}
	return 0
}

func (s *joinSide[T]) addTotal(on hashtab.Key, n int) {
	c, _ := s.total.At(on)
	if c.Val += int64(n); c.Val == 0 {
		s.total.Delete(on)
	}
}
