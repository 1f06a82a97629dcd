package pipeline_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// stagedFile is a file in memory that survives crashes, with whatever was
// written after the last commit: Recover must cut it off.
type stagedFile[T any] struct {
	mu     sync.Mutex
	lines  []string
	open   bool
	epoch  uint64
	staged int // since the last Flush
	fail   error
	err    error
}

func (f *stagedFile[T]) Recover(_ context.Context, position []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	if position != nil {
		n = int(binary.BigEndian.Uint64(position))
	}
	if n > len(f.lines) {
		return fmt.Errorf("position %d of %d lines", n, len(f.lines))
	}
	f.lines, f.open, f.epoch = f.lines[:n], true, 0
	return nil
}

func (f *stagedFile[T]) Stage(_ context.Context, epoch uint64, changes []Change[T]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open || epoch <= f.epoch || len(changes) == 0 {
		f.err = fmt.Errorf("epoch %d after %d, open %v, %d changes", epoch, f.epoch, f.open, len(changes))
	}
	f.epoch = epoch
	for _, c := range changes {
		f.lines = append(f.lines, fmt.Sprintf("%+d %+v", c.N, c.Row))
	}
	return f.fail
}

func (f *stagedFile[T]) Flush(context.Context) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return binary.BigEndian.AppendUint64(nil, uint64(len(f.lines))), nil
}

func (f *stagedFile[T]) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = false
	return f.err
}

func (f *stagedFile[T]) text() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

// counted is a source of the numbers from where it was up to n, each in a group
// of its own.
type counted struct{ n int }

