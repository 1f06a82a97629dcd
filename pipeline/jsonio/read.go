package jsonio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/internal/rowfile"
)

// Option is a choice for Read.
type Option func(*rowfile.Options)

// AppendOnly promises that rows never go: the text of files is not kept for
// retraction. A file that is truncated or replaced is taken for a new one, and
// the rows of the old one stay.
func AppendOnly() Option { return func(o *rowfile.Options) { o.AppendOnly = true } }

// Keep has static mode keep the text of files, as live mode does, so that a
// later run with the same state may find them rewritten or deleted.
func Keep() Option { return KeepIf(true) }

// KeepIf is Keep if yes, for programs that may be run with a state or without:
// without one there is no later run, and the text would take memory for nothing.
func KeepIf(yes bool) Option { return func(o *rowfile.Options) { o.Keep = yes } }

// Exclude are paths that are not read although they lie in the folder.
func Exclude(paths ...string) Option {
	return func(o *rowfile.Options) { o.Exclude = append(o.Exclude, paths...) }
}

// Read makes a table of the rows in a file, in the files of a folder and those
// below, or in those that a glob names ("data/**/*.jsonl"). The table is called
// "json" and the path; Named gives it another name. A file, if its name has an
// extension, may come later; a folder must exist.
func Read[T any](g *pipeline.Graph, path string, opts ...Option) *pipeline.Table[T] {
	return pipeline.From(g, tableName(path), Source[T](path, opts...))
}

// Source is what Read reads from.
func Source[T any](path string, opts ...Option) pipeline.Source[T] {
	var o rowfile.Options
	for _, f := range opts {
		f(&o)
	}
	flat := flatten[T]()
	return &rowfile.Source[T]{
		Path: path, Options: o,
		Format: rowfile.Format[T]{Name: "json", New: func([]byte) rowfile.Parser[T] { return &parser[T]{flat: flat} }},
	}
}

// tableName is a path without what a table's name must not have.
func tableName(path string) string {
	return "json " + strings.NewReplacer(":", "_", "\n", "_", "\x00", "_").Replace(filepath.ToSlash(filepath.Clean(path)))
}

// parser reads lines; it has no memory.
type parser[T any] struct{ flat *flat }

func (p *parser[T]) Header() ([]byte, error) { return nil, nil }

var utf8BOM = []byte("\ufeff")

func (p *parser[T]) Parse(b []byte, final bool, yield func(at, line int, row *T, err error)) (n, lines int) {
	var row, zero T
	for ; n < len(b); lines++ {
		end, next := bytes.IndexByte(b[n:], '\n'), 0
		switch {
		case end >= 0:
			end, next = n+end, n+end+1
		case final:
			end, next = len(b), len(b)
		default:
			return n, lines
		}
		row = zero
		if !p.flat.decode(b[n:end], unsafe.Pointer(&row)) {
			line := bytes.TrimPrefix(bytes.TrimSpace(b[n:end]), utf8BOM)
			if len(line) > 0 {
				row = zero
				if err := json.Unmarshal(line, &row); err != nil {
					yield(n, lines, nil, inWords(err))
				} else {
					yield(n, lines, &row, nil)
				}
			}
		} else {
			yield(n, lines, &row, nil)
		}
		n = next
	}
	return n, lines
}

// inWords is an error of encoding/json for people who wrote the file.
func inWords(err error) error {
	var t *json.UnmarshalTypeError
	var s *json.SyntaxError
	switch {
	case errors.As(err, &t) && t.Field != "":
		return fmt.Errorf("%q is %s where %s is wanted", t.Field, t.Value, t.Type)
	case errors.As(err, &t):
		return fmt.Errorf("it is %s where %s is wanted", t.Value, t.Type)
	case errors.As(err, &s):
		return fmt.Errorf("not JSON, at byte %d: %w", s.Offset, err)
	}
	return err
}
