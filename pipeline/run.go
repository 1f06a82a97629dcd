package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// run is a running graph. Its coordinator is the goroutine that called Run: it
// cuts epochs, drives the workers through them, commits, and lets the sinks go
// on. Worker 0 runs in it; the others, the sources, the sinks and the
// asynchronous stages have goroutines of their own.
type run struct {
	g       *Graph
	o       *options
	plan    []*node
	workers []*worker
	sources []*source
	sinks   []sinkRun
	asyncs  []asyncRun

	log    *changelog.Log    // nil without state
	writer *changelog.Writer // the coordinator's

	goroutines sync.WaitGroup
	woken      *signal
	quit       context.CancelFunc
	err        error // guarded by failMu: why the run ends
	failMu     sync.Mutex
	failSecond time.Time
	failsThen  int
	rowErr     error

	epoch      uint64 // the last finished one
	committed  atomic.Uint64
	finished   atomic.Uint64
	busy       atomic.Int64 // nanoseconds in passes
	trouble    atomic.Pointer[error]
	lastCut    time.Time
	lastCommit time.Time
	opened     time.Time // when the epoch that is being built got its first input; zero if there is none
	seen       []seenEpoch
	newSeen    []func(uint64)
	delays     bool // an operator may hold rows until no source can bring more
	ended      bool // of the epoch that is being finished: no source will bring more
	final      bool // static mode: the sinks may have everything
	passes     passes
}

type seenEpoch struct {
	epoch uint64
	seen  []func(uint64)
}

const (
	groupCommit  = 100 * time.Millisecond // epochs share a commit for so long while there is more to do
	staticCut    = time.Second            // how often static mode commits
	sinkRows     = 4 * sliceRows          // rows that sinks may be behind before epochs wait
	sinkBatches  = 256
	leastRetry   = 50 * time.Millisecond // between attempts to commit
	longestRetry = 5 * time.Second
)

// Run runs the graph until ctx ends or, when all sources have come to their
// end, until everything is worked off, committed and taken by the sinks; in
// static mode only then do sinks get their changes. It returns nil in both
// cases, except that static mode, cut short, returns ctx's error. Any other
// error ends the run early: one of the plan (before anything has started), of
// a source, of a sink, or of the state. A graph runs once.
//
// While a streaming graph cannot commit, because the disk is full for example,
// it says so in its log and figures and tries again.
func (g *Graph) Run(ctx context.Context) error {
	if err := g.check(); err != nil {
		return err
	}
	r, err := g.prepare()
	if err != nil {
		return err
	}
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	r.quit = quit
	if g.o.state != "" {
		if err := r.openState(); err != nil {
			return err
		}
		defer r.log.Close()
	}
	if err = r.recover(ctx); err == nil {
		err = r.work(ctx)
		quit()
		r.goroutines.Wait()
	}
	r.passes.stop()
	for _, s := range r.sinks {
		if e := s.close(); err == nil {
			err = e
		}
	}
	return err
}

// prepare makes the running parts of the plan.
func (g *Graph) prepare() (*run, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.run != nil {
		return nil, errors.New("pipeline: a graph can run only once: build another one")
	}
	r := &run{g: g, o: &g.o, plan: g.order(), woken: newSignal()}
	for _, n := range r.plan {
		switch {
		case n.source != nil:
			r.sources = append(r.sources, n.source(r))
		case n.sink != nil:
			r.sinks = append(r.sinks, n.sink(r))
		case n.async != nil:
			r.asyncs = append(r.asyncs, n.async(r))
		}
	}
	g.run = r
	return r, nil
}

// makeWorkers builds every worker's instance of the plan.
func (r *run) makeWorkers() {
	for id := range r.o.workers {
		w := &worker{r: r, id: id, n: r.o.workers,
			outlets: make([]any, len(r.g.nodes)), feeds: make([]func(any, int, int), len(r.g.nodes))}
		if r.log != nil {
			w.log = r.log.Writer(id)
		}
		r.workers = append(r.workers, w)
	}
	for _, w := range r.workers {
		for _, n := range r.plan {
			n.start(w)
		}
	}
	r.passes.start(r)
}

// work starts what runs beside the coordinator and cuts epochs until the end.
func (r *run) work(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("pipeline: %w\n%s", panicError(p), debug.Stack())
		}
	}()
	for _, s := range r.sinks {
		s.start(ctx)
	}
	for _, a := range r.asyncs {
		a.start(ctx)
	}
	if err := r.commitNow(ctx); err != nil { // what was left over goes on at once
		return r.reason(err)
	}
	for _, s := range r.sources {
		s.start(ctx)
	}
	for {
		if err := r.failure(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			if r.o.static {
				return context.Cause(ctx)
			}
			return r.lastWords(ctx)
		}
		done, err := r.turn(ctx)
		if err != nil || done {
			return r.reason(err)
		}
	}
}

const lastCommitWait = 2 * time.Second

// lastWords commits what has been worked off when a streaming run is stopped,
// so that the next one need not do it again.
func (r *run) lastWords(ctx context.Context) error {
	if r.log == nil || !r.uncommitted() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommitWait)
	defer cancel()
	return r.commitNow(ctx)
}

// reason prefers the failure that made everything else fail.
func (r *run) reason(err error) error {
	if f := r.failure(); f != nil {
		return f
	}
	if errors.Is(err, context.Canceled) && !r.o.static {
		return nil
	}
	return err
}

// tell calls back the sources whose input has reached every sink.
func (r *run) tell() {
	if len(r.seen) == 0 || r.o.static && !r.final {
		return
	}
	upTo := r.committed.Load()
	for _, s := range r.sinks {
		e, _, _ := s.done()
		upTo = min(upTo, e)
	}
	for len(r.seen) > 0 && r.seen[0].epoch <= upTo {
		for _, f := range r.seen[0].seen {
			f(r.seen[0].epoch)
		}
		r.seen = r.seen[1:]
	}
}

func (r *run) wake() { r.woken.set() }

// fail ends the run.
func (r *run) fail(err error) {
	r.failMu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.failMu.Unlock()
	r.quit()
	r.wake()
}

func (r *run) failure() error {
	r.failMu.Lock()
	defer r.failMu.Unlock()
	if r.err != nil {
		return r.err
	}
	return r.rowErr
}
