package pipeline

import (
	"fmt"
	"strings"
	"time"
)

// Behavior says from when and until when rows count, by a clock of event time:
// the latest time of any row that has come in an epoch before. So what an epoch
// makes does not depend on the order of rows within it, nor on the number of
// workers. The zero Behavior has no clock: every row counts, early or late, and
// what it changes is corrected. It is the only one whose result is a function of
// the rows alone; any other one trades that for fewer corrections (Delay) or for
// state that does not grow for ever (Cutoff).
//
// In static mode all input is one epoch: nothing is late, and what a delay holds
// comes at the end. When all sources of a streaming graph have ended, what is held
// comes too.
type Behavior struct {
	delay, cutoff   time.Duration
	delays, cutsOff bool
	fromEnd         bool // the delay counts from the end of the window
	forgets         bool
}

// Delay holds rows until the clock is at their time plus d, for rows in windows at
// the start of the window plus d. Corrections in between are never seen.
func Delay(d time.Duration) Behavior { return Behavior{delay: d, delays: true} }

// Cutoff ignores what comes when the clock is at a row's time plus d already, for
// rows in windows at the end of the window plus d: new rows and retractions alike.
// The result stays as it is then, and the rows and groups behind it are state no
// more. How many changes were late is in [Stats].
func Cutoff(d time.Duration) Behavior { return Behavior{cutoff: d, cutsOff: true} }

// ExactlyOnce gives the result of a window once, when the clock is at its end plus
// shift, and never corrects it.
func ExactlyOnce(shift time.Duration) Behavior {
	return Behavior{delay: shift, delays: true, fromEnd: true, cutoff: shift, cutsOff: true}
}

// Cutoff is b with a cutoff as well.
func (b Behavior) Cutoff(d time.Duration) Behavior {
	b.cutoff, b.cutsOff = d, true
	return b
}

// Forget is b, and takes results away at the cutoff as well: of the windows of the
// last hour, say, and no others.
func (b Behavior) Forget() Behavior {
	b.forgets = true
	return b
}

func (b Behavior) check() error {
	switch {
	case b.forgets && !b.cutsOff:
		return fmt.Errorf("results are forgotten at a cutoff, and none is given")
	case b.delay < 0 || b.cutoff < 0:
		return fmt.Errorf("a delay of %s and a cutoff of %s: neither may be less than 0", b.delay, b.cutoff)
	}
	return nil
}

func (b Behavior) none() bool { return !b.delays && !b.cutsOff }

// String describes b, for Explain.
func (b Behavior) String() string {
	var s []string
	if b.delays {
		s = append(s, fmt.Sprint("delay ", b.delay))
		if b.fromEnd {
			s[0] += " from the end"
		}
	}
	if b.cutsOff {
		s = append(s, fmt.Sprint("cutoff ", b.cutoff))
	}
	if b.forgets {
		s = append(s, "forget")
	}
	return strings.Join(s, ", ")
}

// Timely lets rows through from when and until when they count by their time
// at(row): a row behind its time by less than a delay waits, one that is late is
// ignored, and with Forget a row is retracted at its cutoff. It bounds the state of
// whatever reads the table, and has it work on rows once they are complete.
//
// Rows keep their keys. A row on which at panics goes to the error table. Kept as
// state are the clock, rows that wait and, with Forget, rows until their cutoff. A
// change costs a search among those.
func Timely[T any](t *Table[T], at func(row T) time.Time, b Behavior) *Table[T] {
	out := timely("timely", t, b, false, make(clock, t.n.g.o.workers), func(row T) lifespan {
		x := at(row)
		return lifespan{x, x, x, x}
	})
	if b.none() {
		t.n.g.problem("pipeline: %s: the behavior is empty; use Delay, Cutoff or ExactlyOnce", out.n)
	}
	return out
}

// WindowBy computes aggregates of the rows of each key in each window: one row R a
// window that has any. set puts window and key into the row (nil: nothing to put).
//
//	hourly := pipeline.WindowBy(
//		pipeline.Timed[Order, string]{orders, func(o Order) string { return o.City }, func(o Order) time.Time { return o.At }},
//		pipeline.Tumbling(time.Hour), pipeline.ExactlyOnce(time.Minute),
//		func(h *Hour, w pipeline.Window, city string) { h.Start, h.City = w.Start, city },
//		pipeline.Count[Order](func(h *Hour, n int64) { h.Orders = n }))
//
// It is IntoWindows and GroupBy, with a behavior: Delay(d) shows a window when the
// clock is d past its start, Cutoff(d) closes it d after its end. What a closed
// window was stays in the table, or with Forget goes; either way it is state no
// more. A window that is closed cannot be opened again, because whatever comes for
// it is late. The row's key is a hash of key and window. A row on which a function
// panics goes to the error table.
//
// Kept as state is what GroupBy keeps, and the rows of windows that wait or, with
// a cutoff, are open.
func WindowBy[T, K, R any](t Timed[T, K], ws Windows, b Behavior, set func(row *R, w Window, key K), aggs ...Agg[T, R]) *Table[R] {
	in := IntoWindows(t.Table, ws, t.At)
	if !b.none() {
		keep := b.cutsOff && !b.forgets
		at := t.At
		in = timely("timely", in, b, keep, make(clock, t.Table.n.g.o.workers), func(row InWindow[T]) lifespan {
			return lifespan{at(row.Row), row.Window.Start, row.Window.End, row.Window.End}
		})
	} else if err := b.check(); err != nil {
		in.n.g.problem("pipeline: %s: %w", in.n, err)
	}
	type group struct {
		Key    K
		Window Window
	}
	key := t.Key
	out := groupBy(in, "windowby", func(row InWindow[T]) group { return group{key(row.Row), row.Window} },
		func(row *R, g group) {
			if set != nil {
				set(row, g.Window, g.Key)
			}
		}, ofRows(aggs, func(row *InWindow[T]) *T { return &row.Row }))
	if b.cutsOff && !b.forgets {
		return remember(out)
	}
	return out
}

// ofRows makes aggregates of rows T such of rows S that hold one, or none.
func ofRows[S, T, R any](aggs []Agg[T, R], in func(*S) *T) []Agg[S, R] {
	out := make([]Agg[S, R], len(aggs))
	for i, a := range aggs {
		out[i] = Agg[S, R]{name: a.name, err: a.err}
		if a.make != nil {
			out[i].make = func(slot int) aggregate[S, R] { return &innerAgg[S, T, R]{aggregate: a.make(slot), in: in} }
		}
	}
	return out
}

// innerAgg gives an aggregate the row that a row holds.
type innerAgg[S, T, R any] struct {
	aggregate[T, R]
	in func(*S) *T
}

func (a *innerAgg[S, T, R]) take(i int, row *S, n int) { a.aggregate.take(i, a.in(row), n) }

func (a *innerAgg[S, T, R]) values() *values {
	if v, ok := a.aggregate.(valued); ok {
		return v.values()
	}
	return nil
}
