package jsonio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/jsonio"
)

type Reading struct {
	Value int `json:"value"`
}

type Total struct {
	Sum int `json:"sum"`
}

// Readings in, their sum out.
func Example() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
	os.WriteFile(in, []byte("{\"value\": 4}\n{\"value\": 3}\n{\"value\": -9}\n"), 0o644)

	g := pipeline.New(pipeline.Static())
	readings := jsonio.Read[Reading](g, in)
	valid := pipeline.Filter(readings, func(r Reading) bool { return r.Value >= 0 })
	total := pipeline.Fold(valid, func(t *Total, r Reading, n int) { t.Sum += n * r.Value })
	jsonio.Write(total, out)
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	text, _ := os.ReadFile(out)
	fmt.Print(string(text))
	// Output:
	// {"sum":7,"time":1,"diff":1}
}
