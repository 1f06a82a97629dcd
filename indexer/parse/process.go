package parse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running worker, used by one goroutine at a time.
type process struct {
	in    *bufio.Writer
	stdin io.Closer
	out   *bufio.Reader
	log   *slog.Logger
	files *os.File // where descriptors are sent, nil if they cannot be
	proc  *os.Process
	temp  string        // its temporary directory
	err   *tail         // the end of what it wrote to stderr
	ended chan struct{} // closed when it has ended and was cleaned up after
	code  int           // its exit code, once ended
	shot  bool          // it was ended by a signal that no fault of its own raises
	timer *time.Timer   // until it is stopped for idleness; guarded by Pool.mu
	uses  int           // guarded by Pool.mu
}

// startProcess starts a worker. Its goroutine stays on one thread until the
// worker ends, because Linux ends a child when the thread that started it ends.
func startProcess(opt PoolOptions) (*process, error) {
	if len(opt.Exe) == 0 {
		return nil, errors.New("no program is configured")
	}
	temp, err := os.MkdirTemp("", "ragserver-parse-*")
	if err != nil {
		return nil, err
	}
	w := &process{log: opt.Log, temp: temp, err: &tail{}, ended: make(chan struct{})}
	cmd := exec.Command(opt.Exe[0], opt.Exe[1:]...)
	cmd.Dir = temp
	cmd.Stderr = w.err
	cmd.WaitDelay = 2 * time.Second
	cmd.Env = append(keepEnv(), "TMPDIR="+temp, "TMP="+temp, "TEMP="+temp, "GOTRACEBACK=single", "GOMAXPROCS=2",
		fmt.Sprintf("%s=%d", envMemory, opt.Memory), envCache+"="+opt.CacheDir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		os.RemoveAll(temp)
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		os.RemoveAll(temp)
		return nil, err
	}
	theirs, err := w.setUp(cmd)
	if err != nil {
		os.RemoveAll(temp)
		return nil, err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if theirs != nil {
			theirs.Close()
		}
		if err == nil {
			w.proc = cmd.Process
			limitProcess(cmd.Process, opt.Memory)
		}
		started <- err
		if err == nil {
			cmd.Wait()
			w.code, w.shot = cmd.ProcessState.ExitCode(), shot(cmd.ProcessState)
		}
		if w.files != nil {
			w.files.Close()
		}
		os.RemoveAll(temp)
		close(w.ended)
	}()
	if err := <-started; err != nil {
		<-w.ended
		return nil, err
	}
	w.in, w.stdin, w.out = bufio.NewWriterSize(stdin, 64<<10), stdin, bufio.NewReaderSize(stdout, 64<<10)
	return w, nil
}

// keepEnv is what of the environment a worker gets: nothing secret.
func keepEnv() []string {
	var out []string
	for _, k := range []string{"PATH", "HOME", "SystemRoot", "SYSTEMROOT", "LANG", "TZ", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(k); ok {
			out = append(out, k+"="+v)
		}
	}
	return append(out, testEnv...)
}

// testEnv is set by tests, whose own program is the worker.
var testEnv []string

// kill ends the worker at once, stop by closing its stdin.
func (w *process) kill() {
	w.proc.Kill()
	w.stdin.Close()
	<-w.ended
}

func (w *process) stop() { w.wait() }

// wait ends the worker by closing its stdin, or kills it if it does not end.
func (w *process) wait() (killed bool) {
	w.stdin.Close()
	select {
	case <-w.ended:
		return false
	case <-time.After(2 * time.Second):
		w.kill()
		return true
	}
}

// end ends the worker after talking to it has failed, and tells whether it had
// to be killed: one that is gone is left to tell what of. That it is gone is
// seen at the other end of its pipes or, when its end was noted before, at ours,
// which are closed then.
func (w *process) end(failed error) (killed bool) {
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, os.ErrClosed} {
		if errors.Is(failed, gone) {
			return w.wait()
		}
	}
	w.kill()
	return true
}

// grace is what a worker gets beyond the deadline to say so itself.
const grace = 500 * time.Millisecond

// fastShare bounds the first PDF reader, whose failure leaves time for the
// second.
const fastShare = 4

// startLimit bounds the start of a worker or reader, for which no file can be
// blamed.
const startLimit = 3 * time.Minute

// do has the worker read a file. healthy says that the worker can go on.
func (w *process) do(ctx context.Context, a ask, data io.ReaderAt) (res Result, healthy bool, err error) {
	_, isFile := data.(*os.File)
	byFD := isFile && w.files != nil
	a.Sent = !byFD
	var mu sync.Mutex
	phase, late := "", false
	giveUp := func() {
		mu.Lock()
		late = true
		mu.Unlock()
		w.proc.Kill()
	}
	whole := newClock(a.Deadline+grace, giveUp)
	defer whole.stop()
	first := newClock(a.Deadline/fastShare, giveUp)
	first.run(false)
	defer first.stop()
	whole.run(false)
	start := newClock(startLimit, giveUp)
	defer start.stop()
	stopCtx := context.AfterFunc(ctx, func() { w.proc.Kill() })
	defer stopCtx()

	res, err = w.talk(a, data, byFD, func(p string) {
		mu.Lock()
		phase = p
		mu.Unlock()
		whole.run(p != phaseStart)
		start.run(p == phaseStart)
		first.run(p == phaseFast)
	})
	var broken *talkError
	if !errors.As(err, &broken) {
		return res, ctx.Err() == nil, err
	}
	byUs := w.end(broken.err)
	mu.Lock()
	defer mu.Unlock()
	if ctx.Err() != nil {
		return Result{}, false, ctx.Err()
	}
	lost := &lostError{fault: Crashed, phase: phase, used: whole.used(a.Deadline + grace), detail: fmt.Sprintf("exit code %d: %s", w.code, w.err.String())}
	lost.killed = w.shot && !byUs && !late
	switch {
	case late:
		lost.fault = Deadline
	case w.code == exitMemory, strings.Contains(lost.detail, "out of memory"), strings.Contains(lost.detail, "cannot allocate memory"), strings.Contains(lost.detail, "failed to allocate"):
		lost.fault = Memory
	}
	return Result{}, false, lost
}

// talkError is a conversation that broke off.
type talkError struct{ err error }

func (e *talkError) Unwrap() error { return e.err }

func (e *talkError) Error() string { return "parse: talking to the worker: " + e.err.Error() }

// talk sends a request and reads the answer.
func (w *process) talk(a ask, data io.ReaderAt, byFD bool, phase func(string)) (res Result, err error) {
	broken := func(err error) (Result, error) { return Result{}, &talkError{err} }
	if err := writeJSON(w.in, frameAsk, a); err != nil {
		return broken(err)
	}
	if err := w.in.Flush(); err != nil {
		return broken(err)
	}
	sendErr := w.sendFile(data, a.Size, byFD)
	if sendErr != nil && byFD && Passing(sendErr) {
		sendErr = fault(Lacking, sendErr, "the file could not be handed to the process that reads it: %v", sendErr)
	}
	var notSent *Error
	if errors.As(sendErr, &notSent) {
		w.proc.Kill() // it waits for bytes that will not come
		return Result{}, sendErr
	}
	if sendErr == nil {
		sendErr = w.in.Flush()
	}
	if sendErr != nil {
		return broken(sendErr)
	}
	var text string
	for {
		kind, n, err := readHead(w.out, max(frameMax, a.Limits.Text))
		if err != nil {
			return broken(err)
		}
		if kind == frameText {
			// Of most files the text is hardly larger than the file.
			if text, err = receiveText(w.out, n, a.Size+a.Size/8); err != nil {
				return broken(err)
			}
			continue
		}
		payload, err := readPayload(w.out, n)
		if err != nil {
			return broken(err)
		}
		switch kind {
		case framePhase:
			phase(string(payload))
		case frameNote:
			w.log.Warn("a parse worker is less confined than it should be", "reason", string(payload))
		case frameDone:
			var r reply
			if err := json.Unmarshal(payload, &r); err != nil {
				return broken(err)
			}
			res, err := r.result(text)
			if err != nil {
				return broken(err)
			}
			return res, nil
		case frameFail:
			var f failure
			if err := json.Unmarshal(payload, &f); err != nil {
				return broken(err)
			}
			return Result{Hash: f.Hash, Size: f.Size}, f.error()
		default:
			return broken(fmt.Errorf("unexpected frame %q", kind))
		}
	}
}

// tail keeps the first and the last bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 4096 - len(t.buf); room > 0 {
		t.buf = append(t.buf, p[:min(len(p), room)]...)
	}
	return len(p), nil
}

// String is the beginning of what was written: a crash says its cause first.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, _, _ := strings.Cut(string(bytes.TrimSpace(t.buf)), "\n\n")
	return cutRunes(first, 500)
}
