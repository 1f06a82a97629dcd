package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestAsyncIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, groupSum]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[groupSum] {
			slow := AsyncBatch(in, "slow", func(_ context.Context, rows []row) ([]row, []error) {
				out, errs := make([]row, len(rows)), make([]error, len(rows))
				for i, r := range rows {
					if r.V == 4 {
						errs[i] = errors.New("four")
					}
					out[i] = row{Group: r.Group + "!", V: r.V * r.V}
				}
				return out, errs
			}, AsyncOptions[row, row]{Workers: 2, Batch: 3})
			sums := foldByGroup(slow)
			return Async(sums, "slower", func(_ context.Context, s groupSum) (groupSum, error) {
				s.Group = strings.ToUpper(s.Group)
				return s, nil
			}, AsyncOptions[groupSum, groupSum]{})
		},
		Want: func(rows []row) []groupSum {
			rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.V == 4 })
			for i, r := range rows {
				rows[i] = row{Group: strings.ToUpper(r.Group) + "!", V: r.V * r.V}
			}
			return naiveFoldBy(rows)
		},
		Later: true,
	})
}

// TestAsyncJoinIncremental: rows that are made of a row and its result, and
// rows for which that fails.
func TestAsyncJoinIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, row]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[row] {
			squared := func(r row, square int) row {
				if square == 9 {
					panic("nine")
				}
				r.V += 100 * square
				return r
			}
			return AsyncBatchJoin(in, "square", func(_ context.Context, rows []row) ([]int, []error) {
				out, errs := make([]int, len(rows)), make([]error, len(rows))
				for i, r := range rows {
					if r.V == 4 {
						errs[i] = errors.New("four")
					}
					out[i] = r.V * r.V
				}
				return out, errs
			}, squared, AsyncOptions[row, int]{Workers: 2, Batch: 3})
		},
		Want: func(rows []row) []row {
			rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.V == 4 || r.V*r.V == 9 })
			for i, r := range rows {
				rows[i].V = r.V + 100*r.V*r.V
			}
			return rows
		},
		Later: true,
	})
}

// stage is an asynchronous stage under test, in a bubble of fake time.
type stage struct {
	join  bool // the table shows row and result
	t     *testing.T
	g     *Graph
	feed  *pipelinetest.Feed[string]
	sink  *pipelinetest.Collect[string]
	errs  *pipelinetest.Collect[RowError]
	mu    sync.Mutex
	calls []string
	open  map[string]chan answer // calls waiting for the test to answer
	stop  context.CancelFunc
	done  chan error
}

type answer struct {
	result string
	err    error
}

// newStage runs a stage whose calls wait until the test answers them.
func newStage(t *testing.T, o AsyncOptions[string, string], opts ...Option) *stage {
	s := &stage{t: t, open: map[string]chan answer{}, sink: &pipelinetest.Collect[string]{OneRowAKey: true}, errs: &pipelinetest.Collect[RowError]{}}
	s.run(o, opts...)
	return s
}

func (s *stage) run(o AsyncOptions[string, string], opts ...Option) {
	s.g = New(append([]Option{Workers(2)}, opts...)...)
	s.feed = pipelinetest.NewFeed[string]()
	in := From(s.g, "in", s.feed)
	if s.join {
		To(AsyncJoin(in, "stage", s.call, func(row, result string) string { return row + "=" + result }, o), "out", s.sink)
	} else {
		To(Async(in, "stage", s.call, o), "out", s.sink)
	}
	To(s.g.Errors(), "errors", s.errs)
	ctx, stop := context.WithCancel(s.t.Context())
	s.stop, s.done = stop, make(chan error, 1)
	go func() { s.done <- s.g.Run(ctx) }()
}

func (s *stage) end() {
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Errorf("Run: %v", err)
	}
	for _, err := range []error{s.sink.Err(), s.errs.Err()} {
		if err != nil {
			s.t.Error(err)
		}
	}
}

