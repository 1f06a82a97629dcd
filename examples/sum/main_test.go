package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain is the program itself when a test starts it as a child.
func TestMain(m *testing.M) {
	if args := os.Getenv("SUM_TEST_ARGS"); args != "" {
		os.Args = append(os.Args[:1], strings.Split(args, "\n")...)
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".tmp", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		t.Fatal(err)
	}
}

// change is a line of the output.
type change struct {
	Sum, Diff int
	Time      uint64
}

func changes(t testing.TB, name string) (cs []change) {
	t.Helper()
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var c change
		if json.Unmarshal(s.Bytes(), &c) != nil {
			return cs // a line that is being written
		}
		cs = append(cs, c)
	}
	return cs
}

// final adds the changes up, and fails if on the way a sum was there twice, or
// went without having been there, or two sums were there at the end of an epoch.
func final(t testing.TB, cs []change) (sum int, ok bool) {
	t.Helper()
	there := map[int]int{}
	for i, c := range cs {
		if there[c.Sum] += c.Diff; there[c.Sum] == 0 {
			delete(there, c.Sum)
		}
		if i > 0 && c.Time < cs[i-1].Time {
			t.Fatalf("time goes back in line %d: %+v", i+1, cs)
		}
		if (i == len(cs)-1 || cs[i+1].Time > c.Time) && len(there) > 1 {
			t.Fatalf("after line %d there is more than one sum: %v", i+1, there)
		}
	}
	for s, n := range there {
		if n != 1 {
			t.Fatalf("the sum %d is there %d times: %+v", s, n, cs)
		}
		return s, true
	}
	return 0, false
}

func TestStatic(t *testing.T) {
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "out.jsonl")
	write(t, filepath.Join(in, "a.csv"), "value\n5\n-7\n10\n")
	write(t, filepath.Join(in, "b.csv"), "id,value\n1,1\nx,y\n2,2\n")
	state := filepath.Join(t.TempDir(), "state")
	var log strings.Builder
	for range 2 {
		if err := sum.Run(context.Background(), []string{"--input", in, "--output", out, "--state", state}, &log); err != nil {
			t.Fatal(err)
		}
		if cs := changes(t, out); len(cs) != 1 || cs[0].Sum != 18 || cs[0].Diff != 1 {
			t.Fatalf("output %+v", cs)
		}
	}
	if !strings.Contains(log.String(), "b.csv:3") {
		t.Errorf("the line that is no row is not spoken of: %s", log.String())
	}
	write(t, filepath.Join(in, "c.csv"), "value\n2\n")
	if err := sum.Run(context.Background(), []string{"--input", in, "--output", out, "--state", state}, &log); err != nil {
		t.Fatal(err)
	}
	if sum, _ := final(t, changes(t, out)); sum != 20 || len(changes(t, out)) != 3 {
		t.Fatalf("output %+v", changes(t, out))
	}
	write(t, filepath.Join(in, "a.csv"), "value\n6\n")
	if err := os.Remove(filepath.Join(in, "c.csv")); err != nil {
		t.Fatal(err)
	}
	if err := sum.Run(context.Background(), []string{"--input", in, "--output", out, "--state", state}, &log); err != nil {
		t.Fatal(err)
	}
	if sum, _ := final(t, changes(t, out)); sum != 9 {
		t.Fatalf("after an edit and a deletion: %+v", changes(t, out))
	}
	csv := filepath.Join(t.TempDir(), "out.csv")
	if err := sum.Run(context.Background(), []string{"--input", in, "--output", csv}, &log); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(csv); !strings.HasPrefix(string(b), "sum,time,diff\n9,") {
		t.Errorf("output %s", b)
	}
	if err := sum.Run(context.Background(), []string{"--input", in, "--output", "null"}, &log); err != nil {
		t.Fatal(err)
	}
}

func TestUsage(t *testing.T) {
	var b strings.Builder
	if err := sum.Run(context.Background(), []string{"--help"}, &b); err != nil || !strings.Contains(b.String(), "--mode streaming") {
		t.Errorf("%v: %s", err, b.String())
	}
	for want, args := range map[string][]string{
		"--input and --output": nil,
		"there is static":      {"--input", "x", "--output", "null", "--mode", "y"},
		"must end in":          {"--input", t.TempDir(), "--output", "x.txt"},
		"does not exist":       {"--input", filepath.Join(t.TempDir(), "nowhere"), "--output", "null"},
	} {
		if err := sum.Run(context.Background(), args, &b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

const patience = time.Minute

// until polls, for the output of another process.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: waited in vain", what)
		}
	}
}

// stop asks the program to end.
func stop(t *testing.T, cmd *exec.Cmd) {
	if cmd.Process.Signal(os.Interrupt) != nil { // Windows has no such signal
		cmd.Process.Kill()
		cmd.Wait()
		return
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("a program that was asked to stop: %v", err)
	}
}

// TestKilledAgainAndAgain kills the program while files appear, change and
// vanish. The output must be that of a program that was never killed: each
// epoch once, and the right sum at the end.
func TestKilledAgainAndAgain(t *testing.T) {
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "out.jsonl")
	args := []string{"--input", in, "--output", out, "--state", filepath.Join(t.TempDir(), "state"), "--mode", "streaming", "--threads", "2"}
	rnd := rand.New(rand.NewPCG(1, 2))
	files := map[string]int{}
	disturb := func() {
		name := fmt.Sprint(rnd.IntN(12), ".csv")
		if rnd.IntN(5) == 0 {
			os.Remove(filepath.Join(in, name))
			delete(files, name)
			return
		}
		files[name] = 0
		text := strings.Builder{}
		text.WriteString("value\n")
		for range rnd.IntN(2000) {
			v := rnd.IntN(2001) - 1000
			fmt.Fprintln(&text, v)
			files[name] += max(v, 0)
		}
		write(t, filepath.Join(in, name), text.String())
	}
	for round := range 9 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "SUM_TEST") }),
			"SUM_TEST_ARGS="+strings.Join(append(args, "--threads", fmt.Sprint(1+round%3)), "\n"))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := len(changes(t, out))
		for range 1 + rnd.IntN(6) {
			disturb()
			if rnd.IntN(2) == 0 { // else several at once
				until(t, "output", func() bool {
					n := len(changes(t, out))
					grown := n != lines
					lines = n
					return grown || rnd.IntN(50) == 0
				})
			}
		}
		if round == 8 {
			want := 0
			for _, s := range files {
				want += s
			}
			until(t, "the sum", func() bool {
				cs := changes(t, out)
				return len(cs) > 0 && cs[len(cs)-1].Sum == want && cs[len(cs)-1].Diff == 1
			})
			stop(t, cmd)
			if sum, ok := final(t, changes(t, out)); !ok || sum != want {
				t.Errorf("the sum is %d, should be %d", sum, want)
			}
			return
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}
