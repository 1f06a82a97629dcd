package pipeline

import (
	"fmt"
	"time"
)

// Window is an interval of time that includes its start and not its end, both in
// UTC. It can be a part of the key of a group.
type Window struct{ Start, End time.Time }

// Contains reports whether t is in the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Start) && t.Before(w.End) }

// InWindow is a row with a window that its time is in.
type InWindow[T any] struct {
	Window Window
	Row    T
}

// Windows says how time is cut into windows: use Tumbling or Sliding.
type Windows struct {
	op        string
	size, hop time.Duration
	shift     time.Duration // of the first start behind the zero time, < hop
}

// Tumbling windows follow each other without gap or overlap: an instant is in
// exactly one. One of them starts at the zero time, the midnight of a Monday in
// UTC, so that days begin at midnight and weeks on Monday.
func Tumbling(size time.Duration) Windows { return Windows{op: "tumbling", size: size, hop: size} }

// Sliding windows of one size start every hop. An instant is in size/hop of them,
// or, if hop is longer than size, perhaps in none. One starts at the zero time.
func Sliding(size, hop time.Duration) Windows { return Windows{op: "sliding", size: size, hop: hop} }

// At moves the windows so that one starts at origin. There are windows before it
// as well: an instant is never without one because it came early.
func (w Windows) At(origin time.Time) Windows {
	if w.hop > 0 {
		w.shift = origin.Sub(origin.Truncate(w.hop))
	}
	return w
}

// maxWindows bounds in how many windows an instant is: each makes a row.
const maxWindows = 10_000

func (w Windows) check() error {
	switch {
	case w.op == "":
		return fmt.Errorf("no windows are given; use Tumbling or Sliding")
	case w.size <= 0 || w.hop <= 0:
		return fmt.Errorf("%s windows of %s every %s: both must be more than 0", w.op, w.size, w.hop)
	case (w.size-1)/w.hop >= maxWindows:
		return fmt.Errorf("%s windows of %s every %s: an instant would be in %d of them, and %d is the most", w.op, w.size, w.hop, (w.size-1)/w.hop+1, maxWindows)
	}
	return nil
}

// Of returns the windows that t is in, the earliest first. Windows that cannot
// be, of a size of 0, say, are none.
func (w Windows) Of(t time.Time) []Window {
	if w.check() != nil {
		return nil
	}
	// The zero time is a multiple of every hop for Truncate, which takes times of
	// any year and never overflows, as numbers of nanoseconds do beyond 292 years.
	last := t.UTC().Add(-w.shift).Truncate(w.hop).Add(w.shift)
	if last.After(t) { // before the year 1
		last = last.Add(-w.hop)
	}
	var out []Window
	for start := last; t.Before(start.Add(w.size)); start = start.Add(-w.hop) {
		out = append(out, Window{start, start.Add(w.size)})
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// IntoWindows makes a row of each row and each window that its time at(row) is
// in; a table of few windows a row is then grouped by them:
//
//	type cityHour struct {
//		City string
//		Hour pipeline.Window
//	}
//	hours := pipeline.IntoWindows(orders, pipeline.Tumbling(time.Hour), func(o Order) time.Time { return o.At })
//	totals := pipeline.FoldBy(hours,
//		func(o pipeline.InWindow[Order]) cityHour { return cityHour{o.Row.City, o.Window} },
//		func(t *Total, o pipeline.InWindow[Order], n int) { … })
//
// Time is data here: a row that comes late counts in its window like any other,
// and what was made of the window is corrected. So a result does not depend on
// the order in which rows come. The time zone of at(row) does not matter. A row
// on which at panics goes to the error table.
//
// The key of a row that comes out is that of its row with tumbling windows, else
// derived from it and the window. No state is kept; a change costs time in
// proportion to the windows it is in.
func IntoWindows[T any](t *Table[T], ws Windows, at func(row T) time.Time) *Table[InWindow[T]] {
	if err := ws.check(); err != nil {
		out := table[InWindow[T]]("windows", t.n)
		t.n.g.problem("pipeline: %s: %w", out.n, err)
		return out
	}
	if ws.hop == ws.size {
		return mapErr(t, ws.op, func(row T) (InWindow[T], error) {
			return InWindow[T]{ws.Of(at(row))[0], row}, nil
		})
	}
	return flatMapErr(t, ws.op, func(row T) ([]InWindow[T], error) {
		in := ws.Of(at(row))
		out := make([]InWindow[T], len(in))
		for i, w := range in {
			out[i] = InWindow[T]{w, row}
		}
		return out, nil
	})
}
