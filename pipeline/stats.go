package pipeline

import (
	"fmt"
	"strings"
	"time"
)

// Stats are figures of a graph at one moment.
type Stats struct {
	Epoch     uint64 // the last one that was finished
	Committed uint64 // the last one that was committed
	// Work is the time that was spent on epochs since Run began, waiting for input
	// and commits not counted. Divided by the epochs of that time it is what one
	// takes; divided by the time itself, how much of what there is to do is done.
	Work      time.Duration
	Operators []OperatorStats
	Sources   []SourceStats
	Sinks     []SinkStats
	Trouble   error // why commits fail at the moment; nil if they do not
}

// OperatorStats are figures of one operator, summed over workers. Rows are
// counted as changes: an update is two.
type OperatorStats struct {
	ID         int
	Op, Name   string
	RowsIn     int64
	RowsOut    int64
	Errors     int64 // rows that could not be handled
	Late       int64 // changes that came after a cutoff, and were ignored
	StateRows  int64 // as of the end of the last epoch
	StateBytes int64 // memory of the state
	Open       int64 // requests of an asynchronous stage without an answer, as of then
}

// SourceStats are figures of one source.
type SourceStats struct {
	Name    string
	Rows    int64         // brought so far
	Waiting int           // of these not yet in an epoch
	Lag     time.Duration // how long the oldest of them has waited
	Trouble error         // what the source reported and has not taken back
	Ended   bool
}

// SinkStats are figures of one sink.
type SinkStats struct {
	Name    string
	Taken   uint64 // epoch up to which the sink has everything
	Waiting int    // rows that wait for it
}

// Stats returns figures of the moment. It may be called at any time.
func (g *Graph) Stats() Stats {
	g.mu.Lock()
	r := g.run
	g.mu.Unlock()
	var s Stats
	for _, n := range g.order() {
		s.Operators = append(s.Operators, n.stats())
	}
	if r == nil {
		return s
	}
	s.Epoch, s.Committed, s.Work = r.finished.Load(), r.committed.Load(), time.Duration(r.busy.Load())
	if err := r.trouble.Load(); err != nil {
		s.Trouble = *err
	}
	for _, src := range r.sources {
		s.Sources = append(s.Sources, src.stats())
	}
	i := 0
	for _, n := range r.plan {
		if n.sink != nil {
			taken, rows, _ := r.sinks[i].done()
			s.Sinks = append(s.Sinks, SinkStats{n.String(), taken, rows})
			i++
		}
	}
	return s
}

func (n *node) stats() OperatorStats {
	s := OperatorStats{ID: n.id, Op: n.op, Name: n.path()}
	for i := range n.count {
		c := &n.count[i]
		s.RowsIn += c.in.Load()
		s.RowsOut += c.out.Load()
		s.Errors += c.errs.Load()
		s.Late += c.late.Load()
		s.StateRows += c.stateRows.Load()
		s.StateBytes += c.stateBytes.Load()
		s.Open += c.open.Load()
	}
	return s
}

func (s *source) stats() SourceStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := SourceStats{Name: s.n.name, Rows: s.total, Waiting: s.rows, Trouble: s.trouble, Ended: s.ended}
	if len(s.queue) > 0 {
		st.Lag = time.Since(s.since)
	}
	return st
}

// Explain describes the plan as text, one operator a line in the order in which
// they run: number, operator, name, numbers of the tables it reads, type of its
// rows, their keys, what state it keeps. While the graph runs, rows in and out
// and the size of the state are added.
func (g *Graph) Explain() string {
	g.mu.Lock()
	running := g.run != nil
	g.mu.Unlock()
	var b strings.Builder
	for _, n := range g.order() {
		fmt.Fprintf(&b, "%2d %-9s %s", n.id, n.op, n.path())
		if len(n.in) > 0 {
			b.WriteString(" ←")
			for _, i := range n.in {
				fmt.Fprintf(&b, " %d", i.id)
			}
		}
		fmt.Fprintf(&b, " · %s", n.row)
		if n.keys != "" {
			fmt.Fprintf(&b, " · keys %s", n.keys)
		}
		if n.keeps != "" {
			fmt.Fprintf(&b, " · keeps %s", n.keeps)
		}
		if running {
			s := n.stats()
			fmt.Fprintf(&b, " · %d in, %d out", s.RowsIn, s.RowsOut)
			if s.Errors > 0 {
				fmt.Fprintf(&b, ", %d failed", s.Errors)
			}
			if s.StateRows > 0 {
				fmt.Fprintf(&b, ", state %d rows, %d kB", s.StateRows, (s.StateBytes+1023)/1024)
			}
			if s.Open > 0 {
				fmt.Fprintf(&b, ", %d asked", s.Open)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
