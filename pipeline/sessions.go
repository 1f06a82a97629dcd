package pipeline

import (
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// Sessions makes a row of each row and its session: rows of one key belong to one
// session as long as none is gap or more later than the one before. The window of
// a session starts at its first row and ends gap after its last: the instant from
// which on a row would begin another.
//
// Time is data here, as for IntoWindows: a late row may join two sessions, one that
// goes may part one, and the rows of the sessions concerned get their new windows.
// A row keeps its key. A row on which Key or At panics goes to the error table.
// The rows are kept as state, sorted by time. A change costs a search, and where a
// session begins or ends anew, as many steps as it has rows.
func Sessions[T, K any](t Timed[T, K], gap time.Duration) *Table[InWindow[T]] {
	out := table[InWindow[T]]("sessions", t.Table.n)
	n := out.n
	if gap <= 0 {
		n.g.problem("pipeline: %s: the gap is %s and must be more than 0", n, gap)
	}
	n.keys, n.keeps = "kept", "the rows"
	kc, c := keyCodecFor[K](n, "key"), codecFor[T](n)
	if c != nil {
		n.fingerprint = "sessions " + c.Fingerprint()
	}
	n.start = func(w *worker) {
		s := &sessions[T]{w: w, n: n, c: c, gap: gap}
		s.out.o = newOutlet[InWindow[T]](w, n)
		s.rows = newTimedSide(w, n, "rows", c, kc, t)
		w.queues = append(w.queues, s)
		w.ends = append(w.ends, s.end)
		w.loads = append(w.loads, s.load)
	}
	return out
}

// sessions holds the rows of each key by time, and the sessions that they make: a
// function of the rows, and so not written down. What has come out is at any
// moment what the rows held then make.
type sessions[T any] struct {
	w    *worker
	n    *node
	c    *codec.Codec[T]
	gap  time.Duration
	rows *timedSide[T]
	all  hashtab.Ordered // first and last instant of each session
	out  buffer[InWindow[T]]
}

// session is the first and the last instant of one.
type session struct{ first, last instant }

func (s session) bytes() []byte { return append(s.first[:len(s.first):len(s.first)], s.last[:]...) }

func sessionOf(b []byte) session { return session{instant(b), instant(b[len(instant{}):])} }

func (s *sessions[T]) window(of session) Window {
	return Window{of.first.time().UTC(), of.last.time().UTC().Add(s.gap)}
}

func (s *sessions[T]) pending() bool { return s.rows.pending() }

func (s *sessions[T]) step() {
	s.out.sum = 0
	s.rows.drain(&s.out.sum, s.apply)
	s.out.flush()
}

func (s *sessions[T]) apply(m *timedRow[T]) {
	at := instantOf(m.at)
	prev, hasPrev := s.before(m.on, at.after())
	if hasPrev && at.compare(prev.last) <= 0 { // in a session that is there
		s.out.add(m.Key, InWindow[T]{s.window(prev), m.Row}, m.N)
		s.rows.hold(m)
		if !s.there(m.on, at) {
			s.shrink(m.on, prev, at)
		}
		return
	}
	now := session{at, at}
	if hasPrev && m.at.Sub(prev.last.time()) < s.gap {
		now.first = prev.first
	} else {
		hasPrev = false
	}
	next, hasNext := s.from(m.on, at)
	if hasNext && next.first.time().Sub(m.at) < s.gap {
		now.last = next.last
	} else {
		hasNext = false
	}
	if hasPrev {
		s.turn(m.on, prev, now)
		s.all.Add(m.on.cell(), prev.bytes(), -1)
	}
	if hasNext {
		s.turn(m.on, next, now)
		s.all.Add(m.on.cell(), next.bytes(), -1)
	}
	s.all.Add(m.on.cell(), now.bytes(), 1)
	s.out.add(m.Key, InWindow[T]{s.window(now), m.Row}, m.N)
	s.rows.hold(m)
}

// shrink makes of a session what is left of it without its last row at an instant:
// nothing, a shorter one, or two.
func (s *sessions[T]) shrink(on Key, old session, at instant) {
	left, right := old, old
	isLeft, isRight := false, false
	s.rows.set.DescendFrom(on.cell(), at[:], func(val []byte, _ int) bool {
		left.last = instant(val)
		isLeft = left.last.compare(old.first) >= 0
		return false
	})
	s.rows.scan(on, at, old.last.after(), func(e held) bool {
		right.first, isRight = e.at, true
		return false
	})
	if isLeft && isRight && right.first.time().Sub(left.last.time()) < s.gap {
		return
	}
	s.all.Add(on.cell(), old.bytes(), -1)
	for _, part := range []struct {
		there bool
		of    session
	}{{isLeft, left}, {isRight, right}} {
		if part.there {
			s.all.Add(on.cell(), part.of.bytes(), 1)
			s.turnPart(on, part.of, old, part.of)
		}
	}
}

// turn gives the rows of one session the window of another.
func (s *sessions[T]) turn(on Key, of, now session) { s.turnPart(on, of, of, now) }

// turnPart gives the rows of the instants of part, which had the window of old, that
// of now.
func (s *sessions[T]) turnPart(on Key, part, old, now session) {
	was, is := s.window(old), s.window(now)
	s.rows.scan(on, part.first, part.last.after(), func(e held) bool {
		row := s.rows.decode(e.row)
		s.out.add(e.id, InWindow[T]{was, row}, -e.n)
		s.out.add(e.id, InWindow[T]{is, row}, e.n)
		return true
	})
}

// there reports whether a key has any row at an instant.
func (s *sessions[T]) there(on Key, at instant) (yes bool) {
	s.rows.scan(on, at, at.after(), func(held) bool { yes = true; return false })
	return yes
}

// before returns the last session that begins before an instant, from the first
// that begins at it or later.
func (s *sessions[T]) before(on Key, at instant) (of session, ok bool) {
	s.all.DescendFrom(on.cell(), at[:], func(val []byte, _ int) bool { of, ok = sessionOf(val), true; return false })
	return of, ok
}

func (s *sessions[T]) from(on Key, at instant) (of session, ok bool) {
	s.all.AscendFrom(on.cell(), at[:], func(val []byte, _ int) bool { of, ok = sessionOf(val), true; return false })
	return of, ok
}

func (s *sessions[T]) end(uint64) {
	s.n.count[s.w.id].state(s.rows.set.Len(), s.rows.set.Bytes()+s.all.Bytes())
}

func (s *sessions[T]) load() error {
	if err := s.rows.load(); err != nil {
		return err
	}
	var on hashtab.Key
	var now session
	open := false
	flush := func() {
		if open {
			s.all.Add(on, now.bytes(), 1)
		}
	}
	s.rows.set.All(func(k hashtab.Key, val []byte, _ int) { // those of a key together, in order
		at := instant(val)
		if open && k == on && at.time().Sub(now.last.time()) < s.gap {
			now.last = at
			return
		}
		flush()
		on, now, open = k, session{at, at}, true
	})
	flush()
	s.end(0)
	return nil
}
