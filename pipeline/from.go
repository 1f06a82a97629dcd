package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// From makes a table of what a source brings. The name is that of the source:
// in errors and figures, and for what a restart finds of it, so it must be
// unique in the graph when state is kept. Rows brought by Upsert are kept as
// state, compactly encoded; those brought by Add are not.
func From[T any](g *Graph, name string, src Source[T]) *Table[T] {
	n := g.add("from", typeOf[T]())
	t := (&Table[T]{n}).Named(name)
	n.keys, n.keeps = "given by the source", "the source's position, rows brought by Upsert"
	c := codecFor[T](n)
	if c != nil {
		n.fingerprint = "from " + c.Fingerprint()
	}
	n.start = func(w *worker) {
		o := newOutlet[T](w, n)
		w.feeds[n.id] = func(batch any, lo, hi int) {
			rows := batch.([]Change[T])[lo:hi]
			n.count[w.id].in.Add(int64(len(rows)))
			for len(rows) > 0 {
				k := min(len(rows), chunkRows)
				o.emit(rows[:k])
				rows = rows[k:]
			}
		}
	}
	n.source = func(r *run) *source {
		s := &source{r: r, n: n, room: make(chan struct{}, 1)}
		in := &input[T]{s: s, c: c}
		s.load = in.load
		s.join = func(into, g *group) { into.rows = append(into.rows.([]Change[T]), g.rows.([]Change[T])...) }
		s.run = func(ctx context.Context) error { return src.Run(ctx, in) }
		return s
	}
	return t
}

// source is a running source as the coordinator sees it.
type source struct {
	r    *run
	n    *node
	load func() error
	run  func(ctx context.Context) error
	join func(into, g *group)
	room chan struct{} // holds one token after the queue has become shorter

	mu      sync.Mutex
	queue   []*group
	rows    int // in the queue
	bytes   int
	since   time.Time // when the oldest group was queued
	ended   bool
	trouble error
	total   int64
}

// group is what a source brought between two commits: it enters one epoch.
type group struct {
	rows  any // []Change[T]
	n     int // of them
	bytes int
	recs  []byte // changes of the source's state, for the log
	fails []failure
	seen  []func(uint64)
}

const (
	sourceRows  = 4 * sliceRows // rows a source may be ahead
	sourceBytes = 64 << 20      // and bytes
)

// input is the engine's side of a source.
type input[T any] struct {
	s     *source
	c     *codec.Codec[T]
	cur   []Change[T]
	bytes int
	recs  []byte
	fails []failure

	rows  hashtab.Store // by Upsert
	state hashtab.Store // by Put
	row   T
	buf   []byte
	txt   codec.Arena
}

func (in *input[T]) Add(key Key, row T, n int) {
	if n == 0 {
		return
	}
	in.cur = append(in.cur, Change[T]{key, row, n})
	in.bytes += in.c.Size(&in.cur[len(in.cur)-1].Row) + 24
}

func (in *input[T]) Upsert(key Key, row T) {
	in.row = row // not the argument, which would have to be allocated
	in.buf = in.c.Append(in.buf[:0], &in.row)
	if old, ok := in.rows.Get(key.cell()); ok {
		if string(old) == string(in.buf) {
			return
		}
		in.Add(key, in.decode(old), -1)
	}
	in.rows.Put(key.cell(), in.buf)
	in.record(recRow, key, in.buf)
	in.Add(key, row, 1)
}

func (in *input[T]) Delete(key Key) {
	old, ok := in.rows.Get(key.cell())
	if !ok {
		return
	}
	in.Add(key, in.decode(old), -1)
	in.rows.Delete(key.cell())
	in.record(recNoRow, key, nil)
}

func (in *input[T]) decode(b []byte) (row T) {
	if err := in.c.DecodeCopy(b, &row, &in.txt); err != nil {
		panic(&engineError{fmt.Errorf("pipeline: %s: read a row of the state: %w", in.s.n, err)})
	}
	return row
}

