package jsonio

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/internal/rowfile"
)

// Write appends the changes of a table to the file path: one object a line,
// with the members of the row, "time" (the epoch) and "diff" (+1 or −1). A row
// that is not an object in JSON stands in the member "value". Within an epoch
// retractions come first. Float64 members that JSON has no number for are the
// strings "NaN", "Infinity" and "-Infinity"; of a row that encoding/json cannot
// write, the member "error" says why. With the graph's state, what is in the file after a
// crash and restart is what would be there without. Without state, or
// in the first run with it, the file begins anew.
func Write[T any](t *pipeline.Table[T], path string) {
	pipeline.ToStaged(t, tableName(path), Sink[T](path))
}

// Sink is what Write writes to.
func Sink[T any](path string) pipeline.StagedSink[T] {
	flat := flatten[T]()
	return &rowfile.Sink[T]{
		Name: "json", Path: path, Err: conflict(reflect.TypeFor[T]()),
		Append: func(b []byte, epoch uint64, c *pipeline.Change[T]) ([]byte, error) {
			b, err := appendRow(b, flat, &c.Row)
			if err != nil {
				return nil, err
			}
			b = strconv.AppendUint(append(b, `"time":`...), epoch, 10)
			b = strconv.AppendInt(append(b, `,"diff":`...), int64(c.N), 10)
			return append(b, '}', '\n'), nil
		},
	}
}

// conflict finds members that a change stream has for itself.
func conflict(t reflect.Type) error {
	if t.Kind() != reflect.Struct || special(t) {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if f.IsExported() && (name == "time" || name == "diff") {
			return fmt.Errorf("json: %s has a member %q, which a change stream has for itself: give the field another name in its tag", t, name)
		}
	}
	return nil
}

// appendRow appends a row as an object that is still open, ready for members.
func appendRow[T any](b []byte, f *flat, row *T) ([]byte, error) {
	if f.fields != nil {
		if out, ok := f.encode(append(b, '{'), unsafe.Pointer(row)); ok {
			return out, nil
		}
	}
	text, err := json.Marshal(row)
	if err != nil {
		// The row is there all the same, and its retraction will look alike: what
		// ends the run would end every later one too.
		if text, err = json.Marshal(struct {
			Error string `json:"error"`
		}{err.Error()}); err != nil {
			return nil, err
		}
	}
	if len(text) == 0 {
		return nil, errors.New("it has no JSON")
	}
	if text[0] != '{' {
		return append(append(append(b, `{"value":`...), text...), ','), nil
	}
	if b = append(b, text[:len(text)-1]...); len(text) > 2 {
		b = append(b, ',')
	}
	return b, nil
}

// encode appends the members of the row at p, each with a comma behind it. It
// reports false for what it leaves to encoding/json.
func (f *flat) encode(b []byte, p unsafe.Pointer) (_ []byte, ok bool) {
	for i := range f.fields {
		m := &f.fields[i]
		b = append(b, m.prefix...)
		at := unsafe.Add(p, m.offset)
		switch m.kind {
		case reflect.String:
			s := *(*string)(at)
			if !plainText(s) {
				return nil, false
			}
			b = append(append(append(b, '"'), s...), '"')
		case reflect.Bool:
			b = strconv.AppendBool(b, *(*bool)(at))
		case reflect.Float64:
			switch v := *(*float64)(at); {
			case math.IsNaN(v):
				b = append(b, `"NaN"`...)
			case math.IsInf(v, 1):
				b = append(b, `"Infinity"`...)
			case math.IsInf(v, -1):
				b = append(b, `"-Infinity"`...)
			case v != 0 && (math.Abs(v) < 1e-6 || math.Abs(v) >= 1e21):
				return nil, false
			default:
				b = strconv.AppendFloat(b, v, 'f', -1, 64)
			}
		case reflect.Int:
			b = strconv.AppendInt(b, int64(*(*int)(at)), 10)
		case reflect.Int64:
			b = strconv.AppendInt(b, *(*int64)(at), 10)
		case reflect.Uint64:
			b = strconv.AppendUint(b, *(*uint64)(at), 10)
		case reflect.Int32:
			b = strconv.AppendInt(b, int64(*(*int32)(at)), 10)
		case reflect.Uint32:
			b = strconv.AppendUint(b, uint64(*(*uint32)(at)), 10)
		default:
			return nil, false
		}
		b = append(b, ',')
	}
	return b, true
}

// plainText reports whether encoding/json writes s as it is.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