func (s *stage) call(ctx context.Context, row string) (string, error) {
	c := make(chan answer, 1)
	s.mu.Lock()
	s.calls = append(s.calls, row)
	s.open[row] = c
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.open, row)
		s.mu.Unlock()
	}()
	select {
	case a := <-c:
		return a.result, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// set makes row the row of key k; "" retracts it.
func (s *stage) set(k, row string) {
	n := 1
	if row == "" {
		n = -1
	}
	s.feed.Upsert(Change[string]{Key: KeyOf(k), Row: row, N: n})
	s.settle()
}

// settle waits until nothing moves but the clock.
func (s *stage) settle() {
	synctest.Wait()
	time.Sleep(50 * time.Millisecond) // two epochs, of fake time
	synctest.Wait()
}

func (s *stage) answer(row string, a answer) {
	s.t.Helper()
	s.mu.Lock()
	c := s.open[row]
	s.mu.Unlock()
	if c == nil {
		s.t.Fatalf("nobody asks for %q; running: %v", row, s.running())
	}
	c <- a
	s.settle()
}

func (s *stage) running() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.open))
}

func (s *stage) expect(what string, want ...string) {
	s.t.Helper()
	if got := slices.Sorted(maps.Keys(s.sink.Rows())); !slices.Equal(got, want) {
		s.t.Errorf("%s: the table has %q, want %q", what, got, want)
	}
}

func (s *stage) failed(what string, want ...string) {
	s.t.Helper()
	got := slices.Sorted(maps.Keys(s.errs.Rows()))
	if len(got) != len(want) {
		s.t.Fatalf("%s: errors %q, want %q", what, got, want)
	}
	for i := range got {
		if !strings.Contains(got[i], want[i]) {
			s.t.Errorf("%s: error %q, want %q", what, got[i], want[i])
		}
	}
}

func (s *stage) asked(what string, want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.calls, want) {
		s.t.Errorf("%s: asked for %q, want %q", what, s.calls, want)
	}
}

func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

func TestAsyncUpdateKeepsTheOldResult(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStage(t, AsyncOptions[string, string]{Workers: 4})
		defer s.end()
		s.set("k", "v1")
		s.expect("before the answer")
		s.answer("v1", answer{result: "r1"})
		s.expect("answered", "r1")
		before := s.sink.Applies()
		s.set("k", "v2")
		s.expect("while the new version is asked for", "r1")
		s.set("k", "v3")
		if got := s.running(); !slices.Equal(got, []string{"v3"}) {
			t.Errorf("running %q: the call for the version in between should have been cancelled", got)
		}
		s.answer("v3", answer{result: "r3"})
		s.expect("answered again", "r3")
		if n := s.sink.Applies() - before; n != 1 {
			t.Errorf("the switch took %d epochs, want one", n)
		}
		s.set("k", "v4")
		s.set("k", "v3")
		s.expect("back to a version that has been answered", "r3")
		if got := s.running(); len(got) != 0 {
			t.Errorf("still running: %q", got)
		}
		s.set("k", "")
		s.expect("deleted")
		s.asked("in all", "v1", "v2", "v3", "v4")
	})
}

func TestAsyncDeleteOvertakes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStage(t, AsyncOptions[string, string]{Workers: 1, MaxRows: 2})
		defer s.end()
		for i := range 6 {
			s.set(fmt.Sprint(i), fmt.Sprint("v", i))
		}
		if got := s.running(); !slices.Equal(got, []string{"v0"}) {
			t.Fatalf("running %q", got)
		}
		var gone []Change[string]
		for i := range 5 { // running, at hand, and in the state
			gone = append(gone, Change[string]{Key: KeyOf(fmt.Sprint(i)), N: -1})
		}
		s.feed.Upsert(gone...)
		s.settle()
		if got := s.running(); !slices.Equal(got, []string{"v5"}) {
			t.Fatalf("running %q: deletes must go at once", got)
		}
		s.answer("v5", answer{result: "r5"})
		s.expect("in the end", "r5")
		s.asked("deletes overtake", "v0", "v5")
	})
}

func TestAsyncFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStage(t, AsyncOptions[string, string]{Workers: 4, Retries: 2, Backoff: time.Second})
		defer s.end()
		s.set("k", "v1")
		for range 3 {
			s.answer("v1", answer{err: errors.New("no luck")})
			s.expect("while it fails")
			time.Sleep(2 * time.Second)
			synctest.Wait()
		}
		s.failed("after the retries", "no luck")
		s.asked("with retries", "v1", "v1", "v1")
		s.set("k", "v2")
		s.failed("while the new version is asked for", "no luck")
		s.answer("v2", answer{result: "r2"})
		s.failed("after a version that works")
		s.expect("after a version that works", "r2")
		s.set("k", "v3")
		s.answer("v3", answer{err: Permanent(errors.New("never"))})
		s.failed("a permanent error", "never")
		s.expect("a version that fails has no result")
		s.set("k", "")
		s.failed("the row is gone")
	})
}

// TestAsyncForever: a row is tried until it succeeds, at pauses that grow to a
// bound.
func TestAsyncForever(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStage(t, AsyncOptions[string, string]{Retries: Forever, Backoff: time.Second, MaxBackoff: time.Minute})
		defer s.end()
		s.set("k", "v")
		for range 100 {
			s.answer("v", answer{err: errors.New("no luck")})
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := s.running(); !slices.Equal(got, []string{"v"}) {
				t.Fatalf("a minute after a failure %q are tried", got)
			}
		}
		s.failed("while it is tried")
		s.answer("v", answer{result: "r"})
		s.expect("in the end", "r")
	})
}

// TestAsyncWithdrawnInFlight: a row that goes while its call is on the way is not
// tried again when the call fails, and others of that call are.
func TestAsyncWithdrawnInFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		calls, answers := make(chan []string), make(chan error)
		g := New(Workers(1))
		feed := pipelinetest.NewFeed[string]()
		out := &pipelinetest.Collect[string]{}
		table := AsyncBatch(From(g, "in", feed), "stage", func(_ context.Context, rows []string) ([]string, []error) {
			calls <- slices.Clone(rows)
			errs := make([]error, len(rows))
			if err := <-answers; err != nil {
				for i := range errs {
					errs[i] = err
				}
			}
			return rows, errs
		}, AsyncOptions[string, string]{Batch: 4, Retries: 9, Backoff: time.Second})
		To(table, "out", out)
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		ask := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			select {
			case rows := <-calls:
				slices.Sort(rows)
				if !slices.Equal(rows, want) {
					t.Errorf("%s: called with %q, want %q", what, rows, want)
				}
			case <-time.After(time.Minute): // of fake time
				t.Errorf("%s: no call, want one with %q", what, want)
			}
		}
		row := func(name string, n int) Change[string] { return Change[string]{KeyOf(name), name, n} }
		// The one slot is kept busy while requests gather, so that they share a call.
		feed.Send(row("busy", 1))
		ask("the slot is busy", "busy")
		<-feed.Send(row("a", 1), row("b", 1), row("c", 1))
		answers <- nil
		ask("at first", "a", "b", "c")
		<-feed.Send(row("a", -1), row("busy too", 1))
		answers <- errors.New("not yet")
		ask("the slot is busy again", "busy too")
		time.Sleep(2 * time.Second) // of fake time: the retries are due
		synctest.Wait()
		answers <- nil
		ask("what was withdrawn during the call", "b", "c")
		answers <- errors.New("not yet")
		<-feed.Send(row("b", -1))
		ask("what was withdrawn between two tries", "c")
		answers <- nil
		feed.End()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := out.Rows(); !maps.Equal(got, map[string]int{"busy": 1, "busy too": 1, "c": 1}) {
			t.Errorf("results %v", got)
		}
	})
}

func TestAsyncPanicsAndWrongCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := New(Workers(1))
		feed := pipelinetest.NewFeed[string]()
		errs := &pipelinetest.Collect[RowError]{}
		out := &pipelinetest.Collect[string]{}
		table := AsyncBatch(From(g, "in", feed), "stage", func(_ context.Context, rows []string) ([]string, []error) {
			if rows[0] == "panic" {
				panic("oh")
			}
			return nil, nil
		}, AsyncOptions[string, string]{Retries: 5, Backoff: time.Hour})
		To(table, "out", out)
		To(g.Errors(), "errors", errs)
		feed.Send(Change[string]{KeyOf("a"), "panic", 1}, Change[string]{KeyOf("b"), "short", 1})
		feed.End()
		if err := g.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(errs.Rows())
		if !strings.Contains(got, "panic: oh") || !strings.Contains(got, "given 1 rows and returned 0 results") {
			t.Errorf("errors: %v", got)
		}
	})
}

func TestAsyncDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		g := New(Workers(1), Static())
		feed := pipelinetest.NewFeed[string]()
		errs := &pipelinetest.Collect[RowError]{}
		out := &pipelinetest.Collect[string]{}
		table := Async(From(g, "in", feed), "stage", func(ctx context.Context, row string) (string, error) {
			switch row {
			case "polite":
				<-ctx.Done()
				return "", ctx.Err()
			case "deaf":
				<-release // ignores its context
			}
			return row, nil
		}, AsyncOptions[string, string]{Deadline: time.Minute})
		To(table, "out", out)
		To(g.Errors(), "errors", errs)
		for _, r := range []string{"deaf", "polite", "quick"} {
			feed.Send(Change[string]{KeyOf(r), r, 1})
		}
		feed.End()
		if err := g.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := out.Rows(); !maps.Equal(got, map[string]int{"quick": 1}) {
			t.Errorf("results %v", got)
		}
		if got := fmt.Sprint(errs.Rows()); strings.Count(got, "deadline exceeded") != 2 {
			t.Errorf("errors %v", got)
		}
		close(release)
	})
}

func TestAsyncDeafCallsAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		g := New(Workers(1), Static())
		feed := pipelinetest.NewFeed[int]()
		errs := &pipelinetest.Collect[RowError]{}
		var mu sync.Mutex
		calls := 0
		table := Async(From(g, "in", feed), "stage", func(context.Context, int) (int, error) {
			mu.Lock()
			calls++
			mu.Unlock()
			<-release
			return 0, nil
		}, AsyncOptions[int, int]{Deadline: time.Minute})
		To(table, "out", &pipelinetest.Collect[int]{})
		To(g.Errors(), "errors", errs)
		for i := range 50 {
			feed.Send(Change[int]{KeyOf(fmt.Sprint(i)), i, 1})
		}
		feed.End()
		if err := g.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if calls != 4 || len(errs.Rows()) != 50 {
			t.Errorf("%d calls, %d errors; want 4 and 50", calls, len(errs.Rows()))
		}
		close(release)
	})
}

func TestAsyncPriority(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStage(t, AsyncOptions[string, string]{Workers: 1, MaxRows: 3, Priority: func(row string) int {
			if strings.HasPrefix(row, "live") {
				return 1
			}
			return 0
		}})
		defer s.end()
		for i := range 8 { // more than there is room for
			s.set(fmt.Sprint(i), fmt.Sprint("scan", i))
		}
		for i := range 5 {
			s.set(fmt.Sprint("l", i), fmt.Sprint("live", i))
		}
		for range 13 {
			s.answer(s.running()[0], answer{result: "r"})
		}
		s.asked("by priority, then by age", "scan0", "live0", "live1", "live2", "live3", "live4",
			"scan1", "scan2", "scan3", "scan4", "scan5", "scan6", "scan7")
	})
}

