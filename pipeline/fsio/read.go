package fsio

import (
	"path/filepath"
	"strings"

	"github.com/ragserver/ragserver/pipeline"
)

// Read makes a table of the files in a folder and those below. Its source, and
// the table, are called as the folder's last element; Named gives the table
// another name. Who wants to poke or to open files makes the Folder with New
// and hands it to pipeline.From.
func Read(g *pipeline.Graph, dir string, o Options) *pipeline.Table[File] {
	name := filepath.Base(filepath.Clean(dir))
	if abs, err := filepath.Abs(dir); err == nil {
		name = filepath.Base(abs)
	}
	return pipeline.From(g, "files "+strings.NewReplacer(":", "_", "\n", "_").Replace(name), New(name, dir, o))
}
