package pipeline

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// pool runs the calls of a stage. Requests come from the workers, between
// passes or in one; answers go back to them by way of the coordinator.
type pool[T, R any] struct {
	r *run
	n *node
	o *AsyncOptions[T, R]
	f func(context.Context, []T) ([]R, []error)

	mu      sync.Mutex
	ready   callHeap[T]
	calls   map[Key]*call[T] // all that are ready, running or waiting for another try
	rows    map[int]int      // of calls, by priority
	bytes   int
	answers []answer[T, R]
	idle    int // slots that wait for a call
	lesser  int // slots that make calls of a negative priority
	lost    int // calls left behind
	more    *sync.Cond
	stopped bool
}

// call is a request with its row.
type call[T any] struct {
	request
	version  uint64
	row      T
	size     int
	tries    int
	gone     bool         // withdrawn
	together *together[T] // while running
	retry    *time.Timer  // while waiting for another try
}

// together is one run of the user's function.
type together[T any] struct {
	calls  []*call[T]
	rows   []T
	live   int // calls not withdrawn
	lesser bool
	cancel context.CancelFunc
	lost   bool // too many calls have been left behind to make another one
}

func newPool[T, R any](r *run, n *node, o *AsyncOptions[T, R], f func(context.Context, []T) ([]R, []error)) *pool[T, R] {
	p := &pool[T, R]{r: r, n: n, o: o, f: f, calls: map[Key]*call[T]{}, rows: map[int]int{}}
	p.more = sync.NewCond(&p.mu)
	return p
}

// start runs the slots until ctx ends.
func (p *pool[T, R]) start(ctx context.Context) {
	for range p.o.Workers {
		p.r.goroutines.Go(func() { p.slot(ctx) })
	}
	p.r.goroutines.Go(func() {
		<-ctx.Done()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stopped = true
		for _, c := range p.calls {
			if c.retry != nil {
				c.retry.Stop()
			}
		}
		p.more.Broadcast()
	})
}

// room reports whether a request of this priority may come in. Requests of a
// lower one do not count.
func (p *pool[T, R]) room(prio int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows := 0
	for pr, n := range p.rows {
		if pr >= prio {
			rows += n
		}
	}
	return rows == 0 || rows < p.o.MaxRows && p.bytes < p.o.MaxBytes
}

func (p *pool[T, R]) put(c *call[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[c.key] = c
	p.rows[c.prio]++
	p.bytes += c.size
	heap.Push(&p.ready, c)
	p.more.Signal()
}

// cancel withdraws the request for a key.
func (p *pool[T, R]) cancel(key Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[key]
	if c == nil {
		return
	}
	p.remove(c)
	switch {
	case c.together != nil:
		if c.together.live--; c.together.live == 0 {
			c.together.cancel()
		}
	case c.retry != nil:
		c.retry.Stop()
	}
}

// remove takes a call off the books; the heap drops it when it comes up.
// REQUIRES: p.mu.
func (p *pool[T, R]) remove(c *call[T]) {
	if c.gone {
		return
	}
	c.gone = true
	delete(p.calls, c.key)
	if p.rows[c.prio]--; p.rows[c.prio] == 0 {
		delete(p.rows, c.prio)
	}
	p.bytes -= c.size
}

func (p *pool[T, R]) takeAnswers() []answer[T, R] {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.answers
	p.answers = nil
	return a
}

func (p *pool[T, R]) look() (answers int, starving bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.answers), p.idle > 0 && !p.runnable()
}

// runnable reports whether the first of what is ready may be called now.
// REQUIRES: p.mu.
func (p *pool[T, R]) runnable() bool {
	return len(p.ready) > 0 && (p.ready[0].prio >= 0 || p.lesser < p.o.Workers-p.o.Spare)
}

// slot makes one call after the other.
func (p *pool[T, R]) slot(ctx context.Context) {
	for {
		run, t := p.next(ctx)
		if t == nil {
			return
		}
		p.make(run, t)
		p.mu.Lock()
		if t.lesser {
			p.lesser--
		}
		p.mu.Unlock()
	}
}

