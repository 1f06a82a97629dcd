package parse

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// jsonFormat tells one JSON value from one a line, and text that only begins
// like JSON.
func jsonFormat(text, ext string) format {
	if ext == ".jsonl" || ext == ".ndjson" {
		return fJSONL
	}
	t := strings.TrimSpace(text)
	first, rest, many := strings.Cut(t, "\n")
	if many && json.Valid([]byte(first)) {
		second, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
		if json.Valid([]byte(second)) && looksJSON(second) {
			return fJSONL
		}
	}
	if ext == ".json" || ext == ".ipynb" || ext == ".geojson" || json.Valid([]byte(t)) || nesting(t) > 1000 {
		return fJSON
	}
	return fText
}

// nesting is how many brackets a text opens at its beginning without closing
// one.
func nesting(t string) int {
	n := 0
	for _, c := range t[:min(len(t), 1<<20)] {
		switch c {
		case '[', '{':
			n++
		case ']', '}':
			return n
		}
	}
	return n
}

// readJSON writes a value as lines "path: value", which read well and are
// found by the names and the values in them: a block for each element of an
// outer array, or for each member of an outer object that is large.
func readJSON(b *builder, _ File, d detected) error {
	dec := json.NewDecoder(strings.NewReader(d.text))
	dec.UseNumber()
	w := &jsonWriter{b: b}
	err := w.top(dec)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = errors.New("there is something after the end of the value")
		}
	}
	var f *Error
	if err == nil || errors.As(err, &f) || b.ctx.Err() != nil {
		return err
	}
	// It is no JSON after all, or was cut. Its text is worth having anyway.
	b.doc.Blocks, b.text = nil, 0
	b.doc.Type = string(fText)
	b.warnf("this is not valid JSON and was read as plain text (%v, near byte %d)", err, dec.InputOffset())
	return readText(b, File{}, d)
}

// readJSONL reads one value a line, a block each. A bad line is kept as text.
func readJSONL(b *builder, _ File, d detected) error {
	n := 0
	for line := range strings.Lines(d.text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		dec := json.NewDecoder(strings.NewReader(line))
		dec.UseNumber()
		w := &jsonWriter{b: b}
		if err := w.record(dec); err != nil {
			var f *Error
			if errors.As(err, &f) || b.ctx.Err() != nil {
				return err
			}
			b.warnf("line %d is not valid JSON", n)
			if err := b.add(Block{Kind: Paragraph, Text: line}); err != nil {
				return err
			}
		}
	}
	b.meta("records", float64(n))
	return nil
}

// jsonWriter walks the tokens of a decoder, so that only one block at a time
// is held.
type jsonWriter struct {
	b     *builder
	sb    strings.Builder
	path  []string
	depth int
}

// blockBytes is how large a block of lines grows before the next begins.
const blockBytes = 1500

// maxPath bounds the path in front of a value: deep or wide keys would repeat
// with every value below them.
const maxPath = 100

func (w *jsonWriter) flush() error {
	s := w.sb.String()
	w.sb.Reset()
	return w.b.add(Block{Kind: Paragraph, Text: s})
}

// top writes a whole file: elements of an outer array are a block each,
// members of an outer object share blocks of blockBytes.
func (w *jsonWriter) top(dec *json.Decoder) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			w.path = append(w.path[:0], "["+strconv.Itoa(i)+"]")
			if err := w.value(dec); err != nil {
				return err
			}
			if err := w.flush(); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		for dec.More() {
			if w.sb.Len() > blockBytes {
				if err := w.flush(); err != nil {
					return err
				}
			}
			k, err := dec.Token()
			if err != nil {
				return err
			}
			w.path = append(w.path[:0], fmt.Sprint(k))
			if err := w.value(dec); err != nil {
				return err
			}
		}
	default:
		if err := w.leaf(t); err != nil {
			return err
		}
		return w.flush()
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	return w.flush()
}

// record writes one value as one block, without a leading path.
func (w *jsonWriter) record(dec *json.Decoder) error {
	if err := w.value(dec); err != nil {
		return err
	}
	return w.flush()
}

func (w *jsonWriter) value(dec *json.Decoder) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return w.leaf(t)
	}
	if w.depth++; w.depth > w.b.lim.Depth {
		return fault(Bomb, nil, "the JSON is nested more than %d deep", w.b.lim.Depth)
	}
	defer func() { w.depth-- }()
	n := len(w.path)
	for i := 0; dec.More(); i++ {
		if open == '{' {
			k, err := dec.Token()
			if err != nil {
				return err
			}
			w.path = append(w.path[:n], fmt.Sprint(k))
		} else {
			w.path = append(w.path[:n], "["+strconv.Itoa(i)+"]")
		}
		if err := w.value(dec); err != nil {
			return err
		}
		if w.sb.Len() > 4*blockBytes && w.depth <= 2 {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	w.path = w.path[:n]
	_, err = dec.Token()
	return err
}

// leaf writes "a.b[2].c: value". Nothing is written for null.
func (w *jsonWriter) leaf(t json.Token) error {
	var v string
	switch x := t.(type) {
	case nil:
		return nil
	case string:
		v = normalLines(x)
	default:
		v = fmt.Sprint(x)
	}
	if strings.TrimSpace(v) == "" {
		return nil
	}
	at := w.sb.Len()
	for i, p := range w.path {
		if w.sb.Len()-at >= maxPath {
			break
		}
		if i > 0 && !strings.HasPrefix(p, "[") {
			w.sb.WriteByte('.')
		}
		w.sb.WriteString(cutRunes(p, max(0, maxPath-(w.sb.Len()-at))))
	}
	if w.sb.Len() > at {
		w.sb.WriteString(": ")
	}
	w.sb.WriteString(v)
	w.sb.WriteByte('\n')
	if int64(w.sb.Len())+w.b.text > w.b.lim.Text {
		return fault(TooLarge, nil, "the text is larger than the limit of %s", bytesText(w.b.lim.Text))
	}
	return nil
}
