// Package evaldata finds the evaluation sets that tests measure against. They
// are not part of the repository: they lie beside it in shared/data, or where
// RAGSERVER_SHARED says that shared is. A test that needs one is skipped, with
// the reason, where there is none.
package evaldata

import (
	"bufio"
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"testing"
)

// Path is where a file or folder of the evaluation data would be, whether it is
// there or not.
func Path(parts ...string) string {
	root := os.Getenv("RAGSERVER_SHARED")
	if root == "" {
		root = filepath.Join(filepath.Dir(repository()), "shared")
	}
	return filepath.Join(append([]string{root, "data"}, parts...)...)
}

// Dir is the folder of an evaluation set. It skips the test if there is none.
func Dir(t testing.TB, set string) string {
	t.Helper()
	dir := Path(set)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the evaluation set %s is not here (RAGSERVER_SHARED): %v", set, err)
	}
	return dir
}

// Lines yields the values of a file of JSON lines.
func Lines[T any](t testing.TB, file string) iter.Seq[T] {
	return func(yield func(T) bool) {
		t.Helper()
		r, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<24)
		for n := 1; lines.Scan(); n++ {
			if len(lines.Bytes()) == 0 {
				continue
			}
			var v T
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				t.Fatalf("%s, line %d: %v", file, n, err)
			}
			if !yield(v) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

// repository is the root of the checkout: tests run in their package's folder.
func repository() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}
