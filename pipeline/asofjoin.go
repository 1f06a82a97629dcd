package pipeline

import "bytes"

// Direction says which right row an AsOfJoin takes for a left one.
type Direction int

const (
	Backward Direction = iota // the latest that is not later
	Forward                   // the earliest that is not earlier
	Nearest                   // the nearest of both, the earlier one of two as near
)

// AsOfJoin makes a row of each left row and the one right row of its key that was
// there at its time: of trades and quotes, each trade with the quote it was made
// at. When a right row comes or goes, late or not, the rows of those left ones are
// corrected whose match it is or was. Of right rows at one time the match is the
// one with the greatest key (with Forward, the least). The row that comes out has
// the key of its left row. A left row that has no match makes none. A row on which
// a function of its side panics, or a pair on which out does, goes to the error
// table. Both tables are kept as state, sorted by time; a left change costs a
// search, a right one a search for each left row between its time and that of the
// next or previous right row.
func AsOfJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], d Direction, out func(L, R) O) *Table[O] {
	return asOfJoin("asofjoin", l, r, d, joiner[L, R, O]{pair: out})
}

// LeftAsOfJoin is AsOfJoin that makes a row of each left row: out gets nil if there
// is no match.
func LeftAsOfJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], d Direction, out func(L, *R) O) *Table[O] {
	return asOfJoin("leftasofjoin", l, r, d, joiner[L, R, O]{
		pair:  func(l L, r R) O { return out(l, &r) },
		loneL: func(l L) O { return out(l, nil) },
	})
}

// RightAsOfJoin is LeftAsOfJoin with the sides exchanged: it makes a row of each
// right row and the one left row that was there at its time.
func RightAsOfJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], d Direction, out func(*L, R) O) *Table[O] {
	return asOfJoin("rightasofjoin", r, l, d, joiner[R, L, O]{
		pair:  func(r R, l L) O { return out(&l, r) },
		loneL: func(r R) O { return out(nil, r) },
	})
}

// OuterAsOfJoin makes a row of each row of either side and the one of the other that
// was there at its time: both LeftAsOfJoin and RightAsOfJoin. The key of a row that
// comes out is derived from its row's key and its side.
func OuterAsOfJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], d Direction, out func(*L, *R) O) *Table[O] {
	return ConcatFresh(
		LeftAsOfJoin(l, r, d, func(l L, r *R) O { return out(&l, r) }),
		RightAsOfJoin(l, r, d, func(l *L, r R) O { return out(l, &r) }))
}

func asOfJoin[L, R, K, O any](op string, l Timed[L, K], r Timed[R, K], d Direction, does joiner[L, R, O]) *Table[O] {
	t := table[O](op, l.Table.n, r.Table.n)
	n := t.n
	if d < Backward || d > Nearest {
		n.g.problem("pipeline: %s: %d is no direction; use Backward, Forward or Nearest", n, d)
	}
	n.keys, n.keeps = "of the left row", "the rows of both tables"
	kc, lc, rc := keyCodecFor[K](n, "key"), codecFor[L](n), codecFor[R](n)
	if lc != nil && rc != nil {
		n.fingerprint = op + " " + lc.Fingerprint() + " " + rc.Fingerprint()
	}
	n.start = func(w *worker) {
		j := &asOf[L, R, O]{d: d}
		j.joiner, j.w, j.n = does, w, n
		j.out.o = newOutlet[O](w, n)
		j.l, j.r = newTimedSide(w, n, "left", lc, kc, l), newTimedSide(w, n, "right", rc, kc, r)
		w.queues = append(w.queues, j)
		w.ends = append(w.ends, j.end)
		w.loads = append(w.loads, j.load)
	}
	return t
}

// asOf takes one change at a time, so that what has come out is at any moment what
// the rows held at that moment make.
type asOf[L, R, O any] struct {
	pairer[L, R, O]
	d       Direction
	l       *timedSide[L]
	r       *timedSide[R]
	touched []rematch
}

// rematch is a left row whose match may change, and the one that it had.
type rematch struct {
	at  instant
	id  Key
	row []byte
	n   int
	was match
}

// match is a right row, if there is one.
type match struct {
	ok  bool
	id  Key
	row string
}

func (j *asOf[L, R, O]) pending() bool { return j.l.pending() || j.r.pending() }

func (j *asOf[L, R, O]) step() {
	j.out.sum = 0
	j.r.drain(&j.out.sum, j.right)
	j.l.drain(&j.out.sum, j.left)
	j.out.flush()
}

func (j *asOf[L, R, O]) left(m *timedRow[L]) {
	j.give(m.Key, m.Row, j.matchOf(m.on, instantOf(m.at)), m.N)
	j.emit()
	j.l.hold(m)
}

// give makes the row of a left row and its match.
func (j *asOf[L, R, O]) give(id Key, l L, r match, n int) {
	switch {
	case r.ok:
		j.add(pairing[L, R]{id, l, j.r.decode([]byte(r.row)), n, ofBoth})
	case j.loneL != nil:
		j.add(pairing[L, R]{key: id, l: l, n: n, made: ofLeft})
	}
}

func (j *asOf[L, R, O]) matchOf(on Key, at instant) match {
	back, isBack := held{}, false
	if j.d != Forward {
		back, isBack = j.r.last(on, at.after())
	}
	if j.d == Backward || isBack && back.at == at {
		return matchIf(back, isBack)
	}
	next, isNext := j.r.first(on, at)
	if isBack && (!isNext || nearer(back.at, next.at, at)) {
		return matchIf(back, true)
	}
	return matchIf(next, isNext)
}

func matchIf(e held, ok bool) match {
	if !ok {
		return match{}
	}
	return match{true, e.id, string(e.row)}
}

// nearer reports whether a, which is before at, is at least as near as b.
func nearer(a, b, at instant) bool {
	return at.time().Sub(a.time()) <= b.time().Sub(at.time())
}

// right finds the left rows whose match may be another one now.
func (j *asOf[L, R, O]) right(m *timedRow[R]) {
	at := instantOf(m.at)
	from, before := at, at.after()
	if j.d != Forward { // up to the next right row
		before = latest
		if e, ok := j.r.first(m.on, at.after()); ok {
			before = e.at
		}
	}
	if j.d != Backward { // down to the one before
		from = instant{}
		if e, ok := j.r.last(m.on, at); ok {
			from = e.at.after()
		}
	}
	j.touched = j.touched[:0]
	j.l.scan(m.on, from, before, func(e held) bool {
		j.touched = append(j.touched, rematch{e.at, e.id, append([]byte(nil), e.row...), e.n, j.matchOf(m.on, e.at)})
		return true
	})
	j.r.hold(m)
	for i := range j.touched {
		c := &j.touched[i]
		now := j.matchOf(m.on, c.at)
		if now == c.was {
			continue
		}
		l := j.l.decode(c.row)
		j.give(c.id, l, c.was, -c.n)
		j.give(c.id, l, now, c.n)
	}
	clear(j.touched)
	j.emit()
}

var latest = instant(bytes.Repeat([]byte{0xff}, len(instant{})))

func (j *asOf[L, R, O]) end(uint64) {
	j.n.count[j.w.id].state(j.l.set.Len()+j.r.set.Len(), j.l.set.Bytes()+j.r.set.Bytes())
}

func (j *asOf[L, R, O]) load() error {
	if err := j.l.load(); err != nil {
		return err
	}
	if err := j.r.load(); err != nil {
		return err
	}
	j.end(0)
	return nil
}
