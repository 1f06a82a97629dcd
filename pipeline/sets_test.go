package pipeline_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// Cases with two tables that have keys in common: the sums of the groups of each
// side, under the keys of their groups.

func sidesOf(in *Table[row]) (l, r *Table[groupSum]) {
	left, right := joinPlan(in)
	return foldByGroup(left).Named("left sums"), foldByGroup(right).Named("right sums")
}

func naiveSides(rows []row) (l, r map[string]groupSum) {
	l, r = map[string]groupSum{}, map[string]groupSum{}
	split := func(side bool) (out []row) {
		for _, x := range rows {
			if x.Side == side {
				out = append(out, x)
			}
		}
		return out
	}
	for _, s := range naiveFoldBy(split(false)) {
		l[s.Group] = s
	}
	for _, s := range naiveFoldBy(split(true)) {
		r[s.Group] = s
	}
	return l, r
}

func TestSetsIncremental(t *testing.T) {
	for name, c := range map[string]struct {
		plan func(l, r *Table[groupSum]) *Table[groupSum]
		want func(l groupSum, inL bool, r groupSum, inR bool) (groupSum, bool)
	}{
		"intersect":  {Intersect[groupSum, groupSum], func(l groupSum, inL bool, _ groupSum, inR bool) (groupSum, bool) { return l, inL && inR }},
		"difference": {Difference[groupSum, groupSum], func(l groupSum, inL bool, _ groupSum, inR bool) (groupSum, bool) { return l, inL && !inR }},
		"update rows": {UpdateRows[groupSum], func(l groupSum, inL bool, r groupSum, inR bool) (groupSum, bool) {
			if inR {
				return r, true
			}
			return l, inL
		}},
		"update cells": {
			func(l, r *Table[groupSum]) *Table[groupSum] {
				return UpdateCells(l, r, func(l, r groupSum) groupSum { l.Sum = r.Sum; return l })
			},
			func(l groupSum, inL bool, r groupSum, inR bool) (groupSum, bool) {
				if inR {
					l.Sum = r.Sum
				}
				return l, inL
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pipelinetest.Incremental(t, pipelinetest.Case[row, groupSum]{
				Row:  rows(),
				Plan: func(g *Graph, in *Table[row]) *Table[groupSum] { return c.plan(sidesOf(in)) },
				Want: func(rows []row) (out []groupSum) {
					l, r := naiveSides(rows)
					for _, group := range []string{"a", "b", "", "a long name of a group"} {
						a, inL := l[group]
						b, inR := r[group]
						if x, ok := c.want(a, inL, b, inR); ok {
							out = append(out, x)
						}
					}
					return out
				},
			})
		})
	}
}

// What is updated, not what it is joined with, gives the keys: so a table that is
// updated can be updated again.
func TestUpdateTwiceIncremental(t *testing.T) {
	pipelinetest.Incremental(t, pipelinetest.Case[row, groupSum]{
		Row: rows(),
		Plan: func(g *Graph, in *Table[row]) *Table[groupSum] {
			l, r := sidesOf(in)
			return UpdateRows(Difference(UpdateRows(l, r), r), r)
		},
		Want: func(rows []row) (out []groupSum) {
			l, r := naiveSides(rows)
			for group, s := range l {
				if _, ok := r[group]; !ok {
					out = append(out, s)
				}
			}
			for _, s := range r {
				out = append(out, s)
			}
			return out
		},
	})
}

func TestLookupIncremental(t *testing.T) {
	byGroup := func(r row) Key { return KeyOf(r.Group) }
	plan := func(in *Table[row]) (*Table[row], *Table[groupSum]) {
		l, r := joinPlan(in)
		return l, Rekey(foldByGroup(r), func(s groupSum) Key { return KeyOf(s.Group) })
	}
	for name, optional := range map[string]bool{"lookup": false, "or": true} {
		t.Run(name, func(t *testing.T) {
			pipelinetest.Incremental(t, pipelinetest.Case[row, string]{
				Row: rows(),
				Plan: func(g *Graph, in *Table[row]) *Table[string] {
					l, sums := plan(in)
					if !optional {
						return Lookup(l, byGroup, sums, func(r row, s groupSum) string { return fmt.Sprint(r, s) })
					}
					return LookupOr(l, byGroup, sums, func(r row, s *groupSum) string {
						if s == nil {
							return fmt.Sprint(r, "none")
						}
						return fmt.Sprint(r, *s)
					})
				},
				Want: func(rows []row) (out []string) {
					_, sums := naiveSides(rows)
					for _, r := range rows {
						s, ok := sums[r.Group]
						switch {
						case r.Side:
						case ok:
							out = append(out, fmt.Sprint(r, s))
						case optional:
							out = append(out, fmt.Sprint(r, "none"))
						}
					}
					return out
				},
			})
		})
	}
	t.Run("errors", func(t *testing.T) {
		pipelinetest.Incremental(t, pipelinetest.Case[row, string]{
			Row: rows(),
			Plan: func(g *Graph, in *Table[row]) *Table[string] {
				l, sums := plan(in)
				Lookup(l, byGroup, sums, func(r row, s groupSum) string { return "" })
				return Map(g.Errors(), func(e RowError) string { return e.Message })
			},
			Want: func(rows []row) (out []string) {
				_, sums := naiveSides(rows)
				for _, r := range rows {
					if _, ok := sums[r.Group]; !ok && !r.Side {
						out = append(out, ErrNoRow.Error())
					}
				}
				return out
			},
		})
	})
}

// SemiJoin and AntiJoin share out the left rows, under their own keys.
func TestSemiJoinKeepsKeys(t *testing.T) {
	feed := pipelinetest.NewFeed[row]()
	keys := []Key{KeyOf("1"), KeyOf("2"), KeyOf("3")}
	feed.Send(Change[row]{Key: keys[0], Row: row{Group: "a"}, N: 1}, Change[row]{Key: keys[1], Row: row{Group: "b"}, N: 1},
		Change[row]{Key: keys[2], Row: row{Group: "a", Side: true}, N: 1})
	feed.End()
	g := New(Static())
	l, r := joinPlan(From(g, "rows", feed))
	var mu sync.Mutex // each subscription has a goroutine of its own
	seen := map[string][]Key{}
	for name, t := range map[string]*Table[row]{"semi": SemiJoin(l, r, key, key), "anti": AntiJoin(l, r, key, key)} {
		Subscribe(t, func(_ uint64, cs []Change[row]) error {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range cs {
				seen[name] = append(seen[name], c.Key)
			}
			return nil
		})
	}
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen["semi"], keys[:1]) || !slices.Equal(seen["anti"], keys[1:2]) {
		t.Errorf("%v", seen)
	}
}
