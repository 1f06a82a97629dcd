package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// TestWindowsOf compares with a search through all starts around an instant.
func TestWindowsOf(t *testing.T) {
	zones := []*time.Location{time.UTC, time.FixedZone("east", 5*3600+1800)}
	rapid.Check(t, func(t *rapid.T) {
		size := time.Duration(rapid.IntRange(1, 50).Draw(t, "size")) * time.Second
		hop := time.Duration(rapid.IntRange(1, 50).Draw(t, "hop")) * time.Second
		year := rapid.SampledFrom([]int{-3, 0, 1, 1969, 1970, 2026, 9000}).Draw(t, "year")
		at := time.Date(year, 1, 1, 0, 0, 0, 0, rapid.SampledFrom(zones).Draw(t, "zone")).Add(time.Duration(rapid.Int64Range(-1e11, 1e11).Draw(t, "nanoseconds")))
		origin := time.Date(2026, 3, 4, 5, 6, rapid.IntRange(0, 59).Draw(t, "origin"), 0, time.UTC)
		ws := Sliding(size, hop)
		if rapid.Bool().Draw(t, "moved") {
			ws = ws.At(origin)
		} else {
			origin = time.Time{}
		}
		// Starts are origin + k hops; step there in years so that no Duration overflows.
		start := origin
		for start.Sub(at) > 1e18 || start.Sub(at) < -1e18 {
			n := time.Duration(5e17) / hop * hop
			if start.After(at) {
				n = -n
			}
			start = start.Add(n)
		}
		start = start.Add(at.Sub(start) / hop * hop)
		var want []Window
		for k := -(int(size/hop) + 3); k <= 3; k++ {
			s := start.Add(time.Duration(k) * hop).UTC()
			if w := (Window{s, s.Add(size)}); w.Contains(at) {
				want = append(want, w)
			}
		}
		if got := ws.Of(at); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s every %s at %s: %v, want %v", size, hop, at, got, want)
		}
	})
}

func TestTumblingStarts(t *testing.T) {
	at := time.Date(2026, 11, 24, 13, 37, 0, 0, time.FixedZone("west", -3600))
	for size, want := range map[time.Duration]string{
		time.Hour:          "2026-11-24T14:00:00Z",
		24 * time.Hour:     "2026-11-24T00:00:00Z",
		7 * 24 * time.Hour: "2026-11-23T00:00:00Z", // a Monday
	} {
		if got := Tumbling(size).Of(at); len(got) != 1 || got[0].Start.Format(time.RFC3339) != want || got[0].End.Sub(got[0].Start) != size {
			t.Errorf("%s: %v", size, got)
		}
	}
}

// windowed is what the test makes of windows: how many rows and their sum.
type windowed struct {
	Group string
	In    Window
	N, V  int
}

func TestWindowsIncremental(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(r row) time.Time {
		if r.V == 4 {
			panic("no time")
		}
		return begin.Add(time.Duration(7*r.V) * time.Second)
	}
	for name, ws := range map[string]Windows{
		"tumbling": Tumbling(10 * time.Second),
		"moved":    Tumbling(10 * time.Second).At(begin.Add(3 * time.Second)),
		"sliding":  Sliding(10*time.Second, 4*time.Second),
		"gaps":     Sliding(4*time.Second, 10*time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			type key struct {
				Group string
				In    Window
			}
			pipelinetest.Incremental(t, pipelinetest.Case[row, windowed]{
				Row: rows(),
				Plan: func(g *Graph, in *Table[row]) *Table[windowed] {
					return FoldBy(IntoWindows(in, ws, at),
						func(r InWindow[row]) key { return key{r.Row.Group, r.Window} },
						func(acc *windowed, r InWindow[row], n int) {
							acc.Group, acc.In = r.Row.Group, r.Window
							acc.N += n
							acc.V += n * r.Row.V
						})
				},
				Want: func(rows []row) (out []windowed) {
					groups := map[key]*windowed{}
					for _, r := range rows {
						if r.V == 4 {
							continue
						}
						for _, w := range ws.Of(at(r)) {
							k := key{r.Group, w}
							if groups[k] == nil {
								groups[k] = &windowed{Group: r.Group, In: w}
							}
							groups[k].N++
							groups[k].V += r.V
						}
					}
					for _, w := range groups {
						out = append(out, *w)
					}
					return out
				},
			})
		})
	}
}

func TestBadWindows(t *testing.T) {
	for says, ws := range map[string]Windows{
		"use Tumbling or Sliding": {},
		"must be more than 0":     Tumbling(0),
		"every -1s":               Sliding(time.Second, -time.Second),
		"in 100000 of them":       Sliding(100*time.Second, time.Millisecond),
	} {
		g := New(Static())
		in := From(g, "none", pipelinetest.NewFeed[row]())
		IntoWindows(in, ws, func(row) time.Time { return time.Time{} })
		if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
		if len(ws.Of(time.Time{})) != 0 {
			t.Errorf("%q: windows that cannot be hold an instant", says)
		}
	}
}
