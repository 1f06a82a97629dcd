// Package programtest tests the example programs: it runs one, edits its input, runs
// it again on its state, and compares what has come out with a plain computation.
package programtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/examples/program"
)

// Check runs p over versions of its input, files by their paths below the folder of
// input, one version after the other: on the same state, and each from scratch. After
// each the rows of the output, as JSON without time and diff, must be those of want.
func Check(t *testing.T, p program.Program, args []string, versions []map[string]string, want func(files map[string]string) map[string]bool) {
	t.Helper()
	in, out := t.TempDir(), t.TempDir()
	kept := filepath.Join(out, "kept.jsonl")
	for i, files := range versions {
		if err := os.RemoveAll(in); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			name = filepath.Join(in, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		fresh := filepath.Join(out, fmt.Sprint(i, ".jsonl"))
		for name, more := range map[string][]string{kept: {"--state", filepath.Join(out, "state")}, fresh: nil} {
			var log strings.Builder
			line := append(append([]string{"--input", in, "--output", name}, args...), more...)
			if err := p.Run(context.Background(), line, &log); err != nil {
				t.Fatalf("version %d: %v\n%s", i, err, log.String())
			}
			if got, w := final(t, name), want(files); !maps.Equal(got, w) {
				t.Fatalf("version %d, %s:\ngot  %v\nwant %v", i, filepath.Base(name), got, w)
			}
		}
	}
}

// final adds up a change stream.
func final(t *testing.T, name string) map[string]bool {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		var row map[string]any
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		diff := row["diff"]
		delete(row, "time")
		delete(row, "diff")
		key := Row(row)
		switch {
		case diff == 1.0 && !rows[key]:
			rows[key] = true
		case diff == -1.0 && rows[key]:
			delete(rows, key)
		default:
			t.Fatalf("%s does not follow from what was there", s.Text())
		}
	}
	return rows
}

// Row is a row as want gives it.
func Row(row map[string]any) string {
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return string(b)
}
