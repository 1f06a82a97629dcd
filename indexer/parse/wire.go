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
	"unsafe"
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
	frameText  = 't' // texts of all blocks, one after the other
	frameDone  = 'r' // reply as JSON
	frameFail  = 'f' // failure as JSON
)

// frameMax bounds all frames but frameText, which may be as long as the text.
const frameMax = 256 << 20

func writeFrame(w *bufio.Writer, kind byte, payload []byte) error {
	if len(payload) > 1<<31 {
		return fmt.Errorf("a frame of %d bytes is too long", len(payload))
	}
	var head [5]byte
	head[0] = kind
	binary.LittleEndian.PutUint32(head[1:], uint32(len(payload)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

func writeJSON(w *bufio.Writer, kind byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, b)
}

// readFrame reads a frame of at most limit bytes. The bytes come as they
// arrive, so that a false length allocates little.
func readFrame(r *bufio.Reader, limit int64) (kind byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.LittleEndian.Uint32(head[1:]))
	if n > limit {
		return 0, nil, fmt.Errorf("a frame of %d bytes is longer than allowed", n)
	}
	payload = make([]byte, 0, min(n, 1<<20))
	for int64(len(payload)) < n {
		step := min(n-int64(len(payload)), max(1<<20, int64(len(payload))))
		at := len(payload)
		payload = append(payload, make([]byte, step)...)
		if _, err := io.ReadFull(r, payload[at:]); err != nil {
			return 0, nil, err
		}
	}
	return head[0], payload, nil
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
	Lengths  []int // of the blocks' texts
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
	rp := reply{Hash: res.Hash, Size: res.Size, Lengths: make([]int, len(res.Document.Blocks))}
	var sb strings.Builder
	n := 0
	for _, b := range res.Document.Blocks {
		n += len(b.Text)
	}
	sb.Grow(n)
	blocks := make([]Block, len(res.Document.Blocks))
	for i, b := range res.Document.Blocks {
		rp.Lengths[i] = len(b.Text)
		sb.WriteString(b.Text)
		b.Text = ""
		blocks[i] = b
	}
	rp.Document = res.Document
	rp.Document.Blocks = blocks
	text := sb.String()
	if err := writeFrame(w, frameText, unsafe.Slice(unsafe.StringData(text), len(text))); err != nil {
		return err
	}
	return writeJSON(w, frameDone, rp)
}

// result puts a reply and its text together again. The blocks share one text.
func (r reply) result(text []byte) (Result, error) {
	if len(r.Lengths) != len(r.Document.Blocks) {
		return Result{}, errors.New("the worker's reply does not fit together")
	}
	all := unsafe.String(unsafe.SliceData(text), len(text)) // not written to again
	for i, n := range r.Lengths {
		if n < 0 || n > len(all) {
			return Result{}, errors.New("the worker's reply does not fit together")
		}
		r.Document.Blocks[i].Text, all = all[:n], all[n:]
	}
	return Result{Document: r.Document, Hash: r.Hash, Size: r.Size}, nil
}