func (c counted) Run(ctx context.Context, in Input[row]) error {
	pos := KeyOf("position")
	from := 0
	in.State(func(_ Key, v []byte) bool { from = int(binary.BigEndian.Uint64(v)); return true })
	for i := from; i < c.n; i++ {
		in.Add(KeyOf(fmt.Sprint(i)), row{Group: string(rune('a' + i%3)), V: i}, 1)
		in.Put(pos, binary.BigEndian.AppendUint64(nil, uint64(i+1)))
		if err := in.Commit(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// TestStagedExactlyOnce: whatever operation of the disk the machine stops at,
// the output is a history without a gap or a repetition: each line changes the
// sums from what they were, and in the end they are right.
func TestStagedExactlyOnce(t *testing.T) {
	for _, static := range []bool{false, true} {
		for stopAt := 1; ; stopAt++ {
			file := &stagedFile[groupSum]{}
			life := func(fs *pipelinetest.CrashFS, workers int) error {
				opts := []Option{StateOn(fs, "state"), Workers(workers), EpochEvery(time.Nanosecond)}
				if static {
					opts = append(opts, Static())
				}
				g := New(opts...)
				ToStaged(foldByGroup(From(g, "in", counted{20})), "out", file)
				ctx, stop := context.WithCancel(context.Background())
				defer stop()
				done := make(chan error, 1)
				go func() { done <- g.Run(ctx) }()
				pipelinetest.Eventually(func() bool { return len(done) > 0 || fs.Stopped() })
				stop()
				return <-done
			}
			fs := pipelinetest.NewCrashFS(uint64(stopAt))
			fs.StopAt(stopAt)
			life(fs, 1+stopAt%3)
			crashed := fs.Stopped()
			if crashed {
				fs = fs.Restart(uint64(stopAt))
				if err := life(fs, 1+stopAt%2); err != nil {
					t.Fatalf("static %v, stopped at operation %d: %v", static, stopAt, err)
				}
			}
			checkHistory(t, fmt.Sprintf("static %v, stopped at operation %d", static, stopAt), file.text())
			if !crashed {
				t.Logf("static %v: %d operations", static, stopAt)
				break
			}
		}
	}
}

func checkHistory(t *testing.T, when string, lines []string) {
	t.Helper()
	now := map[string]bool{}
	for _, l := range lines {
		add, text := l[0] == '+', l[3:]
		if now[text] == add {
			t.Fatalf("%s: %q is out of order or repeated in\n%q", when, l, lines)
		}
		now[text] = add
		if !add {
			delete(now, text)
		}
	}
	for g := range 3 {
		s := groupSum{Group: string(rune('a' + g))}
		for i := g; i < 20; i += 3 {
			s.N++
			s.Sum += i
		}
		if text := fmt.Sprintf("%+v", s); !now[text] || len(now) != 3 {
			t.Fatalf("%s: %q is not in\n%q", when, text, lines)
		}
	}
}

// TestSinkExactlyOnceByEpoch: a sink that can tell its last epoch gets each one
// once, whatever the machine stops at, and one that cannot may ignore those
// that it had.
func TestSinkExactlyOnceByEpoch(t *testing.T) {
	for i := 4; ; i++ {
		stopAt, forgetful, static := i/4, i%2 == 0, i%4 < 2
		sink := &pipelinetest.Collect[groupSum]{OneRowAKey: true, Forgetful: forgetful}
		life := func(fs *pipelinetest.CrashFS, opts ...Option) error {
			g := New(append(opts, StateOn(fs, "state"), EpochEvery(time.Nanosecond))...)
			To(foldByGroup(From(g, "in", counted{20})), "out", sink)
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			done := make(chan error, 1)
			go func() { done <- g.Run(ctx) }()
			pipelinetest.Eventually(func() bool { return len(done) > 0 || fs.Stopped() })
			stop()
			return <-done
		}
		when := fmt.Sprintf("stopped at operation %d, forgetful: %v, then static: %v", stopAt, forgetful, static)
		fs := pipelinetest.NewCrashFS(uint64(stopAt))
		fs.StopAt(stopAt)
		life(fs)
		crashed := fs.Stopped()
		if crashed {
			fs = fs.Restart(uint64(stopAt))
			// What the first life left behind is taken up in either mode.
			opts := []Option{Workers(1 + stopAt%3)}
			if static {
				opts = append(opts, Static())
			}
			if err := life(fs, opts...); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
		}
		var lines []string
		for text := range sink.Rows() {
			lines = append(lines, "+1 "+text)
		}
		checkHistory(t, when, lines)
		if !crashed {
			return
		}
	}
}

// TestForeignSink: a sink that is ahead of the state was filled by another one.
func TestForeignSink(t *testing.T) {
	sink := &pipelinetest.Collect[row]{}
	run := func(fs *pipelinetest.CrashFS) error {
		g := New(StateOn(fs, "state"))
		To(From(g, "in", counted{1}), "out", sink)
		return g.Run(t.Context())
	}
	if err := run(pipelinetest.NewCrashFS(1)); err != nil {
		t.Fatal(err)
	}
	if err := run(pipelinetest.NewCrashFS(2)); !errors.Is(err, ErrOtherState) || !strings.Contains(err.Error(), "ends at epoch 0") {
		t.Errorf("Run: %v", err)
	}
}

// TestSinkThatLostEpochs: what the state no longer keeps cannot be sent again,
// so a sink without it must not be filled from there on.
func TestSinkThatLostEpochs(t *testing.T) {
	for _, mode := range []Option{EpochEvery(time.Millisecond), Static()} {
		fs := pipelinetest.NewCrashFS(1)
		run := func(sink Sink[row]) error {
			g := New(StateOn(fs, "state"), mode)
			To(From(g, "in", counted{1}), "out", sink)
			return g.Run(t.Context())
		}
		filled := &pipelinetest.Collect[row]{}
		if err := run(filled); err != nil {
			t.Fatal(err)
		}
		if filled.Applies() == 0 {
			t.Fatal("the sink got nothing")
		}
		if err := run(filled); err != nil {
			t.Errorf("the same sink again: %v", err)
		}
		err := run(&pipelinetest.Collect[row]{})
		if !errors.Is(err, ErrOtherState) || !strings.Contains(err.Error(), "has nothing after epoch 0") {
			t.Errorf("an emptied sink: %v", err)
		}
		if err := run(&pipelinetest.Collect[row]{Forgetful: true}); err != nil {
			t.Errorf("a sink that cannot tell: %v", err)
		}
	}
}
