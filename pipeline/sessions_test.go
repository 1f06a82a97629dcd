package pipeline_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestSessionsIncremental(t *testing.T) {
	for _, gap := range []int{1, 2, 3, 20} {
		t.Run(fmt.Sprint("gap ", gap), func(t *testing.T) {
			pipelinetest.Incremental(t, pipelinetest.Case[moment, InWindow[moment]]{
				Row: moments(),
				Plan: func(g *Graph, in *Table[moment]) *Table[InWindow[moment]] {
					return Sessions(timed(in, false), time.Duration(gap))
				},
				Want: func(rows []moment) (out []InWindow[moment]) {
					rows = slices.DeleteFunc(slices.Clone(rows), func(m moment) bool { return m.Side })
					for _, m := range rows {
						// Its session grows by one row after the other until none is near.
						first, last := m.At, m.At
						for grown := true; grown; {
							grown = false
							for _, o := range rows {
								if o.Group == m.Group && (o.At < first && first-o.At < gap || o.At > last && o.At-last < gap) {
									first, last, grown = min(first, o.At), max(last, o.At), true
								}
							}
						}
						out = append(out, InWindow[moment]{Window{time.Unix(0, int64(first)).UTC(), time.Unix(0, int64(last+gap)).UTC()}, m})
					}
					return out
				},
			})
		})
	}
}

// A long session: rows are put in one by one from both ends towards the middle, and
// then taken away from there.
func TestLongSession(t *testing.T) {
	feed := pipelinetest.NewFeed[moment]()
	g := New(Workers(1))
	var mu sync.Mutex
	held := map[Window]int{}
	Subscribe(Sessions(timed(From(g, "moments", feed), false), 2), func(_ uint64, changes []Change[InWindow[moment]]) error {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range changes {
			if held[c.Row.Window] += c.N; held[c.Row.Window] == 0 {
				delete(held, c.Row.Window)
			}
		}
		return nil
	})
	windows := func() map[Window]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(held)
	}
	running := make(chan error, 1)
	go func() { running <- g.Run(t.Context()) }()
	const n = 1001
	at := func(i int) Change[moment] { return Change[moment]{Key: KeyOf(fmt.Sprint(i)), Row: moment{At: i}, N: 1} }
	var seen <-chan uint64
	for i := range n / 2 {
		feed.Send(at(i))
		seen = feed.Send(at(n - 1 - i))
	}
	<-seen
	if got := windows(); len(got) != 2 {
		t.Errorf("before they meet: %v", got)
	}
	<-feed.Send(at(n / 2))
	if got := windows(); len(got) != 1 || got[Window{time.Unix(0, 0).UTC(), time.Unix(0, n+1).UTC()}] != n {
		t.Errorf("together: %v", got)
	}
	gone := at(n / 2)
	gone.N = -1
	<-feed.Send(gone)
	if got := windows(); len(got) != 2 {
		t.Errorf("parted: %v", got)
	}
	feed.End()
	if err := <-running; err != nil {
		t.Fatal(err)
	}
}