// Rows of a negative priority never take all workers, nor a place in a call with
// others.
func TestAsyncSpare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStage(t, AsyncOptions[string, string]{Workers: 3, Spare: 1, Priority: func(row string) int {
			if strings.HasPrefix(row, "long") {
				return -1
			}
			return 0
		}})
		defer s.end()
		for i := range 8 {
			s.set(fmt.Sprint(i), fmt.Sprint("long", i))
		}
		long := s.running()
		for i := range 5 {
			row := fmt.Sprint("short", i)
			s.set(row, row)
			s.answer(row, answer{result: "r"})
		}
		for _, row := range long {
			if !slices.Contains(s.running(), row) {
				t.Errorf("%s does not run any more", row)
			}
		}
		for len(s.running()) > 0 {
			s.answer(s.running()[0], answer{result: "r"})
		}
		s.asked("one after the other", "long0", "long1", "short0", "short1", "short2", "short3", "short4",
			"long2", "long3", "long4", "long5", "long6", "long7")
	})
}

func TestAsyncSpareBatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := New()
		feed, sink := pipelinetest.NewFeed[int](), &pipelinetest.Collect[int]{}
		To(AsyncBatch(From(g, "in", feed), "stage", func(_ context.Context, rows []int) ([]int, []error) {
			for _, r := range rows {
				if r%2 != rows[0]%2 {
					t.Errorf("one call for %d", rows)
				}
			}
			return rows, nil
		}, AsyncOptions[int, int]{Workers: 2, Spare: 1, Batch: 8, Priority: func(row int) int { return -(row % 2) }}), "out", sink)
		for i := range 50 {
			feed.Send(Change[int]{KeyOf(fmt.Sprint(i)), i, 1})
		}
		feed.End()
		if err := g.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(sink.Rows()) != 50 {
			t.Errorf("%d rows", len(sink.Rows()))
		}
	})
}

func TestAsyncProvisional(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := AsyncOptions[string, string]{Workers: 4, ProvisionalAfter: 500 * time.Millisecond,
			Provisional: func(row string) (string, bool) { return "for now " + row, row != "never" }}
		s := newStage(t, o)
		defer s.end()
		s.set("quick", "q")
		s.answer("q", answer{result: "Q"})
		s.set("k", "v1")
		s.set("n", "never")
		s.expect("at first", "Q")
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		s.expect("half a second later", "Q", "for now v1")
		s.answer("v1", answer{result: "r1"})
		s.expect("with the result", "Q", "r1")
		s.set("k", "v2")
		s.expect("the old one at first", "Q", "r1")
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		s.expect("then the provisional one", "Q", "for now v2")
		s.answer("v2", answer{err: errors.New("no")})
		s.expect("which goes when the call fails", "Q")
		s.failed("and the error comes", "no")
	})
}

// TestAsyncProvisionalUpdated: a row that changes while its call takes long is
// shown as it is now, as often as it changes.
func TestAsyncProvisionalUpdated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := AsyncOptions[string, string]{Workers: 4, ProvisionalAfter: 500 * time.Millisecond,
			Provisional: func(row string) (string, bool) { return "for now " + row, true }}
		s := newStage(t, o)
		defer s.end()
		for _, v := range []string{"v1", "v2", "v3"} {
			s.set("k", v)
			time.Sleep(600 * time.Millisecond)
			synctest.Wait()
			s.expect("provisionally", "for now "+v)
		}
		s.answer("v3", answer{result: "r3"})
		s.expect("with the result", "r3")
	})
}

func TestAsyncTwoRowsOneKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStage(t, AsyncOptions[string, string]{Workers: 2})
		defer s.end()
		k := KeyOf("k")
		s.feed.Send(Change[string]{k, "b", 1}, Change[string]{k, "a", 1})
		s.settle()
		s.failed("two rows", "several rows have this key")
		s.answer("a", answer{result: "A"})
		s.expect("the first counts", "A")
		s.feed.Send(Change[string]{k, "a", -1})
		s.settle()
		s.failed("one row again")
		s.answer("b", answer{result: "B"})
		s.expect("the other one", "B")
	})
}

