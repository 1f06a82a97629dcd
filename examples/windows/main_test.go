package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/examples/program/programtest"
)

func TestWindows(t *testing.T) {
	const head = "t,key,value\n"
	a, b, late := "0,1,5\n59,1,6\n60,1,7\n100,2,1\n", "130,1,3\n", "30,2,9\n"
	versions := []map[string]string{{"a.csv": head + a}, {"a.csv": head + a, "b.csv": head + b + late}, {"b.csv": head + b}}
	for _, kind := range []string{"tumbling", "sliding"} {
		hop := map[string]int{"tumbling": 60, "sliding": 20}[kind]
		programtest.Check(t, windows, []string{"--window", kind}, versions, func(files map[string]string) map[string]bool {
			type window struct{ key, start int }
			count, sum := map[window]int{}, map[window]int{}
			for _, text := range files {
				for _, line := range strings.Split(text, "\n") {
					var at, key, value int
					if n, _ := fmt.Sscanf(line, "%d,%d,%d", &at, &key, &value); n < 3 {
						continue
					}
					for start := -60; start <= at; start += hop {
						if at < start+60 {
							count[window{key, start}]++
							sum[window{key, start}] += value
						}
					}
				}
			}
			want := map[string]bool{}
			for w := range count {
				want[programtest.Row(map[string]any{"key": w.key, "start": w.start, "end": w.start + 60, "n": count[w], "total": sum[w]})] = true
			}
			return want
		})
	}
}
