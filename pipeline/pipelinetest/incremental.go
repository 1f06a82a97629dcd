package pipelinetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/pipeline"
)

// Case is a plan with its naive counterpart.
type Case[T, O any] struct {
	// Row draws a row of the input.
	Row *rapid.Generator[T]
	// Plan derives the table under test.
	Plan func(g *pipeline.Graph, in *pipeline.Table[T]) *pipeline.Table[O]
	// Want computes the rows of that table from those of the input, from
	// scratch.
	Want func(rows []T) []O
	// ManyRowsAKey is set for tables whose keys are not unique.
	ManyRowsAKey bool
	// Later is set if the table reaches its value some epochs after its input,
	// as behind an asynchronous stage.
	Later bool
	// Keys is how many rows the input has at most (31 if 0).
	Keys int
}

// Incremental checks that the table is at every epoch what Want makes of the
// input: for random rows that come, change and go, in random epochs, with any
// number of workers and with restarts in between, on a disk that loses what was
// not synced. In the end all input is retracted, and no state may remain.
func Incremental[T, O any](t *testing.T, c Case[T, O]) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) { c.Check(t) })
}

// trial is one random life of a plan.
type trial[T, O any] struct {
	c       *Case[T, O]
	t       *rapid.T
	fs      *CrashFS
	upserts bool
	live    map[int]T
	sink    *Collect[O]

	g    *pipeline.Graph
	feed *Feed[T]
	stop context.CancelFunc
	done chan error
}

// Check is one random life of the plan, for tests that draw the plan as well.
func (c Case[T, O]) Check(t *rapid.T) {
	if c.Keys <= 0 {
		c.Keys = 31
	}
	tr := &trial[T, O]{c: &c, t: t, live: map[int]T{}, fs: NewCrashFS(rapid.Uint64().Draw(t, "seed"))}
	tr.upserts = rapid.Bool().Draw(t, "upserts")
	tr.sink = &Collect[O]{OneRowAKey: !c.ManyRowsAKey, Forgetful: rapid.Bool().Draw(t, "forgetful")}
	tr.start()
	defer func() { tr.end() }()
	for range rapid.IntRange(1, 8).Draw(t, "steps") {
		tr.step()
		if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
			tr.end()
			tr.fs = tr.fs.Restart(rapid.Uint64().Draw(t, "seed"))
			tr.start()
		}
	}
	tr.empty()
}

func (tr *trial[T, O]) start() {
	opts := []pipeline.Option{
		pipeline.StateOn(tr.fs, "state"),
		pipeline.Workers(rapid.IntRange(1, 4).Draw(tr.t, "workers")),
		pipeline.EpochEvery(time.Microsecond),
	}
	tr.g = pipeline.New(opts...)
	tr.feed = NewFeed[T]()
	out := tr.c.Plan(tr.g, pipeline.From(tr.g, "input", tr.feed))
	pipeline.To(out, "output", tr.sink)
	ctx, stop := context.WithCancel(context.Background())
	tr.stop, tr.done = stop, make(chan error, 1)
	go func(g *pipeline.Graph) { tr.done <- g.Run(ctx) }(tr.g)
}

func (tr *trial[T, O]) end() {
	tr.stop()
	if err := <-tr.done; err != nil {
		tr.t.Fatalf("Run: %v", err)
	}
	tr.done <- nil // end may be called again
}

// step sends some groups of changes and compares when they have been seen.
func (tr *trial[T, O]) step() {
	var changes []pipeline.Change[T]
	var seen <-chan uint64
	for range rapid.IntRange(1, 12).Draw(tr.t, "changes") {
		k := rapid.IntRange(0, tr.c.Keys-1).Draw(tr.t, "key")
		old, there := tr.live[k]
		key := pipeline.KeyOf("row", fmt.Sprint(k))
		if there && !tr.upserts {
			changes = append(changes, pipeline.Change[T]{Key: key, Row: old, N: -1})
		}
		if there && rapid.IntRange(0, 2).Draw(tr.t, "delete") == 0 {
			delete(tr.live, k)
			if tr.upserts {
				changes = append(changes, pipeline.Change[T]{Key: key, N: -1})
			}
		} else {
			row := tr.c.Row.Draw(tr.t, "row")
			tr.live[k] = row
			changes = append(changes, pipeline.Change[T]{Key: key, Row: row, N: 1})
		}
		if rapid.IntRange(0, 5).Draw(tr.t, "cut") == 0 {
			seen, changes = tr.send(changes), nil
		}
	}
	if seen = tr.send(changes); !tr.await(seen) {
		return
	}
	tr.compare()
}

func (tr *trial[T, O]) send(changes []pipeline.Change[T]) <-chan uint64 {
	if tr.upserts {
		return tr.feed.Upsert(changes...)
	}
	return tr.feed.Send(changes...)
}

func (tr *trial[T, O]) await(seen <-chan uint64) bool {
	select {
	case <-seen:
		return true
	case err := <-tr.done:
		tr.done <- nil
		tr.t.Fatalf("Run ended: %v", err)
	case <-time.After(patience):
		tr.t.Fatalf("the input is not seen after %v\n%s", patience, tr.g.Explain())
	}
	return false
}

func (tr *trial[T, O]) want() map[string]int {
	var rows []T
	for _, k := range sortedKeys(tr.live) {
		rows = append(rows, tr.live[k])
	}
	want := map[string]int{}
	for _, r := range tr.c.Want(rows) {
		want[fmt.Sprintf("%+v", r)]++
	}
	return want
}

func (tr *trial[T, O]) compare() {
	want := tr.want()
	equal := func() bool { return tr.sink.Err() == nil && maps.Equal(tr.sink.Rows(), want) }
	ok := equal()
	if tr.c.Later && !ok {
		ok = Eventually(equal)
	}
	if err := tr.sink.Err(); err != nil {
		tr.t.Fatal(err)
	}
	if !ok {
		tr.t.Fatalf("got  %v\nwant %v\n%s", tr.sink.Rows(), want, tr.g.Explain())
	}
}

// empty retracts everything.
func (tr *trial[T, O]) empty() {
	var changes []pipeline.Change[T]
	for _, k := range sortedKeys(tr.live) {
		changes = append(changes, pipeline.Change[T]{Key: pipeline.KeyOf("row", fmt.Sprint(k)), Row: tr.live[k], N: -1})
	}
	clear(tr.live)
	if !tr.await(tr.send(changes)) {
		return
	}
	tr.compare()
	none := func() bool {
		for _, o := range tr.g.Stats().Operators {
			if o.StateRows != 0 {
				return false
			}
		}
		return true
	}
	if !none() && !(tr.c.Later && Eventually(none)) {
		tr.t.Fatalf("state is left:\n%s", tr.g.Explain())
	}
}

func sortedKeys[T any](m map[int]T) []int { return slices.Sorted(maps.Keys(m)) }

// Eventually polls until ok is true or patience runs out.
func Eventually(ok func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}
