package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// counts adds up the changes in an output file and fails if a word has two
// counts at once or the same change stands there twice.
func counts(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	recs, err := r.ReadAll()
	if err != nil {
		return nil // the last line is being written
	}
	now, seen := map[string]string{}, map[string]bool{}
	for i, rec := range recs {
		line := strings.Join(rec, ",")
		switch {
		case i == 0:
			if line != "word,count,time,diff" {
				t.Fatalf("the first line is %q", line)
			}
		case seen[line]:
			t.Fatalf("%q stands there twice", line)
		case rec[3] == "1" && now[rec[0]] == "":
			now[rec[0]] = rec[1]
		case rec[3] == "-1" && now[rec[0]] == rec[1]:
			delete(now, rec[0])
		default:
			t.Fatalf("line %d, %q, does not follow from what was there: %v", i+1, line, now)
		}
		seen[line] = true
	}
	return now
}

func TestStaticAndStreaming(t *testing.T) {
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "out.csv")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a.jsonl", "{\"word\":\"to\"}\n{\"word\":\"be\"}\n{\"word\":\"to\"}\n")
	var log strings.Builder
	if err := wordcount.Run(context.Background(), []string{"--input", in, "--output", out}, &log); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(counts(t, out)); got != "map[be:1 to:2]" {
		t.Fatal(got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	os.Remove(out)
	go func() {
		done <- wordcount.Run(ctx, []string{"--input", in, "--output", out, "--mode", "streaming"}, &log)
	}()
	want := func(what string) {
		t.Helper()
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		got := ""
		for deadline := time.Now().Add(time.Minute); got != what; <-tick.C {
			if got = fmt.Sprint(counts(t, out)); time.Now().After(deadline) {
				t.Fatalf("the counts are %s, not %s", got, what)
			}
		}
	}
	want("map[be:1 to:2]")
	write("b.jsonl", "{\"word\":\"be\"}\n{\"word\":\"not\"}\n")
	want("map[be:2 not:1 to:2]")
	write("a.jsonl", "{\"word\":\"or\"}\n")
	want("map[be:1 not:1 or:1]")
	os.Remove(filepath.Join(in, "b.jsonl"))
	want("map[or:1]")
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
