package csvio

import (
	"path/filepath"
	"strings"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/internal/rowfile"
)

// Option is a choice for Read.
type Option func(*options)

type options struct {
	comma    byte
	noHeader bool
	rowfile.Options
}

// Comma sets the character between columns, which is ',' otherwise.
func Comma(c byte) Option { return func(o *options) { o.comma = c } }

// NoHeader says that files have no line of names: their columns are the fields
// of the row type in order.
func NoHeader() Option { return func(o *options) { o.noHeader = true } }

// AppendOnly promises that rows never go: the text of files is not kept for
// retraction. A file that is truncated or replaced is taken for a new one, and
// the rows of the old one stay.
func AppendOnly() Option { return func(o *options) { o.AppendOnly = true } }

// Keep has static mode keep the text of files, as live mode does, so that a
// later run with the same state may find them rewritten or deleted.
func Keep() Option { return KeepIf(true) }

// KeepIf is Keep if yes, for programs that may be run with a state or without:
// without one there is no later run, and the text would take memory for nothing.
func KeepIf(yes bool) Option { return func(o *options) { o.Keep = yes } }

// Exclude are paths that are not read although they lie in the folder.
func Exclude(paths ...string) Option {
	return func(o *options) { o.Exclude = append(o.Exclude, paths...) }
}

// Read makes a table of the rows in a file, in the files of a folder and those
// below, or in those that a glob names ("data/**/*.csv"). The table is called
// "csv" and the path; Named gives it another name. A file, if its name has an
// extension, may come later; a folder must exist.
func Read[T any](g *pipeline.Graph, path string, opts ...Option) *pipeline.Table[T] {
	return pipeline.From(g, tableName(path), Source[T](path, opts...))
}

// Source is what Read reads from.
func Source[T any](path string, opts ...Option) pipeline.Source[T] {
	o := options{comma: ','}
	for _, f := range opts {
		f(&o)
	}
	fields, err := readers[T]()
	return &rowfile.Source[T]{
		Path: path, Options: o.Options, Err: err,
		Format: rowfile.Format[T]{Name: "csv", New: func(header []byte) rowfile.Parser[T] {
			return newParser[T](fields, o, header)
		}},
	}
}

// tableName is a path without what a table's name must not have.
func tableName(path string) string {
	return "csv " + strings.NewReplacer(":", "_", "\n", "_", "\x00", "_").Replace(filepath.ToSlash(filepath.Clean(path)))
}
