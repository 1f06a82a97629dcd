// Command server measures a ragserver binary from outside, as a client would:
//
//	go build -o bin/ragserver ./cmd/ragserver
//	go run ./bench/server -binary bin/ragserver -data ../shared/data start fresh load quality idle restart
//
// It makes its own folders in a temporary directory, starts the binary on a free
// port of the loopback, and prints one line of JSON for each figure. -runs
// repeats what is short. Nothing is judged.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// bench is a run of the program.
type bench struct {
	binary string
	data   string // folder of the evaluation sets
	work   string // temporary
	docs   int
	runs   int
}

func main() {
	b := bench{}
	flag.StringVar(&b.binary, "binary", "bin/ragserver", "the `file` to measure")
	flag.StringVar(&b.data, "data", "../shared/data", "`folder` with scifact, cranfield and xquad")
	flag.IntVar(&b.docs, "docs", 5000, "documents in the folder for fresh and load")
	flag.IntVar(&b.runs, "runs", 3, "repetitions of start and restart")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: server [flags] [start|fresh|load|quality|idle|restart]...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := b.run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func (b *bench) run(names []string) (err error) {
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if _, err := os.Stat(b.binary); err != nil {
		return fmt.Errorf("%w; build it with: go build -o %s ./cmd/ragserver", err, b.binary)
	}
	if b.work, err = os.MkdirTemp("", "ragserver-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	all := map[string]func() error{
		"start": b.start, "fresh": b.fresh, "load": b.load, "quality": b.quality, "idle": b.idle, "restart": b.restart,
	}
	if len(names) == 0 {
		names = []string{"start", "fresh", "load", "quality", "idle", "restart"}
	}
	print(map[string]any{"figure": "machine", "cores": runtime.NumCPU(), "os": runtime.GOOS + "/" + runtime.GOARCH, "go": runtime.Version(), "time": time.Now().UTC().Format(time.RFC3339)})
	for _, n := range names {
		f := all[n]
		if f == nil {
			return fmt.Errorf("there is no measurement %q", n)
		}
		if err := f(); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

func print(m map[string]any) {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(b))
}

// spread summarises times in milliseconds.
func spread(figure string, ts []time.Duration, more map[string]any) {
	m := map[string]any{"figure": figure, "n": len(ts)}
	for k, v := range more {
		m[k] = v
	}
	if len(ts) > 0 {
		slices.Sort(ts)
		at := func(q float64) float64 { return ms(ts[min(len(ts)-1, int(q*float64(len(ts))))]) }
		m["p50_ms"], m["p95_ms"], m["p99_ms"], m["max_ms"] = at(.5), at(.95), at(.99), ms(ts[len(ts)-1])
	}
	print(m)
}

func ms(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }
