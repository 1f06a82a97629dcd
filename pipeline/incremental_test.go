package pipeline_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// row is the input of most cases. Side tells the two inputs of a join apart, so
// that both can change in one epoch.
type row struct {
	Side  bool
	Group string
	V     int
	F     float64
}

func rows() *rapid.Generator[row] {
	return rapid.Custom(func(t *rapid.T) row {
		return row{
			Side:  rapid.Bool().Draw(t, "side"),
			Group: rapid.SampledFrom([]string{"a", "b", "", "a long name of a group"}).Draw(t, "group"),
			V:     rapid.IntRange(-3, 4).Draw(t, "v"),
			F:     rapid.SampledFrom([]float64{0, 0.1, 0.2, 0.3, -0.3, 1e16, -1e16, 1e300, math.Inf(1)}).Draw(t, "f"),
		}
	})
}

func each[T, O any](rows []T, f func(T) []O) (out []O) {
	for _, r := range rows {
		out = append(out, f(r)...)
	}
	return out
}

func TestFilterIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, row]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[row] {
			return Filter(in, func(r row) bool { return r.V > 0 })
		},
		Want: func(rows []row) []row {
			return slices.DeleteFunc(rows, func(r row) bool { return r.V <= 0 })
		},
	})
}

func TestMapIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, int]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[int] {
			return MapErr(in, func(r row) (int, error) {
				switch r.V {
				case 4:
					return 0, errors.New("four")
				case 3:
					panic("three")
				}
				return r.V / 2, nil
			})
		},
		Want: func(rows []row) []int {
			return each(rows, func(r row) []int {
				if r.V >= 3 {
					return nil
				}
				return []int{r.V / 2}
			})
		},
	})
}

func TestErrorsIncremental(t *testing.T) {
	type failed struct{ Operator, Message string }
	pipelinetest.Incremental(t, pipelinetest.Case[row, failed]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[failed] {
			// A plan that goes on behind the error table, built before the
			// operators whose errors it reads.
			errs := Map(g.Errors(), func(e RowError) failed { return failed{e.Operator, e.Message} })
			Filter(in, func(r row) bool {
				if r.V == 2 {
					panic(errors.New("two"))
				}
				return true
			}).Named("picky")
			FoldBy(in, func(r row) string {
				if r.V == 1 {
					panic("one")
				}
				return r.Group
			}, func(n *int, r row, by int) {
				if r.V == 0 {
					panic("nought")
				}
				*n += by
			}).Named("count")
			return errs
		},
		Want: func(rows []row) []failed {
			return each(rows, func(r row) []failed {
				switch r.V {
				case 0:
					return []failed{{"foldby count", "panic: nought"}}
				case 1:
					return []failed{{"foldby count", "panic: one"}}
				case 2:
					return []failed{{"filter picky", "panic: two"}}
				}
				return nil
			})
		},
		ManyRowsAKey: true,
	})
}

func TestFlatMapIncremental(t *testing.T) {
	split := func(r row) (out []string) {
		for i := range max(r.V, 0) {
			out = append(out, fmt.Sprint(r.Group, i/2))
		}
		return out
	}
	pipelinetest.Incremental(t, pipelinetest.Case[row, string]{
		Row:  rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[string] { return FlatMap(in, split) },
		Want: func(rows []row) []string { return each(rows, split) },
	})
}

// A row whose function fails half-way gives no rows, not half of them.
func TestFlatMapErrIncremental(t *testing.T) {
	failing := func(r row) ([]int, error) {
		if r.V%3 == 0 {
			return []int{r.V}, errors.New("half of it")
		}
		return []int{r.V, -r.V}, nil
	}
	pipelinetest.Incremental(t, pipelinetest.Case[row, int]{
		Row:  rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[int] { return FlatMapErr(in, failing) },
		Want: func(rows []row) []int {
			return each(rows, func(r row) []int {
				if out, err := failing(r); err == nil {
					return out
				}
				return nil
			})
		},
	})
}

func TestConcatIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, int]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[int] {
			v := Map(in, func(r row) int { return r.V })
			w := Map(in, func(r row) int { return -r.V })
			return ConcatFresh(v, w, v)
		},
		Want: func(rows []row) []int { return each(rows, func(r row) []int { return []int{r.V, -r.V, r.V} }) },
	})
	pipelinetest.Incremental(t, pipelinetest.Case[row, row]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[row] {
			return Concat(Filter(in, func(r row) bool { return r.Side }), Filter(in, func(r row) bool { return !r.Side }))
		},
		Want: func(rows []row) []row { return rows },
	})
}

func TestRekeyIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, row]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[row] {
			return Rekey(in, func(r row) Key { return KeyOf(r.Group) })
		},
		Want:         func(rows []row) []row { return rows },
		ManyRowsAKey: true,
	})
}

type groupSum struct {
	Group string
	N     int
	Sum   int
}

func TestFoldIncremental(t *testing.T) {
	sum := func(rows []row) (s groupSum) {
		for _, r := range rows {
			s.N++
			s.Sum += r.V
		}
		return s
	}
	pipelinetest.Incremental(t, pipelinetest.Case[row, groupSum]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[groupSum] {
			return Fold(in, func(s *groupSum, r row, n int) { s.N += n; s.Sum += n * r.V })
		},
		Want: func(rows []row) []groupSum {
			if len(rows) == 0 {
				return nil
			}
			return []groupSum{sum(rows)}
		},
	})
}

func byGroup[O any](rows []row, f func(group string, rows []row) O) (out []O) {
	groups := map[string][]row{}
	for _, r := range rows {
		groups[r.Group] = append(groups[r.Group], r)
	}
	for g, rows := range groups {
		out = append(out, f(g, rows))
	}
	return out
}

func foldByGroup(in *Table[row]) *Table[groupSum] {
	return FoldBy(in, func(r row) string { return r.Group }, func(s *groupSum, r row, n int) {
		s.Group = r.Group
		s.N += n
		s.Sum += n * r.V
	})
}

func naiveFoldBy(rows []row) []groupSum {
	return byGroup(rows, func(g string, rows []row) groupSum {
		s := groupSum{Group: g}
		for _, r := range rows {
			s.N++
			s.Sum += r.V
		}
		return s
	})
}

func TestFoldByIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, groupSum]{
		Row:  rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[groupSum] { return foldByGroup(in) },
		Want: naiveFoldBy,
	})
}

// TestFoldByPanicIncremental: a row on which the function panics counts for
// nothing, even if it had begun to count it.
func TestFoldByPanicIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, groupSum]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[groupSum] {
			return FoldBy(in, key, func(s *groupSum, r row, n int) {
				s.Group = r.Group
				s.N += n
				if r.V < 0 {
					panic("negative")
				}
				s.Sum += n * r.V
			})
		},
		Want: func(rows []row) []groupSum {
			return naiveFoldBy(slices.DeleteFunc(rows, func(r row) bool { return r.V < 0 }))
		},
	})
}

// TestFoldByMapIncremental: an accumulator with pointers in it.
func TestFoldByMapIncremental(t *testing.T) {
	type seen struct {
		Group string
		Count map[int]int
	}
	pipelinetest.Incremental(t, pipelinetest.Case[row, seen]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[seen] {
			return FoldBy(in, func(r row) string { return r.Group }, func(s *seen, r row, n int) {
				s.Group = r.Group
				if s.Count == nil {
					s.Count = map[int]int{}
				}
				if s.Count[r.V] += n; s.Count[r.V] == 0 {
					delete(s.Count, r.V)
				}
			})
		},
		Want: func(rows []row) []seen {
			return byGroup(rows, func(g string, rows []row) seen {
				s := seen{g, map[int]int{}}
				for _, r := range rows {
					s.Count[r.V]++
				}
				return s
			})
		},
	})
}

type stats struct {
	Group      string
	N          int64
	Sum        int
	Small      int8
	Float      float64
	Avg        float64
	Min, Max   int
	First      string
	MinF, MaxF float64
}

