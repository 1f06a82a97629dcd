package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestSortIncremental(t *testing.T) {
	text := func(r *row) string {
		if r == nil {
			return "none"
		}
		return fmt.Sprint(*r)
	}
	line := func(r row, prev, next *row) string {
		if r.V == 4 {
			panic("four")
		}
		return fmt.Sprint(r, " after ", text(prev), " before ", text(next))
	}
	by := func(r row) string { return fmt.Sprint(r) }
	for _, ahead := range []bool{true, false} {
		pipelinetest.Incremental(t, pipelinetest.Case[row, string]{
			Row: rows(),
			Plan: func(g *Graph, in *Table[row]) *Table[string] {
				if ahead {
					return Sort(in, key, by, line)
				}
				return Diff(in, key, by, func(r row, prev *row) string { return line(r, prev, nil) })
			},
			Want: func(rows []row) []string {
				groups := byGroup(rows, func(_ string, rows []row) (lines []string) {
					slices.SortFunc(rows, func(a, b row) int { return slices.Compare([]byte(by(a)), []byte(by(b))) })
					for i, r := range rows {
						var prev, next *row
						if i > 0 {
							prev = &rows[i-1]
						}
						if ahead && i+1 < len(rows) {
							next = &rows[i+1]
						}
						if r.V != 4 {
							lines = append(lines, line(r, prev, next))
						}
					}
					return lines
				})
				return slices.Concat(groups...)
			},
		})
	}
}

// The meter's consumption from one reading to the next.
func ExampleDiff() {
	type reading struct {
		Meter      string
		Hour, Used int
	}
	feed := pipelinetest.NewFeed[reading]()
	for _, r := range []reading{{"a", 1, 100}, {"a", 3, 170}, {"a", 2, 130}, {"b", 1, 5}} {
		feed.Send(Change[reading]{Key: KeyOf(r.Meter, fmt.Sprint(r.Hour)), Row: r, N: 1})
	}
	feed.End()
	g := New(Static())
	used := Diff(From(g, "readings", feed), func(r reading) string { return r.Meter }, func(r reading) int { return r.Hour },
		func(r reading, prev *reading) string {
			if prev == nil {
				return fmt.Sprint(r.Meter, " begins")
			}
			return fmt.Sprint(r.Meter, " ", r.Hour, ": ", r.Used-prev.Used)
		})
	Subscribe(used, func(_ uint64, changes []Change[string]) error {
		for _, c := range changes {
			fmt.Println(c.Row)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// a begins
	// b begins
	// a 2: 30
	// a 3: 40
}
