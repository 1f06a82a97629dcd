package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ragserver/ragserver/"

// layers says which of our packages each package may import; a trailing star
// takes the packages below. What is not listed may import none. An internal
// package has the rights of the package it belongs to, and Go itself sees to it
// that no other imports it.
var layers = map[string][]string{
	"cmd/ragserver": {"*"},

	"pipeline":              {},
	"pipeline/pipelinetest": {"pipeline"},
	"pipeline/fsio":         {"pipeline"},
	"pipeline/csvio":        {"pipeline", "pipeline/fsio"},
	"pipeline/jsonio":       {"pipeline", "pipeline/fsio"},
	"pipeline/kafkaio":      {"pipeline"},
	"pipeline/nullio":       {"pipeline"},
	"pipeline/metrics":      {"pipeline"},

	"pipeline/internal/rowfile": {"pipeline", "pipeline/fsio"},

	"indexer":                     {"pipeline", "pipeline/fsio", "pipeline/kafkaio", "indexer/parse", "indexer/split", "indexer/embed", "indexer/index", "indexer/index/words", "internal/durable"},
	"indexer/parse":               {},
	"indexer/split":               {"indexer/parse"},
	"indexer/embed":               {},
	"indexer/index":               {"indexer/index/*"},
	"indexer/index/vector":        {"indexer/index/vector/kern"},
	"indexer/index/keyword":       {"indexer/index/words"},
	"indexer/index/words":         {},
	"indexer/index/filter":        {},
	"indexer/index/disk":          {"indexer/index/disk/*"},
	"indexer/index/disk/disktest": {"indexer/index/disk"},

	"llm":             {},
	"llm/openai":      {"llm"},
	"llm/langchain":   {"llm"},
	"llm/llmtest":     {"llm"},
	"llm/answer":      {"llm", "indexer/index", "indexer/index/words"},
	"llm/answer/eval": {"llm/answer", "llm", "indexer/index"},

	"api":         {"api/*", "web", "llm", "llm/answer", "indexer", "indexer/index", "indexer/index/filter", "internal/durable"},
	"api/pathway": {"indexer", "indexer/index", "indexer/index/filter", "llm", "llm/answer"},
	"api/openai":  {"indexer", "indexer/index", "indexer/index/filter", "llm", "llm/answer"},
	"web":         {},

	"internal/durable":  {},
	"internal/evaldata": {},
}

// TestImportArrows keeps the layers: imports only point the way that layers
// allows. Examples and benchmarks may import anything public.
func TestImportArrows(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "examples/") || strings.HasPrefix(name, "bench/") {
			continue
		}
		seen++
		for _, imp := range p.Imports {
			dep, ours := strings.CutPrefix(imp, module)
			if ours && dep != owner(name) && !strings.Contains(dep, "/internal/") && !allowed(layers[owner(name)], dep) {
				t.Errorf("%s must not import %s", name, dep)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

// owner is the package whose rights a package has: the one that an internal
// package belongs to, unless it is listed itself.
func owner(name string) string {
	if _, listed := layers[name]; listed {
		return name
	}
	top, _, _ := strings.Cut(name, "/internal/")
	return top
}

func allowed(patterns []string, dep string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, below := strings.CutSuffix(p, "*")
		return p == dep || below && strings.HasPrefix(dep, prefix)
	})
}
