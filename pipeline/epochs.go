package pipeline

import (
	"context"
	"time"
)

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
	in := r.look()
	r.ended = in.ended && in.groups == 0 && ctx.Err() == nil // not because they were stopped
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
	if in = r.look(); last || in.groups == 0 && in.answers == 0 || time.Since(r.lastCommit) >= groupCommit {
		return r.commitNow(ctx)
	}
	return nil
}

// finish works off what is left when all sources have ended.
func (r *run) finish(ctx context.Context) (done bool, err error) {
	if !r.opened.IsZero() || r.o.static || r.delays && !r.ended {
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
