package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/ragserver/ragserver/pipeline"
)

// patience bounds every wait of the suites: long, because it only passes when
// something is wrong.
const patience = 30 * time.Second

// World is something outside that a source reads, with a history.
type World[T any] struct {
	// Source returns a new source of the world, as a restarted program has it.
	Source func() pipeline.Source[T]
	// Steps are what happens, in order.
	Steps []Step[T]
	// Same, if not nil, strips from a row what may differ from run to run.
	Same func(T) T
}

// Step is one event in a World.
type Step[T any] struct {
	Name string
	Do   func(t *testing.T)
	// Want are the rows that there are afterwards, in any order.
	Want []T
}

// TestSource is the suite that every source passes: it reads everything once,
// follows changes, loses and repeats nothing when it is restarted, wherever the
// engine crashes, and stops when told to. world is called for each test anew.
func TestSource[T any](t *testing.T, world func(t *testing.T) World[T]) {
	t.Run("static", func(t *testing.T) { testStatic(t, world(t)) })
	t.Run("live", func(t *testing.T) { testLive(t, world(t)) })
	t.Run("restarts", func(t *testing.T) { testRestarts(t, world(t)) })
	t.Run("crashes", func(t *testing.T) { testCrashes(t, world) })
	t.Run("engine", func(t *testing.T) { testEngine(t, world(t)) })
	t.Run("engine live", func(t *testing.T) { testEngineLive(t, world(t)) })
	t.Run("stops", func(t *testing.T) { testStops(t, world(t)) })
}

// testStatic reads the world once after each step, from nothing and going on
// from the last time.
func testStatic[T any](t *testing.T, w World[T]) {
	kept := NewInput[T](t, true)
	for _, s := range w.Steps {
		s.Do(t)
		kept = kept.Restart(true)
		for what, in := range map[string]*Input[T]{"from nothing": NewInput[T](t, true), "going on": kept} {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if err := w.Source().Run(ctx, in); err != nil {
				t.Fatalf("%s, %s: %v", s.Name, what, err)
			}
			if ctx.Err() != nil {
				t.Fatalf("%s, %s: a static run did not end", s.Name, what)
			}
			cancel()
			if err := w.compare(in.Table(), s.Want); err != nil {
				t.Fatalf("%s, %s: %v", s.Name, what, err)
			}
		}
	}
}

func testLive[T any](t *testing.T, w World[T]) {
	in := NewInput[T](t, false)
	stop := w.start(t, in)
	defer stop()
	for _, s := range w.Steps {
		s.Do(t)
		w.await(t, in, s)
	}
}

// testRestarts lets half of the steps happen while the source is away.
func testRestarts[T any](t *testing.T, w World[T]) {
	in := NewInput[T](t, false)
	for i, s := range w.Steps {
		if i%2 == 0 {
			s.Do(t)
		}
		stop := w.start(t, in)
		if i%2 == 1 {
			s.Do(t)
		}
		w.await(t, in, s)
		stop()
		in = in.Restart(false)
		if err := w.compare(in.Table(), s.Want); err != nil {
			t.Fatalf("%s, after a restart: %v", s.Name, err)
		}
	}
}

// testCrashes crashes the engine at each commit of the whole history, just
// before it and just after, and goes on.
func testCrashes[T any](t *testing.T, world func(t *testing.T) World[T]) {
	for n := 1; ; n++ {
		crashed := false
		for _, after := range []bool{false, true} {
			w := world(t)
			in := NewInput[T](t, true)
			in.CrashAt(n, after)
			for _, s := range w.Steps {
				s.Do(t)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				err := w.Source().Run(ctx, in)
				if errors.Is(err, ErrCrashed) {
					crashed = true
					in = in.Restart(true)
					err = w.Source().Run(ctx, in)
				}
				cancel()
				if err != nil {
					t.Fatalf("%s, crash at commit %d: %v", s.Name, n, err)
				}
				if err := w.compare(in.Table(), s.Want); err != nil {
					t.Fatalf("%s, crash at commit %d (after: %t): %v", s.Name, n, after, err)
				}
				if !crashed {
					in = in.Restart(true)
					in.CrashAt(n, after)
				}
			}
		}
		if !crashed {
			return
		}
	}
}

// testStops ends the context at the beginning and in the middle.
func testStops[T any](t *testing.T, w World[T]) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.Source().Run(ctx, NewInput[T](t, false)); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("Run with an ended context: %v", err)
	}
	in := NewInput[T](t, false)
	stop := w.start(t, in)
	w.Steps[0].Do(t)
	w.await(t, in, w.Steps[0])
	stop()
}

// start runs a source; stop ends it and waits for it.
func (w World[T]) start(t *testing.T, in *Input[T]) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Source().Run(ctx, in) }()
	return func() {
		t.Helper()
		cancel()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run goes on although its context has ended")
		}
	}
}

func (w World[T]) await(t *testing.T, in *Input[T], s Step[T]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var last error
	err := in.Wait(ctx, func() bool {
		last = w.compare(in.Table(), s.Want)
		return last == nil
	})
	if err != nil {
		t.Fatalf("%s: %v: %v; failures: %v", s.Name, err, last, in.Fails())
	}
}

// compare compares rows in any order.
func (w World[T]) compare(got, want []T) error {
	if w.Same != nil {
		got, want = slices.Clone(got), slices.Clone(want)
		for i := range got {
			got[i] = w.Same(got[i])
		}
		for i := range want {
			want[i] = w.Same(want[i])
		}
	}
	return sameRows(got, want)
}

func sameRows[T any](got, want []T) error {
	left := slices.Clone(want)
	for _, g := range got {
		i := slices.IndexFunc(left, func(l T) bool { return reflect.DeepEqual(l, g) })
		if i < 0 {
			return fmt.Errorf("row %+v should not be there (%d rows, want %d)", g, len(got), len(want))
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		return fmt.Errorf("row %+v is missing (%d rows, want %d)", left[0], len(got), len(want))
	}
	return nil
}
