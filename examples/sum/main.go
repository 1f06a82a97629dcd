// Command sum adds up a column: every CSV file in a folder, the rows whose value
// is not negative, their sum as a change stream. It is the smallest program of
// package pipeline that does something: read it, copy it, change it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/csvio"
	"github.com/ragserver/ragserver/pipeline/jsonio"
	"github.com/ragserver/ragserver/pipeline/nullio"
)

// Reading is a row of the input: a line of a CSV file with a column "value".
type Reading struct {
	Value int `csv:"value"`
}

// Total is a row of the output; there is one.
type Total struct {
	Sum int `csv:"sum" json:"sum"`
}

// plan says how the output is made from the input. It is the same for files
// read once and for files that go on changing.
func plan(g *pipeline.Graph, input, output, state string) error {
	readings := csvio.Read[Reading](g, input, csvio.Exclude(output, state))
	valid := pipeline.Filter(readings, func(r Reading) bool { return r.Value >= 0 })
	total := pipeline.Fold(valid, func(t *Total, r Reading, n int) { t.Sum += n * r.Value })
	switch {
	case strings.HasSuffix(output, ".csv"):
		csvio.Write(total, output)
	case strings.HasSuffix(output, ".jsonl"):
		jsonio.Write(total, output)
	case output == "null":
		nullio.Write(total)
	default:
		return fmt.Errorf("--output %s: its name must end in .csv or .jsonl, or be null", output)
	}
	return nil
}

const usage = `Usage: sum --input DIR --output FILE [flags]

Reads every CSV file in DIR and the folders below (a line of names, among them
"value"), leaves out negative values, and writes the sum of the others to FILE
as a change stream: {"sum":7,"time":3,"diff":1} says that from epoch 3 on the
sum is 7, and the same with "diff":-1 that it no longer is.

  --mode static     reads what is there, writes the sum, and ends (default)
  --mode streaming  goes on: try it, then add, edit and delete files in DIR
  --state DIR       keeps the state, so that a later run goes on where this one
                    stopped, even if it was killed: nothing is lost, counted or
                    written twice
  --threads N       number of workers (default: one per processor)
  --output FILE     *.csv, *.jsonl, or null to write nothing

A file in streaming mode:
  mkdir in && printf 'value\n4\n' > in/a.csv
  go run ./examples/sum --input in --output out.jsonl --mode streaming &
  printf '3\n' >> in/a.csv; sleep 1; cat out.jsonl
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "sum:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("sum", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprint(stderr, usage) }
	input, output := f.String("input", "", ""), f.String("output", "", "")
	state, mode := f.String("state", "", ""), f.String("mode", "static", "")
	threads := f.Int("threads", 0, "")
	switch err := f.Parse(args); {
	case err == flag.ErrHelp:
		return nil
	case err != nil:
		return err
	case *input == "" || *output == "" || f.NArg() > 0:
		return fmt.Errorf("--input and --output are needed, and nothing else; see --help")
	case *mode != "static" && *mode != "streaming":
		return fmt.Errorf("--mode %s: there is static and streaming", *mode)
	}
	options := []pipeline.Option{pipeline.Logger(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))}
	if *mode == "static" {
		options = append(options, pipeline.Static())
	}
	if *state != "" {
		options = append(options, pipeline.State(*state))
	}
	if *threads > 0 {
		options = append(options, pipeline.Workers(*threads))
	}
	g := pipeline.New(options...)
	if err := plan(g, *input, *output, *state); err != nil {
		return err
	}
	return g.Run(ctx)
}
