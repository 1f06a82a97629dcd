package nullio_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/jsonio"
	"github.com/ragserver/ragserver/pipeline/nullio"
)

// TestCounter counts an update: a row that goes and one that comes.
func TestCounter(t *testing.T) {
	type row struct{ A, N int }
	name, state := filepath.Join(t.TempDir(), "a.jsonl"), filepath.Join(t.TempDir(), "state")
	count := func(text string) *nullio.Counter {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g := pipeline.New(pipeline.Static(), pipeline.State(state))
		rows := jsonio.Read[row](g, name)
		c := nullio.Write(pipeline.FoldBy(rows, func(r row) int { return r.A }, func(s *row, r row, n int) { s.A, s.N = r.A, s.N+n*r.N }))
		if err := g.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := count("{\"A\":1,\"N\":1}\n{\"A\":2,\"N\":1}\n"); c.Added() != 2 || c.Retracted() != 0 {
		t.Errorf("%d added, %d retracted", c.Added(), c.Retracted())
	}
	if c := count("{\"A\":1,\"N\":1}\n{\"A\":2,\"N\":1}\n{\"A\":2,\"N\":1}\n"); c.Added() != 1 || c.Retracted() != 1 {
		t.Errorf("%d added, %d retracted", c.Added(), c.Retracted())
	}
}
