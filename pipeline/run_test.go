package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

type sourceFunc[T any] func(ctx context.Context, in Input[T]) error

func (f sourceFunc[T]) Run(ctx context.Context, in Input[T]) error { return f(ctx, in) }

type sinkFunc[T any] func(ctx context.Context, epoch uint64, changes []Change[T]) error

func (f sinkFunc[T]) Apply(ctx context.Context, epoch uint64, changes []Change[T]) error {
	return f(ctx, epoch, changes)
}
func (sinkFunc[T]) Applied(context.Context) (uint64, error) { return CannotTell, nil }

func TestRunEndsWithTheErrorThatEndedIt(t *testing.T) {
	broken := errors.New("broken")
	one := sourceFunc[int](func(ctx context.Context, in Input[int]) error {
		in.Add(KeyOf("a"), 1, 1)
		if err := in.Commit(ctx, nil); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	fail := func(context.Context, uint64, []Change[int]) error { return broken }
	ignore := func(context.Context, uint64, []Change[int]) error { return nil }
	for name, plan := range map[string]func(g *Graph){
		"source in": func(g *Graph) {
			To(From(g, "in", sourceFunc[int](func(context.Context, Input[int]) error { return broken })), "out", sinkFunc[int](ignore))
		},
		"source panics": func(g *Graph) {
			From(g, "panics", sourceFunc[int](func(context.Context, Input[int]) error { panic(broken) }))
		},
		"sink to out": func(g *Graph) { To(From(g, "in", one), "out", sinkFunc[int](fail)) },
		"sink to panics": func(g *Graph) {
			To(From(g, "in", one), "panics", sinkFunc[int](func(context.Context, uint64, []Change[int]) error { panic(broken) }))
		},
		"subscribe":       func(g *Graph) { Subscribe(From(g, "in", one), func(uint64, []Change[int]) error { return broken }) },
		"sink tostaged s": func(g *Graph) { ToStaged(From(g, "in", one), "s", &stagedFile[int]{fail: broken}) },
	} {
		t.Run(name, func(t *testing.T) {
			g := New()
			plan(g)
			if err := g.Run(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), name[:strings.LastIndex(" "+name, " ")]) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

func TestStopOnError(t *testing.T) {
	g := New(StopOnError())
	Map(From(g, "in", sourceFunc[int](func(ctx context.Context, in Input[int]) error {
		in.Fail("file.csv:3", errors.New("not a number"))
		return in.Commit(ctx, nil)
	})), func(i int) int { return i })
	err := g.Run(t.Context())
	var row RowError
	if !errors.As(err, &row) || row.Where != "file.csv:3" || row.Message != "not a number" {
		t.Errorf("Run: %v", err)
	}
}

func TestMistakesInThePlan(t *testing.T) {
	none := sourceFunc[int](func(context.Context, Input[int]) error { return nil })
	for want, plan := range map[string]func(g *Graph){
		"another graph":            func(g *Graph) { ConcatFresh(From(g, "a", none), From(New(), "b", none)) },
		".C is a chan":             func(g *Graph) { From(g, "a", sourceFunc[struct{ C chan int }](nil)) },
		"group: codec: func()":     func(g *Graph) { FoldBy(From(g, "a", none), func(int) func() { return nil }, func(*int, int, int) {}) },
		"table name \"\" is empty": func(g *Graph) { From(g, "", none) },
		"no ProvisionalAfter": func(g *Graph) {
			Async(From(g, "a", none), "s", func(context.Context, int) (int, error) { return 0, nil },
				AsyncOptions[int, int]{Provisional: func(int) (int, bool) { return 0, true }})
		},
	} {
		g := New()
		plan(g)
		if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	g := New(Workers(0))
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "0 workers") {
		t.Errorf("%v", err)
	}
	g = New()
	if err := g.Run(t.Context()); err != nil {
		t.Errorf("an empty graph: %v", err)
	}
	if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "only once") {
		t.Errorf("second Run: %v", err)
	}
}

func TestStopIsClean(t *testing.T) {
	for _, static := range []bool{false, true} {
		opts := []Option{Workers(2)}
		if static {
			opts = append(opts, Static())
		}
		g := New(opts...)
		endless := sourceFunc[int](func(ctx context.Context, in Input[int]) error {
			for i := 0; ; i++ {
				in.Add(KeyOf(fmt.Sprint(i)), i, 1)
				if err := in.Commit(ctx, nil); err != nil {
					return err
				}
			}
		})
		in := From(g, "in", endless)
		sums := Fold(in, func(s *int, v, n int) { *s += n * v })
		slow := Async(in, "slow", func(ctx context.Context, v int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, AsyncOptions[int, int]{Workers: 3})
		To(slow, "slow", &pipelinetest.Collect[int]{})
		Subscribe(sums, func(uint64, []Change[int]) error { return nil })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		if !pipelinetest.Eventually(func() bool { return g.Stats().Operators[0].RowsOut > 1000 }) {
			t.Error("nothing moves")
		}
		stop()
		if err := <-done; static && !errors.Is(err, context.Canceled) || !static && err != nil {
			t.Errorf("static %v: Run: %v", static, err)
		}
	}
}

// TestIdle: when nothing comes in nothing happens, however long it lasts.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Workers(2), StateOn(pipelinetest.NewCrashFS(1), "state"))
		feed := pipelinetest.NewFeed[row]()
		out := &pipelinetest.Collect[groupSum]{}
		To(foldByGroup(From(g, "in", feed)), "out", out)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		feed.Send(Change[row]{KeyOf("a"), row{Group: "a", V: 1}, 1})
		synctest.Wait()
		// With a timer anywhere the clock would stop at it; so it takes the
		// whole year in one step.
		before := g.Stats()
		time.Sleep(365 * 24 * time.Hour)
		synctest.Wait()
		if after := g.Stats(); before.Epoch != 1 || after.Epoch != 1 || after.Committed != 1 {
			t.Errorf("epoch %d, then %d (committed %d)", before.Epoch, after.Epoch, after.Committed)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestLatency: after a pause input does not wait for the end of an interval.
func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(EpochEvery(time.Hour))
		feed := pipelinetest.NewFeed[row]()
		out := &pipelinetest.Collect[row]{}
		To(From(g, "in", feed), "out", out)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		synctest.Wait()
		start := time.Now()
		<-feed.Send(Change[row]{KeyOf("a"), row{}, 1})
		if d := time.Since(start); d != 0 {
			t.Errorf("the first row waited for %v", d)
		}
		feed.Send(Change[row]{KeyOf("b"), row{}, 1})
		<-feed.Send(Change[row]{KeyOf("c"), row{}, 1})
		if d := time.Since(start); d != time.Hour || out.Applies() != 2 {
			t.Errorf("the next rows took %v and %d epochs in all", d, out.Applies())
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestBackPressure: a sink that does not move holds up the source, and what
// waits in between is bounded.
func TestBackPressure(t *testing.T) {
	release := make(chan struct{})
	g := New(Workers(2))
	var mu sync.Mutex
	sent := 0
	in := From(g, "in", sourceFunc[int](func(ctx context.Context, in Input[int]) error {
		for i := range 3_000_000 {
			in.Add(Key{uint64(i), uint64(i)}, i, 1)
			if i%1000 == 999 {
				if err := in.Commit(ctx, nil); err != nil {
					return err
				}
				mu.Lock()
				sent = i + 1
				mu.Unlock()
			}
		}
		return nil
	}))
	got := 0
	Subscribe(in, func(_ uint64, changes []Change[int]) error {
		<-release
		got += len(changes)
		return nil
	})
	done := make(chan error, 1)
	go func() { done <- g.Run(t.Context()) }()
	at := func() int {
		mu.Lock()
		defer mu.Unlock()
		return sent
	}
	if !pipelinetest.Eventually(func() bool {
		s := g.Stats()
		return len(s.Sinks) > 0 && s.Sinks[0].Waiting > 4<<16 && s.Sources[0].Waiting >= 4<<16
	}) {
		t.Fatalf("%+v", g.Stats())
	}
	if n := at(); n > 1_000_000 {
		t.Errorf("the source has brought %d rows, of which none has arrived", n)
	}
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got != 3_000_000 {
		t.Errorf("%d rows have arrived", got)
	}
}

// TestSeen: a source is called back when its input is durable and every sink
// has it, and not before.
func TestSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		g := New(Workers(1))
		feed := pipelinetest.NewFeed[int]()
		in := From(g, "in", feed)
		Subscribe(in, func(uint64, []Change[int]) error { <-hold; return nil }, "slow")
		Subscribe(in, func(uint64, []Change[int]) error { return nil }, "quick")
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()
		seen := feed.Send(Change[int]{KeyOf("a"), 1, 1})
		synctest.Wait()
		if len(seen) != 0 {
			t.Error("seen before the slow sink has it")
		}
		close(hold)
		if e := <-seen; e != 1 {
			t.Errorf("seen in epoch %d", e)
		}
		feed.End()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestUpsert(t *testing.T) {
	g := New(Workers(1))
	out := &pipelinetest.Collect[string]{OneRowAKey: true}
	var held map[string]string
	To(From(g, "in", sourceFunc[string](func(ctx context.Context, in Input[string]) error {
		a, b := KeyOf("a"), KeyOf("b")
		in.Upsert(a, "a1")
		in.Upsert(a, "a2")
		in.Upsert(b, "b1")
		in.Upsert(a, "a2")
		in.Delete(b)
		in.Delete(b)
		in.Delete(KeyOf("never"))
		if err := in.Commit(ctx, nil); err != nil {
			return err
		}
		in.Upsert(b, "b2")
		held = map[string]string{}
		in.Rows(func(k Key, row string) bool { held[k.String()] = row; return true })
		in.Trouble(errors.New("the broker is down"))
		if got := g.Stats().Sources[0].Trouble; got == nil {
			return errors.New("trouble is not in the figures")
		}
		in.Trouble(nil)
		return in.Commit(ctx, nil)
	})), "out", out)
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := out.Rows(); !maps.Equal(got, map[string]int{"a2": 1, "b2": 1}) || out.Err() != nil {
		t.Errorf("%v, %v", got, out.Err())
	}
	if !maps.Equal(held, map[string]string{KeyOf("a").String(): "a2", KeyOf("b").String(): "b2"}) {
		t.Errorf("held: %v", held)
	}
	if n := g.Stats().Operators[0].RowsOut; n != 6 {
		t.Errorf("%d changes, want 6: an equal row is none", n)
	}
}

func TestExplain(t *testing.T) {
	g := New(Workers(1))
	in := From(g, "readings", sourceFunc[row](func(ctx context.Context, in Input[row]) error {
		in.Add(KeyOf("a"), row{Group: "g", V: 2}, 1)
		return in.Commit(ctx, nil)
	}))
	sums := foldByGroup(Filter(in, func(r row) bool { return r.V > 0 })).Named("sums")
	Subscribe(sums, nothing)
	want := `
 0 from      readings · pipeline_test.row · keys given by the source · keeps the source's position, rows brought by Upsert
 1 filter    readings/filter ← 0 · pipeline_test.row · keys kept
 2 foldby    sums ← 1 · pipeline_test.groupSum · keys of the group · keeps an accumulator a group
 3 subscribe sums/subscribe ← 2 · pipeline_test.groupSum · keeps output that the sink has not taken yet
`
	if got := g.Explain(); got != want[1:] {
		t.Errorf("before:\n%s", got)
	}
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.Explain(); !strings.Contains(got, "an accumulator a group · 1 in, 1 out, state 1 rows") {
		t.Errorf("after:\n%s", got)
	}
	s := g.Stats()
	if s.Epoch != 1 || s.Committed != 1 || len(s.Sources) != 1 || s.Sources[0].Rows != 1 || !s.Sources[0].Ended || s.Sinks[0].Taken != 1 {
		t.Errorf("%+v", s)
	}
}

func TestMermaid(t *testing.T) {
	g := New(Workers(1))
	in := From(g, `the "readings" #1`, sourceFunc[row](func(ctx context.Context, in Input[row]) error {
		in.Add(KeyOf("a"), row{Group: "g", V: 2}, 1)
		in.Add(KeyOf("b"), row{Group: "g", V: -2}, 1)
		return in.Commit(ctx, nil)
	}))
	Subscribe(foldByGroup(Filter(in, func(r row) bool { return r.V > 0 })).Named("sums"), nothing)
	want := `
flowchart LR
    n0[("from<br>the #34;readings#34; #35;1<br>pipeline#95;test.row")]
    n1["filter<br>pipeline#95;test.row"]
    n0 --> n1
    n2["foldby<br>sums<br>pipeline#95;test.groupSum"]
    n1 --> n2
    n3(["subscribe<br>pipeline#95;test.groupSum"])
    n2 --> n3
`
	if got := g.Mermaid(); got != want[1:] {
		t.Errorf("before:\n%s", got)
	}
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := g.Mermaid(); !strings.Contains(got, "n0 -->|2| n1\n") || !strings.Contains(got, "n1 -->|1| n2\n") || !strings.Contains(got, "<br>1 rows, ") {
		t.Errorf("after:\n%s", got)
	}
	if s := g.Stats(); s.Work <= 0 {
		t.Errorf("no time was spent on %d epochs", s.Epoch)
	}
}

// TestTwoProcesses: a state directory belongs to one graph at a time.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	run := func(ctx context.Context, started chan<- struct{}) error {
		g := New(State(dir))
		From(g, "in", sourceFunc[int](func(ctx context.Context, _ Input[int]) error {
			close(started)
			<-ctx.Done()
			return nil
		}))
		return g.Run(ctx)
	}
	ctx, stop := context.WithCancel(t.Context())
	started, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- run(ctx, started) }()
	<-started
	if err := run(t.Context(), make(chan struct{})); err == nil || !strings.Contains(err.Error(), "in use by") {
		t.Errorf("second: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
