// Package body reads the bodies of requests: whole, within bounds of size and
// time, and as JSON with errors that name the field and the place.
package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/fault"
)

// Time is how long a client may take to send a body that is read whole, and how
// long it may pause while it sends one that is streamed.
const Time = 30 * time.Second

// Read reads a body of at most limit bytes.
func Read(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	rc := http.NewResponseController(w)
	// Without support for deadlines (in tests) the body is there already.
	_ = rc.SetReadDeadline(time.Now().Add(Time))
	var b bytes.Buffer
	b.Grow(int(max(r.ContentLength, 512)) + 1)
	_, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, Failed(err, limit)
	}
	_ = rc.SetReadDeadline(time.Time{})
	return b.Bytes(), nil
}

// Stream returns a body of at most limit bytes to be read piece by piece. The
// client may take as long as it likes in all but must not pause.
func Stream(w http.ResponseWriter, r *http.Request, limit int64) io.ReadCloser {
	return &stream{r: http.MaxBytesReader(w, r.Body, limit), rc: http.NewResponseController(w), limit: limit}
}

type stream struct {
	r     io.ReadCloser
	rc    *http.ResponseController
	limit int64
	next  time.Time // when the deadline is moved again
}

func (s *stream) Read(p []byte) (int, error) {
	if now := time.Now(); now.After(s.next) {
		_ = s.rc.SetReadDeadline(now.Add(Time))
		s.next = now.Add(Time / 10)
	}
	n, err := s.r.Read(p)
	switch {
	case err == io.EOF:
		_ = s.rc.SetReadDeadline(time.Time{})
	case err != nil:
		err = Failed(err, s.limit)
	}
	return n, err
}

func (s *stream) Close() error { return s.r.Close() }

// Told reads a part of a body that Stream returned, cut out by someone else, and
// says why it could not be read.
func Told(r io.Reader, limit int64) io.Reader { return told{r, limit} }

type told struct {
	r     io.Reader
	limit int64
}

func (t told) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		err = Failed(err, t.limit)
	}
	return n, err
}

// Failed says why a body could not be read.
func Failed(err error, limit int64) error {
	var big *http.MaxBytesError
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &big):
		return tooLarge(limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault.New(http.StatusRequestTimeout, "slow_body", "the body did not arrive in time; at most %v may pass without progress", Time)
	default:
		return fault.New(http.StatusBadRequest, "broken_body", "the body could not be read to its end; send it again").Because(err)
	}
}

func tooLarge(limit int64) error {
	return fault.New(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than the %d bytes allowed here", limit)
}

// Strict says whether unknown fields are errors.
type Strict bool

// JSON decodes one JSON value into v. The error names the field and the place.
func JSON(data []byte, v any, strict Strict) error {
	if !utf8.Valid(data) {
		return fault.New(http.StatusBadRequest, "bad_json", "the body is not UTF-8: byte %d is no part of a character", badByte(data)+1)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return fault.New(http.StatusBadRequest, "bad_json", "the body is empty; a JSON object is expected")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return explain(data, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fault.New(http.StatusBadRequest, "bad_json", "there is more after the JSON value, at %s", place(data, d.InputOffset()))
	}
	return nil
}

func badByte(data []byte) int {
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(data)
}

func explain(data []byte, err error) error {
	bad := func(format string, args ...any) *fault.Error {
		return fault.New(http.StatusBadRequest, "bad_json", format, args...)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return bad("the body is not JSON: %s, at %s", syntax.Error(), place(data, syntax.Offset))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return bad("the JSON ends too early, at %s", place(data, int64(len(data))))
	case errors.As(err, &kind):
		if kind.Field == "" {
			e := bad("the body must be a JSON object, not %s", article(kind.Value))
			return e
		}
		e := bad("`%s` must be %s, not %s (%s)", kind.Field, wanted(kind.Type.Kind().String()), article(kind.Value), place(data, kind.Offset))
		e.Param = kind.Field
		return e
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		field = strings.Trim(field, `"`)
		e := bad("there is no field `%s`", field)
		e.Param = field
		return e
	}
	return bad("the body could not be decoded").Because(err)
}

func wanted(kind string) string {
	switch {
	case strings.HasPrefix(kind, "int"):
		return "an integer within range"
	case strings.HasPrefix(kind, "uint"):
		return "an integer within range, not negative"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	}
	switch kind {
	case "slice", "array":
		return "an array"
	case "struct", "map":
		return "an object"
	case "bool":
		return "true or false"
	}
	return "a " + kind
}

func article(value string) string {
	switch value {
	case "array", "object":
		return "an " + value
	case "string", "bool", "number":
		return "a " + value
	}
	return value
}

// place returns line and column (in characters, from 1) of an offset.
func place(data []byte, offset int64) string {
	head := data[:min(max(offset, 0), int64(len(data)))]
	line := bytes.Count(head, []byte("\n")) + 1
	column := utf8.RuneCount(head[bytes.LastIndexByte(head, '\n')+1:])
	return fmt.Sprintf("line %d, column %d", line, max(column, 1))
}
