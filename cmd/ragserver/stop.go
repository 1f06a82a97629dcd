package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// stopped is why a run was broken off: a signal asked for it.
type stopped struct{ signal os.Signal }

func (s stopped) Error() string { return "stopped by a signal: " + s.signal.String() }

// code is the exit code of what a signal ends, as shells count.
func (s stopped) code() int {
	n, _ := s.signal.(syscall.Signal)
	return 128 + int(n)
}

// untilStopped returns a context that ends at the first signal to stop, with
// its cause. The second ends the program at once: what was acknowledged is safe
// at any time. release gives the signals back.
func untilStopped(parent context.Context) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			cancel(stopped{s})
		case <-ctx.Done():
			return
		}
		os.Exit(stopped{<-signals}.code())
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// brokenOff reports whether an error says no more than that a run was broken
// off by a signal, and with which exit code it then ends.
func brokenOff(ctx context.Context, err error) (code int, ok bool) {
	s, ok := errors.AsType[stopped](context.Cause(ctx))
	if !ok || !errors.Is(err, context.Canceled) {
		return 0, false
	}
	return s.code(), true
}
