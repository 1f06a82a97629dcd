package pipeline

import (
	"fmt"
	"sync/atomic"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

const (
	shards     = 256     // virtual shards: the top 8 bits of Key.Hi
	chunkRows  = 1024    // rows that pass through the plan together
	sliceRows  = 1 << 16 // rows of input that are applied at a time
	budgetRows = 1 << 16 // rows that an operator emits in one pass
)

func (k Key) shard() uint8      { return uint8(k.Hi >> 56) }
func (k Key) cell() hashtab.Key { return hashtab.Key(k) }
func (k Key) bytes16() [16]byte { return k.Bytes() }

// mixKeys derives the key of what comes from a pair of rows. Its order counts.
func mixKeys(a, b Key) Key {
	x := (a.Hi ^ 0x9E3779B97F4A7C15) * 0xD6E8FEB86659FD93
	y := (a.Lo ^ 0xC2B2AE3D27D4EB4F) * 0xA24BAED4963EE407
	x = (x ^ x>>32 ^ b.Lo) * 0x9FB21C651E98DF25
	y = (y ^ y>>29 ^ b.Hi) * 0xE7037ED1A0B428DB
	x ^= y >> 31
	y = (y ^ x>>33) * 0x8EBC6AF09C88C6E3
	return Key{x ^ x>>30, y ^ y>>28}
}

// counter is what an operator did in one worker. It fills a cache line of its
// own, because every worker writes its own all the time.
type counter struct {
	in, out, errs         atomic.Int64
	stateRows, stateBytes atomic.Int64
	open                  atomic.Int64 // requests of an asynchronous stage
	late                  atomic.Int64
	_                     [8]byte
}

func (c *counter) state(rows, bytes int) {
	c.stateRows.Store(int64(rows))
	c.stateBytes.Store(int64(bytes))
}

// worker runs the whole plan on its shards of the key space. Everything in it
// is touched by one goroutine, except while that waits between passes: then
// other workers read what it has put out for them.
type worker struct {
	r  *run
	id int
	n  int // workers

	outlets  []any // *outlet[T] of each node
	routers  []exchange
	feeds    []func(batch any, lo, hi int) // of each source
	intakes  []func()                      // take what came from outside: async results
	queues   []queue                       // operators that work off a queue, in plan order
	deferred []deferred                    // operators that emit when all before them is done, in plan order
	ends     []func(e uint64)              // at the end of an epoch
	loads    []func() error                // read saved state

	forgetters []forgetter // operators that take rows back, in plan order
	forgetting bool        // they do so in this pass

	parity int  // of the pass: which buffers the exchanges fill
	sent   bool // something was put out for another worker in this pass

	fails  []failure // of this pass
	errOut *outlet[RowError]
	log    *changelog.Writer // nil without state

	rowBuf, recBuf []byte // scratch
}

// exchange is a router seen without its type.
type exchange interface {
	reset()   // empty the buffers of this pass
	receive() // deliver what other workers put out in the last pass
}

// queue is an operator that may emit much more than it takes in. step works
// until about budgetRows rows are out.
type queue interface {
	pending() bool
	step()
}

// deferred is an operator that emits when its input for the epoch is complete.
// flush emits up to about budgetRows rows and reports whether there are more.
type deferred interface {
	changed() bool
	flush() (more bool)
}

// forgetter is an operator that takes rows back because of their age, when all else
// in an epoch is done. forget emits up to about budgetRows rows and reports whether
// there are more.
type forgetter interface {
	forgetful() bool
	forget() (more bool)
}

// outlet is a table in one worker: whoever reads it gets each batch in turn.
// A batch is valid only during the call.
type outlet[T any] struct {
	subs []func([]Change[T])
	c    *counter
}

func newOutlet[T any](w *worker, n *node) *outlet[T] {
	o := &outlet[T]{c: &n.count[w.id]}
	w.outlets[n.id] = o
	return o
}

func (o *outlet[T]) emit(b []Change[T]) {
	if len(b) == 0 {
		return
	}
	o.c.out.Add(int64(len(b)))
	for _, f := range o.subs {
		f(b)
	}
}

// subscribe hands the batches of in's table to f, on behalf of n.
func subscribe[T any](w *worker, n, in *node, f func([]Change[T])) {
	o := w.outlets[in.id].(*outlet[T])
	c := &n.count[w.id]
	o.subs = append(o.subs, func(b []Change[T]) {
		c.in.Add(int64(len(b)))
		f(b)
	})
}

// buffer collects an operator's output and emits it chunk by chunk.
type buffer[T any] struct {
	o    *outlet[T]
	rows []Change[T]
	sum  int // rows emitted since the operator set it to 0
}

func (b *buffer[T]) add(k Key, row T, n int) {
	b.rows = append(b.rows, Change[T]{k, row, n})
	if len(b.rows) >= chunkRows {
		b.flush()
	}
}

func (b *buffer[T]) flush() {
	b.sum += len(b.rows)
	b.o.emit(b.rows)
	b.rows = b.rows[:0]
}

// owner returns the worker that a key belongs to.
func (w *worker) owner(k Key) int { return int(k.Hi>>56) * w.n / shards }

// owns reports whether the shard is this worker's.
func (w *worker) owns(shard uint8) bool { return int(shard)*w.n/shards == w.id }

// router carries messages to the worker that owns their key. Those of this
// worker are delivered at the end of put, the others in the next pass.
type router[M any] struct {
	w       *worker
	id      int
	key     func(*M) Key
	deliver func([]M)
	out     [2][][]M // by parity and worker
	own     []M
}

func newRouter[M any](w *worker, key func(*M) Key, deliver func([]M)) *router[M] {
	x := &router[M]{w: w, id: len(w.routers), key: key, deliver: deliver}
	for i := range x.out {
		x.out[i] = make([][]M, w.n)
	}
	w.routers = append(w.routers, x)
	return x
}

// put routes messages; they are copied.
func (x *router[M]) put(ms []M) {
	if x.w.n == 1 {
		x.deliver(ms)
		return
	}
	out := x.out[x.w.parity]
	for i := range ms {
		if to := x.w.owner(x.key(&ms[i])); to == x.w.id {
			x.own = append(x.own, ms[i])
		} else {
			out[to] = append(out[to], ms[i])
			x.w.sent = true
		}
	}
	if len(x.own) > 0 {
		x.deliver(x.own)
		x.own = reuse(x.own)
	}
}

func (x *router[M]) reset() {
	for i, b := range x.out[x.w.parity] {
		x.out[x.w.parity][i] = reuse(b)
	}
}

func (x *router[M]) receive() {
	for _, p := range x.w.r.workers {
		if b := p.routers[x.id].(*router[M]).out[1-x.w.parity][x.w.id]; p != x.w && len(b) > 0 {
			x.deliver(b)
		}
	}
}

// reuse empties a slice, and gives its memory back when there is a lot of it.
func reuse[T any](s []T) []T {
	if cap(s) > 4*sliceRows {
		return nil
	}
	clear(s)
	return s[:0]
}

// failure is a row that could not be handled, or (n < 0) one that could not be
// and is gone.
type failure struct {
	n     *node
	key   Key
	where string
	err   error
	by    int
}

// fail notes that the operator could not handle a row with this key, n times.
func (w *worker) fail(n *node, key Key, where string, err error, by int) {
	if by > 0 {
		n.count[w.id].errs.Add(int64(by))
	}
	w.fails = append(w.fails, failure{n, key, where, err, by})
}

// guard calls f for 0 ≤ i < n, and bad with the i at which f panicked, after
// which it goes on.
func guard(n int, f func(i int), bad func(i int, err error)) {
	for i := 0; i < n; {
		i = guardFrom(i, n, f, bad)
	}
}

func guardFrom(from, n int, f func(i int), bad func(i int, err error)) (next int) {
	i := from
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(*engineError); ok {
				panic(e)
			}
			bad(i, panicError(p))
			next = i + 1
		}
	}()
	for ; i < n; i++ {
		f(i)
	}
	return n
}

// engineError is a failure of the engine itself, such as state that can't be
// decoded: it ends the run and is not taken for a failing row.
type engineError struct{ err error }

func (w *worker) must(n *node, doing string, err error) {
	if err != nil {
		panic(&engineError{fmt.Errorf("pipeline: %s: %s: %w", n, doing, err)})
	}
}

func panicError(p any) error {
	if err, ok := p.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", p)
}
