package pipeline

import "time"

// Interval says how far the time of a right row may be from that of a left one:
// from Lower to Upper later, both included. Negative durations are earlier.
type Interval struct {
	Lower, Upper time.Duration
	// Behavior, if any, says from when and until when rows count. Its clock is the
	// latest time of either side. With a cutoff rows are state until no row that is
	// in time can match them or a row that matches them, and then, unless they are to
	// be forgotten, what they have made stays.
	Behavior Behavior
}

// IntervalJoin makes a row of each pair of rows of one key whose times are within
// an interval of each other: clicks in the ten seconds behind a view, say. Time is
// data here: a row that comes late is paired like any other. The key of a row that
// comes out is derived from the keys of its two rows, in this order. A row on which
// a function of its side panics, or a pair on which out does, goes to the error
// table. Both tables are kept as state, sorted by time; a change costs time in
// proportion to the rows it matches.
func IntervalJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], within Interval, out func(L, R) O) *Table[O] {
	return intervalJoinOf("intervaljoin", l, r, within, joiner[L, R, O]{pair: out})
}

// LeftIntervalJoin is IntervalJoin, and also makes a row of each left row that has
// no match, for which out gets nil. To know that one has none, a right change looks
// at the matches of each left row that it matches.
func LeftIntervalJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], within Interval, out func(L, *R) O) *Table[O] {
	return intervalJoinOf("leftintervaljoin", l, r, within, joiner[L, R, O]{
		pair:  func(l L, r R) O { return out(l, &r) },
		loneL: func(l L) O { return out(l, nil) },
	})
}

// OuterIntervalJoin is IntervalJoin, and also makes a row of each row of either
// side that has no match, for which out gets nil for the other.
func OuterIntervalJoin[L, R, K, O any](l Timed[L, K], r Timed[R, K], within Interval, out func(*L, *R) O) *Table[O] {
	return intervalJoinOf("outerintervaljoin", l, r, within, joiner[L, R, O]{
		pair:  func(l L, r R) O { return out(&l, &r) },
		loneL: func(l L) O { return out(&l, nil) },
		loneR: func(r R) O { return out(nil, &r) },
	})
}

func intervalJoinOf[L, R, K, O any](op string, l Timed[L, K], r Timed[R, K], within Interval, does joiner[L, R, O]) *Table[O] {
	if b := within.Behavior; !b.none() {
		c := make(clock, l.Table.n.g.o.workers)
		keep := b.cutsOff && !b.forgets
		l.Table = timely("leftinterval", l.Table, b, keep, c, lifespanIn(within, l.At))
		r.Table = timely("rightinterval", r.Table, b, keep, c, lifespanIn(within, r.At))
		within.Behavior = Behavior{}
		t := intervalJoinOf(op, l, r, within, does)
		if keep {
			return remember(t)
		}
		return t
	}
	t := table[O](op, l.Table.n, r.Table.n)
	n := t.n
	if within.Upper < within.Lower {
		n.g.problem("pipeline: %s: the interval from %s to %s is empty", n, within.Lower, within.Upper)
	}
	n.keys, n.keeps = "derived from both keys", "the rows of both tables"
	kc, lc, rc := keyCodecFor[K](n, "key"), codecFor[L](n), codecFor[R](n)
	if lc != nil && rc != nil {
		n.fingerprint = op + " " + lc.Fingerprint() + " " + rc.Fingerprint()
	}
	n.start = func(w *worker) {
		j := &intervalJoin[L, R, O]{within: within}
		j.joiner, j.w, j.n = does, w, n
		j.out.o = newOutlet[O](w, n)
		j.l, j.r = newTimedSide(w, n, "left", lc, kc, l), newTimedSide(w, n, "right", rc, kc, r)
		w.queues = append(w.queues, j)
		w.ends = append(w.ends, j.end)
		w.loads = append(w.loads, j.load)
	}
	return t
}

// intervalJoin takes one change at a time, as join does.
type intervalJoin[L, R, O any] struct {
	pairer[L, R, O]
	within Interval
	l      *timedSide[L]
	r      *timedSide[R]
}

func (j *intervalJoin[L, R, O]) pending() bool { return j.l.pending() || j.r.pending() }

