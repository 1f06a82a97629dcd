package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// AsyncOptions are the choices of an asynchronous stage. The zero value is one
// call at a time with one row, without deadline or retries.
type AsyncOptions[T, R any] struct {
	// Workers is how many calls may run at once (1 if 0).
	Workers int
	// Batch is how many rows a call gets at most (1 if 0); a call does not
	// wait for more.
	Batch int
	// Deadline ends the context of a call; the rows of a call that has not
	// returned then have failed. 0: no deadline.
	Deadline time.Duration
	// Retries is how often a failed row is tried again, the first time after
	// Backoff (100 ms if 0), then after twice as long each time, at most
	// MaxBackoff (a minute if 0). An error marked Permanent and a panic are not
	// tried again. Forever: until it succeeds or goes; what waits for that is
	// not in the way of what has a higher priority.
	Retries    int
	Backoff    time.Duration
	MaxBackoff time.Duration
	// Priority orders what waits: higher first, and among equals the older
	// request. nil: all are equal.
	Priority func(row T) int
	// Spare is how many of Workers the rows of a negative priority leave free,
	// so that however many of them there are and however long each takes, others
	// go on. Of Workers at least one is for them.
	Spare int
	// MaxRows and MaxBytes bound the rows that are decoded and handed to
	// calls, those running included (the greater of 1024 and twice what all
	// calls can take, and 64 MB, if 0). Each priority has room for MaxRows of
	// its own, so that less important work cannot block it. Requests beyond
	// wait in the state, compactly.
	MaxRows  int
	MaxBytes int
	// Provisional makes a row to show when there is no result
	// ProvisionalAfter after the row came; false: none. The result replaces
	// it. Static mode does without. It runs in the epoch: it must be quick.
	Provisional      func(row T) (R, bool)
	ProvisionalAfter time.Duration
}

// Forever, as the number of retries, is without end.
const Forever = -1

