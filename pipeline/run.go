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
	trouble    atomic.Pointer[error]
	lastCut    time.Time
	lastCommit time.Time
	opened     time.Time // when the epoch that is being built got its first input; zero if there is none
	seen       []seenEpoch
	newSeen    []func(uint64)
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

// turn does the next thing there is to do, or waits until there is one.
func (r *run) turn(ctx context.Context) (done bool, err error) {
	r.tell()
	in := r.look()
	switch {
	case in.over():
		return r.finish(ctx)
	case in.behind: // sinks first
		if r.uncommitted() {
			return false, r.commitNow(ctx)
		}
		return false, r.pause(ctx, 0)
	case in.rows == 0 && in.groups == 0 && in.answers == 0 && !in.due:
		if r.cutDue(in) {
			return false, r.cut(ctx, false)
		}
		if r.uncommitted() {
			return false, r.commitNow(ctx)
		}
		return false, r.pause(ctx, r.untilDue(in))
	}
	if wait := r.o.every - time.Since(r.lastCut); wait > 0 && (!r.o.static || in.groups == 0) && in.rows < sliceRows && !in.urgent {
		if r.uncommitted() && time.Since(r.lastCommit) >= groupCommit {
			return false, r.commitNow(ctx)
		}
		return false, r.pause(ctx, wait)
	}
	r.lastCut = time.Now()
	if err := r.feed(); err != nil {
		return false, err
	}
	if r.cutDue(r.look()) {
		return false, r.cut(ctx, false)
	}
	return false, nil
}

// outlook is what waits to be done.
type outlook struct {
	groups, rows int
	answers      int       // of asynchronous stages
	open         int       // their requests
	urgent       bool      // a stage has nothing left to do
	due          bool      // a stage wants an epoch
	dueAt        time.Time // or will want one; zero if not
	ended        bool      // all sources
	behind       bool      // the sinks, too far
}

func (o outlook) over() bool {
	return o.ended && o.groups == 0 && o.answers == 0 && o.open == 0 && !o.due
}

func (r *run) look() (o outlook) {
	o.ended = true
	for _, s := range r.sources {
		g, n, ended := s.waiting()
		o.groups += g
		o.rows += n
		o.ended = o.ended && ended
	}
	for _, a := range r.asyncs {
		s := a.look()
		o.answers += s.answers
		o.open += s.open
		o.urgent = o.urgent || s.starving && s.answers > 0
		if !s.dueAt.IsZero() && (o.dueAt.IsZero() || s.dueAt.Before(o.dueAt)) {
			o.dueAt = s.dueAt
		}
	}
	o.due = !o.dueAt.IsZero() && !time.Now().Before(o.dueAt)
	for _, s := range r.sinks {
		_, rows, batches := s.done()
		o.behind = o.behind || rows > sinkRows || batches > sinkBatches
	}
	return o
}

// untilDue returns how long to wait at most; 0 is until woken.
func (r *run) untilDue(in outlook) time.Duration {
	if in.dueAt.IsZero() {
		return 0
	}
	return max(time.Until(in.dueAt), time.Millisecond)
}

// cutDue reports whether the epoch that is being built must end now. Static
// mode has one long epoch, which is cut only to save what has been done, and
// for asynchronous stages, which ask at the end of an epoch.
func (r *run) cutDue(in outlook) bool {
	switch {
	case r.opened.IsZero():
		return false
	case !r.o.static:
		return true
	case len(r.asyncs) > 0 && in.groups == 0 && in.answers == 0:
		return true
	case len(r.asyncs) > 0 || r.log != nil:
		return time.Since(r.opened) >= staticCut
	}
	return false
}

// feed applies waiting input to the epoch that is being built.
func (r *run) feed() error {
	if r.opened.IsZero() {
		r.opened = time.Now()
	}
	var in []slice
	left := sliceRows
	for i := range r.sources {
		// Every source in turn is first, so that none starves the others.
		s := r.sources[(i+int(r.epoch))%len(r.sources)]
		if left <= 0 {
			break
		}
		gs, rows := s.take(left)
		left -= rows
		for _, g := range gs {
			if r.log != nil {
				s.write(r.writer, g.recs)
			}
			r.workers[0].fails = append(r.workers[0].fails, g.fails...)
			for _, f := range g.fails {
				f.n.count[0].errs.Add(int64(f.by))
			}
			r.newSeen = append(r.newSeen, g.seen...)
			for lo := 0; lo < g.n; lo += sliceRows {
				in = append(in, slice{s.n.id, g.rows, lo, min(lo+sliceRows, g.n)})
			}
		}
	}
	for _, a := range r.asyncs {
		a.deliver()
	}
	return r.passes.feed(in)
}

// cut ends the epoch: whatever waited for its end comes out, sinks get what
// there is for them, and the commit follows if nothing else is waiting.
func (r *run) cut(ctx context.Context, last bool) error {
	r.opened = time.Time{}
	if err := r.passes.finish(r.epoch + 1); err != nil {
		return err
	}
	r.epoch++
	r.finished.Store(r.epoch)
	r.final = last
	for _, s := range r.sinks {
		s.gather(r.epoch, last)
		if err := s.stage(ctx); err != nil {
			return err
		}
	}
	if len(r.newSeen) > 0 {
		r.seen = append(r.seen, seenEpoch{r.epoch, r.newSeen})
		r.newSeen = nil
	}
	if in := r.look(); last || in.groups == 0 && in.answers == 0 || time.Since(r.lastCommit) >= groupCommit {
		return r.commitNow(ctx)
	}
	return nil
}

// finish works off what is left when all sources have ended.
func (r *run) finish(ctx context.Context) (done bool, err error) {
	if !r.opened.IsZero() || r.o.static {
		if err := r.cut(ctx, r.o.static && len(r.asyncs) == 0); err != nil {
			return false, err
		}
		if in := r.look(); !in.over() {
			return false, nil
		}
	}
	if r.o.static && len(r.asyncs) > 0 {
		// Nothing came of the last cut: this one only lets the sinks go on.
		if err := r.cut(ctx, true); err != nil {
			return false, err
		}
	}
	if r.uncommitted() {
		if err := r.commitNow(ctx); err != nil {
			return false, err
		}
	}
	for r.sinksBehind() {
		if err := r.pause(ctx, 0); err != nil {
			return false, err
		}
		if err := r.failure(); err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
	}
	r.tell()
	return true, r.commitNow(ctx) // so that nothing is sent again
}

func (r *run) sinksBehind() bool {
	for _, s := range r.sinks {
		if _, _, batches := s.done(); batches > 0 {
			return true
		}
	}
	return false
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

// pause waits until something happens, or d has passed if d > 0.
func (r *run) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		r.woken.wait(ctx)
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.woken.c:
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
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

// signal wakes one goroutine; what is set while it does not wait is kept.
type signal struct{ c chan struct{} }

func newSignal() *signal { return &signal{make(chan struct{}, 1)} }

func (s *signal) set() {
	select {
	case s.c <- struct{}{}:
	default:
	}
}

// wait returns false when ctx has ended.
func (s *signal) wait(ctx context.Context) bool {
	select {
	case <-s.c:
		return true
	case <-ctx.Done():
		return false
	}
}
