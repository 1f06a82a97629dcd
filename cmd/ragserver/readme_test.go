package main

import (
	"context"
	"io/fs"
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

// facts are what the answer to a question holds that the README or
// examples/README.md asks, by what stands in the question.
var facts = map[string][]string{
	"annual leave":  {"28 days", "leave.md"},
	"E-21":          {"speed sensor", "tickets.jsonl"},
	"notice period": {"nine months", "workshop-lease.pdf"},
	"canteen":       {"11:30", "canteen.md"},
	"Hotel":         {"München und Zürich bis 160 Euro", "reisekosten.md"},
	"Lübeck":        {"14 March 2027", "Mei Lin", "2026-10-06-team.md"},
	"Bremen":        {"until 13:00", "opening-hours.tsv"},
	"Garantie":      {"zehn Jahre", "garantie.docx"},
	"certificate":   {"pay-gw-02", "incident-2026-03-12.txt"},
	"boiling point": {"I found nothing"},
	"unused days":   {"31 March"},
	"who leads":     {"Mei Lin leads"},
}

// factsOf returns what must stand in the answer to a line.
func factsOf(t *testing.T, line string) (want []string) {
	t.Helper()
	line = strings.ReplaceAll(line, "+", " ")
	for part, fact := range facts {
		if strings.Contains(line, part) {
			want = append(want, fact...)
		}
	}
	if want == nil {
		t.Fatalf("it is not known what is to be the answer to %s", line)
	}
	return want
}

// runLine runs a line until its answer holds what it should. What was just
// written takes a moment.
func runLine(t *testing.T, ctx context.Context, dir, line string) {
	t.Helper()
	var want []string
	if !strings.HasPrefix(line, "echo") {
		want = factsOf(t, line)
	}
	for end := time.Now().Add(eventually); ; <-time.After(50 * time.Millisecond) {
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(fact string) bool { return strings.Contains(string(out), fact) })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: no %q in\n%s", line, missing, out)
		}
	}
}

// TestExampleDocuments asks the questions that examples/README.md says the
// example documents answer, and the one that they do not.
func TestExampleDocuments(t *testing.T) {
	text := repoFile(t, "examples/README.md")
	var files, formats = 0, map[string]bool{}
	docs := filepath.Join("..", "..", "examples", "docs")
	err := filepath.WalkDir(docs, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
			formats[filepath.Ext(path)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(text), " ")
	if files != 12 || len(formats) != 9 || !strings.Contains(flat, "A dozen invented documents") || !strings.Contains(flat, "in nine formats") {
		t.Errorf("there are %d documents in %d formats", files, len(formats))
	}
	questions := regexp.MustCompile(`(?:\n- |: )([^\n:]+\?)`).FindAllStringSubmatch(text, -1)
	if len(questions) < 8 {
		t.Errorf("only %d questions were found", len(questions))
	}
	exe, data := buildBinary(t), filepath.Join(t.TempDir(), "data")
	for _, m := range questions {
		out, err := exec.Command(exe, "ask", m[1], "--data", data, docs).Output()
		if err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		for _, fact := range factsOf(t, m[1]) {
			if !strings.Contains(string(out), fact) {
				t.Errorf("%s: no %q in\n%s", m[1], fact, out)
			}
		}
	}
}
