package pipeline

import (
	"fmt"
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// lifespan is when a row counts: a delay begins at from, what comes after until plus a
// cutoff is late, and the row is of no use to anybody at done plus the cutoff.
type lifespan struct{ at, from, until, done time.Time }

// clock is what the workers know of event time. One clock may serve several
// operators.
type clock []*workerClock

// workerClock is a worker's. next is written by the worker alone while input comes
// in and read by others while an operator is flushed, when none comes in.
type workerClock struct {
	next instant // the latest time that has come to this worker
	now  instant // the latest that had come to any when the operator was last flushed
	past instant // the same as of the end of the last epoch: what is late is told by it
	_    [64]byte
}

func (c clock) start(w *worker) *workerClock {
	if c[w.id] == nil {
		c[w.id] = &workerClock{}
	}
	return c[w.id]
}

// agree takes the latest time of all workers.
func (c clock) agree(mine *workerClock) {
	for _, of := range c {
		if of.next.compare(mine.now) > 0 {
			mine.now = of.next
		}
	}
}

// timely adds the operator. With keep, rows are retracted at the end of their span
// in a pass of their own, in which remember lets nothing through.
func timely[T any](op string, t *Table[T], b Behavior, keep bool, c clock, of func(T) lifespan) *Table[T] {
	out := table[T](op, t.n)
	n := out.n
	n.keys, n.keeps = "kept", "the clock, rows that wait or will be forgotten ("+b.String()+")"
	if err := b.check(); err != nil {
		n.g.problem("pipeline: %s: %w", n, err)
	}
	forgets := keep || b.forgets
	n.twice = n.twice || forgets
	rc := codecFor[T](n)
	if rc != nil {
		n.fingerprint = fmt.Sprint(op, " ", forgets, " ", rc.Fingerprint())
	}
	n.start = func(w *worker) {
		x := &timelyOp[T]{w: w, n: n, c: rc, b: b, forgets: forgets, of: of, all: c, clock: c.start(w)}
		x.out.o = newOutlet[T](w, n)
		x.wait = timelySet{w: w, table: n.tableName("waiting")}
		x.open = timelySet{w: w, table: n.tableName("open")}
		x.route = newRouter(w, func(m *Change[T]) Key { return m.Key }, x.apply)
		subscribe(w, n, t.n, x.route.put)
		w.deferred = append(w.deferred, x)
		w.r.delays = w.r.delays || b.delays
		if forgets {
			w.forgetters = append(w.forgetters, x)
		}
		w.ends = append(w.ends, x.end)
		w.loads = append(w.loads, x.load)
	}
	return out
}

// timelyOp has two sets of rows: those that wait, by when they are let through, and
// those let through that will be forgotten, by when. A worker has a set for each of
// its shards, as its records must.
type timelyOp[T any] struct {
	w       *worker
	n       *node
	c       *codec.Codec[T]
	b       Behavior
	forgets bool
	of      func(T) lifespan
	all     clock
	clock   *workerClock
	saved   instant // the clock as it is in the log
	route   *router[Change[T]]
	wait    timelySet
	open    timelySet
	out     buffer[T]
	txt     codec.Arena
	row     [1]T
	buf     []byte
}

// apply takes changes of rows whose keys are this worker's.
func (x *timelyOp[T]) apply(b []Change[T]) {
	for len(b) > 0 {
		some := b[:min(len(b), chunkRows)]
		b = b[len(some):]
		guard(len(some), func(i int) { x.take(&some[i]) }, func(i int, err error) { x.w.fail(x.n, some[i].Key, "", err, some[i].N) })
		x.out.flush()
	}
}

func (x *timelyOp[T]) take(c *Change[T]) {
	s := x.of(c.Row) // from here on nothing fails
	if at := instantOf(s.at); c.N > 0 && at.compare(x.clock.next) > 0 {
		x.clock.next = at
	}
	if x.b.cutsOff && x.closed(s.until) {
		x.n.count[x.w.id].late.Add(int64(max(c.N, -c.N)))
		return
	}
	x.buf = x.c.Append(x.buf[:0], &c.Row)
	if x.b.delays {
		if due := x.due(s); due.compare(x.clock.past) > 0 {
			x.wait.add(due, c.Key, x.buf, c.N)
			return
		}
	}
	x.let(c.Key, c.Row, x.buf, s, c.N)
}

// closed reports whether what comes for a span that ends now is late. Static mode
// has one epoch, however often it is saved.
func (x *timelyOp[T]) closed(until time.Time) bool {
	return !x.w.r.o.static && instantOf(until.Add(x.b.cutoff)).compare(x.clock.past) <= 0
}

func (x *timelyOp[T]) due(s lifespan) instant {
	if x.b.fromEnd {
		return instantOf(s.until.Add(x.b.delay))
	}
	return instantOf(s.from.Add(x.b.delay))
}

func (x *timelyOp[T]) let(k Key, row T, enc []byte, s lifespan, n int) {
	x.out.rows = append(x.out.rows, Change[T]{k, row, n})
	if x.forgets {
		x.open.add(instantOf(s.done.Add(x.b.cutoff)), k, enc, n)
	}
}

// ripe is up to when rows that wait are let through.
func (x *timelyOp[T]) ripe() instant {
	if x.w.r.ended {
		return latest
	}
	if x.w.r.o.static {
		return instant{}
	}
	return x.clock.now
}

func (x *timelyOp[T]) changed() bool {
	return x.clock.next.compare(x.clock.now) > 0 || x.wait.due(x.ripe())
}

func (x *timelyOp[T]) flush() (more bool) {
	x.all.agree(x.clock)
	x.out.sum = 0
	more = x.wait.take(x.ripe(), budgetRows, func(e held) {
		row := x.decode(e.row)
		x.let(e.id, row, e.row, x.of(row), e.n)
	})
	x.out.flush()
	return more
}

// forget takes rows back whose time is over.
func (x *timelyOp[T]) forget() (more bool) {
	x.out.sum = 0
	more = x.open.take(x.clock.now, budgetRows, func(e held) {
		x.out.add(e.id, x.decode(e.row), -e.n)
	})
	x.out.flush()
	return more
}

func (x *timelyOp[T]) forgetful() bool {
	return (!x.w.r.o.static || x.w.r.ended) && x.open.due(x.clock.now)
}

func (x *timelyOp[T]) decode(b []byte) T {
	clear(x.row[:]) // decoded here, so that it is not allocated for each row
	x.w.must(x.n, "read a row of the state", x.c.DecodeCopy(b, &x.row[0], &x.txt))
	return x.row[0]
}

func (x *timelyOp[T]) end(e uint64) {
	x.clock.past = x.clock.now
	x.n.count[x.w.id].state(x.wait.set.Len()+x.open.set.Len(), x.wait.set.Bytes()+x.open.set.Bytes())
	if x.w.log != nil && x.w.id == 0 && x.saved != x.clock.now {
		x.saved = x.clock.now
		x.w.log.Put(x.n.tableName("clock"), 0, []byte("clock"), x.saved[:])
	}
}

func (x *timelyOp[T]) load() error {
	// Every worker reads the clock, whoever has written it.
	err := loadTable(x.w.r.log, x.n.tableName("clock"), nil, func(_, value []byte) error {
		if len(value) != len(x.saved) {
			return errDamagedState
		}
		x.saved = instant(value)
		return nil
	})
	if err != nil {
		return err
	}
	for _, of := range []*instant{&x.clock.next, &x.clock.now, &x.clock.past} {
		if x.saved.compare(*of) > 0 {
			*of = x.saved
		}
	}
	if err := x.wait.load(func(row []byte) instant { return x.due(x.of(x.decode(row))) }); err != nil {
		return err
	}
	err = x.open.load(func(row []byte) instant { return instantOf(x.of(x.decode(row)).done.Add(x.b.cutoff)) })
	if err != nil {
		return err
	}
	x.n.count[x.w.id].state(x.wait.set.Len()+x.open.set.Len(), x.wait.set.Bytes()+x.open.set.Bytes())
	return nil
}

// timelySet is rows by an instant each.
type timelySet struct {
	w     *worker
	table string
	set   hashtab.Ordered // by shard: instant, key and row
	first instant         // no row has an earlier one
	any   bool            // first is known
	b     []byte
}

func shardCell(shard uint8) hashtab.Key { return Key{Hi: uint64(shard) << 56}.cell() }

func (s *timelySet) add(at instant, id Key, row []byte, n int) {
	saveJoined(s.w, s.table, id, id, row, s.put(at, id, row, n))
}

func (s *timelySet) put(at instant, id Key, row []byte, n int) (now int) {
	if !s.any || at.compare(s.first) < 0 {
		s.first, s.any = at, true
	}
	k := id.Bytes()
	s.b = append(append(append(s.b[:0], at[:]...), k[:]...), row...)
	return s.set.Add(shardCell(id.shard()), s.b, n)
}

// due reports whether there may be rows to take.
func (s *timelySet) due(upTo instant) bool {
	return s.any && s.set.Len() > 0 && s.first.compare(upTo) <= 0
}

// take removes rows whose instant has come, about max at most, and hands them out.
// Those that went before they came have a weight of less than 0.
func (s *timelySet) take(upTo instant, max int, f func(held)) (more bool) {
	if !s.due(upTo) {
		return false
	}
	var vals [][]byte
	var times []int
	least, any := instant{}, false
	for shard := range shards {
		if !s.w.owns(uint8(shard)) {
			continue
		}
		cell := shardCell(uint8(shard))
		vals, times = vals[:0], times[:0]
		s.set.Ascend(cell, func(val []byte, n int) bool {
			at := instant(val)
			if at.compare(upTo) > 0 || max <= 0 {
				more = more || at.compare(upTo) <= 0
				if !any || at.compare(least) < 0 {
					least, any = at, true
				}
				return false
			}
			vals, times = append(vals, append([]byte(nil), val...)), append(times, n)
			max--
			return true
		})
		for i, val := range vals {
			s.set.Add(cell, val, -times[i])
			e := heldOf(val, times[i])
			saveJoined(s.w, s.table, e.id, e.id, e.row, 0)
			f(e)
		}
	}
	s.first, s.any = least, any
	return more
}

func (s *timelySet) load(at func(row []byte) instant) error {
	return s.w.load(s.table, func(key, value []byte) error {
		_, id, n, row, err := readJoined(key, value)
		if err != nil {
			return err
		}
		s.put(at(row), id, row, n)
		return nil
	})
}

// remember is a table that keeps what is forgotten before it: it lets nothing of
// the pass through in which rows are taken back.
func remember[T any](t *Table[T]) *Table[T] {
	out := table[T]("remember", t.n)
	n := out.n
	n.keys, n.passes, n.twice = "kept", true, false
	n.start = func(w *worker) {
		o := newOutlet[T](w, n)
		subscribe(w, n, t.n, func(b []Change[T]) {
			if !w.forgetting {
				o.emit(b)
			}
		})
	}
	return out
}
