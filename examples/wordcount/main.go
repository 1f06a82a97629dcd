// Command wordcount counts words: every file of JSON lines in a folder, one
// object with a "word" a line, and how often each word occurs as a change stream.
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

// Line is a row of the input: an object with a member "word".
type Line struct {
	Word string `json:"word"`
}

// Count is a row of the output; there is one for each word.
type Count struct {
	Word  string `csv:"word" json:"word"`
	Count int    `csv:"count" json:"count"`
}

// plan says how the output is made from the input. It is the same for files
// read once and for files that go on changing.
func plan(g *pipeline.Graph, input, output, state string) error {
	lines := jsonio.Read[Line](g, input, jsonio.Exclude(output, state))
	counts := pipeline.FoldBy(lines, func(l Line) string { return l.Word }, func(c *Count, l Line, n int) {
		c.Word = l.Word
		c.Count += n
	})
	switch {
	case strings.HasSuffix(output, ".csv"):
		csvio.Write(counts, output)
	case strings.HasSuffix(output, ".jsonl"):
		jsonio.Write(counts, output)
	case output == "null":
		nullio.Write(counts)
	default:
		return fmt.Errorf("--output %s: its name must end in .csv or .jsonl, or be null", output)
	}
	return nil
}

const usage = `Usage: wordcount --input DIR --output FILE [flags]

Reads every file of JSON lines in DIR and the folders below ({"word":"x"}, one
a line) and writes how often each word occurs to FILE as a change stream: the
line "x,7,3,1" says that from epoch 3 on x occurs 7 times, and the same with -1
at its end that it no longer does.

  --mode static     reads what is there, writes the counts, and ends (default)
  --mode streaming  goes on: try it, then add, edit and delete files in DIR
  --state DIR       keeps the state, so that a later run goes on where this one
                    stopped, even if it was killed: nothing is lost, counted or
                    written twice
  --threads N       number of workers (default: one per processor)
  --output FILE     *.csv, *.jsonl, or null to write nothing
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "wordcount:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("wordcount", flag.ContinueOnError)
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
