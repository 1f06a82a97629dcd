package pipeline

import (
	"errors"
	"slices"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// AsOfNowJoin joins each left row once, with the right rows that are there at the
// end of the epoch in which it came: requests that are answered from a table. What
// came of it stays as it is, whatever becomes of the right table, until the left
// row itself goes. So the result depends on when rows came, unlike that of Join; a
// restart does not change it. A left row that goes and comes again in one epoch is
// the same row; one that changes is joined anew.
//
// The key of a row that comes out is derived from the keys of its two rows, in this
// order. A row on which lk or rk panics, or a pair on which out does, goes to the
// error table. Kept as state are the right rows and what came of each left row
// that is still there; a left change costs time in proportion to the rows it
// matches, a right one a step.
func AsOfNowJoin[L, R, K, O any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(L, R) O) *Table[O] {
	return asOfNowJoin("asofnowjoin", l, r, lk, rk, joiner[L, R, O]{pair: out})
}

// LeftAsOfNowJoin is AsOfNowJoin, and makes a row of a left row that finds no match
// as well: out gets nil for the right one then.
func LeftAsOfNowJoin[L, R, K, O any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, out func(L, *R) O) *Table[O] {
	return asOfNowJoin("leftasofnowjoin", l, r, lk, rk, joiner[L, R, O]{
		pair:  func(l L, r R) O { return out(l, &r) },
		loneL: func(l L) O { return out(l, nil) },
	})
}

func asOfNowJoin[L, R, K, O any](op string, l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, does joiner[L, R, O]) *Table[O] {
	t := table[O](op, l.n, r.n)
	n := t.n
	n.keys, n.keeps = "derived from both keys", "the right rows, what came of left rows"
	kc, lc, rc, oc := keyCodecFor[K](n, "key"), codecFor[L](n), codecFor[R](n), codecFor[O](n)
	if lc != nil && rc != nil && oc != nil {
		n.fingerprint = op + " " + lc.Fingerprint() + " " + rc.Fingerprint() + " " + oc.Fingerprint()
	}
	n.start = func(w *worker) {
		j := &asOfNow[L, R, O]{joiner: does, w: w, n: n, lc: lc, oc: oc, table: n.tableName("answers")}
		j.out.o = newOutlet[O](w, n)
		j.r = newSide(w, n, "right", rc)
		route := newRouter(w, func(m *joinRow[L]) Key { return m.on }, func(b []joinRow[L]) { j.came = append(j.came, b...) })
		subscribe(w, n, l.n, byJoinKey(kc, lk)(w, n, route.put))
		subscribe(w, n, r.n, byJoinKey(kc, rk)(w, n, j.r.route.put))
		w.queues = append(w.queues, j)
		w.deferred = append(w.deferred, deferredAsOfNow[L, R, O]{j})
		w.ends = append(w.ends, j.end)
		w.loads = append(w.loads, j.load)
	}
	return t
}

// asOfNow holds the right rows as they come, and joins left ones when all that the
// epoch brings is there.
type asOfNow[L, R, O any] struct {
	joiner[L, R, O]
	w     *worker
	n     *node
	lc    *codec.Codec[L]
	oc    *codec.Codec[O]
	table string
	r     *joinSide[R]
	came  []joinRow[L] // left changes of the epoch
	next  int          // of them, once they are netted
	net   bool
	given hashtab.Multi // answers, by the left row that they were given to
	out   buffer[O]
	txt   codec.Arena
	row   [1]O
	b     []byte
}

func (j *asOfNow[L, R, O]) pending() bool { return j.r.pending() }

func (j *asOfNow[L, R, O]) step() {
	emitted := 0 // right rows make nothing
	j.r.drain(&emitted, &j.given, func(m *joinRow[R]) bool { j.r.hold(m); return true })
}

// deferredAsOfNow is the part that waits for the end of the epoch.
type deferredAsOfNow[L, R, O any] struct{ *asOfNow[L, R, O] }

func (d deferredAsOfNow[L, R, O]) changed() bool { return len(d.came) > 0 }

func (d deferredAsOfNow[L, R, O]) flush() (more bool) {
	j := d.asOfNow
	if !j.net {
		j.came, j.net = j.netted(j.came), true
	}
	for j.out.sum = 0; j.next < len(j.came) && j.out.sum < budgetRows; j.next++ {
		j.answer(&j.came[j.next])
	}
	j.out.flush()
	if j.next < len(j.came) {
		return true
	}
	j.came, j.next, j.net = reuse(j.came), 0, false
	return false
}

// netted adds up the changes of equal rows; what has cancelled out is left away.
// Retractions come first.
func (j *asOfNow[L, R, O]) netted(rows []joinRow[L]) []joinRow[L] {
	at := map[Key]int{}
	out := rows[:0]
	for _, m := range rows {
		h := j.identity(&m)
		if i, ok := at[h]; ok {
			out[i].N += m.N
			continue
		}
		at[h] = len(out)
		out = append(out, m)
	}
	out = slices.DeleteFunc(out, func(m joinRow[L]) bool { return m.N == 0 })
	slices.SortStableFunc(out, func(a, b joinRow[L]) int { return min(max(a.N, -1), 1) - min(max(b.N, -1), 1) })
	return out
}

// identity is the left row with its key, as a key that lies with that it joins by.
func (j *asOfNow[L, R, O]) identity(m *joinRow[L]) Key {
	j.b = j.lc.Append(j.b[:0], &m.Row)
	h := KeyFromBytes(rowHash(m.Key.Bytes(), j.b))
	h.Hi = m.on.Hi&(0xff<<56) | h.Hi>>8 // its shard
	return h
}

// An answer is kept as one byte that tells what it is, and the row or the error.
// Beside the answers stands, under no key, how often the left row is there.
const (
	answerRow byte = iota
	answerError
	answerTo
)

// answer joins a row that has come, or takes back what came of one that goes.
func (j *asOfNow[L, R, O]) answer(m *joinRow[L]) {
	who := j.identity(m)
	if m.N < 0 {
		j.take(who, m.N)
		return
	}
	j.remember(who, Key{}, []byte{answerTo}, m.N)
	found := false
	on := m.on.cell()
	for i := range j.r.rows.Buckets(on) {
		j.r.rows.Block(on, i, func(e hashtab.Entry) {
			found = true
			r := j.r.decode(e.Row)
			j.give(who, mixKeys(m.Key, Key(e.ID)), m.N*e.N, func() O { return j.pair(m.Row, r) })
		})
	}
	if !found && j.loneL != nil {
		j.give(who, mixKeys(m.Key, Key{}), m.N, func() O { return j.loneL(m.Row) })
	}
}

// give makes an answer, puts it out and remembers it.
func (j *asOfNow[L, R, O]) give(who, key Key, n int, make func() O) {
	guard(1, func(int) {
		row := make()
		j.b = j.oc.Append(append(j.b[:0], answerRow), &row)
		j.out.add(key, row, n)
	}, func(_ int, err error) {
		j.b = append(append(j.b[:0], answerError), err.Error()...)
		j.w.fail(j.n, key, "", err, n)
	})
	j.remember(who, key, j.b, n)
}

// take takes back what came of a row that is there −n times less: all of it when
// the last copy goes, else the share of those that go.
func (j *asOfNow[L, R, O]) take(who Key, n int) {
	type answer struct {
		key Key
		row []byte
		n   int
	}
	var all []answer
	copies := 0
	for i := range j.given.Buckets(who.cell()) {
		j.given.Block(who.cell(), i, func(e hashtab.Entry) {
			if e.Row[0] == answerTo {
				copies = e.N
				return
			}
			all = append(all, answer{Key(e.ID), slices.Clone(e.Row), e.N})
		})
	}
	if copies == 0 {
		return // it was not there
	}
	n = max(n, -copies)
	for _, a := range all {
		back := a.n * n / copies
		if back == 0 {
			continue
		}
		if a.row[0] == answerError {
			j.w.fail(j.n, a.key, "", errors.New(string(a.row[1:])), back)
		} else {
			clear(j.row[:])
			j.w.must(j.n, "read an answer of the state", j.oc.DecodeCopy(a.row[1:], &j.row[0], &j.txt))
			j.out.add(a.key, j.row[0], back)
		}
		j.remember(who, a.key, a.row, back)
	}
	j.remember(who, Key{}, []byte{answerTo}, n)
}

// remember keeps an answer, under the row that it was given to and its own key.
func (j *asOfNow[L, R, O]) remember(who, key Key, answer []byte, n int) {
	now := j.given.Add(who.cell(), key.cell(), answer, n)
	saveJoined(j.w, j.table, who, key, answer, now)
}

func (j *asOfNow[L, R, O]) end(uint64) {
	j.n.count[j.w.id].state(j.r.rows.Len()+j.given.Len(), j.r.size()+j.given.Bytes())
}

func (j *asOfNow[L, R, O]) load() error {
	if err := j.r.load(); err != nil {
		return err
	}
	err := j.w.load(j.table, func(at, value []byte) error {
		who, key, n, answer, err := readJoined(at, value)
		if err != nil || len(answer) == 0 {
			return errDamagedState
		}
		j.given.Add(who.cell(), key.cell(), answer, n)
		return nil
	})
	if err != nil {
		return err
	}
	j.end(0)
	return nil
}
