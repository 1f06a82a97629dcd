package csvio

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// parser reads the records of one file.
type parser[T any] struct {
	fields []field
	o      options
	header []byte   // the record of names, as it stands in the file
	cols   []*field // by column; nil: passed over
	err    error    // of the header
}

// newParser begins a file, if header is nil, or goes on in it.
func newParser[T any](fields []field, o options, header []byte) *parser[T] {
	p := &parser[T]{fields: fields, o: o}
	switch {
	case o.noHeader:
		p.header = []byte{}
		for i := range fields {
			p.cols = append(p.cols, &fields[i])
		}
	case header != nil:
		p.setHeader(header)
	}
	return p
}

func (p *parser[T]) Header() ([]byte, error) { return p.header, p.err }

// setHeader finds the column of each field.
func (p *parser[T]) setHeader(text []byte) {
	p.header = bytes.Clone(text)
	names, err := p.general(text)
	if err != nil {
		p.err = fmt.Errorf("the line of column names: %w", err)
		return
	}
	p.cols = make([]*field, len(names))
	var missing []string
	for i := range p.fields {
		f := &p.fields[i]
		switch at := column(names, f); {
		case at >= 0:
			p.cols[at] = f
		case !f.optional:
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		p.err = fmt.Errorf("it has no column %s; its columns are %s", strings.Join(missing, ", "), strings.Join(names, ", "))
	}
}

// column returns the place of a field's column: that of its very name, or of
// one that differs in case if the name is not from a tag.
func column(names []string, f *field) int {
	for i, n := range names {
		if strings.TrimSpace(n) == f.name {
			return i
		}
	}
	for i, n := range names {
		if !f.exact && strings.EqualFold(strings.TrimSpace(n), f.name) {
			return i
		}
	}
	return -1
}

var utf8BOM = []byte("\ufeff")

func (p *parser[T]) Parse(b []byte, final bool, yield func(at, line int, row *T, err error)) (n, lines int) {
	plain := bytes.IndexByte(b, '"') < 0
	var row, zero T
	for n < len(b) && p.err == nil {
		end, size, more := p.record(b[n:], final, plain)
		if more {
			return n, lines
		}
		text, inside := b[n:n+end], 0
		if !plain {
			inside = bytes.Count(text, newline)
		}
		switch {
		case len(text) == 0:
		case p.header == nil:
			p.setHeader(bytes.TrimPrefix(text, utf8BOM))
		default:
			row = zero
			if err := p.fill(&row, text, plain); err != nil {
				yield(n, lines, nil, err)
			} else {
				yield(n, lines, &row, nil)
			}
		}
		n += size
		lines += inside + 1
	}
	return n, lines
}

var newline = []byte{'\n'}

// record returns the length of the record that b begins with, without and with
// its line end; more says that its end is not in b.
func (p *parser[T]) record(b []byte, final, plain bool) (end, size int, more bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 && !final {
		return 0, 0, true
	}
	if i < 0 {
		i = len(b)
	}
	if !plain && bytes.IndexByte(b[:i], '"') >= 0 {
		var open bool
		if i, open = quotedEnd(b, p.o.comma); (open || i == len(b)) && !final {
			return 0, 0, true
		}
	}
	size = min(i+1, len(b))
	if i > 0 && b[i-1] == '\r' {
		i--
	}
	return i, size, false
}

// quotedEnd returns where the line ends in which the first record of b ends. If
// its last quoted field has no end, open is true and it is the first line.
func quotedEnd(b []byte, comma byte) (end int, open bool) {
	lineEnd := func(i int) int {
		if j := bytes.IndexByte(b[i:], '\n'); j >= 0 {
			return i + j
		}
		return len(b)
	}
	i := 0
	for {
		if i >= len(b) || b[i] != '"' { // a field without quotes
			for i < len(b) && b[i] != comma && b[i] != '\n' && b[i] != '"' {
				i++
			}
			if i >= len(b) || b[i] != comma {
				return lineEnd(i), false // its end, or a stray quote
			}
			i++
			continue
		}
		i++
		for {
			j := bytes.IndexByte(b[i:], '"')
			if j < 0 {
				return lineEnd(0), true
			}
			if i += j + 1; i < len(b) && b[i] == '"' {
				i++
				continue
			}
			break
		}
		if i >= len(b) || b[i] != comma { // the last field, or something behind a quote
			return lineEnd(i), false
		}
		i++
	}
}

// general splits a record as encoding/csv does.
func (p *parser[T]) general(text []byte) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = rune(p.o.comma), -1
	names, err := r.Read()
	if err != nil {
		var e *csv.ParseError
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, err
	}
	return names, nil
}

// fill puts the columns of a record into a row.
func (p *parser[T]) fill(row *T, text []byte, plain bool) error {
	base := unsafe.Pointer(row)
	if !plain && bytes.IndexByte(text, '"') >= 0 {
		return p.fillGeneral(base, text)
	}
	at := 0
	for i := 0; ; i++ {
		if i == len(p.cols) {
			return p.wrongCount(i + 1 + bytes.Count(text[at:], []byte{p.o.comma}))
		}
		end := at
		for end < len(text) && text[end] != p.o.comma {
			end++
		}
		if f := p.cols[i]; f != nil {
			if err := f.set(unsafe.Add(base, f.offset), text[at:end:end]); err != nil {
				return fmt.Errorf("column %s: %w", f.name, err)
			}
		}
		if end == len(text) {
			if i+1 < len(p.cols) {
				return p.wrongCount(i + 1)
			}
			return nil
		}
		at = end + 1
	}
}

func (p *parser[T]) fillGeneral(base unsafe.Pointer, text []byte) error {
	texts, err := p.general(text)
	if err != nil {
		return err
	}
	if len(texts) != len(p.cols) {
		return p.wrongCount(len(texts))
	}
	for i, f := range p.cols {
		if f == nil {
			continue
		}
		if err := f.set(unsafe.Add(base, f.offset), []byte(texts[i])); err != nil {
			return fmt.Errorf("column %s: %w", f.name, err)
		}
	}
	return nil
}

func (p *parser[T]) wrongCount(n int) error {
	return fmt.Errorf("it has %d columns, not %d", n, len(p.cols))
}
