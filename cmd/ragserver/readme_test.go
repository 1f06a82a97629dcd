package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReadme runs the commands that the README shows behind a prompt, in their
// order, on a copy of the example documents and a port of its own.
func TestReadme(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the README's commands are for a Unix shell")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here, and the README's commands use it")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples", "docs"), os.DirFS(filepath.Join(root, "examples", "docs"))); err != nil {
		t.Fatal(err)
	}
	exe := buildBinary(t)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	addr := ""
	seen := 0
	for _, m := range regexp.MustCompile(`(?m)^    \$ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		line := m[1]
		seen++
		switch {
		case strings.HasPrefix(line, "go build"):
			continue // buildBinary did
		case line == "./ragserver ./examples/docs":
			addr = strings.TrimPrefix(launch(t, ctx, exe, "--data", filepath.Join(dir, "ragserver-data"), filepath.Join(dir, "examples", "docs")), "http://")
			continue
		case strings.HasPrefix(line, "./ragserver "):
			line = exe + strings.TrimPrefix(line, "./ragserver")
		}
		line = strings.ReplaceAll(line, "127.0.0.1:8080", addr)
		runLine(t, ctx, dir, line)
	}
	if seen < 6 || addr == "" {
		t.Errorf("only %d commands were found", seen)
	}
	routes := regexp.MustCompile("`(?:[A-Z, ]+ )?(/[a-z0-9_/.{}]+)`").FindAllStringSubmatch(string(text), -1)
	for _, m := range routes {
		resp, err := http.Get("http://" + addr + strings.NewReplacer("{id}", "0", "{key}", "k").Replace(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close() // unread: the feed does not end
		if resp.StatusCode == http.StatusNotFound && !strings.Contains(m[1], "{id}") {
			t.Errorf("there is no route %s", m[1])
		}
	}
	if len(routes) < 20 {
		t.Errorf("only %d routes were found", len(routes))
	}
}

// TestReadmeReference checks what the README says of commands, flags, exit codes
// and files.
func TestReadmeReference(t *testing.T) {
	text := repoFile(t, "README.md")
	front, _, ok := strings.Cut(text, "\n---\n")
	if n := strings.Count(front, "\n"); !ok || n > 80 {
		t.Errorf("%d lines stand before the reference; two screens are 80", n)
	}
	flat := strings.Join(strings.Fields(text), " ")
	_, codes, _ := strings.Cut(strings.Join(strings.Fields(manual), " "), "Exit codes: ")
	if !strings.Contains(flat, "Exit codes: "+codes) {
		t.Errorf("the exit codes are not those of --help: %s", codes)
	}
	root := rootCommand()
	for _, c := range root.Commands() {
		if !c.Hidden && !strings.Contains(text, "| `ragserver "+c.Name()) {
			t.Errorf("the command %s is not there", c.Name())
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `ragserver ([a-z]+)").FindAllStringSubmatch(text, -1) {
		if c, _, err := root.Find(m[1:]); err != nil || c == root {
			t.Errorf("there is no command %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`--([a-z-]+)").FindAllStringSubmatch(text, -1) {
		if !slices.Contains(flagNames(root), m[1]) && m[1] != "help" {
			t.Errorf("there is no flag --%s", m[1])
		}
	}
	lines := regexp.MustCompile(`(?m)^    ragserver (\./docs .*?)(?:\s+#.*)?$`).FindAllStringSubmatch(text, -1)
	for _, m := range lines {
		t.Run(m[1], func(t *testing.T) { understood(t, strings.Fields(strings.ReplaceAll(m[1], "'", "")), nil) })
	}
	if len(lines) < 5 {
		t.Errorf("only %d command lines were found", len(lines))
	}
	for _, m := range regexp.MustCompile(`\]\(([a-zA-Z][^):]*)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("..", "..", m[1])); err != nil {
			t.Errorf("it links to %s: %v", m[1], err)
		}
	}
}

// TestReadmeConfiguration: the configuration that the README shows is one.
func TestReadmeConfiguration(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n    listen: ")
	if !ok {
		t.Fatal("the README shows no configuration")
	}
	block := "listen: "
	for line := range strings.Lines(rest) {
		if len(block) > len("listen: ") && !strings.HasPrefix(line, "    ") {
			break
		}
		block += strings.TrimPrefix(line, "    ")
	}
	dir := t.TempDir()
	for _, folder := range []string{"docs", "wiki"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "ragserver.yaml")
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := loadConfig(path)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		t.Fatalf("%v in\n%s", err, block)
	}
	if len(c.Collections["default"].Sources) != 3 || len(c.Models) != 2 {
		t.Errorf("read %d sources and %d models of\n%s", len(c.Collections["default"].Sources), len(c.Models), block)
	}
}

// runLine runs a line until it gives what it should: an answer with a source, or
// hits. What was just written takes a moment.
func runLine(t *testing.T, ctx context.Context, dir, line string) {
	t.Helper()
	want := map[bool]string{true: `"n":1`, false: "[1]"}[strings.Contains(line, "curl")]
	var out []byte
	for end := time.Now().Add(eventually); ; <-time.After(50 * time.Millisecond) {
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir = dir
		var err error
		if out, err = cmd.Output(); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if strings.HasPrefix(line, "echo") || strings.Contains(string(out), want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: no %s in\n%s", line, want, out)
		}
	}
}
