package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// history is a random life of a plan whose result depends on when rows came: each
// group of changes is an epoch of its own, with restarts and other numbers of workers
// in between. A naive model is told of each epoch and says what the table must be.
type history struct {
	plan  func(in *Table[moment]) *Table[string]
	epoch func(changes []Change[moment]) (want map[string]int)
}

func (h history) check(t *rapid.T) {
	fs := pipelinetest.NewCrashFS(1)
	sink := &pipelinetest.Collect[string]{}
	live := map[int]moment{}
	var g *Graph
	var feed *pipelinetest.Feed[moment]
	var stop context.CancelFunc
	var done chan error
	start := func() {
		workers := rapid.IntRange(1, 3).Draw(t, "workers") // it may panic, and then nothing runs
		feed, done = pipelinetest.NewFeed[moment](), make(chan error, 1)
		g = New(StateOn(fs, "state"), Workers(workers))
		To(h.plan(From(g, "moments", feed)), "out", sink)
		ctx, cancel := context.WithCancel(context.Background())
		stop = cancel
		go func(g *Graph, done chan error) { done <- g.Run(ctx) }(g, done)
	}
	end := func() {
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		done <- nil // end may be called again
	}
	start()
	defer end()
	for range rapid.IntRange(1, 12).Draw(t, "epochs") {
		var changes []Change[moment]
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			k := rapid.IntRange(0, 9).Draw(t, "key")
			key := KeyOf(fmt.Sprint(k))
			if old, ok := live[k]; ok {
				changes = append(changes, Change[moment]{key, old, -1})
				delete(live, k)
			}
			if rapid.IntRange(0, 3).Draw(t, "gone") > 0 {
				m := moments().Draw(t, "row")
				live[k] = m
				changes = append(changes, Change[moment]{key, m, 1})
			}
		}
		if len(changes) == 0 {
			continue
		}
		<-feed.Send(changes...)
		want := h.epoch(changes)
		if got := sink.Rows(); !maps.Equal(got, want) || sink.Err() != nil {
			t.Fatalf("after %v\ngot  %v\nwant %v %v\n%s", changes, got, want, sink.Err(), g.Explain())
		}
		if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
			end()
			start()
		}
	}
}

// drawn is a behavior and what the model must know of it.
type drawn struct {
	b             Behavior
	delay, cutoff int // −1: none
	fromEnd       bool
	forget        bool
}

func behaviors() *rapid.Generator[drawn] {
	return rapid.Custom(func(t *rapid.T) drawn {
		d := drawn{delay: rapid.IntRange(-1, 4).Draw(t, "delay"), cutoff: rapid.IntRange(-1, 4).Draw(t, "cutoff"), forget: rapid.Bool().Draw(t, "forget")}
		if rapid.IntRange(0, 4).Draw(t, "once") == 0 {
			d = drawn{delay: max(d.delay, 0), cutoff: max(d.delay, 0), fromEnd: true}
			d.b = ExactlyOnce(time.Duration(d.delay))
			return d
		}
		if d.delay < 0 && d.cutoff < 0 {
			d.delay = 1
		}
		switch d.forget = d.forget && d.cutoff >= 0; {
		case d.delay >= 0 && d.cutoff >= 0:
			d.b = Delay(time.Duration(d.delay)).Cutoff(time.Duration(d.cutoff))
		case d.delay >= 0:
			d.b = Delay(time.Duration(d.delay))
		default:
			d.b = Cutoff(time.Duration(d.cutoff))
		}
		if d.forget {
			d.b = d.b.Forget()
		}
		return d
	})
}

// never is before every time of the tests.
const never = -1000

func TestWindowBy(t *testing.T) {
	const size = 3
	rapid.Check(t, func(t *rapid.T) {
		d := behaviors().Draw(t, "behavior")
		type group struct {
			Group string
			Start int
		}
		clock := never
		frozen := map[group]string{}
		rows := map[group]map[string]int{} // accepted, by row and key
		floor := func(at int) int { return at - ((at%size)+size)%size }
		history{
			plan: func(in *Table[moment]) *Table[string] {
				at := func(m moment) time.Time { return time.Unix(0, int64(m.At)) }
				type result struct {
					Group    string
					Start, N int64
					Sum      int64
				}
				out := WindowBy(Timed[moment, string]{in, func(m moment) string { return m.Group }, at},
					Tumbling(size).At(time.Unix(0, 0)), d.b,
					func(r *result, w Window, g string) { r.Group, r.Start = g, w.Start.UnixNano() },
					Count[moment](func(r *result, n int64) { r.N = n }),
					Sum(func(m moment) int64 { return int64(m.ID) }, func(r *result, n int64) { r.Sum = n }))
				return Map(out, func(r result) string { return fmt.Sprint(r) })
			},
			epoch: func(changes []Change[moment]) map[string]int {
				past := clock
				for _, c := range changes {
					start := floor(c.Row.At)
					if c.N > 0 {
						clock = max(clock, c.Row.At)
					}
					if d.cutoff >= 0 && start+size+d.cutoff <= past {
						continue
					}
					g := group{c.Row.Group, start}
					if rows[g] == nil {
						rows[g] = map[string]int{}
					}
					rows[g][fmt.Sprint(c.Key, " ", c.Row.ID)] += c.N
				}
				want := map[string]int{}
				for g, in := range rows {
					due := g.Start + d.delay
					if d.fromEnd {
						due += size
					}
					n, sum := 0, 0
					for row, k := range in {
						var key string
						var id int
						fmt.Sscan(row, &key, &id)
						n += k
						sum += k * id
					}
					shows := n > 0 && (d.delay < 0 || due <= clock)
					text := fmt.Sprintf("{%s %d %d %d}", g.Group, g.Start, n, sum)
					if d.cutoff >= 0 && g.Start+size+d.cutoff <= clock && (d.delay < 0 || due <= clock) {
						if shows && !d.forget {
							frozen[g] = text
						}
						delete(rows, g)
						continue
					}
					if shows {
						want[text]++
					}
				}
				for _, text := range frozen {
					want[text]++
				}
				return want
			},
		}.check(t)
	})
}

