package csvio

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/internal/rowfile"
)

// Write appends the changes of a table to the file path: a line of names, then a
// line for each change, with its columns, time (the epoch) and diff (+1 or −1).
// Within an epoch retractions come first. With the graph's state, what is in
// the file after a crash and restart is what would be there without.
// Without state, or in the first run with it, the file begins anew.
func Write[T any](t *pipeline.Table[T], path string) {
	pipeline.ToStaged(t, tableName(path), Sink[T](path))
}

// Sink is what Write writes to.
func Sink[T any](path string) pipeline.StagedSink[T] {
	fields, err := writers[T]()
	w := &writer{fields: fields}
	s := &rowfile.Sink[T]{Name: "csv", Path: path, Err: err}
	for _, f := range fields {
		s.Header = append(appendQuoted(s.Header, []byte(f.name)), ',')
	}
	s.Header = append(s.Header, "time,diff\n"...)
	s.Append = func(b []byte, epoch uint64, c *pipeline.Change[T]) ([]byte, error) {
		b, err := w.columns(b, unsafe.Pointer(&c.Row))
		if err != nil {
			return nil, err
		}
		b = strconv.AppendUint(b, epoch, 10)
		b = append(b, ',')
		b = strconv.AppendInt(b, int64(c.N), 10)
		return append(b, '\n'), nil
	}
	return s
}

type writer struct {
	fields []field
	text   []byte
}

// columns appends the columns of the row at p, each with a comma behind it.
func (w *writer) columns(b []byte, p unsafe.Pointer) (_ []byte, err error) {
	for i := range w.fields {
		f := &w.fields[i]
		if w.text, err = f.add(w.text[:0], unsafe.Add(p, f.offset)); err != nil {
			return nil, err
		}
		b = append(appendQuoted(b, w.text), ',')
	}
	return b, nil
}

// appendQuoted appends a field, in quotes where encoding/csv would need them
// to read it again as it is.
func appendQuoted(b, text []byte) []byte {
	if !needsQuotes(text) {
		return append(b, text...)
	}
	b = append(b, '"')
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			break
		}
		b = append(append(b, text[:i+1]...), '"')
		text = text[i+1:]
	}
	return append(append(b, text...), '"')
}

func needsQuotes(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	for _, c := range text {
		if c == ',' || c == '"' || c == '\n' || c == '\r' {
			return true
		}
	}
	r, _ := utf8.DecodeRune(text)
	return unicode.IsSpace(r) || string(text) == `\.` // which ends a COPY in Postgres
}
