package pipeline_test

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"testing"

	"github.com/zeebo/xxh3"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// naiveApprox is the estimate of a HyperLogLog that has seen these values and no
// others, its corrections as the sums that they are.
func naiveApprox(p int, values []string) int64 {
	m := float64(int(1) << p)
	registers := map[uint64]int{}
	for _, v := range values {
		h := xxh3.HashString128(v).Lo
		rank := min(bits.LeadingZeros64(h<<p), 64-p) + 1
		registers[h>>(64-p)] = max(registers[h>>(64-p)], rank)
	}
	full := 0.0
	z := 0.0
	for _, rank := range registers {
		if rank == 64-p+1 {
			full++
		} else {
			z += math.Pow(2, -float64(rank))
		}
	}
	empty, rest := 1-float64(len(registers))/m, 1-full/m
	sigma, tau := empty, (1-rest)/3
	for k := 1; k < 60; k++ {
		sigma += math.Pow(empty, math.Pow(2, float64(k))) * math.Pow(2, float64(k-1))
		tau -= math.Pow(1-math.Pow(rest, math.Pow(2, -float64(k))), 2) * math.Pow(2, -float64(k)) / 3
	}
	z += m*sigma + m*tau*math.Pow(2, -float64(64-p))
	return int64(math.Round(m * m / (2 * math.Ln2 * z)))
}

func TestCountDistinctApproxIncremental(t *testing.T) {
	type estimate struct {
		Group    string
		Few, All int64
	}
	name := func(r row) string { return fmt.Sprint(r.V, r.F) }
	pipelinetest.Incremental(t, pipelinetest.Case[row, estimate]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[estimate] {
			return GroupBy(in, key, func(e *estimate, g string) { e.Group = g },
				CountDistinctApprox(4, name, func(e *estimate, n int64) { e.Few = n }),
				CountDistinctApprox(12, name, func(e *estimate, n int64) { e.All = n }))
		},
		Want: func(rows []row) []estimate {
			return byGroup(rows, func(g string, rows []row) estimate {
				names := each(rows, func(r row) []string { return []string{name(r)} })
				return estimate{g, naiveApprox(4, names), naiveApprox(12, names)}
			})
		},
	})
}

// TestCountDistinctApproxIsNear: the error is within four standard errors.
func TestCountDistinctApproxIsNear(t *testing.T) {
	const p = 10
	for _, n := range []int{1, 100, 1000, 3000, 100_000} {
		feed := pipelinetest.NewFeed[string]()
		var rows []Change[string]
		for i := range n {
			rows = append(rows, Change[string]{Key: KeyOf(fmt.Sprint(i)), Row: fmt.Sprint("value ", i), N: 1})
		}
		feed.Send(rows...)
		feed.End()
		g := New(Static(), Workers(2))
		var got int64
		out := Aggregate(From(g, "in", feed), CountDistinctApprox(p, func(s string) string { return s }, func(r *int64, n int64) { *r = n }))
		Subscribe(out, func(_ uint64, changes []Change[int64]) error { got = changes[len(changes)-1].Row; return nil })
		if err := g.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if off, most := math.Abs(float64(got)/float64(n)-1), 4*1.04/math.Sqrt(1<<p); off > most {
			t.Errorf("%d values are taken for %d: wrong by %.3f, more than %.3f", n, got, off, most)
		}
	}
}

func TestCountDistinctApproxPrecision(t *testing.T) {
	g := New()
	Aggregate(From(g, "in", pipelinetest.NewFeed[string]()), CountDistinctApprox(17, func(s string) string { return s }, func(r *int64, n int64) {}))
	if err := g.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "the precision is 17") {
		t.Errorf("Run: %v", err)
	}
}
