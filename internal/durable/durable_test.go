package durable

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "list.json")
	for _, text := range []string{"first", "", "a longer one"} {
		if err := Replace(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%q instead of %q, %v", b, text, err)
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	alone(t, dir)
}

// TestReplaceFails leaves what was there, and nothing beside it.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "taken", "by"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "taken"), []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	alone(t, dir)
	if err := Replace(filepath.Join(dir, "nowhere", "x"), nil); err == nil {
		t.Error("a file was made in a directory that is not there")
	}
}

// TestReaders see one version or another, never half of one.
func TestReaders(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	version := func(i int) []byte { return bytes.Repeat([]byte{'a' + byte(i%20)}, 10_000) }
	if err := Replace(path, version(0)); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 50 {
				if err := Replace(path, version(w*7+i)); err != nil && runtime.GOOS != "windows" { // where a reader is in the way
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) != 10_000 || strings.Trim(string(b), string(b[:1])) != "" {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
	alone(t, dir)
}

// alone checks that nothing temporary is left.
func alone(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}
