package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestBrowser drives the page in a real browser, served by the command on a copy
// of the example documents.
func TestBrowser(t *testing.T) {
	chromium := os.Getenv("RAGSERVER_TEST_BROWSER")
	if chromium == "" {
		t.Skip("RAGSERVER_TEST_BROWSER does not name a Chromium: scripts/test sets it")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "docs"), os.DirFS(filepath.Join(root, "examples", "docs"))); err != nil {
		t.Fatal(err)
	}
	exe := buildBinary(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	url := launch(t, ctx, exe, "--data", filepath.Join(dir, "data"), filepath.Join(dir, "docs"))
	cmd := exec.CommandContext(ctx, "node", filepath.Join("e2e", "page.mjs"), url)
	cmd.Dir = filepath.Join(root, "web", "ui")
	cmd.Env = append(os.Environ(), "CHROMIUM="+chromium, "DOCS="+filepath.Join(dir, "docs"))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the page: %v", err)
	}
}
