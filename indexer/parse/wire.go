package parse

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Parent and worker exchange frames: a kind, the length as 4 bytes, then that
// many bytes. A request is frameAsk, followed by frameData frames unless the
// file comes by descriptor; the worker answers with any number of framePhase
// and frameNote and then frameText and frameDone, or frameFail.
const (
	frameAsk   = 'a' // ask as JSON
	frameData  = 'd' // bytes of the file; an empty one ends it
	framePhase = 'p' // what the worker does now
	frameNote  = 'n' // what it could not give up at its start
	frameText  = 't' // Result.Text
	frameDone  = 'r' // reply as JSON
	frameFail  = 'f' // failure as JSON
)

// frameMax bounds all frames but frameText, which may be as long as the text.
const frameMax = 256 << 20

func writeFrame(w *bufio.Writer, kind byte, payload []byte) error {
	if err := writeHead(w, kind, len(payload)); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

func writeText(w *bufio.Writer, text string) error {
	if err := writeHead(w, frameText, len(text)); err != nil {
		return err
	}
	_, err := w.WriteString(text)
	return err
}

func writeHead(w *bufio.Writer, kind byte, length int) error {
	if length > 1<<31 {
		return fmt.Errorf("a frame of %d bytes is too long", length)
	}
	var head [5]byte
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], uint32(length))
	_, err := w.Write(head[:])
	return err
}

func writeJSON(w *bufio.Writer, kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, b)
}

// readHead reads what precedes a payload of n bytes, at most limit.
func readHead(r *bufio.Reader, limit int64) (kind byte, n int64, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	if n = int64(binary.LittleEndian.Uint32(head[1:])); n > limit {
		return 0, 0, fmt.Errorf("a frame of %d bytes is longer than allowed", n)
	}
	return head[0], n, nil
}

// readFrame reads a frame of at most limit bytes.
func readFrame(r *bufio.Reader, limit int64) (kind byte, payload []byte, err error) {
	kind, n, err := readHead(r, limit)
	if err != nil {
		return 0, nil, err
	}
	payload, err = readPayload(r, n)
	return kind, payload, err
}

// readPayload reads n bytes. They come as they arrive, so that a false length
// allocates little.
func readPayload(r *bufio.Reader, n int64) ([]byte, error) {
	payload := make([]byte, 0, min(n, 1<<20))
	for int64(len(payload)) < n {
		at := len(payload)
		payload = append(payload, make([]byte, min(n-int64(at), max(1<<20, int64(at))))...)
		if _, err := io.ReadFull(r, payload[at:]); err != nil {
			return nil, err
		}
	}
	return payload, nil
}

// receiveText reads n bytes as a string. Memory for what is expected is taken at
// once, so that a large text is not copied while it grows.
func receiveText(r *bufio.Reader, n, expected int64) (string, error) {
	var sb strings.Builder
	sb.Grow(int(min(n, max(expected, 1<<20))))
	_, err := io.CopyN(&sb, r, n)
	return sb.String(), err
}

// ask is a request to read a file.
type ask struct {
	Name     string
	Size     int64
	Limits   Limits
	Sent     bool // the bytes follow in frames; otherwise a descriptor comes
	SlowOnly bool // leave the first PDF reader out
	Deadline time.Duration
}

// reply is a Result without its text.
type reply struct {
	Document Document
	Spans    []Span // of the blocks
	Hash     [16]byte
	Size     int64
}

// failure is an error of this package, by value.
type failure struct {
	Skip   bool
	Type   string
	Fault  Fault
	Reason string
	Cause  string
	Hash   [16]byte
	Size   int64
}

func failureOf(err error, res Result) failure {
	f := failure{Hash: res.Hash, Size: res.Size}
	var s *SkipError
	var e *Error
	switch {
	case errors.As(err, &s):
		f.Skip, f.Type, f.Reason = true, s.Type, s.Reason
	case errors.As(err, &e):
		f.Type, f.Fault, f.Reason = e.Type, e.Fault, e.Reason
		if e.Err != nil {
			f.Cause = cutRunes(e.Err.Error(), 4000)
		}
	case errors.Is(err, context.DeadlineExceeded):
		f.Fault, f.Reason = Deadline, deadlineReason
	default:
		f.Fault, f.Reason = Unreadable, err.Error()
	}
	return f
}

const deadlineReason = "reading the file took longer than the deadline allows"

func (f failure) error() error {
	if f.Skip {
		return &SkipError{Type: f.Type, Reason: f.Reason}
	}
	e := &Error{Type: f.Type, Fault: f.Fault, Reason: f.Reason}
	if f.Cause != "" {
		e.Err = errors.New(f.Cause)
	}
	return e
}

// sendResult writes a result as frameText and frameDone.
func sendResult(w *bufio.Writer, res Result) error {
	rp := reply{Document: res.Document, Spans: res.Spans, Hash: res.Hash, Size: res.Size}
	rp.Document.Blocks = make([]Block, len(res.Document.Blocks))
	for i, b := range res.Document.Blocks {
		b.Text = ""
		rp.Document.Blocks[i] = b
	}
	if err := writeText(w, res.Text); err != nil {
		return err
	}
	return writeJSON(w, frameDone, rp)
}

// result puts a reply and its text together again.
func (r reply) result(text string) (Result, error) {
	misfit := errors.New("the worker's reply does not fit together")
	if len(r.Spans) != len(r.Document.Blocks) {
		return Result{}, misfit
	}
	at := 0
	for i, s := range r.Spans {
		if s.Start < at || s.End < s.Start || s.End > len(text) {
			return Result{}, misfit
		}
		at = s.End
		b := &r.Document.Blocks[i]
		var ok bool
		if b.Text, ok = readBlock(*b, text[s.Start:s.End]); !ok {
			return Result{}, misfit
		}
	}
	return Result{Document: r.Document, Text: text, Spans: r.Spans, Hash: r.Hash, Size: r.Size}, nil
}