func (in *input[T]) Rows(yield func(Key, T) bool) {
	in.rows.All(func(k hashtab.Key, b []byte) bool { return yield(Key(k), in.decode(b)) })
}

func (in *input[T]) Put(key Key, value []byte) {
	in.state.Put(key.cell(), value)
	in.record(recState, key, value)
}

func (in *input[T]) Drop(key Key) {
	if in.state.Delete(key.cell()) {
		in.record(recNoState, key, nil)
	}
}

func (in *input[T]) State(yield func(Key, []byte) bool) {
	in.state.All(func(k hashtab.Key, b []byte) bool { return yield(Key(k), append([]byte(nil), b...)) })
}

func (in *input[T]) Fail(where string, err error) {
	in.fails = append(in.fails, failure{n: in.s.n, key: KeyOf(where), where: where, err: err, by: 1})
}

func (in *input[T]) Static() bool { return in.s.r.o.static }

func (in *input[T]) Trouble(err error) {
	in.s.mu.Lock()
	before := in.s.trouble
	in.s.trouble = err
	in.s.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		in.s.r.o.log.Warn("source cannot go on", "source", in.s.n.name, "err", err)
	case err == nil && before != nil:
		in.s.r.o.log.Info("source goes on", "source", in.s.n.name)
	}
}

func (in *input[T]) Commit(ctx context.Context, seen func(epoch uint64)) error {
	if len(in.cur) == 0 && len(in.recs) == 0 && len(in.fails) == 0 && seen == nil {
		return ctx.Err()
	}
	g := &group{rows: in.cur, n: len(in.cur), bytes: in.bytes + len(in.recs), recs: in.recs, fails: in.fails}
	if seen != nil {
		g.seen = append(g.seen, seen)
	}
	// What the source has said it has said: the next group starts empty even
	// if this one does not get in, because then the run is over.
	in.cur, in.recs, in.fails, in.bytes = make([]Change[T], 0, min(len(in.cur), sliceRows)), nil, nil, 0
	in.figures()
	s := in.s
	for {
		s.mu.Lock()
		if s.rows < sourceRows && s.bytes < sourceBytes {
			s.put(g)
			s.mu.Unlock()
			s.r.wake()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// figures notes the size of the state. It is the source's own goroutine that
// does so.
func (in *input[T]) figures() {
	in.s.n.count[0].state(in.rows.Len()+in.state.Len(), in.rows.Bytes()+in.state.Bytes())
}

// put queues a group, as a part of the last one if both are small: one larger
// group is cheaper than many small ones. REQUIRES: s.mu.
func (s *source) put(g *group) {
	if len(s.queue) == 0 {
		s.since = time.Now()
	}
	s.rows += g.n
	s.bytes += g.bytes
	s.total += int64(g.n)
	if k := len(s.queue); k > 0 && s.queue[k-1].n+g.n <= 4*chunkRows {
		last := s.queue[k-1]
		s.join(last, g)
		last.n += g.n
		last.bytes += g.bytes
		last.recs = append(last.recs, g.recs...)
		last.fails = append(last.fails, g.fails...)
		last.seen = append(last.seen, g.seen...)
		return
	}
	s.queue = append(s.queue, g)
}

// take removes groups of up to about max rows from the queue.
func (s *source) take(max int) (gs []*group, rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && (rows == 0 || rows+s.queue[0].n <= max) {
		g := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.rows -= g.n
		s.bytes -= g.bytes
		rows += g.n
		gs = append(gs, g)
	}
	if len(s.queue) > 0 {
		s.since = time.Now()
	}
	select {
	case s.room <- struct{}{}:
	default:
	}
	return gs, rows
}

func (s *source) waiting() (groups, rows int, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue), s.rows, s.ended
}

// start runs the source in a goroutine of its own.
func (s *source) start(ctx context.Context) {
	s.r.goroutines.Go(func() {
		err := s.guarded(ctx)
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			s.r.fail(fmt.Errorf("pipeline: source %s: %w", s.n.name, err))
		}
		s.r.wake()
	})
}

func (s *source) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return s.run(ctx)
}