// TestAsyncRestart: what was asked is asked again, what was answered is not.
func TestAsyncRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := pipelinetest.NewCrashFS(1)
		o := AsyncOptions[string, string]{Workers: 4}
		s := newStage(t, o, StateOn(fs, "state"))
		for _, k := range []string{"a", "b", "c", "d"} {
			s.set(k, k)
		}
		s.answer("a", answer{result: "A"})
		s.answer("b", answer{err: errors.New("bad")})
		s.expect("before", "A")
		s.end()
		s.calls = nil
		s.run(o, StateOn(fs.Restart(2), "state"), Workers(3))
		defer s.end()
		s.settle()
		if got := s.running(); !slices.Equal(got, []string{"c", "d"}) {
			t.Fatalf("after the restart %q are asked for", got)
		}
		s.expect("after the restart", "A")
		s.failed("after the restart", "bad")
		s.answer("c", answer{result: "C"})
		s.set("a", "")
		s.set("b", "")
		s.set("d", "")
		s.failed("after the delete")
		s.expect("in the end", "C")
	})
}

// TestAsyncJoinForgetsTheRow: the row of a result is known when the result goes,
// though the state keeps only its hash: it comes with the retraction, and stays
// while the result does, over a restart too.
func TestAsyncJoinForgetsTheRow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		fs := pipelinetest.NewCrashFS(1)
		s := &stage{t: t, join: true, open: map[string]chan answer{}, sink: &pipelinetest.Collect[string]{OneRowAKey: true}, errs: &pipelinetest.Collect[RowError]{}}
		o := AsyncOptions[string, string]{Workers: 4, ProvisionalAfter: time.Second,
			Provisional: func(string) (string, bool) { return "…", true }}
		s.run(o, StateOn(fs, "state"))
		s.set("k", "v1")
		s.answer("v1", answer{result: "r"})
		s.expect("answered", "v1=r")
		s.set("k", "v2")
		s.expect("while the new version is asked for", "v1=r")
		for i := range 2 {
			s.end()
			fs = fs.Restart(2)
			s.run(o, StateOn(fs, "state"), Workers(1+2*i))
			s.settle()
			s.expect("after a restart", "v1=r")
		}
		defer func() { s.end() }()
		s.answer("v2", answer{result: "r"})
		s.expect("the same result for another row", "v2=r")
		s.set("k", "v3")
		time.Sleep(time.Second)
		s.settle()
		s.expect("provisional", "v3=…")
		s.set("k", "v2")
		s.answer("v2", answer{result: "r2"})
		s.expect("its answer went with the provisional one", "v2=r2")
		s.set("k", "v4")
		s.set("k", "v2")
		s.expect("back to what has been answered", "v2=r2")
		s.end()
		s.run(o, StateOn(fs.Restart(3), "state"))
		s.set("k", "")
		s.expect("deleted")
		for _, op := range s.g.Stats().Operators {
			if op.StateRows != 0 {
				t.Errorf("%s keeps %d rows of nothing", op.Name, op.StateRows)
			}
		}
	})
}

// TestAsyncStateIsSmall: what has been answered costs the state no more for
// being long.
func TestAsyncStateIsSmall(t *testing.T) {
	g := New(Workers(1))
	feed := pipelinetest.NewFeed[string]()
	const n = 5000
	var rows []Change[string]
	for i := range n {
		rows = append(rows, Change[string]{KeyOf(fmt.Sprint(i)), strings.Repeat(fmt.Sprint(i), 1000), 1})
	}
	feed.Send(rows...)
	feed.End()
	lengths := Async(From(g, "in", feed), "stage", func(_ context.Context, row string) (int, error) { return len(row), nil }, AsyncOptions[string, int]{Workers: 4})
	To(lengths, "out", &pipelinetest.Collect[int]{})
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, op := range g.Stats().Operators {
		if op.Op == "async" && (op.StateRows != n || op.StateBytes > 400*n) {
			t.Errorf("%d rows take %d bytes", op.StateRows, op.StateBytes)
		}
	}
}