func (o AsyncOptions[T, R]) withDefaults() AsyncOptions[T, R] {
	o.Workers = max(o.Workers, 1)
	o.Batch = max(o.Batch, 1)
	o.Spare = min(max(o.Spare, 0), o.Workers-1)
	if o.Backoff <= 0 {
		o.Backoff = 100 * time.Millisecond
	}
	if o.MaxBackoff <= 0 {
		o.MaxBackoff = time.Minute
	}
	if o.MaxRows <= 0 {
		o.MaxRows = max(1024, 2*o.Workers*o.Batch)
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	return o
}

// Async calls f, which may take long, for each row, and makes a table of the
// results under the keys of the rows. It is an input of its own kind: a request
// leaves with the epoch that its row came in, and the result enters a later
// one, so that a slow call delays only its own row.
//
// What a row's result was is remembered: it is withdrawn as it was, f need not
// give the same result twice, and f is not called again for what it has
// answered, not even after a restart with State. What had been asked and not
// answered when the process died is asked again.
//
// When a row changes (another row under its key), the old result stays until
// the new one comes, and is replaced by it in one epoch. When a row goes, its
// result goes in the same epoch, and its request is withdrawn: a waiting one is
// dropped, a running call has its context cancelled if it has no other row. A
// row whose call fails, after the retries, goes to the error table and has no
// result; a new version of it is tried anew. Rows must have keys of their own:
// of several rows under one key only one is worked on, until it goes, and the
// error table says so.
//
// f is called from several goroutines. It must return when its context ends; a
// call that does not is left behind, its rows have failed, and when four times
// Workers calls have been left behind, rows fail without being tried until some
// of them return.
//
// Kept as state are, of each key, a hash of its row and the encoded result, and
// the row itself while it waits for an answer. So results should be small:
// references to what is large, not the thing.
func Async[T, R any](t *Table[T], name string, f func(ctx context.Context, row T) (R, error), o AsyncOptions[T, R]) *Table[R] {
	o.Batch = 1
	return AsyncBatch(t, name, oneByOne(f), o)
}

// AsyncBatch is Async with a function that takes up to Batch rows in one call.
// It returns one result and one error for each row, in their order; nil for the
// errors means that there are none. Rows of one call succeed and fail one by
// one.
func AsyncBatch[T, R any](t *Table[T], name string, f func(ctx context.Context, rows []T) ([]R, []error), o AsyncOptions[T, R]) *Table[R] {
	return newAsync(t, name, f, func(_ T, result R) R { return result }, false, o)
}

// AsyncJoin is Async that makes a row of each row and its result, so that those
// who read the table need not look the row up, and the result need not repeat
// it. out must depend on the two alone and always give the same, as for Map; a
// row on which it panics goes to the error table. The state is that of Async:
// the row is not kept, for it comes along when it is taken back.
func AsyncJoin[T, R, O any](t *Table[T], name string, f func(ctx context.Context, row T) (R, error), out func(row T, result R) O, o AsyncOptions[T, R]) *Table[O] {
	o.Batch = 1
	return AsyncBatchJoin(t, name, oneByOne(f), out, o)
}

// AsyncBatchJoin is to AsyncBatch what AsyncJoin is to Async.
func AsyncBatchJoin[T, R, O any](t *Table[T], name string, f func(ctx context.Context, rows []T) ([]R, []error), out func(row T, result R) O, o AsyncOptions[T, R]) *Table[O] {
	return newAsync(t, name, f, out, true, o)
}

func oneByOne[T, R any](f func(context.Context, T) (R, error)) func(context.Context, []T) ([]R, []error) {
	return func(ctx context.Context, rows []T) ([]R, []error) {
		r, err := f(ctx, rows[0])
		return []R{r}, []error{err}
	}
}

// newAsync adds a stage; join tells whether out needs the row.
func newAsync[T, R, O any](t *Table[T], name string, f func(ctx context.Context, rows []T) ([]R, []error), out func(T, R) O, join bool, o AsyncOptions[T, R]) *Table[O] {
	made := table[O]("async", t.n).Named(name)
	n := made.n
	n.keys, n.keeps = "kept", "result and hash of the row by key, open requests"
	if o.Provisional != nil && o.ProvisionalAfter <= 0 {
		n.g.problem("pipeline: %s has Provisional but no ProvisionalAfter", n)
	}
	o = o.withDefaults()
	tc, rc := codecFor[T](n), codecFor[R](n)
	if tc != nil && rc != nil {
		n.fingerprint = fmt.Sprintf("async %s answered by %s", tc.Fingerprint(), rc.Fingerprint())
	}
	n.async = func(r *run) asyncRun {
		a := &asyncStage[T, R, O]{r: r, n: n, o: o, out: out, join: join}
		a.pool = newPool(r, n, &a.o, f)
		return a
	}
	n.start = func(w *worker) {
		var stage *asyncStage[T, R, O]
		for _, a := range w.r.asyncs {
			if s, ok := a.(*asyncStage[T, R, O]); ok && s.n == n {
				stage = s
			}
		}
		op := &asyncOp[T, R, O]{w: w, n: n, s: stage, o: &stage.o, tc: tc, rc: rc, table: n.tableName("entry")}
		op.out.o = newOutlet[O](w, n)
		route := newRouter(w, func(c *Change[T]) Key { return c.Key }, op.apply)
		subscribe(w, n, t.n, route.put)
		stage.ops = append(stage.ops, op)
		w.intakes = append(w.intakes, op.intake)
		w.deferred = append(w.deferred, op)
		w.ends = append(w.ends, op.end)
		w.loads = append(w.loads, op.load)
	}
	return made
}

// asyncRun is a running asynchronous stage as the coordinator sees it.
type asyncRun interface {
	start(ctx context.Context)
	deliver() // hand the answers to the workers, before a pass
	look() asyncOutlook
}

type asyncOutlook struct {
	answers  int
	open     int
	starving bool      // calls could run, but nothing is at hand
	dueAt    time.Time // of the next provisional result; zero if none
}

// asyncStage is a stage: its pool of calls, and its part in each worker.
type asyncStage[T, R, O any] struct {
	r    *run
	n    *node
	o    AsyncOptions[T, R]
	out  func(T, R) O
	join bool // out needs the row
	pool *pool[T, R]
	ops  []*asyncOp[T, R, O]
}

func (a *asyncStage[T, R, O]) start(ctx context.Context) {
	for _, op := range a.ops {
		op.topUp()
	}
	a.pool.start(ctx)
}

func (a *asyncStage[T, R, O]) deliver() {
	for _, ans := range a.pool.takeAnswers() {
		op := a.ops[a.r.workers[0].owner(ans.key)]
		op.inbox = append(op.inbox, ans)
	}
}

func (a *asyncStage[T, R, O]) look() (l asyncOutlook) {
	for _, op := range a.ops {
		l.open += op.open
		if due := op.due(); !due.IsZero() && (l.dueAt.IsZero() || due.Before(l.dueAt)) {
			l.dueAt = due
		}
	}
	l.answers, l.starving = a.pool.look()
	return l
}

var errSeveralRows = errors.New("several rows have this key, only one of them is worked on: an asynchronous stage needs one row a key")

// answer is the outcome of a request.
type answer[T, R any] struct {
	key     Key
	order   uint64
	version uint64 // of the row
	row     T
	result  R
	err     error
}

func errDeadline(d time.Duration) error {
	return Permanent(fmt.Errorf("no answer within %v: %w", d, context.DeadlineExceeded))
}
