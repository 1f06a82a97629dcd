package pipeline_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

type chosen struct {
	Group          string
	Least, Most    row
	LeastOfText    int
	Some           row
	Distinct       int64
	Different      int64
	Product        int
	Own            map[int]int
	Positive       int
	PositiveMedian int
}

func TestAggregatesIncremental(t *testing.T) {
	v := func(r row) int { return r.V }
	all := func(r row) row { return r }
	text := func(r row) string { return strings.Repeat("\x00", max(r.V, 0)) + fmt.Sprint(r.Side) }
	positive := func(r row) bool { return r.V > 0 }
	pipelinetest.Incremental(t, pipelinetest.Case[row, chosen]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[chosen] {
			return GroupBy(in, key, func(c *chosen, g string) { c.Group = g },
				ArgMin(v, all, func(c *chosen, r row) { c.Least = r }),
				ArgMax(func(r row) float64 { return r.F }, all, func(c *chosen, r row) { c.Most = r }),
				ArgMin(text, v, func(c *chosen, v int) { c.LeastOfText = v }),
				Any(all, func(c *chosen, r row) { c.Some = r }),
				CountDistinct(v, func(c *chosen, n int64) { c.Distinct = n }),
				CountDistinct(all, func(c *chosen, n int64) { c.Different = n }),
				Reduce(v, func(p *int, v, n int) {
					for range n {
						*p = (*p+1)*(v+10)%1009 + 1
					}
				}, func(c *chosen, p int) { c.Product = p }),
				Accumulate(func(m *map[int]int, r row, n int) {
					if r.V == 4 {
						panic("four")
					}
					// A map that is changed in place could not be taken back.
					next := map[int]int{}
					for v, n := range *m {
						next[v] = n
					}
					if next[r.V] += n; next[r.V] == 0 {
						delete(next, r.V)
					}
					*m = next
				}, func(c *chosen, m map[int]int) { c.Own = m }),
				When(positive, Max(v, func(c *chosen, v int) { c.Positive = v })),
				When(positive, List(v, func(c *chosen, vs []int) {
					slices.Sort(vs)
					c.PositiveMedian = vs[len(vs)/2]
				})))
		},
		Want: func(rows []row) []chosen {
			rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.V == 4 })
			return byGroup(rows, func(g string, rows []row) chosen {
				least := func(of func(a, b row) int) row {
					return slices.MinFunc(rows, func(a, b row) int { return cmp.Or(of(a, b), cmpEncoded(a, b)) })
				}
				c := chosen{Group: g, Own: map[int]int{}}
				c.Least = least(func(a, b row) int { return cmp.Compare(a.V, b.V) })
				c.Most = slices.MaxFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.F, b.F), cmpEncoded(a, b)) })
				c.LeastOfText = slices.MinFunc(rows, func(a, b row) int {
					return cmp.Or(cmp.Compare(text(a), text(b)), slices.Compare(little(a.V), little(b.V)))
				}).V
				c.Some = least(func(a, b row) int { return 0 })
				distinct, different := map[int]bool{}, map[row]bool{}
				var vs []int
				for _, r := range rows {
					distinct[r.V], different[r] = true, true
					c.Own[r.V]++
					if r.V > 0 {
						vs = append(vs, r.V)
					}
				}
				c.Distinct, c.Different = int64(len(distinct)), int64(len(different))
				in := slices.Clone(rows)
				slices.SortFunc(in, func(a, b row) int { return slices.Compare(little(a.V), little(b.V)) })
				for _, r := range in {
					c.Product = (c.Product+1)*(r.V+10)%1009 + 1
				}
				if len(vs) > 0 {
					slices.Sort(vs)
					c.Positive, c.PositiveMedian = vs[len(vs)-1], vs[len(vs)/2]
				}
				return c
			})
		},
	})
}

// little is how an int is encoded.
func little(v int) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return b
}

// cmpEncoded orders rows of one group as their encodings.
func cmpEncoded(a, b row) int {
	enc := func(r row) []byte {
		side := byte(0)
		if r.Side {
			side = 1
		}
		return slices.Concat([]byte{side}, little(r.V), little(int(math.Float64bits(r.F))))
	}
	return slices.Compare(enc(a), enc(b))
}

func TestUniqueIncremental(t *testing.T) {
	type only struct {
		Group string
		V     int
		F     float64
	}
	few := rapid.Custom(func(t *rapid.T) row {
		r := rows().Draw(t, "row")
		r.V /= 3
		r.F = rapid.SampledFrom([]float64{0, math.Copysign(0, -1)}).Draw(t, "zero")
		return r
	})
	pipelinetest.Incremental(t, pipelinetest.Case[row, only]{
		Row:  few,
		Keys: 8,
		Plan: func(g *Graph, in *Table[row]) *Table[only] {
			return GroupBy(in, key, func(o *only, g string) { o.Group = g },
				Unique(func(r row) int { return r.V }, func(o *only, v int) { o.V = v }),
				Unique(func(r row) float64 { return r.F }, func(o *only, f float64) { o.F = f }))
		},
		Want: func(rows []row) []only {
			all := byGroup(rows, func(g string, rows []row) *only {
				for _, r := range rows {
					if r.V != rows[0].V {
						return nil
					}
				}
				return &only{g, rows[0].V, 0}
			})
			return each(all, func(o *only) []only {
				if o == nil {
					return nil
				}
				return []only{*o}
			})
		},
	})
}

func TestListsIncremental(t *testing.T) {
	type lists struct {
		Group  string
		Plain  []string
		Sorted []float64
		By     []bool
	}
	pipelinetest.Incremental(t, pipelinetest.Case[row, lists]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[lists] {
			return GroupBy(in, key, func(l *lists, g string) { l.Group = g },
				List(func(r row) string { return fmt.Sprint(r.V + 5) }, func(l *lists, v []string) { l.Plain = v }),
				SortedList(func(r row) float64 { return r.F }, func(l *lists, v []float64) { l.Sorted = v }),
				ListBy(func(r row) int { return -r.V }, func(r row) bool { return r.Side }, func(l *lists, v []bool) { l.By = v }))
		},
		Want: func(rows []row) []lists {
			return byGroup(rows, func(g string, rows []row) lists {
				l := lists{Group: g}
				rows = slices.Clone(rows)
				slices.SortFunc(rows, func(a, b row) int {
					if d := cmp.Compare(b.V, a.V); d != 0 || a.Side == b.Side {
						return d
					} else if a.Side {
						return 1
					}
					return -1
				})
				for _, r := range rows {
					l.Plain = append(l.Plain, fmt.Sprint(r.V+5))
					l.Sorted = append(l.Sorted, r.F)
					l.By = append(l.By, r.Side)
				}
				slices.Sort(l.Plain)
				slices.Sort(l.Sorted)
				return l
			})
		},
	})
}

// TestAggregateOfNoCodec: a value that cannot be kept is a mistake of the plan.
func TestAggregateOfNoCodec(t *testing.T) {
	type r struct{}
	f := func(int) func() { return nil }
	set := func(*r, func()) {}
	for want, agg := range map[string]Agg[int, r]{
		"any":        Any(f, set),
		"unique":     Unique(f, set),
		"argmin":     ArgMin(func(i int) int { return i }, f, set),
		"list":       List(f, func(*r, []func()) {}),
		"reduce":     Reduce(f, func(*int, func(), int) {}, func(*r, int) {}),
		"accumulate": Accumulate(func(*func(), int, int) {}, set),
	} {
		g := New()
		Aggregate(From(g, "in", pipelinetest.NewFeed[int]()), When(func(int) bool { return true }, agg))
		if err := g.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want+": codec") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
