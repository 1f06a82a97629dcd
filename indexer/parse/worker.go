package parse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// The environment of a worker, set by the Pool that starts it.
const (
	envMemory = "RAGSERVER_PARSE_MEMORY" // hard limit in bytes
	envCache  = "RAGSERVER_PARSE_CACHE"  // directory of compiled code
	envFD     = "RAGSERVER_PARSE_FD"     // 3 if files come by descriptor there
)

// exitMemory is the exit code of a worker that found itself over its limit.
const exitMemory = 77

// Worker serves a Pool in another process: it reads files for it until stdin
// ends. It first gives up what it does not need: on Linux it cannot open
// sockets or start programs any more (seccomp) and cannot get more memory than
// allowed (RLIMIT_DATA); elsewhere it watches its memory itself, and that
// nothing here opens a socket is all there is. It runs at low priority.
func Worker(stdin io.Reader, stdout io.Writer) error {
	return runWorker(stdin, stdout, readFast)
}

func runWorker(stdin io.Reader, stdout io.Writer, first firstReader) error {
	limit, _ := strconv.ParseInt(os.Getenv(envMemory), 10, 64)
	if limit > 0 {
		debug.SetMemoryLimit(limit / 10 * 7)
	}
	debug.SetMaxStack(128 << 20)
	loose := confine(limit)
	if limit > 0 {
		stop := make(chan struct{})
		defer close(stop)
		go watchMemory(limit, stop)
	}
	w := &worker{out: bufio.NewWriterSize(stdout, 64<<10)}
	if os.Getenv(envFD) == "3" {
		w.files = os.NewFile(3, "files")
		defer w.files.Close()
	}
	if loose != nil {
		if err := writeFrame(w.out, frameNote, []byte(loose.Error())); err != nil {
			return err
		}
	}
	w.pdf = &pdfReader{first: first, cacheDir: os.Getenv(envCache), phase: w.phase}
	// Requests are read ahead of the work, so that the end of stdin, which is
	// the end of the parent, is noticed in the middle of a file.
	asks := make(chan work)
	var readErr error
	go func() {
		readErr = w.readAsks(bufio.NewReaderSize(stdin, 64<<10), asks)
		close(asks)
		if readErr == io.EOF {
			time.AfterFunc(5*time.Second, func() { os.Exit(0) })
		}
	}()
	for a := range asks {
		if err := w.serve(a); err != nil {
			return fmt.Errorf("parse worker: answering: %w", err)
		}
	}
	if readErr != io.EOF {
		return fmt.Errorf("parse worker: reading a request: %w", readErr)
	}
	return nil
}

type worker struct {
	out   *bufio.Writer
	files *os.File // where descriptors come from, nil if they do not
	pdf   *pdfReader
	clock *clock // of the file being read
}

// clock calls a function after a time for which it has run; it can be halted.
type clock struct {
	mu      sync.Mutex
	timer   *time.Timer
	left    time.Duration
	since   time.Time
	running bool
}

func newClock(d time.Duration, f func()) *clock {
	c := &clock{left: d, since: time.Now(), running: true}
	c.timer = time.AfterFunc(d, f)
	return c
}

// run lets the clock run on, or halts it.
func (c *clock) run(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case on && !c.running:
		c.since, c.running = time.Now(), true
		c.timer.Reset(c.left)
	case !on && c.running && c.timer.Stop():
		c.left -= time.Since(c.since)
		c.running = false
	}
}

// used is the time for which it has run.
func (c *clock) used(of time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.left
	if c.running {
		left -= time.Since(c.since)
	}
	return of - left
}

func (c *clock) stop() { c.timer.Stop() }

// work is a request with the file it is about.
type work struct {
	ask  ask
	data io.ReaderAt
	done func()
	err  error // why there is no file, for want of what it takes to keep it
}

func (w *worker) readAsks(in *bufio.Reader, asks chan<- work) error {
	for {
		kind, payload, err := readFrame(in, frameMax)
		if err != nil {
			return err
		}
		var a ask
		if kind != frameAsk {
			return fmt.Errorf("unexpected frame %q", kind)
		}
		if err := json.Unmarshal(payload, &a); err != nil {
			return err
		}
		wk := work{ask: a, done: func() {}}
		if a.Sent {
			wk.data, wk.done, err = receive(in, a.Size)
		} else {
			var f *os.File
			f, err = receiveFile(w.files)
			wk.data, wk.done = f, func() { f.Close() }
		}
		if Passing(err) {
			wk.err, wk.done, err = err, func() {}, nil
		}
		if err != nil {
			return err
		}
		asks <- wk
	}
}

// spillBytes is how much of a file that came through the pipe is kept in
// memory; a larger one goes to the worker's private temporary directory.
const spillBytes = 32 << 20

func receive(in *bufio.Reader, size int64) (io.ReaderAt, func(), error) {
	var buf bytes.Buffer
	var tmp *os.File
	done := func() {
		if tmp != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}
	keep := func(b []byte) (err error) {
		if tmp == nil && int64(buf.Len()+len(b)) <= spillBytes {
			buf.Write(b)
			return nil
		}
		if tmp == nil {
			if tmp, err = os.CreateTemp("", "body-*"); err != nil {
				return err
			}
			if _, err = buf.WriteTo(tmp); err != nil {
				return err
			}
		}
		_, err = tmp.Write(b)
		return err
	}
	var full error // the rest is still to be read, or it would be taken for a request
	for {
		kind, payload, err := readFrame(in, frameMax)
		if err == nil && kind != frameData {
			err = fmt.Errorf("unexpected frame %q", kind)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		if len(payload) == 0 {
			break
		}
		if full != nil {
			continue
		}
		if err := keep(payload); err != nil {
			full = fault(Lacking, err, "there is no room to keep the file while it is read: %v", cause(err))
		}
	}
	if full != nil {
		done()
		return nil, nil, full
	}
	if tmp != nil {
		return tmp, done, nil
	}
	return bytes.NewReader(buf.Bytes()), done, nil
}

// phase tells the parent what is being done, and stops the clock of the file
// while a reader is started.
func (w *worker) phase(name string) {
	w.clock.run(name != phaseStart)
	if writeFrame(w.out, framePhase, []byte(name)) == nil {
		w.out.Flush()
	}
}

func (w *worker) serve(wk work) error {
	defer wk.done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.clock = newClock(wk.ask.Deadline, cancel)
	defer w.clock.stop()
	w.phase(phaseRead)
	w.pdf.slowOnly = wk.ask.SlowOnly
	f := File{Name: wk.ask.Name, Data: wk.data, Size: wk.ask.Size}
	var res Result
	err := wk.err
	if err == nil {
		res, err = read(ctx, f, wk.ask.Limits.withDefaults(), w.pdf.read)
	}
	if wk.ask.Size > 64<<20 && w.pdf.engine != nil {
		w.pdf.engine.close() // its memory grows and never shrinks
		w.pdf.engine = nil
	}
	if err != nil && ctx.Err() != nil {
		err = &Error{Fault: Deadline, Reason: deadlineReason}
	}
	if err != nil {
		err = writeJSON(w.out, frameFail, failureOf(err, res))
	} else {
		err = sendResult(w.out, res)
	}
	return errors.Join(err, w.out.Flush())
}
