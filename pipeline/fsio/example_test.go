package fsio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
)

type usage struct {
	Kind  string
	Bytes int64
}

// How much of what is in a folder? Without Static the answer stays right while
// the folder changes.
func ExampleRead() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	os.WriteFile(filepath.Join(dir, "a.txt"), []byte("12345"), 0o644)
	os.WriteFile(filepath.Join(dir, "b.txt"), []byte("123"), 0o644)
	os.WriteFile(filepath.Join(dir, "c.md"), []byte("1"), 0o644)
	os.WriteFile(filepath.Join(dir, "draft.tmp"), []byte("ignored"), 0o644)

	g := pipeline.New(pipeline.Static())
	files := fsio.Read(g, dir, fsio.Options{})
	used := pipeline.FoldBy(files, func(f fsio.File) string { return filepath.Ext(f.Path) }, func(u *usage, f fsio.File, n int) {
		u.Kind = filepath.Ext(f.Path)
		u.Bytes += int64(n) * f.Size
	})
	pipeline.Subscribe(used, func(_ uint64, changes []pipeline.Change[usage]) error {
		for _, c := range changes {
			fmt.Println(c.Row.Kind, c.Row.Bytes)
		}
		return nil
	})
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Unordered output:
	// .txt 8
	// .md 1
}