func (j *intervalJoin[L, R, O]) step() {
	j.out.sum = 0
	j.r.drain(&j.out.sum, j.right)
	j.l.drain(&j.out.sum, j.left)
	j.out.flush()
}

// lifespanIn is that of a row of either side. A right row at t matches left ones from
// t−Upper to t−Lower, and these right ones from t+Lower−Upper to t+Upper−Lower: later
// than that plus the cutoff nothing can come that has to do with it.
func lifespanIn[T any](i Interval, at func(T) time.Time) func(T) lifespan {
	reach := max(i.Upper, -i.Lower, i.Upper-i.Lower)
	return func(row T) lifespan {
		t := at(row)
		return lifespan{t, t, t, t.Add(reach)}
	}
}

// matches of a left row are at these times, and those of a right row at the others.
func (i Interval) ofLeft(at time.Time) (from, before instant) {
	return instantOf(at.Add(i.Lower)), instantOf(at.Add(i.Upper)).after()
}

func (i Interval) ofRight(at time.Time) (from, before instant) {
	return instantOf(at.Add(-i.Upper)), instantOf(at.Add(-i.Lower)).after()
}

func (j *intervalJoin[L, R, O]) left(m *timedRow[L]) {
	from, before := j.within.ofLeft(m.at)
	matches := 0
	var lone turns
	j.r.scan(m.on, from, before, func(e held) bool {
		r := j.r.decode(e.row)
		j.add(pairing[L, R]{mixKeys(m.Key, e.id), m.Row, r, m.N * e.n, ofBoth})
		if j.loneR != nil {
			turn := lone.at(e.at, m.N, func() (n int) {
				from, before := j.within.ofRight(j.r.at(r))
				j.l.scan(m.on, from, before, func(e held) bool { n += e.n; return true })
				return n
			})
			if turn != 0 {
				j.add(pairing[L, R]{key: mixKeys(Key{}, e.id), r: r, n: turn * e.n, made: ofRight})
			}
		}
		matches += e.n
		return true
	})
	if j.loneL != nil && matches == 0 {
		j.add(pairing[L, R]{key: mixKeys(m.Key, Key{}), l: m.Row, n: m.N, made: ofLeft})
	}
	j.emit()
	j.l.hold(m)
}

func (j *intervalJoin[L, R, O]) right(m *timedRow[R]) {
	from, before := j.within.ofRight(m.at)
	matches := 0
	var lone turns
	j.l.scan(m.on, from, before, func(e held) bool {
		l := j.l.decode(e.row)
		j.add(pairing[L, R]{mixKeys(e.id, m.Key), l, m.Row, m.N * e.n, ofBoth})
		if j.loneL != nil {
			turn := lone.at(e.at, m.N, func() (n int) {
				from, before := j.within.ofLeft(j.l.at(l))
				j.r.scan(m.on, from, before, func(e held) bool { n += e.n; return true })
				return n
			})
			if turn != 0 {
				j.add(pairing[L, R]{key: mixKeys(e.id, Key{}), l: l, n: turn * e.n, made: ofLeft})
			}
		}
		matches += e.n
		return true
	})
	if j.loneR != nil && matches == 0 {
		j.add(pairing[L, R]{key: mixKeys(Key{}, m.Key), r: m.Row, n: m.N, made: ofRight})
	}
	j.emit()
	j.r.hold(m)
}

// turns says of rows, in the order of time, whether they get their first match or
// lose their last: rows at one time have the same matches.
type turns struct {
	known bool
	of    instant
	turn  int
}

// at returns −1 if n more matches are the first, 1 if they take the last away, else
// 0. matches counts those before.
func (t *turns) at(of instant, n int, matches func() int) int {
	if !t.known || of != t.of {
		t.known, t.of, t.turn = true, of, 0
		switch before := matches(); {
		case before == 0:
			t.turn = -1
		case before+n == 0:
			t.turn = 1
		}
	}
	return t.turn
}

func (j *intervalJoin[L, R, O]) end(uint64) {
	j.n.count[j.w.id].state(j.l.set.Len()+j.r.set.Len(), j.l.set.Bytes()+j.r.set.Bytes())
}

func (j *intervalJoin[L, R, O]) load() error {
	if err := j.l.load(); err != nil {
		return err
	}
	if err := j.r.load(); err != nil {
		return err
	}
	j.end(0)
	return nil
}