func TestGroupByIncremental(t *testing.T) {
	v := func(r row) int { return r.V }
	f := func(r row) float64 { return r.F }
	pipelinetest.Incremental(t, pipelinetest.Case[row, stats]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[stats] {
			return GroupBy(in, func(r row) string { return r.Group }, func(s *stats, g string) { s.Group = g },
				Count[row](func(s *stats, n int64) { s.N = n }),
				Sum(v, func(s *stats, n int) { s.Sum = n }),
				Sum(func(r row) int8 { return int8(r.V) * 10 }, func(s *stats, n int8) { s.Small = n }),
				Sum(f, func(s *stats, x float64) { s.Float = x }),
				Avg(v, func(s *stats, x float64) { s.Avg = x }),
				Min(v, func(s *stats, n int) { s.Min = n }),
				Max(v, func(s *stats, n int) { s.Max = n }),
				Min(func(r row) string { return fmt.Sprint(r.V, r.Side) }, func(s *stats, x string) { s.First = x }),
				Min(f, func(s *stats, x float64) { s.MinF = x }),
				Max(f, func(s *stats, x float64) { s.MaxF = x }))
		},
		Want: func(rows []row) []stats {
			all := byGroup(rows, naiveStats)
			return slices.DeleteFunc(all, func(s stats) bool { return s.Small == overflown })
		},
	})
}

const overflown = -128 // marks a sum of int8 that does not fit; -128 itself is no sum of tens

func naiveStats(g string, rows []row) stats {
	s := stats{Group: g, N: int64(len(rows))}
	small := 0
	exact := new(bigSum)
	for _, r := range rows {
		s.Sum += r.V
		small += 10 * r.V
		exact.add(r.F)
	}
	s.Small = int8(small)
	if small != int(s.Small) {
		s.Small = overflown
	}
	s.Float, s.Avg = exact.value(), float64(s.Sum)/float64(s.N)
	by := func(f func(a, b row) int) (lo, hi row) { return slices.MinFunc(rows, f), slices.MaxFunc(rows, f) }
	lo, hi := by(func(a, b row) int { return cmp.Compare(a.V, b.V) })
	s.Min, s.Max = lo.V, hi.V
	lo, hi = by(func(a, b row) int { return cmp.Compare(a.F, b.F) })
	s.MinF, s.MaxF = lo.F, hi.F
	text := func(r row) string { return fmt.Sprint(r.V, r.Side) }
	lo, _ = by(func(a, b row) int { return cmp.Compare(text(a), text(b)) })
	s.First = text(lo)
	return s
}

func joinPlan(in *Table[row]) (l, r *Table[row]) {
	return Filter(in, func(r row) bool { return !r.Side }).Named("left"), Filter(in, func(r row) bool { return r.Side }).Named("right")
}

func key(r row) string { return r.Group }

func TestJoinIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, string]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[string] {
			l, r := joinPlan(in)
			return Join(l, r, key, key, func(a, b row) string { return fmt.Sprint(a, b) })
		},
		Want: func(rows []row) []string { return naiveJoin(rows, false) },
	})
}

func TestLeftJoinIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, string]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[string] {
			l, r := joinPlan(in)
			return LeftJoin(l, r, key, key, func(a row, b *row) string {
				if b == nil {
					return fmt.Sprint(a, "alone")
				}
				return fmt.Sprint(a, *b)
			})
		},
		Want: func(rows []row) []string { return naiveJoin(rows, true) },
	})
}

func naiveJoin(rows []row, left bool) (out []string) {
	for _, a := range rows {
		matches := 0
		for _, b := range rows {
			if !a.Side && b.Side && a.Group == b.Group {
				out = append(out, fmt.Sprint(a, b))
				matches++
			}
		}
		if left && !a.Side && matches == 0 {
			out = append(out, fmt.Sprint(a, "alone"))
		}
	}
	return out
}

func TestSelfJoinOfGroupsIncremental(t *testing.T) {
	// A join one side of which comes out at the end of the epoch, after the
	// other, and a fold over its result.
	pipelinetest.Incremental(t, pipelinetest.Case[row, groupSum]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[groupSum] {
			sums := foldByGroup(in)
			above := Join(in, sums, key, func(s groupSum) string { return s.Group }, func(r row, s groupSum) row {
				return row{Group: fmt.Sprint(r.V*s.N > s.Sum), V: r.V}
			})
			return foldByGroup(above)
		},
		Want: func(rows []row) []groupSum {
			sums := map[string]groupSum{}
			for _, s := range naiveFoldBy(rows) {
				sums[s.Group] = s
			}
			var above []row
			for _, r := range rows {
				s := sums[r.Group]
				above = append(above, row{Group: fmt.Sprint(r.V*s.N > s.Sum), V: r.V})
			}
			return naiveFoldBy(above)
		},
	})
}
