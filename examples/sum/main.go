// Command sum adds up a column: every CSV file in a folder, the rows whose value
// is not negative, their sum as a change stream. It is the smallest program of
// package pipeline that does something: read it, copy it, change it.
package main

import (
	"github.com/ragserver/ragserver/examples/program"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/csvio"
)

// Reading is a row of the input: a line of a CSV file with a column "value".
type Reading struct {
	Value int `csv:"value"`
}

// Total is a row of the output; there is one.
type Total struct {
	Sum int `csv:"sum" json:"sum"`
}

func plan(g *pipeline.Graph, f program.Files) error {
	readings := csvio.Read[Reading](g, f.Input, csvio.Exclude(f.Output, f.State), csvio.KeepIf(f.State != ""))
	valid := pipeline.Filter(readings, func(r Reading) bool { return r.Value >= 0 })
	total := pipeline.Fold(valid, func(t *Total, r Reading, n int) { t.Sum += n * r.Value })
	return program.Write(total, f.Output)
}

var sum = program.Program{
	Name: "sum",
	Plan: plan,
	About: `Reads every CSV file in DIR and the folders below (a line of names, among them
"value"), leaves out negative values, and writes the sum of the others to FILE
as a change stream: {"sum":7,"time":3,"diff":1} says that from epoch 3 on the
sum is 7, and the same with "diff":-1 that it no longer is.
`,
	Example: `
A file in streaming mode:
  mkdir in && printf 'value\n4\n' > in/a.csv
  go run ./examples/sum --input in --output out.jsonl --mode streaming &
  printf '3\n' >> in/a.csv; sleep 1; cat out.jsonl
`,
}

func main() { sum.Main() }
