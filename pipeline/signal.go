package pipeline

import (
	"context"
)

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
