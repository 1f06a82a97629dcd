// Command engine measures package pipeline beside Pathway: the example programs and
// Pathway's own on the same files, one run after the other, and every output compared
// with the exact result. A line of JSON for each run, then a table of medians.
//
//	go run ./bench/engine -venv VENV            # everything, Pathway beside it
//	go run ./bench/engine sum join              # some of it, ours alone
//
// Programs, generators and checkers are those of ../shared/yardsticks/pathway, whose
// install.sh makes VENV. Without a venv python3 needs numpy and psutil.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// yardstick is a program on one input.
type yardstick struct {
	name   string
	kind   string // of gen.py and check.py
	rows   float64
	gen    []string
	ours   []string // the example and its arguments
	theirs []string // Pathway's program and its arguments
	check  []string
}

var yardsticks = []yardstick{
	{"sum", "sum", 5e6, nil, []string{"sum"}, []string{"etl_sum.py"}, nil},
	{"words 5k", "words", 5e6, nil, []string{"wordcount"}, []string{"wordcount.py"}, nil},
	{"words 1M", "words", 2e6, []string{"--keys", "1000000"}, []string{"wordcount"}, []string{"wordcount.py"}, nil},
	{"join", "join", 2e6, nil, []string{"join"}, []string{"join.py"}, nil},
	{"tumbling", "windows", 2e6, nil, []string{"windows"}, []string{"windows.py"}, nil},
	{"sliding", "windows", 1e6, nil, []string{"windows", "--window", "sliding"}, []string{"windows.py", "--window", "sliding"}, []string{"--window", "sliding"}},
	{"pagerank", "pagerank", 5e5, []string{"--files", "1"}, []string{"pagerank"}, []string{"pagerank.py"}, nil},
	{"pagerank 10 files", "pagerank", 1e5, nil, []string{"pagerank"}, []string{"pagerank.py"}, nil},
}

// figures are what a run took.
type figures struct {
	Yardstick string  `json:"yardstick"`
	Program   string  `json:"program"`
	Threads   int     `json:"threads"`
	State     bool    `json:"state,omitempty"`
	Rows      int     `json:"rows"`
	Wall      float64 `json:"wall_s"`
	CPU       float64 `json:"cpu_s"`
	RSS       int     `json:"peak_rss_mb"`
	Check     string  `json:"check"`
}

type bench struct {
	yards, work, bin, python string
	pathway                  bool
	repeat                   int
}

func main() {
	venv := flag.String("venv", "", "virtual environment with Pathway; empty: ours alone")
	shared := flag.String("shared", "../shared", "folder with yardsticks/pathway")
	repeat := flag.Int("repeat", 3, "runs of each")
	work := flag.String("work", "", "folder for inputs and outputs; they are made once (default: a temporary one)")
	flag.Parse()
	if err := run(*venv, *shared, *work, *repeat, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

func run(venv, shared, work string, repeat int, names []string) error {
	yards, err := filepath.Abs(filepath.Join(shared, "yardsticks/pathway"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(yards, "gen.py")); err != nil {
		return fmt.Errorf("the yardsticks are not there: %w; -shared says where", err)
	}
	if work == "" {
		if work, err = os.MkdirTemp("", "engine"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	} else if work, err = filepath.Abs(work); err != nil {
		return err
	}
	b := bench{yards: yards, work: work, bin: filepath.Join(work, "bin"), python: "python3", pathway: venv != "", repeat: repeat}
	if venv != "" {
		b.python = filepath.Join(venv, "bin/python")
	}
	if err := os.MkdirAll(b.bin, 0o755); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", b.bin, "./examples/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the examples (run it in the project's folder): %w", err)
	}
	var all []figures
	for _, y := range yardsticks {
		if len(names) > 0 && !slices.Contains(names, y.name) {
			continue
		}
		got, err := b.measure(y)
		if err != nil {
			return fmt.Errorf("%s: %w", y.name, err)
		}
		all = append(all, got...)
	}
	table(os.Stdout, all)
	return nil
}

func (b *bench) measure(y yardstick) (all []figures, err error) {
	in := filepath.Join(b.work, strings.ReplaceAll(y.name, " ", "-"))
	if _, err := os.Stat(in); err != nil {
		args := append([]string{filepath.Join(b.yards, "gen.py"), y.kind, fmt.Sprint(int(y.rows)), in}, y.gen...)
		if out, err := exec.Command(b.python, args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("make the input: %w\n%s", err, out)
		}
	}
	for range b.repeat {
		for _, f := range []figures{{Threads: 1}, {Threads: 2}, {Threads: 1, State: true}} {
			f.Program = "ours"
			state := filepath.Join(b.work, "state")
			args := append(slices.Clone(y.ours[1:]), "--input", in, "--threads", fmt.Sprint(f.Threads))
			if f.State {
				args = append(args, "--state", state)
			}
			err := b.one(y, in, &f, filepath.Join(b.bin, y.ours[0]), args, fmt.Sprint("GOMAXPROCS=", f.Threads))
			os.RemoveAll(state)
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
		if !b.pathway {
			continue
		}
		f := figures{Program: "Pathway", Threads: 1}
		args := append([]string{filepath.Join(b.yards, y.theirs[0]), "--input", in}, y.theirs[1:]...)
		if err := b.one(y, in, &f, b.python, args, "PATHWAY_THREADS=1"); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// one runs a program and checks what it wrote. Of Pathway the time of its imports is
// not counted: it says itself how long it ran.
func (b *bench) one(y yardstick, in string, f *figures, program string, args []string, env string) error {
	out := filepath.Join(b.work, "out.csv")
	os.Remove(out)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, "--output", out)...)
	cmd.Env = append(os.Environ(), env)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, stderr.String())
	}
	f.Yardstick, f.Rows, f.Wall = y.name, int(y.rows), time.Since(begun).Seconds()
	f.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	f.RSS = peakRSS(cmd.ProcessState)
	if y.kind == "join" {
		f.Rows += f.Rows / 10
	}
	if f.Program == "Pathway" {
		if err := theirFigures(stdout.Bytes(), f); err != nil {
			return err
		}
	}
	check := append([]string{filepath.Join(b.yards, "check.py"), y.kind, in, out}, y.check...)
	said, err := exec.Command(b.python, check...).CombinedOutput()
	if f.Check = strings.TrimSpace(string(said)); err != nil {
		return fmt.Errorf("%s: the output is not right: %s", f.Program, said)
	}
	line, err := json.Marshal(f)
	fmt.Println(string(line))
	return err
}

func theirFigures(stdout []byte, f *figures) error {
	s := bufio.NewScanner(bytes.NewReader(stdout))
	for s.Scan() {
		var said struct {
			Run    float64 `json:"run_s"`
			Import float64 `json:"import_s"`
		}
		if json.Unmarshal(s.Bytes(), &said) == nil && said.Run > 0 {
			f.Wall = said.Run
			f.CPU -= min(said.Import, f.CPU/2) // importing is busy on one thread
			return nil
		}
	}
	return fmt.Errorf("Pathway said nothing of its run: %s", stdout)
}
