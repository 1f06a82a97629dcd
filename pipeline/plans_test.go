package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// small is a row that every operator of a random plan takes and gives.
type small struct {
	A, B int
}

// step is an operator of a random plan: how to build it, and what it makes of
// rows. in2 is a second table, for operators that want one.
type planStep struct {
	name  string
	build func(in, in2 *Table[small]) *Table[small]
	eval  func(in, in2 []small) []small
}

func planSteps() []planStep {
	add := func(acc *small, r small, n int) { acc.A = r.A; acc.B += n * r.B }
	byA := func(r small) int { return r.A }
	group := func(rows []small, f func(a int, rows []small) small) (out []small) {
		groups := map[int][]small{}
		for _, r := range rows {
			groups[r.A] = append(groups[r.A], r)
		}
		for a, rows := range groups {
			out = append(out, f(a, rows))
		}
		return out
	}
	sum := func(a int, rows []small) small {
		s := small{A: a}
		for _, r := range rows {
			s.B += r.B
		}
		return s
	}
	pairs := func(l, r small) small { return small{l.A, l.B + 3*r.B} }
	join := func(l, r []small, left bool) (out []small) {
		for _, x := range l {
			found := false
			for _, y := range r {
				if x.A == y.A {
					out, found = append(out, pairs(x, y)), true
				}
			}
			if left && !found {
				out = append(out, small{x.A, -1})
			}
		}
		return out
	}
	match := func(l, r []small, want bool) []small {
		return slices.DeleteFunc(slices.Clone(l), func(x small) bool {
			return slices.ContainsFunc(r, func(y small) bool { return x.A == y.A }) != want
		})
	}
	return []planStep{
		{"filter",
			func(in, _ *Table[small]) *Table[small] { return Filter(in, func(r small) bool { return r.B%3 != 0 }) },
			func(in, _ []small) []small {
				return slices.DeleteFunc(slices.Clone(in), func(r small) bool { return r.B%3 == 0 })
			}},
		{"map",
			func(in, _ *Table[small]) *Table[small] {
				return Map(in, func(r small) small { return small{r.B % 3, r.A} })
			},
			func(in, _ []small) []small { return each(in, func(r small) []small { return []small{{r.B % 3, r.A}} }) }},
		{"flatmap",
			func(in, _ *Table[small]) *Table[small] {
				return FlatMap(in, func(r small) []small { return []small{r, {r.A + 1, 1}}[:max(0, min(2, r.B))] })
			},
			func(in, _ []small) []small {
				return each(in, func(r small) []small { return []small{r, {r.A + 1, 1}}[:max(0, min(2, r.B))] })
			}},
		{"concat",
			func(in, in2 *Table[small]) *Table[small] { return ConcatFresh(in, in2) },
			func(in, in2 []small) []small { return append(slices.Clone(in), in2...) }},
		{"windows",
			func(in, _ *Table[small]) *Table[small] {
				w := IntoWindows(in, Sliding(3*time.Second, 2*time.Second), func(r small) time.Time { return time.Unix(int64(r.B), 0) })
				return Map(w, func(r InWindow[small]) small { return small{r.Row.A, int(r.Window.Start.Unix())} })
			},
			func(in, _ []small) []small {
				return each(in, func(r small) (out []small) {
					for start := r.B - 2; start <= r.B; start++ {
						if start%2 == 0 {
							out = append(out, small{r.A, start})
						}
					}
					return out
				})
			}},
		{"foldby",
			func(in, _ *Table[small]) *Table[small] { return FoldBy(in, byA, add) },
			func(in, _ []small) []small { return group(in, sum) }},
		{"max",
			func(in, _ *Table[small]) *Table[small] {
				return GroupBy(in, byA, func(r *small, a int) { r.A = a },
					Max(func(r small) int { return r.B }, func(r *small, b int) { r.B = b }))
			},
			func(in, _ []small) []small {
				return group(in, func(a int, rows []small) small {
					return small{a, slices.MaxFunc(rows, func(x, y small) int { return x.B - y.B }).B}
				})
			}},
		{"distinct",
			func(in, _ *Table[small]) *Table[small] {
				return GroupBy(in, byA, func(r *small, a int) { r.A = a },
					CountDistinct(func(r small) int { return r.B }, func(r *small, n int64) { r.B = int(n) }))
			},
			func(in, _ []small) []small {
				return group(in, func(a int, rows []small) small {
					different := map[int]bool{}
					for _, r := range rows {
						different[r.B] = true
					}
					return small{a, len(different)}
				})
			}},
		{"list",
			func(in, _ *Table[small]) *Table[small] {
				return GroupBy(in, byA, func(r *small, a int) { r.A = a },
					SortedList(func(r small) int { return r.B }, func(r *small, all []int) { r.B = all[len(all)/2] }))
			},
			func(in, _ []small) []small {
				return group(in, func(a int, rows []small) small {
					slices.SortFunc(rows, func(x, y small) int { return x.B - y.B })
					return small{a, rows[len(rows)/2].B}
				})
			}},
		{"join",
			func(in, in2 *Table[small]) *Table[small] { return Join(in, in2, byA, byA, pairs) },
			func(in, in2 []small) []small { return join(in, in2, false) }},
		{"rightjoin",
			func(in, in2 *Table[small]) *Table[small] {
				return RightJoin(in2, in, byA, byA, func(l *small, r small) small {
					if l == nil {
						return small{r.A, -1}
					}
					return pairs(r, *l)
				})
			},
			func(in, in2 []small) []small { return join(in, in2, true) }},
		{"outerjoin",
			func(in, in2 *Table[small]) *Table[small] {
				return OuterJoin(in, in2, byA, byA, func(l, r *small) small {
					switch {
					case r == nil:
						return small{l.A, -1}
					case l == nil:
						return small{r.A, -2}
					}
					return pairs(*l, *r)
				})
			},
			func(in, in2 []small) []small {
				return append(join(in, in2, true), each(match(in2, in, false), func(r small) []small { return []small{{r.A, -2}} })...)
			}},
		{"semijoin",
			func(in, in2 *Table[small]) *Table[small] { return SemiJoin(in, in2, byA, byA) },
			func(in, in2 []small) []small { return match(in, in2, true) }},
		{"antijoin",
			func(in, in2 *Table[small]) *Table[small] { return AntiJoin(in, in2, byA, byA) },
			func(in, in2 []small) []small { return match(in, in2, false) }},
		{"leftjoin",
			func(in, in2 *Table[small]) *Table[small] {
				return LeftJoin(in, in2, byA, byA, func(l small, r *small) small {
					if r == nil {
						return small{l.A, -1}
					}
					return pairs(l, *r)
				})
			},
			func(in, in2 []small) []small { return join(in, in2, true) }},
		{"async",
			func(in, _ *Table[small]) *Table[small] {
				return Async(in, "async", func(_ context.Context, r small) (small, error) { return small{r.A, r.B + 1}, nil }, AsyncOptions[small, small]{Workers: 2})
			},
			func(in, _ []small) []small { return each(in, func(r small) []small { return []small{{r.A, r.B + 1}} }) }},
	}
}

