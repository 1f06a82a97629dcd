package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// TestAsOfNowJoin sends random groups, each an epoch of its own, with restarts and
// other numbers of workers in between, and keeps beside it what was answered.
func TestAsOfNowJoin(t *testing.T) {
	for _, left := range []bool{false, true} {
		t.Run(fmt.Sprint("left ", left), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { asOfNowTrial(t, left) })
		})
	}
}

func asOfNowTrial(t *rapid.T, left bool) {
	fs := pipelinetest.NewCrashFS(1)
	sink := &pipelinetest.Collect[string]{}
	live := map[int]moment{}            // by key
	answers := map[int]map[string]int{} // by key of a left row
	answer := func(l moment, r *moment) string {
		if r != nil && r.ID == 3 {
			panic("three")
		}
		return show(&l, r)
	}
	var feed *pipelinetest.Feed[moment]
	var done chan error
	start := func() {
		feed, done = pipelinetest.NewFeed[moment](), make(chan error, 1)
		g := New(StateOn(fs, "state"), Workers(rapid.IntRange(1, 3).Draw(t, "workers")))
		in := From(g, "moments", feed)
		side := func(right bool) *Table[moment] {
			return Filter(in, func(m moment) bool { return m.Side == right }).Named(fmt.Sprint("right ", right))
		}
		group := func(m moment) string { return m.Group }
		out := AsOfNowJoin(side(false), side(true), group, group, func(l, r moment) string { return answer(l, &r) })
		if left {
			out = LeftAsOfNowJoin(side(false), side(true), group, group, answer).Named("out")
		}
		To(out, "answers", sink)
		go func() { done <- g.Run(context.Background()) }()
	}
	stop := func() {
		feed.End()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	start()
	for range rapid.IntRange(1, 10).Draw(t, "epochs") {
		var changes []Change[moment]
		before := maps.Clone(live)
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			k := rapid.IntRange(0, 9).Draw(t, "key")
			if old, ok := live[k]; ok {
				changes = append(changes, Change[moment]{KeyOf(fmt.Sprint(k)), old, -1})
				delete(live, k)
			}
			if rapid.IntRange(0, 3).Draw(t, "gone") > 0 {
				m := moments().Draw(t, "row")
				live[k] = m
				changes = append(changes, Change[moment]{KeyOf(fmt.Sprint(k)), m, 1})
			}
		}
		if len(changes) == 0 {
			continue
		}
		<-feed.Send(changes...)
		for k := range 10 {
			was, had := before[k]
			now, has := live[k]
			if had && has && was == now {
				continue
			}
			delete(answers, k)
			if !has || now.Side {
				continue
			}
			answers[k] = map[string]int{}
			matched := false
			for _, r := range live {
				if r.Side && r.Group == now.Group {
					if matched = true; r.ID != 3 {
						answers[k][show(&now, &r)]++
					}
				}
			}
			if !matched && left {
				answers[k][show(&now, nil)]++
			}
		}
		want := map[string]int{}
		for _, of := range answers {
			for row, n := range of {
				want[fmt.Sprint(row)] += n
			}
		}
		if got := sink.Rows(); !maps.Equal(got, want) || sink.Err() != nil {
			t.Fatalf("%v\nwant %v %v", got, want, sink.Err())
		}
		if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
			stop()
			start()
		}
	}
	stop()
}
