package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/examples/program/programtest"
)

func TestPageRank(t *testing.T) {
	const head = "u,v\n"
	a, b := "1,2\n1,3\n2,3\n3,1\n4,3\n", "1,4\n5,1\n1,2\n"
	programtest.Check(t, pagerank, nil,
		[]map[string]string{{"a.csv": head + a}, {"a.csv": head + a, "b.csv": head + b}, {"b.csv": head + b}, {"b.csv": head}},
		func(files map[string]string) map[string]bool {
			var edges [][2]int
			degree, rank := map[int]int{}, map[int]int{}
			for _, text := range files {
				for _, line := range strings.Split(text, "\n") {
					var u, v int
					if n, _ := fmt.Sscanf(line, "%d,%d", &u, &v); n == 2 {
						edges = append(edges, [2]int{u, v})
						degree[u]++
						rank[u], rank[v] = start, start
					}
				}
			}
			for range steps {
				next := map[int]int{}
				for n := range rank {
					next[n] = base
				}
				for _, e := range edges {
					next[e[1]] += rank[e[0]] * 5 / (degree[e[0]] * 6)
				}
				rank = next
			}
			want := map[string]bool{}
			for n, r := range rank {
				want[programtest.Row(map[string]any{"node": n, "rank": r})] = true
			}
			return want
		})
}
