package pipeline_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestDedupIncremental(t *testing.T) {
	by := func(r row) string { return fmt.Sprint(r) }
	accept := func(r, kept row) bool {
		if r.V == 4 {
			panic("four")
		}
		return abs(r.V-kept.V) >= 2
	}
	for name, order := range map[string]func(row) string{
		"random": by,
		// Rows that come later are often behind: the short way.
		"by value": func(r row) string { return fmt.Sprintf("%03d %s", r.V+100, by(r)) },
	} {
		t.Run(name, func(t *testing.T) {
			pipelinetest.Incremental(t, pipelinetest.Case[row, row]{
				Row:  rows(),
				Plan: func(g *Graph, in *Table[row]) *Table[row] { return Dedup(in, key, order, accept) },
				Want: func(rows []row) []row {
					return byGroup(rows, func(_ string, rows []row) (kept row) {
						slices.SortFunc(rows, func(a, b row) int { return slices.Compare([]byte(order(a)), []byte(order(b))) })
						for i, r := range rows {
							if i == 0 || r.V != 4 && accept(r, kept) {
								kept = r
							}
						}
						return kept
					})
				},
			})
		})
	}
}

// TestDedupErrors: a row that accept fails on is in the error table while it is there.
func TestDedupErrors(t *testing.T) {
	feed := pipelinetest.NewFeed[int]()
	g := New()
	sink := &pipelinetest.Collect[string]{}
	kept := Dedup(From(g, "numbers", feed), func(int) int { return 0 }, func(n int) int { return n }, func(n, kept int) bool {
		if n == 5 {
			panic("five")
		}
		return n > kept+1
	})
	errs := Map(g.Errors(), func(e RowError) string { return e.Message })
	To(ConcatFresh(Map(kept, func(n int) string { return fmt.Sprint(n) }), errs), "out", sink)
	done := make(chan error)
	go func() { done <- g.Run(t.Context()) }()
	change := func(n, by int) Change[int] { return Change[int]{KeyOf(fmt.Sprint(n)), n, by} }
	for _, step := range []struct {
		changes []Change[int]
		want    string
	}{
		{[]Change[int]{change(3, 1), change(5, 1)}, "map[3:1 panic: five:1]"},
		{[]Change[int]{change(7, 1)}, "map[7:1 panic: five:1]"},
		{[]Change[int]{change(1, 1)}, "map[7:1 panic: five:1]"},
		{[]Change[int]{change(7, -1)}, "map[3:1 panic: five:1]"},
		{[]Change[int]{change(5, -1)}, "map[3:1]"},
	} {
		<-feed.Send(step.changes...)
		if got := fmt.Sprint(sink.Rows()); got != step.want {
			t.Errorf("after %v: %s, want %s", step.changes, got, step.want)
		}
	}
	feed.End()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestInterpolateIncremental(t *testing.T) {
	at := func(m moment) float64 { return float64(m.At * m.At % 7) } // so that rows at one time agree
	value := func(m moment) *float64 {
		if !m.Side {
			return nil
		}
		v := at(m)
		return &v
	}
	text := func(m moment, v *float64) string {
		if v == nil {
			return fmt.Sprint(m, " unknown")
		}
		return fmt.Sprintf("%v %.6f", m, *v)
	}
	pipelinetest.Incremental(t, pipelinetest.Case[moment, string]{
		Row: moments(),
		Plan: func(g *Graph, in *Table[moment]) *Table[string] {
			return Interpolate(Timed[moment, string]{in, func(m moment) string { return m.Group },
				func(m moment) time.Time { return time.Unix(0, int64(m.At)) }}, value, text)
		},
		Want: func(rows []moment) (out []string) {
			for _, a := range rows {
				if a.Side {
					out = append(out, text(a, value(a)))
					continue
				}
				prev, next := math.MinInt, math.MaxInt
				for _, b := range rows {
					if b.Side && b.Group == a.Group && b.At <= a.At {
						prev = max(prev, b.At)
					}
					if b.Side && b.Group == a.Group && b.At >= a.At {
						next = min(next, b.At)
					}
				}
				known := func(t int) float64 { return at(moment{At: t}) }
				var v float64
				switch {
				case prev == math.MinInt && next == math.MaxInt:
					out = append(out, text(a, nil))
					continue
				case prev == math.MinInt:
					v = known(next)
				case next == math.MaxInt || next == prev:
					v = known(prev)
				default:
					v = known(prev) + (known(next)-known(prev))*float64(a.At-prev)/float64(next-prev)
				}
				out = append(out, text(a, &v))
			}
			return out
		},
	})
}

// A price counts when it has moved by at least two.
func ExampleDedup() {
	type price struct {
		Stock  string
		Minute int
		Euros  int
	}
	feed := pipelinetest.NewFeed[price]()
	for _, p := range []price{{Stock: "X", Minute: 1, Euros: 10}, {Stock: "X", Minute: 2, Euros: 11}, {Stock: "X", Minute: 3, Euros: 13}, {Stock: "X", Minute: 4, Euros: 12}} {
		feed.Send(Change[price]{Key: KeyOf(p.Stock, fmt.Sprint(p.Minute)), Row: p, N: 1})
	}
	feed.End()
	g := New(Static())
	moved := Dedup(From(g, "prices", feed), func(p price) string { return p.Stock }, func(p price) int { return p.Minute },
		func(p, kept price) bool { return p.Euros-kept.Euros >= 2 || kept.Euros-p.Euros >= 2 })
	Subscribe(moved, func(_ uint64, changes []Change[price]) error {
		for _, c := range changes {
			fmt.Println(c.Row.Stock, c.Row.Minute, c.Row.Euros)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: X 3 13
}

func ExampleInterpolate() {
	type sample struct {
		Second int
		Volts  *float64
	}
	volts := func(v float64) *float64 { return &v }
	feed := pipelinetest.NewFeed[sample]()
	for _, s := range []sample{{0, volts(1)}, {1, nil}, {4, volts(5)}} {
		feed.Send(Change[sample]{Key: KeyOf(fmt.Sprint(s.Second)), Row: s, N: 1})
	}
	feed.End()
	g := New(Static())
	filled := Interpolate(Timed[sample, int]{
		Table: From(g, "samples", feed),
		Key:   func(sample) int { return 0 },
		At:    func(s sample) time.Time { return time.Unix(int64(s.Second), 0) },
	}, func(s sample) *float64 { return s.Volts }, func(s sample, v *float64) string { return fmt.Sprint(s.Second, " s: ", *v, " V") })
	Subscribe(filled, func(_ uint64, changes []Change[string]) error {
		for _, c := range changes {
			fmt.Println(c.Row)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// 0 s: 1 V
	// 1 s: 2 V
	// 4 s: 5 V
}
