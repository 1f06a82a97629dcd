package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// table prints the medians of each yardstick, in millions of rows per CPU second and
// megabytes.
func table(w io.Writer, all []figures) {
	median := func(name, program string, threads int, state bool, of func(figures) float64) float64 {
		var v []float64
		for _, f := range all {
			if f.Yardstick == name && f.Program == program && f.Threads == threads && f.State == state {
				v = append(v, of(f))
			}
		}
		if len(v) == 0 {
			return 0
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	perCPU := func(f figures) float64 { return float64(f.Rows) / f.CPU / 1e6 }
	wall := func(f figures) float64 { return f.Wall }
	rss := func(f figures) float64 { return float64(f.RSS) }
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trows\tours M/CPU s\twith state\tPathway M/CPU s\tratio\twall 1 core\t2 cores\tgain\tMB\tPathway MB\t")
	var done []string
	for _, f := range all {
		if slices.Contains(done, f.Yardstick) {
			continue
		}
		done = append(done, f.Yardstick)
		n := f.Yardstick
		ours, theirs := median(n, "ours", 1, false, perCPU), median(n, "Pathway", 1, false, perCPU)
		one, two := median(n, "ours", 1, false, wall), median(n, "ours", 2, false, wall)
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.3f\t", n, f.Rows, ours, median(n, "ours", 1, true, perCPU), theirs)
		if theirs > 0 {
			fmt.Fprintf(t, "%.1f\t", ours/theirs)
		} else {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprintf(t, "%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t\n", one, two, one/two, median(n, "ours", 1, false, rss), median(n, "Pathway", 1, false, rss))
	}
	t.Flush()
}
