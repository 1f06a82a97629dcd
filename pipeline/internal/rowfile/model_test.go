package rowfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/pipeline/internal/rowfile"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbers is a format of one whole number a line.
var numbers = rowfile.Format[int]{Name: "numbers", New: func([]byte) rowfile.Parser[int] { return numberParser{} }}

type numberParser struct{}

func (numberParser) Header() ([]byte, error) { return nil, nil }

func (numberParser) Parse(b []byte, final bool, yield func(at, line int, row *int, err error)) (n, lines int) {
	for n < len(b) {
		text, _, ok := strings.Cut(string(b[n:]), "\n")
		if !ok && !final {
			break
		}
		v, err := strconv.Atoi(text)
		yield(n, lines, &v, err)
		n = min(n+len(text)+1, len(b))
		lines++
	}
	return n, lines
}

// rowsOf is the plain answer: every whole number in every file.
func rowsOf(t *rapid.T, dir string) []int {
	var rows []int
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.SplitSeq(string(b), "\n") {
			if v, err := strconv.Atoi(l); err == nil {
				rows = append(rows, v)
			}
		}
	}
	slices.Sort(rows)
	return rows
}

const patience = 30 * time.Second

// TestAgainstTheFiles does random things to files while they are followed, with
// restarts and crashes between, and compares with a plain reading.
func TestAgainstTheFiles(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		in := pipelinetest.NewInput[int](t, false)
		for range rapid.IntRange(1, 4).Draw(rt, "runs") {
			if rapid.IntRange(0, 2).Draw(rt, "crash") == 0 {
				in.CrashAt(rapid.IntRange(1, 3).Draw(rt, "at"), rapid.Bool().Draw(rt, "after"))
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := &ending{c: make(chan struct{})}
			go func() {
				done.err = (&rowfile.Source[int]{Path: dir, Format: numbers, Options: rowfile.Options{Settle: time.Millisecond}}).Run(ctx, in)
				close(done.c)
			}()
			for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
				for range rapid.IntRange(1, 3).Draw(rt, "operations") {
					scribble(rt, dir)
				}
				if !follows(rt, in, dir, done) {
					break
				}
			}
			cancel()
			if <-done.c; done.err != nil && !errors.Is(done.err, pipelinetest.ErrCrashed) {
				rt.Fatal(done.err)
			}
			in = in.Restart(false)
		}
	})
}

// ending is how a run ended: err counts once c is closed.
type ending struct {
	c   chan struct{}
	err error
}

// follows waits until the rows are those of the files; false if the engine has
// crashed before.
func follows(rt *rapid.T, in *pipelinetest.Input[int], dir string, done *ending) bool {
	want := rowsOf(rt, dir)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		select {
		case <-done.c:
			cancel()
		case <-ctx.Done():
		}
	}()
	var got []int
	err := in.Wait(ctx, func() bool {
		got = in.Table()
		slices.Sort(got)
		return slices.Equal(got, want)
	})
	if err == nil {
		return true
	}
	select {
	case <-done.c:
		return false
	default:
		rt.Fatalf("rows %v, not %v: %v", got, want, err)
		return false
	}
}

// scribble changes a file in one of the ways that people and programs have.
func scribble(rt *rapid.T, dir string) {
	name := func() string {
		return filepath.Join(dir, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name"))
	}
	text := func() string {
		var b strings.Builder
		for range rapid.IntRange(0, 4).Draw(rt, "lines") {
			fmt.Fprintln(&b, rapid.IntRange(0, 99).Draw(rt, "n"))
		}
		if rapid.Bool().Draw(rt, "open") {
			fmt.Fprint(&b, rapid.IntRange(0, 99).Draw(rt, "n"))
		}
		return b.String()
	}
	n := name()
	switch rapid.IntRange(0, 5).Draw(rt, "what") {
	case 0, 1, 2:
		f, err := os.OpenFile(n, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			rt.Fatal(err)
		}
		f.WriteString(text())
		f.Close()
	case 3:
		os.WriteFile(n, []byte(text()), 0o644)
	case 4:
		os.Remove(n)
	case 5:
		os.Rename(n, name())
	}
}