// next waits for requests, takes as many as one call may have and begins it;
// nil when the run ends. A request is ready or running, never between: one that
// is withdrawn before is not taken, and one that is withdrawn later counts for
// the call's context.
func (p *pool[T, R]) next(ctx context.Context) (context.Context, *together[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.stopped {
		t := &together[T]{}
		for p.runnable() && len(t.calls) < p.o.Batch {
			lesser := p.ready[0].prio < 0
			if p.o.Spare > 0 && len(t.calls) > 0 && lesser != t.lesser {
				break // who is in a hurry waits for nobody else's row
			}
			if c := heap.Pop(&p.ready).(*call[T]); !c.gone {
				c.together, t.lesser = t, lesser
				t.calls, t.rows = append(t.calls, c), append(t.rows, c.row)
			}
		}
		if t.live = len(t.calls); t.live > 0 {
			if t.lesser {
				p.lesser++
			}
			t.lost = p.lost >= 4*p.o.Workers
			if p.o.Deadline > 0 {
				ctx, t.cancel = context.WithTimeout(ctx, p.o.Deadline)
			} else {
				ctx, t.cancel = context.WithCancel(ctx)
			}
			return ctx, t
		}
		p.idle++
		p.more.Wait()
		p.idle--
	}
	return nil, nil
}

// outcome is what the user's function has returned.
type outcome[R any] struct {
	rows []R
	errs []error
	err  error // of all
}

// make calls the user's function and waits for it as long as it may take.
func (p *pool[T, R]) make(ctx context.Context, t *together[T]) {
	defer t.cancel()
	if t.lost {
		p.end(t.calls, outcome[R]{err: Permanent(fmt.Errorf("not tried: %d calls still run past their end", 4*p.o.Workers))})
		return
	}
	done := make(chan outcome[R], 1)
	go func() { done <- p.call(ctx, t.rows) }()
	select {
	case o := <-done:
		p.end(t.calls, o)
		return
	case <-ctx.Done():
	}
	// The function has been told to stop. It gets a moment to say what of.
	grace := time.NewTimer(graceTime)
	defer grace.Stop()
	select {
	case o := <-done:
		p.end(t.calls, o)
	case <-grace.C:
		err := ctx.Err()
		if errors.Is(err, context.DeadlineExceeded) {
			err = errDeadline(p.o.Deadline)
		}
		p.leave(done)
		p.end(t.calls, outcome[R]{err: err})
	}
}

const graceTime = time.Second

// leave counts a call that does not return, until it does.
func (p *pool[T, R]) leave(done <-chan outcome[R]) {
	p.mu.Lock()
	p.lost++
	p.mu.Unlock()
	p.r.o.log.Error("call does not return, leaving it behind", "stage", p.n.name, "deadline", p.o.Deadline)
	go func() {
		<-done
		p.mu.Lock()
		p.lost--
		p.mu.Unlock()
	}()
}

func (p *pool[T, R]) call(ctx context.Context, rows []T) (o outcome[R]) {
	defer func() {
		if v := recover(); v != nil {
			o = outcome[R]{err: Permanent(panicError(v))}
		}
	}()
	o.rows, o.errs = p.f(ctx, rows)
	if o.errs != nil && len(o.errs) != len(rows) || len(o.rows) != len(rows) && !allFailed(o.errs) {
		o.err = Permanent(fmt.Errorf("the function of the stage was given %d rows and returned %d results and %d errors", len(rows), len(o.rows), len(o.errs)))
	}
	return o
}

func allFailed(errs []error) bool {
	for _, err := range errs {
		if err == nil {
			return false
		}
	}
	return len(errs) > 0
}

// end takes the outcome of a call.
func (p *pool[T, R]) end(calls []*call[T], o outcome[R]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range calls {
		c.together = nil
		if c.gone || p.stopped && (o.err != nil || o.errs != nil && o.errs[i] != nil) {
			continue // what was cut short by the end of the run will be asked again
		}
		a := answer[T, R]{key: c.key, order: c.order, version: c.version, row: c.row, err: o.err}
		if a.err == nil && o.errs != nil {
			a.err = o.errs[i]
		}
		if a.err == nil {
			a.result = o.rows[i]
		} else if (p.o.Retries < 0 || c.tries < p.o.Retries) && !isPermanent(a.err) {
			p.again(c)
			continue
		}
		p.remove(c)
		p.answers = append(p.answers, a)
	}
	if len(p.answers) > 0 {
		p.r.wake()
	}
}

// again makes a call ready once more after a pause. REQUIRES: p.mu.
func (p *pool[T, R]) again(c *call[T]) {
	wait := min(p.o.Backoff<<min(c.tries, 20), p.o.MaxBackoff)
	c.tries++
	c.retry = time.AfterFunc(wait, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if c.retry = nil; c.gone || p.stopped {
			return
		}
		heap.Push(&p.ready, c)
		p.more.Signal()
	})
}

// callHeap holds calls in the order of their requests.
type callHeap[T any] []*call[T]

func (h callHeap[T]) Len() int           { return len(h) }
func (h callHeap[T]) Less(i, j int) bool { return h[i].before(h[j].request) }
func (h callHeap[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *callHeap[T]) Push(x any)        { *h = append(*h, x.(*call[T])) }
func (h *callHeap[T]) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return c
}
