package pipeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// Timed is a table whose rows are at a time: a side of a join by time, or what is
// cut into sessions.
type Timed[T, K any] struct {
	Table *Table[T]
	Key   func(row T) K // only rows of one key have to do with each other
	At    func(row T) time.Time
}

// instant is a time as bytes whose order is that of time.
type instant [12]byte

func instantOf(t time.Time) (i instant) {
	binary.BigEndian.PutUint64(i[:], uint64(t.Unix())^1<<63)
	binary.BigEndian.PutUint32(i[8:], uint32(t.Nanosecond()))
	return i
}

func (i instant) time() time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(i[:])^1<<63), int64(binary.BigEndian.Uint32(i[8:])))
}

func (i instant) compare(j instant) int { return bytes.Compare(i[:], j[:]) }

// after is the first instant that is later: there are none between.
func (i instant) after() instant {
	for k := len(i) - 1; k >= 0; k-- {
		if i[k]++; i[k] != 0 {
			break
		}
	}
	return i
}

// timedRow is a change on its way into a join by time.
type timedRow[T any] struct {
	on Key
	at time.Time
	Change[T]
}

// timedSide is one table of a join by time, sorted by time within each key, and
// its changes not yet applied.
type timedSide[T any] struct {
	w     *worker
	n     *node
	table string
	c     *codec.Codec[T]
	at    func(T) time.Time
	route *router[timedRow[T]]
	set   hashtab.Ordered // time, key and row
	txt   codec.Arena
	row   [1]T
	b     []byte

	todo []timedRow[T]
	next int
}

func newTimedSide[T, K any](w *worker, n *node, part string, c *codec.Codec[T], kc *codec.Codec[K], in Timed[T, K]) *timedSide[T] {
	s := &timedSide[T]{w: w, n: n, c: c, at: in.At, table: n.tableName(part)}
	s.route = newRouter(w, func(m *timedRow[T]) Key { return m.on }, func(b []timedRow[T]) { s.todo = append(s.todo, b...) })
	var rows []timedRow[T]
	var scratch []byte
	var k K // here, so that it is not allocated for each row
	subscribe(w, n, in.Table.n, func(b []Change[T]) {
		rows = rows[:0]
		guard(len(b), func(i int) {
			k = in.Key(b[i].Row)
			var on Key
			on.Hi, on.Lo, scratch = kc.Hash(&k, scratch)
			rows = append(rows, timedRow[T]{on, in.At(b[i].Row), b[i]})
		}, func(i int, err error) { w.fail(n, b[i].Key, "", err, b[i].N) })
		s.route.put(rows)
	})
	return s
}

func (s *timedSide[T]) pending() bool { return s.next < len(s.todo) }

// drain applies the side's changes until enough has come out.
func (s *timedSide[T]) drain(emitted *int, apply func(*timedRow[T])) {
	for s.next < len(s.todo) && *emitted < budgetRows {
		apply(&s.todo[s.next])
		s.next++
	}
	if s.next == len(s.todo) {
		s.todo, s.next = reuse(s.todo), 0
	}
}

// held is a row of a side as it stands there. row is valid until the next one.
type held struct {
	at  instant
	id  Key
	row []byte
	n   int
}

func heldOf(val []byte, n int) held {
	return held{instant(val), KeyFromBytes([16]byte(val[12:])), val[28:], n}
}

// scan calls f for the rows of a key from one instant to before another, in the
// order of time. Those whose weight is less than 0, for they went before they
// came in this epoch, are among them.
func (s *timedSide[T]) scan(on Key, from, before instant, f func(held) bool) {
	s.set.AscendFrom(on.cell(), from[:], func(val []byte, n int) bool {
		e := heldOf(val, n)
		return e.at.compare(before) < 0 && f(e)
	})
}

// last returns the latest row before an instant, first the earliest from it on.
// Of rows at one time it is decided by their keys and what they are.
func (s *timedSide[T]) last(on Key, before instant) (e held, ok bool) {
	s.set.DescendFrom(on.cell(), before[:], func(val []byte, n int) bool {
		e, ok = heldOf(val, n), n > 0
		return !ok
	})
	return e, ok
}

func (s *timedSide[T]) first(on Key, from instant) (e held, ok bool) {
	s.set.AscendFrom(on.cell(), from[:], func(val []byte, n int) bool {
		e, ok = heldOf(val, n), n > 0
		return !ok
	})
	return e, ok
}

func (s *timedSide[T]) decode(b []byte) T {
	clear(s.row[:]) // decoded here, so that it is not allocated for each row
	s.w.must(s.n, "read a row of the state", s.c.DecodeCopy(b, &s.row[0], &s.txt))
	return s.row[0]
}

func (s *timedSide[T]) value(at time.Time, id Key, row []byte) []byte {
	i, k := instantOf(at), id.Bytes()
	s.b = append(append(append(s.b[:0], i[:]...), k[:]...), row...)
	return s.b
}

// hold applies a change to the side and writes down what has become of the row:
// under the key it joins by and a hash of its own key and content, as joinSide does.
func (s *timedSide[T]) hold(m *timedRow[T]) {
	s.w.rowBuf = s.c.Append(s.w.rowBuf[:0], &m.Row)
	row := s.w.rowBuf
	now := s.set.Add(m.on.cell(), s.value(m.at, m.Key, row), m.N)
	saveJoined(s.w, s.table, m.on, m.Key, row, now)
}

func (s *timedSide[T]) load() error {
	return s.w.load(s.table, func(key, value []byte) (err error) {
		on, id, n, row, err := readJoined(key, value)
		if err != nil {
			return err
		}
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the time of a saved row: %w", panicError(p))
			}
		}()
		s.set.Add(on.cell(), s.value(s.at(s.decode(row)), id, row), n)
		return nil
	})
}
