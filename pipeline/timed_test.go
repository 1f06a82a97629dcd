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

// A moment is a row of a join by time: few times, so that many are equal.
type moment struct {
	Side  bool
	Group string
	At    int
	ID    int
}

func moments() *rapid.Generator[moment] {
	return rapid.Custom(func(t *rapid.T) moment {
		return moment{rapid.Bool().Draw(t, "side"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "group"),
			rapid.IntRange(-6, 6).Draw(t, "at"), rapid.IntRange(0, 3).Draw(t, "id")}
	})
}

func timed(in *Table[moment], side bool) Timed[moment, string] {
	return Timed[moment, string]{
		Table: Filter(in, func(m moment) bool { return m.Side == side }).Named(fmt.Sprint("side ", side)),
		Key:   func(m moment) string { return m.Group },
		At:    func(m moment) time.Time { return time.Unix(0, int64(m.At)) },
	}
}

func show(l, r *moment) string {
	switch {
	case l == nil:
		return fmt.Sprint("none ", *r)
	case r == nil:
		return fmt.Sprint(*l, " none")
	}
	return fmt.Sprint(*l, *r)
}

func TestIntervalJoinIncremental(t *testing.T) {
	for name, c := range map[string]struct {
		lower, upper int
		left, right  bool
	}{
		"inner":       {-2, 1, false, false},
		"left":        {0, 3, true, false},
		"outer":       {-1, 1, true, true},
		"later alone": {2, 4, true, true},
		"earlier":     {-4, -2, true, true},
		"at one time": {0, 0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			within := Interval{Lower: time.Duration(c.lower), Upper: time.Duration(c.upper)}
			pipelinetest.Incremental(t, pipelinetest.Case[moment, string]{
				Row: moments(),
				Plan: func(g *Graph, in *Table[moment]) *Table[string] {
					l, r := timed(in, false), timed(in, true)
					switch {
					case c.right:
						return OuterIntervalJoin(l, r, within, show)
					case c.left:
						return LeftIntervalJoin(l, r, within, func(l moment, r *moment) string { return show(&l, r) })
					}
					return IntervalJoin(l, r, within, func(l, r moment) string { return show(&l, &r) })
				},
				Want: func(rows []moment) (out []string) {
					meet := func(l, r moment) bool {
						return !l.Side && r.Side && l.Group == r.Group && l.At+c.lower <= r.At && r.At <= l.At+c.upper
					}
					for _, a := range rows {
						n := 0
						for _, b := range rows {
							switch {
							case meet(a, b):
								out = append(out, show(&a, &b))
								n++
							case meet(b, a):
								n++
							}
						}
						switch {
						case n > 0:
						case c.left && !a.Side:
							out = append(out, show(&a, nil))
						case c.right && a.Side:
							out = append(out, show(nil, &a))
						}
					}
					return out
				},
			})
		})
	}
}

// Among right rows at one time the key decides: here their content is the same, so
// that the test need not know it.
func TestAsOfJoinIncremental(t *testing.T) {
	for name, d := range map[string]Direction{"backward": Backward, "forward": Forward, "nearest": Nearest} {
		for _, left := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", left), func(t *testing.T) {
				pipelinetest.Incremental(t, pipelinetest.Case[moment, string]{
					Row: moments(),
					Plan: func(g *Graph, in *Table[moment]) *Table[string] {
						in = Map(in, func(m moment) moment {
							if m.Side {
								m.ID = 0
							}
							return m
						})
						l, r := timed(in, false), timed(in, true)
						if left {
							return LeftAsOfJoin(l, r, d, func(l moment, r *moment) string { return show(&l, r) })
						}
						return AsOfJoin(l, r, d, func(l, r moment) string { return show(&l, &r) })
					},
					Want: func(rows []moment) (out []string) {
						for _, l := range rows {
							if l.Side {
								continue
							}
							var best *moment
							for _, r := range rows {
								r.ID = 0
								away := r.At - l.At
								if !r.Side || r.Group != l.Group || d == Backward && away > 0 || d == Forward && away < 0 {
									continue
								}
								if best == nil || abs(away) < abs(best.At-l.At) || abs(away) == abs(best.At-l.At) && r.At < best.At {
									best = &r
								}
							}
							if best != nil || left {
								out = append(out, show(&l, best))
							}
						}
						return out
					},
				})
			})
		}
	}
}

func TestOuterAsOfJoinIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[moment, string]{
		Row: moments(),
		Plan: func(g *Graph, in *Table[moment]) *Table[string] {
			in = Map(in, func(m moment) moment { m.ID = 0; return m })
			return OuterAsOfJoin(timed(in, false), timed(in, true), Backward, show)
		},
		Want: func(rows []moment) (out []string) {
			for _, a := range rows {
				a.ID = 0
				var best *moment
				for _, b := range rows {
					b.ID = 0
					if a.Side != b.Side && a.Group == b.Group && b.At <= a.At && (best == nil || b.At > best.At) {
						best = &b
					}
				}
				if a.Side {
					out = append(out, show(best, &a))
				} else {
					out = append(out, show(&a, best))
				}
			}
			return out
		},
	})
}

func TestWindowJoinIncremental(t *testing.T) {
	ws := Sliding(4, 2).At(time.Unix(0, 0))
	for name, sides := range map[string][2]bool{"inner": {}, "left": {true, false}, "right": {false, true}, "outer": {true, true}} {
		t.Run(name, func(t *testing.T) {
			text := func(w Window, l, r *moment) string { return fmt.Sprint(w.Start.UnixNano(), show(l, r)) }
			pipelinetest.Incremental(t, pipelinetest.Case[moment, string]{
				Row: moments(),
				Plan: func(g *Graph, in *Table[moment]) *Table[string] {
					l, r := timed(in, false), timed(in, true)
					switch name {
					case "left":
						return LeftWindowJoin(l, r, ws, func(w Window, l moment, r *moment) string { return text(w, &l, r) })
					case "right":
						return RightWindowJoin(l, r, ws, func(w Window, l *moment, r moment) string { return text(w, l, &r) })
					case "outer":
						return OuterWindowJoin(l, r, ws, text)
					}
					return WindowJoin(l, r, ws, func(w Window, l, r moment) string { return text(w, &l, &r) })
				},
				Want: func(rows []moment) (out []string) {
					at := func(m moment) time.Time { return time.Unix(0, int64(m.At)) }
					for _, a := range rows {
						for _, w := range ws.Of(at(a)) {
							n := 0
							for _, b := range rows {
								if a.Side != b.Side && a.Group == b.Group && w.Contains(at(b)) {
									if n++; !a.Side {
										out = append(out, text(w, &a, &b))
									}
								}
							}
							switch {
							case n > 0:
							case !a.Side && sides[0]:
								out = append(out, text(w, &a, nil))
							case a.Side && sides[1]:
								out = append(out, text(w, nil, &a))
							}
						}
					}
					return out
				},
			})
		})
	}
}

func TestIntervalsOverIncremental(t *testing.T) {
	type near struct {
		At       moment
		N, Sum   int64
		Earliest int
	}
	pipelinetest.Incremental(t, pipelinetest.Case[moment, near]{
		Row: moments(),
		Plan: func(g *Graph, in *Table[moment]) *Table[near] {
			return IntervalsOver(timed(in, false), timed(in, true), Interval{Lower: -2, Upper: 1},
				func(n *near, m moment) { n.At = m },
				Count[moment](func(n *near, c int64) { n.N = c }),
				Sum(func(m moment) int64 { return int64(m.ID) }, func(n *near, s int64) { n.Sum = s }),
				Min(func(m moment) int { return m.At }, func(n *near, at int) { n.Earliest = at }))
		},
		Want: func(rows []moment) (out []near) {
			for _, a := range rows {
				if a.Side {
					continue
				}
				of := near{At: a}
				for _, b := range rows {
					if b.Side && a.Group == b.Group && a.At-2 <= b.At && b.At <= a.At+1 {
						if of.N == 0 || b.At < of.Earliest {
							of.Earliest = b.At
						}
						of.N++
						of.Sum += int64(b.ID)
					}
				}
				out = append(out, of)
			}
			return out
		},
	})
}

func abs(n int) int { return max(n, -n) }

func TestBadTimedJoins(t *testing.T) {
	for says, build := range map[string]func(l, r Timed[moment, string]){
		"is empty": func(l, r Timed[moment, string]) {
			IntervalJoin(l, r, Interval{Lower: 1}, func(l, r moment) int { return 0 })
		},
		"is no direction": func(l, r Timed[moment, string]) { AsOfJoin(l, r, 7, func(l, r moment) int { return 0 }) },
	} {
		g := New(Static())
		in := From(g, "moments", pipelinetest.NewFeed[moment]())
		build(timed(in, false), timed(in, true))
		if err := g.Run(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