func TestIntervalJoinBehavior(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := behaviors().Draw(t, "behavior")
		lower := rapid.IntRange(-3, 3).Draw(t, "lower")
		upper := lower + rapid.IntRange(0, 4).Draw(t, "wide")
		outer := rapid.Bool().Draw(t, "outer")
		clock := never
		type keyed struct {
			key Key
			row moment
		}
		rows := map[keyed]int{}
		history{
			plan: func(in *Table[moment]) *Table[string] {
				within := Interval{Lower: time.Duration(lower), Upper: time.Duration(upper), Behavior: d.b}
				if outer {
					return OuterIntervalJoin(timed(in, false), timed(in, true), within, show)
				}
				return IntervalJoin(timed(in, false), timed(in, true), within, func(l, r moment) string { return show(&l, &r) })
			},
			epoch: func(changes []Change[moment]) map[string]int {
				past := clock
				for _, c := range changes {
					if c.N > 0 {
						clock = max(clock, c.Row.At)
					}
					if d.cutoff >= 0 && c.Row.At+d.cutoff <= past {
						continue
					}
					k := keyed{c.Key, c.Row}
					if rows[k] += c.N; rows[k] == 0 {
						delete(rows, k)
					}
				}
				var now []moment
				for k := range rows {
					if d.delay < 0 || k.row.At+d.delay <= clock {
						now = append(now, k.row)
					}
				}
				reach := max(upper, -lower, upper-lower)
				if d.forget {
					maps.DeleteFunc(rows, func(k keyed, _ int) bool {
						return k.row.At+reach+d.cutoff <= clock && (d.delay < 0 || k.row.At+d.delay <= clock)
					})
					now = now[:0]
					for k := range rows {
						if d.delay < 0 || k.row.At+d.delay <= clock {
							now = append(now, k.row)
						}
					}
				}
				want := map[string]int{}
				for _, a := range now {
					matches := 0
					for _, b := range now {
						l, r := a, b
						if a.Side {
							l, r = b, a
						}
						if a.Side == b.Side || l.Group != r.Group || r.At < l.At+lower || r.At > l.At+upper {
							continue
						}
						if matches++; !a.Side {
							want[show(&l, &r)]++
						}
					}
					switch {
					case matches > 0 || !outer:
					case a.Side:
						want[show(nil, &a)]++
					default:
						want[show(&a, nil)]++
					}
				}
				return want
			},
		}.check(t)
	})
}

// TestTimelyStatic has all input in one epoch: nothing is late, all that waits comes.
func TestTimelyStatic(t *testing.T) {
	for says, c := range map[string]struct {
		b    Behavior
		want string
	}{
		"delay":  {Delay(100), "map[1:1 5:1 9:1]"},
		"cutoff": {Cutoff(1), "map[1:1 5:1 9:1]"},
		"forget": {Cutoff(3).Forget(), "map[9:1]"},
	} {
		feed := pipelinetest.NewFeed[int]()
		for _, at := range []int{9, 1, 5} {
			feed.Send(Change[int]{KeyOf(fmt.Sprint(at)), at, 1})
		}
		feed.End()
		g := New(Static(), Workers(2))
		sink := &pipelinetest.Collect[int]{}
		To(Timely(From(g, "in", feed), func(at int) time.Time { return time.Unix(0, int64(at)) }, c.b), "out", sink)
		if err := g.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(sink.Rows()); got != c.want {
			t.Errorf("%s: %s, want %s", says, got, c.want)
		}
	}
}

// TestTimelyEnd: what waits comes when a streaming graph's sources have ended, and
func TestTimelyEnd(t *testing.T) {
	feed := pipelinetest.NewFeed[int]()
	g := New(Workers(2))
	sink := &pipelinetest.Collect[int]{}
	To(Timely(From(g, "in", feed), func(at int) time.Time { return time.Unix(0, int64(at)) }, Delay(100).Cutoff(2)), "out", sink)
	done := make(chan error)
	go func() { done <- g.Run(t.Context()) }()
	for _, at := range []int{5, 9, 7} {
		<-feed.Send(Change[int]{KeyOf(fmt.Sprint(at)), at, 1})
	}
	feed.End()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(sink.Rows()); got != "map[5:1 9:1]" {
		t.Error(got)
	}
	late := int64(0)
	for _, o := range g.Stats().Operators {
		late += o.Late
	}
	if late != 1 {
		t.Errorf("%d late", late)
	}
}

func TestBadBehaviors(t *testing.T) {
	for says, b := range map[string]Behavior{
		"use Delay":       {},
		"none is given":   Delay(1).Forget(),
		"less than 0":     Cutoff(-1),
		"delay of -1ns":   Delay(-1),
		"cutoff of -1ns:": ExactlyOnce(-1),
	} {
		g := New(Static())
		Timely(From(g, "in", pipelinetest.NewFeed[int]()), func(int) time.Time { return time.Time{} }, b)
		if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
