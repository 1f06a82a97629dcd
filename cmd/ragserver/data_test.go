package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/indexer/index/disk"
)

// TestServingOn: who has the directory says where he serves, or that he does not;
// what is no address is none.
func TestServingOn(t *testing.T) {
	dir := t.TempDir()
	for _, said := range []string{"", "8080", "127.0.0.1", "a:b:c", strings.Repeat("x", 1000)} {
		if err := os.WriteFile(filepath.Join(dir, servingFile), []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := servingOn(dir); got != "" {
			t.Errorf("%q was taken for the address %q", said, got)
		}
	}
	if err := noteServing(dir, "[::]:8080"); err != nil {
		t.Fatal(err)
	}
	if got := servingOn(dir); got != "[::]:8080" {
		t.Errorf("it says %q", got)
	}
	for range 2 {
		if err := forgetServing(dir); err != nil || servingOn(dir) != "" {
			t.Errorf("not forgotten: %v", err)
		}
	}
}

// TestTakenByNoServer: a directory that is taken by one who does not serve has
// nobody to ask, whoever listens on the usual address.
func TestTakenByNoServer(t *testing.T) {
	dir := t.TempDir()
	release, err := disk.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	var out, errs bytes.Buffer
	code := run([]string{"ask", "How many?", "--data", dir, t.TempDir()}, nil, &out, &errs)
	if code != exitInUse || !strings.Contains(errs.String(), "It does not serve, or not yet") || out.Len() > 0 {
		t.Errorf("code %d\n%s%s", code, &out, &errs)
	}
}
