// Package program is what the example programs have in common: a command line
// that says where rows come from, where changes go, whether the files are read
// once or followed, and where state is kept. What is computed, each program
// says itself, in its Plan; that is the part to copy and change.
package program

import (
	"context"
	"errors"
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

// Program is a program over files.
type Program struct {
	Name string
	// About says what it does, Example how it is used; --help shows them
	// before and behind the flags.
	About, Example string
	// Plan says how the output is made from the input. It is the same for
	// files read once and for files that go on changing.
	Plan func(g *pipeline.Graph, f Files) error
	// Flags, if not nil, adds flags of its own; Example says what they do.
	Flags func(*flag.FlagSet)
}

// Files are the paths that the command line names.
type Files struct {
	Input  string // a folder
	Output string // a file, or "null"
	State  string // a folder, "" for none
}

const flagsUsage = `
  --mode static     reads what is there, writes the result, and ends (default)
  --mode streaming  goes on: try it, then add, edit and delete files in DIR
  --state DIR       keeps the state, so that a later run goes on where this one
                    stopped, even if it was killed: nothing is lost, counted or
                    written twice
  --threads N       number of workers (default: one per processor)
  --output FILE     *.csv, *.jsonl, or null to write nothing
`

// Main is the whole program.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.Run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", p.Name, err)
		os.Exit(1)
	}
}

// Run runs the program with a command line until its input has ended or ctx
// has.
func (p Program) Run(ctx context.Context, args []string, stderr io.Writer) error {
	f := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintf(stderr, "Usage: %s --input DIR --output FILE [flags]\n\n%s%s%s", p.Name, p.About, flagsUsage, p.Example)
	}
	var files Files
	f.StringVar(&files.Input, "input", "", "")
	f.StringVar(&files.Output, "output", "", "")
	f.StringVar(&files.State, "state", "", "")
	mode, threads := f.String("mode", "static", ""), f.Int("threads", 0, "")
	if p.Flags != nil {
		p.Flags(f)
	}
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case files.Input == "" || files.Output == "" || f.NArg() > 0:
		return errors.New("--input and --output are needed, and nothing else; see --help")
	case *mode != "static" && *mode != "streaming":
		return fmt.Errorf("--mode %s: there is static and streaming", *mode)
	}
	options := []pipeline.Option{pipeline.Logger(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))}
	if *mode == "static" {
		options = append(options, pipeline.Static())
	}
	if files.State != "" {
		options = append(options, pipeline.State(files.State))
	}
	if *threads > 0 {
		options = append(options, pipeline.Workers(*threads))
	}
	g := pipeline.New(options...)
	if err := p.Plan(g, files); err != nil {
		return err
	}
	return g.Run(ctx)
}

// Write has the changes of a table written in the format that the name of the
// output asks for.
func Write[T any](t *pipeline.Table[T], output string) error {
	switch {
	case strings.HasSuffix(output, ".csv"):
		csvio.Write(t, output)
	case strings.HasSuffix(output, ".jsonl"):
		jsonio.Write(t, output)
	case output == "null":
		nullio.Write(t)
	default:
		return fmt.Errorf("--output %s: its name must end in .csv or .jsonl, or be null", output)
	}
	return nil
}
