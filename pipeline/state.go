package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// planTable holds what was saved by which operator: its name and the structure
// of its rows.
const planTable = ":plan"

func (r *run) openState() error {
	l, err := changelog.Open(r.o.fs, r.o.state, changelog.Options{Logger: r.o.log})
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	r.log = l
	r.writer = l.Writer(r.o.workers)
	if err := r.checkPlan(); err != nil {
		l.Close()
		return err
	}
	return nil
}

// checkPlan compares the plan with the one that the state was saved by.
func (r *run) checkPlan() error {
	epoch, _ := r.log.Recovered()
	r.epoch = epoch
	r.committed.Store(epoch)
	r.finished.Store(epoch)
	saved := map[string]string{}
	err := loadTable(r.log, planTable, nil, func(key, value []byte) error {
		saved[string(key)] = string(value)
		return nil
	})
	if err != nil {
		return err
	}
	var misfits []string
	have := map[string]bool{}
	for _, n := range r.plan {
		if n.keeps == "" {
			continue
		}
		name := n.stateName()
		have[name] = true
		was, known := saved[name]
		switch {
		case known && was != n.fingerprint:
			before, now := difference(was, n.fingerprint)
			misfits = append(misfits, fmt.Sprintf("the rows of %s were others (saved %s, now %s)", n, before, now))
		case !known && len(saved) > 0 && n.missedInput(saved):
			misfits = append(misfits, fmt.Sprintf("%s is new, and its source has been read without it (another name has the source read again)", n))
		case !known:
			r.writer.Put(planTable, 0, []byte(name), []byte(n.fingerprint))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(saved)) {
		if have[name] {
			continue
		}
		if !r.o.dropUnknown {
			misfits = append(misfits, fmt.Sprintf("it holds %q, which the plan does not have (DropUnknownState drops it)", name))
			continue
		}
		r.o.log.Warn("dropping saved state of a table that the plan does not have", "state", r.o.state, "table", name)
		r.writer.Delete(planTable, 0, []byte(name))
		for _, t := range r.log.Tables() {
			if strings.HasPrefix(t, name+":") {
				r.log.Drop(t)
			}
		}
	}
	if len(misfits) == 0 {
		return nil
	}
	const most = 3
	if n := len(misfits); n > most {
		misfits = append(misfits[:most], fmt.Sprintf("and %d more", n-most))
	}
	return fmt.Errorf("pipeline: %w: in %s %s; remove the directory, so that everything is read again, or go back to the former plan",
		ErrOtherPlan, r.o.state, strings.Join(misfits, "; "))
}

// difference shows where two fingerprints begin to differ, and some of what
// follows: both may describe large types.
func difference(a, b string) (inA, inB string) {
	const before, most = 20, 60
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	excerpt := func(s string) string {
		from, to := max(n-before, 0), min(n+most, len(s))
		out := strings.ToValidUTF8(s[from:to], "")
		if from > 0 {
			out = "…" + out
		}
		if to < len(s) {
			out += "…"
		}
		return out
	}
	return excerpt(a), excerpt(b)
}

// missedInput reports whether a source that n reads has been read before.
func (n *node) missedInput(saved map[string]string) bool {
	if n.source != nil {
		return false
	}
	for _, i := range n.in {
		_, known := saved[i.stateName()]
		if i.source != nil && known || i.missedInput(saved) {
			return true
		}
	}
	return false
}

// recover brings everything to where the last commit left it.
func (r *run) recover(ctx context.Context) error {
	for _, s := range r.sinks {
		if err := s.recover(ctx); err != nil {
			return err
		}
		if r.log == nil {
			r.epoch = max(r.epoch, s.lowest())
		}
	}
	r.makeWorkers()
	if r.log == nil {
		return nil
	}
	errs := make([]error, len(r.workers)+len(r.sources))
	var wg sync.WaitGroup
	for i, w := range r.workers {
		wg.Go(func() {
			defer catch(&errs[i])
			for _, load := range w.loads {
				if err := load(); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	for i, s := range r.sources {
		wg.Go(func() {
			defer catch(&errs[len(r.workers)+i])
			errs[len(r.workers)+i] = s.load()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func catch(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("pipeline: read the state: %w", panicError(p))
	}
}

// loadTable reads the records of a table; shards nil is all of them.
func loadTable(l *changelog.Log, table string, shards func(uint8) bool, yield func(key, value []byte) error) error {
	if shards == nil {
		shards = func(uint8) bool { return true }
	}
	err := l.Load(table, shards, func(_ uint8, key, value []byte) error { return yield(key, value) })
	if err != nil {
		return fmt.Errorf("pipeline: read the state %q: %w", table, err)
	}
	return nil
}

// load reads the worker's part of a table.
func (w *worker) load(table string, yield func(key, value []byte) error) error {
	return loadTable(w.r.log, table, w.owns, yield)
}

// uncommitted reports whether an epoch has ended since the last commit.
func (r *run) uncommitted() bool { return r.epoch > r.committed.Load() }

// commitNow makes everything up to the last epoch durable and lets the sinks
// have it. A streaming graph keeps trying until ctx ends.
func (r *run) commitNow(ctx context.Context) error {
	r.lastCommit = time.Now()
	for _, s := range r.sinks {
		if err := s.stage(ctx); err != nil {
			return err
		}
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	if r.log != nil {
		for _, s := range r.sinks {
			s.save(r.writer)
		}
		if err := r.commitLog(ctx); err != nil {
			return err
		}
	}
	r.committed.Store(r.epoch)
	for _, s := range r.sinks {
		s.release(r.epoch)
	}
	r.tell()
	return nil
}

func (r *run) commitLog(ctx context.Context) error {
	for wait := leastRetry; ; wait = min(2*wait, longestRetry) {
		err := r.log.Commit(r.epoch, nil)
		if err == nil {
			if r.trouble.Swap(nil) != nil {
				r.o.log.Info("commits work again", "state", r.o.state)
			}
			return nil
		}
		err = fmt.Errorf("pipeline: %w", err)
		if r.o.static {
			return err
		}
		if r.trouble.Swap(&err) == nil { // once, not at each attempt
			r.o.log.Error("cannot commit, trying again until it works", "state", r.o.state, "err", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}