// TestRandomPlans: plans of up to five operators, each of which reads any of the
// tables before it.
func TestRandomPlans(t *testing.T) {
	type use struct {
		step    planStep
		in, in2 int
	}
	rapid.Check(t, func(t *rapid.T) {
		var plan []use
		later := false
		for i := range rapid.IntRange(1, 5).Draw(t, "operators") {
			u := use{rapid.SampledFrom(planSteps()).Draw(t, "op"), rapid.IntRange(0, i).Draw(t, "in"), rapid.IntRange(0, i).Draw(t, "in2")}
			later = later || u.step.name == "async"
			plan = append(plan, u)
		}
		c := pipelinetest.Case[small, small]{
			Row: rapid.Custom(func(t *rapid.T) small {
				return small{rapid.IntRange(0, 3).Draw(t, "a"), rapid.IntRange(-2, 4).Draw(t, "b")}
			}),
			Plan: func(g *Graph, in *Table[small]) *Table[small] {
				tables := []*Table[small]{in}
				for i, u := range plan {
					tables = append(tables, u.step.build(tables[u.in], tables[u.in2]).Named(fmt.Sprint(u.step.name, i)))
				}
				return tables[len(tables)-1]
			},
			Want: func(rows []small) []small {
				tables := [][]small{rows}
				for _, u := range plan {
					tables = append(tables, u.step.eval(tables[u.in], tables[u.in2]))
				}
				return tables[len(plan)]
			},
			Later: later,
			Keys:  8, // joins of joins of more rows grow without end
		}
		c.Check(t)
	})
}
