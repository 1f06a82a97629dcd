package llm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Limits bounds the calls of a model. Zero fields take the default named
// beside them; a negative duration means no limit.
type Limits struct {
	Concurrent int           // calls at a time, others wait in line; 4
	First      time.Duration // from the call to the first delta; 60 s
	Between    time.Duration // between two deltas; 30 s
	Total      time.Duration // of a call, its wait in line and its retries included; 5 min
}

func (l Limits) withDefaults() Limits {
	if l.Concurrent <= 0 {
		l.Concurrent = 4
	}
	l.First = orDefault(l.First, time.Minute)
	l.Between = orDefault(l.Between, 30*time.Second)
	l.Total = orDefault(l.Total, 5*time.Minute)
	return l
}

func orDefault(d, dflt time.Duration) time.Duration {
	if d == 0 {
		return dflt
	}
	return d
}

// Gateway is how models are called in production: at most l.Concurrent at a
// time, each within l.Total, failing ones tried again with patience p, each
// try held to l.First and l.Between.
func Gateway(m Model, l Limits, p Patience) Model {
	l = l.withDefaults()
	return Queue(Retry(Deadline(m, l.First, l.Between), p), l.Concurrent, l.Total)
}

// Queue returns a model that lets at most n calls of m run at a time and ends
// each after total, its wait in line included (total <= 0: no limit).
func Queue(m Model, n int, total time.Duration) Model {
	return &queue{m, make(chan struct{}, n), total}
}

type queue struct {
	model Model
	slots chan struct{} // holds one entry a running call
	total time.Duration
}

func (q *queue) Stream(ctx context.Context, r Request) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		var timeout error
		if q.total > 0 {
			timeout = &Error{Kind: ErrTimeout, Message: fmt.Sprintf("not finished after %v", q.total)}
			var stop context.CancelFunc
			ctx, stop = context.WithTimeoutCause(ctx, q.total, timeout)
			defer stop()
		}
		select {
		case q.slots <- struct{}{}:
			defer func() { <-q.slots }()
		case <-ctx.Done():
			err := context.Cause(ctx)
			if errors.Is(err, ErrTimeout) {
				err = &Error{Kind: ErrTimeout, Message: fmt.Sprintf("no free slot within %v: %d calls are running", q.total, cap(q.slots))}
			}
			yield(Delta{}, err)
			return
		}
		for d, err := range q.model.Stream(ctx, r) {
			if err != nil && timeout != nil && errors.Is(context.Cause(ctx), timeout) {
				err = timeout
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// Deadline returns a model that ends a call of m with ErrTimeout when the
// first delta takes longer than first or a later one longer than between
// (<= 0: no limit). The time in which the caller works on a delta does not count.
func Deadline(m Model, first, between time.Duration) Model { return &deadline{m, first, between} }

type deadline struct {
	model          Model
	first, between time.Duration
}

func (l *deadline) Stream(ctx context.Context, r Request) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		disarm := arm(l.first, "the first word", cancel)
		for d, err := range l.model.Stream(ctx, r) {
			disarm()
			var timeout *Error
			if err != nil && errors.As(context.Cause(ctx), &timeout) {
				err = timeout
			}
			if !yield(d, err) || err != nil {
				return
			}
			disarm = arm(l.between, "the next word", cancel)
		}
		disarm()
	}
}

// arm cancels with ErrTimeout after d unless it is disarmed before.
func arm(d time.Duration, what string, cancel context.CancelCauseFunc) (disarm func() bool) {
	if d <= 0 {
		return func() bool { return true }
	}
	err := &Error{Kind: ErrTimeout, Message: fmt.Sprintf("%s did not come within %v", what, d)}
	return time.AfterFunc(d, func() { cancel(err) }).Stop
}
