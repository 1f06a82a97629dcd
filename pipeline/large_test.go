package pipeline_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// TestLarge takes the paths that small inputs never do: slices of input, joins
// that stop in the middle of a row's matches, more groups than have a working
// copy, batches in slot order.
func TestLarge(t *testing.T) {
	type item struct{ Join, Group, V int }
	type tally struct{ Group, N, V int }
	type maximum struct{ Group, Max int }
	for _, c := range []struct {
		workers int
		opts    []Option
	}{
		{1, nil}, {3, nil}, {2, []Option{Static()}}, {1, []Option{Static(), StateOn(pipelinetest.NewCrashFS(1), "state")}},
	} {
		r := rand.New(rand.NewPCG(uint64(c.workers), 7))
		g := New(append(c.opts, Workers(c.workers))...)
		feed := pipelinetest.NewFeed[item]()
		in := From(g, "in", feed)
		tallies := FoldBy(in, func(i item) int { return i.Group }, func(a *tally, i item, n int) {
			a.Group = i.Group
			a.N += n
			a.V += n * i.V
		})
		greatest := GroupBy(in, func(i item) int { return i.Join }, func(m *maximum, g int) { m.Group = g },
			Max(func(i item) int { return i.V }, func(m *maximum, v int) { m.Max = v }))
		// 400 × 400 rows share a key: more than comes out in one pass.
		l := Filter(in, func(i item) bool { return i.Join >= 0 && i.V%2 == 0 })
		s := Filter(in, func(i item) bool { return i.Join >= 0 && i.V%2 != 0 })
		on := func(i item) int { return i.Join }
		pairs := Join(l, s, on, on, func(a, b item) tally { return tally{a.Join, 1, a.V * b.V} })
		sums := Fold(pairs, func(a *tally, p tally, n int) { a.N += n; a.V += n * p.V })
		outs := [3]*pipelinetest.Collect[tally]{{OneRowAKey: true}, {OneRowAKey: true}}
		best := &pipelinetest.Collect[maximum]{OneRowAKey: true}
		To(tallies, "tallies", outs[0])
		To(sums, "sums", outs[1])
		To(greatest, "greatest", best)
		done := make(chan error, 1)
		go func() { done <- g.Run(t.Context()) }()

		var live []Change[item]
		add := func(n int, make func(i int) item) (changes []Change[item]) {
			for i := range n {
				changes = append(changes, Change[item]{Key{r.Uint64(), r.Uint64()}, make(i), 1})
			}
			live = append(live, changes...)
			return changes
		}
		feed.Send(add(90_000, func(i int) item { return item{-1, r.IntN(60_000), i} })...)
		feed.Send(add(1200, func(i int) item { return item{0, 1, r.IntN(50)} })...)
		feed.Send(add(5000, func(i int) item { return item{r.IntN(900), -i, r.IntN(50)} })...)
		r.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
		gone := live[:len(live)*2/3]
		live = live[len(gone):]
		retract := make([]Change[item], len(gone))
		for i, c := range gone {
			retract[i] = Change[item]{c.Key, c.Row, -1}
		}
		feed.Send(retract...)
		feed.Send(add(2000, func(i int) item { return item{r.IntN(3), r.IntN(60_000), r.IntN(50)} })...)
		feed.End()
		if err := <-done; err != nil {
			t.Fatal(err)
		}

		groups, joins, maxima := map[int]tally{}, map[int][]item{}, map[int]int{}
		var all tally
		for _, c := range live {
			i := c.Row
			a := groups[i.Group]
			groups[i.Group] = tally{i.Group, a.N + 1, a.V + i.V}
			if m, ok := maxima[i.Join]; !ok || i.V > m {
				maxima[i.Join] = i.V
			}
			if i.Join >= 0 {
				joins[i.Join] = append(joins[i.Join], i)
			}
		}
		for _, items := range joins {
			var n, sum [2]int
			for _, i := range items {
				n[i.V%2]++
				sum[i.V%2] += i.V
			}
			all.N += n[0] * n[1]
			all.V += sum[0] * sum[1]
		}
		if got := outs[1].Rows(); !maps.Equal(got, map[string]int{fmt.Sprintf("%+v", all): 1}) {
			t.Errorf("%d workers: join: got %v, want %+v", c.workers, got, all)
		}
		want := map[string]int{}
		for _, a := range groups {
			want[fmt.Sprintf("%+v", a)]++
		}
		if !maps.Equal(outs[0].Rows(), want) {
			t.Errorf("%d workers: %d groups are not the %d expected", c.workers, len(outs[0].Rows()), len(want))
		}
		want = map[string]int{}
		for g, m := range maxima {
			want[fmt.Sprintf("%+v", maximum{g, m})]++
		}
		if !maps.Equal(best.Rows(), want) {
			t.Errorf("%d workers: %d maxima are not the %d expected", c.workers, len(best.Rows()), len(want))
		}
		for _, err := range []error{outs[0].Err(), outs[1].Err(), best.Err()} {
			if err != nil {
				t.Error(err)
			}
		}
		if static := len(c.opts) > 0; static && outs[0].Applies() != 1 {
			t.Errorf("static mode gave its sink %d sets of changes", outs[0].Applies())
		}
	}
}
