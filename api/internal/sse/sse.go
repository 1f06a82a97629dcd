// Package sse writes a stream of server-sent events (HTML Living Standard,
// section 9.2) and keeps it alive while there is nothing to say.
package sse

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// KeepAlive is how long a stream is silent before a comment is sent, so
	// that proxies keep it open and a reader that left is noticed.
	KeepAlive = 15 * time.Second
	// writeTime is how long a reader may take to accept one event.
	writeTime = 30 * time.Second
)

// Stream writes events. Its methods may be called from several goroutines. The
// head is sent with the first event, or with the first sign of life if events
// are long in coming: until then a failure can still be told by a status.
type Stream struct {
	rc    *http.ResponseController
	close sync.Once
	stop  chan struct{}
	done  chan struct{}

	mu      sync.Mutex // guards all below; held while something is written, which may take writeTime
	w       http.ResponseWriter
	buf     bytes.Buffer
	started bool
	wrote   bool // something went out since the last tick
	err     error
}

// New returns a stream and begins to keep it alive. The caller must call Close
// before its handler returns.
func New(w http.ResponseWriter) *Stream {
	s := &Stream{rc: http.NewResponseController(w), w: w, stop: make(chan struct{}), done: make(chan struct{})}
	go s.keepAlive()
	return s
}

// Started says whether the head was sent. After Close that does not change but
// by Send.
func (s *Stream) Started() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// Close ends the keep-alive comments; events may still be sent. The stream
// itself ends with the handler. Close may be called again.
func (s *Stream) Close() {
	s.close.Do(func() { close(s.stop) })
	<-s.done
}

func (s *Stream) keepAlive() {
	defer close(s.done)
	t := time.NewTicker(KeepAlive)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			if !s.mu.TryLock() {
				continue // something is being written, to a reader that takes its time
			}
			if !s.wrote {
				_ = s.comment("keep-alive") // the error stays for the next Send
			}
			s.wrote = false
			s.mu.Unlock()
		}
	}
}

// Event is one event. Empty fields are not sent; Data may have several lines.
type Event struct {
	ID, Name string
	Data     []byte
}

// Send writes an event and flushes it. The error says that the reader is gone;
// it is the same for every later call.
func (s *Stream) Send(e Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Reset()
	if e.ID != "" {
		s.line("id", []byte(e.ID))
	}
	if e.Name != "" {
		s.line("event", []byte(e.Name))
	}
	if e.Data != nil {
		for l := range bytes.Lines(e.Data) {
			s.line("data", bytes.TrimRight(l, "\r\n"))
		}
		if len(e.Data) == 0 {
			s.line("data", nil)
		}
	}
	s.buf.WriteByte('\n')
	s.wrote = true
	return s.flush()
}

// Retry tells the reader how long to wait before it connects again.
func (s *Stream) Retry(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf.Reset()
	s.line("retry", strconv.AppendInt(nil, d.Milliseconds(), 10))
	s.buf.WriteByte('\n')
	return s.flush()
}

// comment writes a line that readers ignore. The caller holds mu.
func (s *Stream) comment(text string) error {
	s.buf.Reset()
	s.buf.WriteString(": " + text + "\n\n")
	return s.flush()
}

func (s *Stream) line(field string, value []byte) {
	s.buf.WriteString(field)
	s.buf.WriteString(": ")
	s.buf.Write(value)
	s.buf.WriteByte('\n')
}

func (s *Stream) flush() error {
	if s.err != nil {
		return s.err
	}
	if !s.started {
		s.started = true
		h := s.w.Header()
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-cache, no-transform")
		h.Set("X-Accel-Buffering", "no")
		s.w.WriteHeader(http.StatusOK)
	}
	// Writers without deadlines (in tests, behind other servers) do without.
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeTime))
	if _, s.err = s.w.Write(s.buf.Bytes()); s.err != nil {
		return s.err
	}
	s.err = s.rc.Flush()
	return s.err
}
