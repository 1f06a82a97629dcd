package pipeline

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// passes drives the workers. An epoch is a number of passes; in a pass every
// worker does what it can without the others, and between passes all meet: what
// one has put out for another in a pass is delivered in the next. When a pass
// has left nothing to do, the operators that emit at the end of an epoch do so
// one after the other, in the order of the plan, so that each has seen all of
// its input. So an epoch's output depends on its input alone, not on timing.
type passes struct {
	r     *run
	cmds  []chan pass // of workers 1…
	done  chan passed
	wg    sync.WaitGroup
	n     int  // passes so far
	moved bool // the last pass has put out something for another worker
}

// pass is what the workers are to do.
type pass struct {
	parity  int
	deliver bool
	in      []slice
	intake  bool   // take what asynchronous stages have delivered
	flush   int    // number of the deferred operator that is to emit; −1 is none
	aged    bool   // what is too old is being taken back
	forget  bool   // and now more of it is
	end     uint64 // the epoch to end; 0 is none
}

// passed is what has come of it.
type passed struct {
	busy    bool // there is more to do
	moved   bool
	changed int // the first deferred operator that has something to emit; −1 is none
	forgets bool
	err     error
}

// slice is a part of a source's input.
type slice struct {
	source int // number of the node
	rows   any
	lo, hi int
}

const wholeSlice = 256 // slices of so few rows are not divided among workers

func (p *passes) start(r *run) {
	p.r = r
	p.done = make(chan passed)
	for _, w := range r.workers[1:] {
		c := make(chan pass)
		p.cmds = append(p.cmds, c)
		p.wg.Go(func() {
			for cmd := range c {
				p.done <- w.pass(cmd)
			}
		})
	}
}

func (p *passes) stop() {
	for _, c := range p.cmds {
		close(c)
	}
	p.wg.Wait()
}

// do runs one pass on all workers.
func (p *passes) do(cmd pass) passed {
	begun := time.Now()
	defer func() { p.r.busy.Add(int64(time.Since(begun))) }()
	p.n++
	cmd.parity, cmd.deliver = p.n&1, p.moved
	for _, c := range p.cmds {
		c <- cmd
	}
	all := p.r.workers[0].pass(cmd)
	for range p.cmds {
		o := <-p.done
		all.busy = all.busy || o.busy
		all.moved = all.moved || o.moved
		all.forgets = all.forgets || o.forgets
		if all.changed < 0 || o.changed >= 0 && o.changed < all.changed {
			all.changed = o.changed
		}
		all.err = errors.Join(all.err, o.err)
	}
	p.moved = all.moved
	return all
}

// feed applies input until nothing moves any more.
func (p *passes) feed(in []slice) error {
	intake := true
	for {
		n, rows := 0, 0
		for n < len(in) && (n == 0 || rows+in[n].hi-in[n].lo <= sliceRows) {
			rows += in[n].hi - in[n].lo
			n++
		}
		out := p.do(pass{in: in[:n], intake: intake, flush: -1})
		if in, intake = in[n:], false; out.err != nil {
			return out.err
		}
		if err := p.settle(out); err != nil || len(in) == 0 {
			return err
		}
	}
}

func (p *passes) settle(out passed) error {
	for out.busy || out.moved {
		if out = p.do(pass{flush: -1}); out.err != nil {
			return out.err
		}
	}
	return nil
}

// finish ends the epoch.
func (p *passes) finish(epoch uint64) error {
	out := p.complete(p.do(pass{flush: -1}), false)
	for out.err == nil && out.forgets {
		out = p.complete(p.do(pass{flush: -1, aged: true, forget: true}), true)
	}
	if out.err != nil {
		return out.err
	}
	return p.do(pass{flush: -1, end: epoch}).err
}

// complete makes all that waits for the end of the epoch's input come out.
func (p *passes) complete(out passed, aged bool) passed {
	for out.err == nil && (out.busy || out.moved || out.changed >= 0) {
		flush := -1
		if !out.busy && !out.moved {
			flush = out.changed
		}
		out = p.do(pass{flush: flush, aged: aged})
	}
	return out
}

// pass does the worker's part of a pass.
func (w *worker) pass(cmd pass) (out passed) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(*engineError); ok {
				out.err = e.err
				return
			}
			out.err = fmt.Errorf("pipeline: the engine failed: %w\n%s", panicError(p), debug.Stack())
		}
	}()
	w.parity, w.sent, w.forgetting = cmd.parity, false, cmd.aged
	if cmd.end != 0 {
		for _, f := range w.ends {
			f(cmd.end)
		}
		return passed{changed: -1}
	}
	for _, x := range w.routers {
		x.reset()
	}
	if cmd.deliver {
		for _, x := range w.routers {
			x.receive()
		}
	}
	if cmd.intake {
		for _, f := range w.intakes {
			f()
		}
	}
	for i, s := range cmd.in {
		n := s.hi - s.lo
		switch {
		case n >= wholeSlice && w.n > 1:
			w.feeds[s.source](s.rows, s.lo+n*w.id/w.n, s.lo+n*(w.id+1)/w.n)
		case i%w.n == w.id:
			w.feeds[s.source](s.rows, s.lo, s.hi)
		}
	}
	if cmd.flush >= 0 && w.deferred[cmd.flush].flush() {
		out.busy = true
	}
	if cmd.forget {
		for _, f := range w.forgetters {
			f.forget()
		}
	}
	// The queue nearest to the sinks first: what comes out of one must not
	// pile up before the next.
	for i := len(w.queues) - 1; i >= 0; i-- {
		if w.queues[i].pending() {
			w.queues[i].step()
			break
		}
	}
	w.reportFails()
	for _, q := range w.queues {
		out.busy = out.busy || q.pending()
	}
	out.moved, out.changed = w.sent, -1
	for _, f := range w.forgetters {
		out.forgets = out.forgets || f.forgetful()
	}
	for i, d := range w.deferred {
		if d.changed() {
			out.changed = i
			break
		}
	}
	return out
}
