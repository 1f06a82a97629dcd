package llm

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"
)

// Patience says how often and how long a failing call is tried again.
type Patience struct {
	Tries int           // calls in all; 0 means 3
	Base  time.Duration // pause before the second call, doubled each time; 0 means 500 ms
	Most  time.Duration // longest pause, and longest Retry-After that is waited for; 0 means 20 s
}

func (p Patience) withDefaults() Patience {
	if p.Tries <= 0 {
		p.Tries = 3
	}
	if p.Base <= 0 {
		p.Base = 500 * time.Millisecond
	}
	if p.Most <= 0 {
		p.Most = 20 * time.Second
	}
	return p
}

// Retry returns a model that calls m again when it fails with a Retryable
// error before the first delta. Once a delta was yielded an error is final:
// nobody reads the same words twice. A provider's Retry-After is waited for
// exactly if it is at most p.Most, otherwise the error is returned at once;
// without one, pauses grow exponentially with full jitter in their upper half.
func Retry(m Model, p Patience) Model { return &retrier{m, p.withDefaults()} }

type retrier struct {
	model    Model
	patience Patience
}

func (r *retrier) Stream(ctx context.Context, req Request) iter.Seq2[Delta, error] {
	return func(yield func(Delta, error) bool) {
		for try := 1; ; try++ {
			begun, err := r.once(ctx, req, yield)
			if err == nil {
				return
			}
			pause, again := r.pause(try, err)
			if begun || !again || !sleep(ctx, pause) {
				yield(Delta{}, err)
				return
			}
		}
	}
}

// once passes one call's deltas on. It returns nil when the sequence is done
// or the caller walked away; begun says whether a delta was yielded.
func (r *retrier) once(ctx context.Context, req Request, yield func(Delta, error) bool) (begun bool, _ error) {
	for d, err := range r.model.Stream(ctx, req) {
		if err != nil {
			return begun, err
		}
		begun = true
		if !yield(d, nil) {
			return begun, nil
		}
	}
	return begun, nil
}

// pause says how long to wait after the try-th call failed, and whether to.
func (r *retrier) pause(try int, err error) (time.Duration, bool) {
	if try >= r.patience.Tries || !Retryable(err) {
		return 0, false
	}
	var e *Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return e.RetryAfter, e.RetryAfter <= r.patience.Most
	}
	d := r.patience.Most
	if try < 20 { // beyond that the shift would pass any limit
		d = min(d, r.patience.Base<<(try-1))
	}
	return d/2 + rand.N(d/2+1), true
}

// sleep waits for d and reports whether ctx lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
