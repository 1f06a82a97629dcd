package parse

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// PoolOptions say how a Pool works. Zero values mean the defaults.
type PoolOptions struct {
	Exe      []string      // command line of a worker, whose program calls Worker
	Workers  int           // processes at a time; default: half the processors; at least 2
	Memory   int64         // bytes a worker may have; default 1.5 GB
	Deadline time.Duration // for one file; default 60 s
	CacheDir string        // for compiled code (about 40 MB), "" for none
	Idle     time.Duration // after which an unused worker is stopped; default 60 s
	Limits   Limits
	Log      *slog.Logger // nil for none
}

// Pool reads files in worker processes: whatever a file does to its parser, it
// costs that file one attempt. Small files of plain text are read in the
// calling process, which takes a fraction of a millisecond: their readers are
// linear in the size, recursion is bounded, and the size is.
//
// One worker is kept for files that are read within a moment: a file that is
// Large or takes longer holds up only others of its kind.
//
// A Pool is used by many goroutines at once.
type Pool struct {
	opt   PoolOptions
	lanes *lanes // who is read

	mu     sync.Mutex
	idle   []*process // most recently used last
	all    map[*process]bool
	closed bool
}

// NewPool returns a pool. Workers are started when they are needed.
func NewPool(opt PoolOptions) *Pool {
	if opt.Workers <= 0 {
		opt.Workers = runtime.NumCPU() / 2
	}
	if opt.Memory <= 0 {
		opt.Memory = 1536 << 20
	}
	if opt.Deadline <= 0 {
		opt.Deadline = time.Minute
	}
	if opt.Idle <= 0 {
		opt.Idle = time.Minute
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	opt.Limits = opt.Limits.withDefaults()
	return &Pool{opt: opt, lanes: newLanes(opt.Workers), all: map[*process]bool{}}
}

// ErrClosed is what Parse returns after Close.
var ErrClosed = errors.New("parse: the pool is closed")

// Parse reads a file. The error is a *SkipError, an *Error, ErrClosed or the
// context's; of an *Error, Passing says whether it is the machine's rather than
// the file's. The result's Hash and Size are set whenever the file itself could
// be read, also with an error. f.Data is not used after Parse has returned.
func (p *Pool) Parse(ctx context.Context, f File) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if f.Size > p.opt.Limits.Bytes {
		return Result{Size: f.Size}, fault(TooLarge, nil, "the file has %s; the limit is %s", bytesText(f.Size), bytesText(p.opt.Limits.Bytes))
	}
	if res, err, done := p.inline(ctx, f); done {
		return res, err
	}
	for slow := f.Size >= Large; ; slow = true {
		t, err := p.lanes.enter(ctx, !f.Backlog, slow)
		if err != nil {
			return Result{}, err
		}
		res, err := p.read(t.ctx, f)
		ousted := err != nil && ctx.Err() == nil && context.Cause(t.ctx) == errOusted
		p.lanes.leave(t)
		if !ousted {
			return res, err
		}
	}
}

// read reads a file in workers: in another one if the first was killed by
// somebody else, and with the other PDF reader if the first one broke down on it.
func (p *Pool) read(ctx context.Context, f File) (res Result, err error) {
	slowOnly, again := false, true
	left := p.opt.Deadline
	for {
		res, err = p.attempt(ctx, f, slowOnly, left)
		var lost *lostError
		if !errors.As(err, &lost) {
			return res, err
		}
		p.opt.Log.Warn("a parse worker was lost", "file", f.Name, "phase", lost.phase, "fault", lost.fault, "detail", lost.detail)
		left -= lost.used
		switch {
		case left <= time.Second:
			return res, lost.fail()
		case lost.killed && again:
			again = false
		case lost.phase == phaseFast && !slowOnly:
			slowOnly = true
		default:
			return res, lost.fail()
		}
	}
}

// inlineBytes is the size up to which plain text is read in this process, and
// inlineMarkdown that for Markdown, whose parser is not linear on all input.
const (
	inlineBytes    = 1 << 20
	inlineMarkdown = 128 << 10
)

// inline reads small plain text, and tells what is not read at all.
func (p *Pool) inline(ctx context.Context, f File) (res Result, err error, done bool) {
	if f.Size > inlineBytes {
		return res, nil, false
	}
	raw, err := readAll(f.Data, f.Size)
	if err != nil {
		return res, unreadable(err), true
	}
	f.Data = bytes.NewReader(raw)
	d := detect(f.Data, f.Size, f.Name, p.opt.Limits)
	if d.err == nil {
		switch d.format {
		case fText, fCode, fCSV, fTSV, fJSON, fJSONL:
		case fMD:
			if f.Size > inlineMarkdown {
				return res, nil, false
			}
		default:
			return res, nil, false
		}
	}
	lim := p.opt.Limits
	lim.Text = min(lim.Text, 64<<20)
	res, err = read(ctx, f, lim, nil)
	var e *Error
	if errors.As(err, &e) && e.Fault == TooLarge && lim.Text < p.opt.Limits.Text {
		return res, nil, false
	}
	return res, err, true
}

// lostError is a worker that died or had to be killed.
type lostError struct {
	fault  Fault
	phase  string
	used   time.Duration // of the deadline
	detail string
	killed bool // by nobody of us
}

func (e *lostError) Error() string { return string(e.fault) + ": " + e.detail }

// fail is what the owner of the file is told.
func (e *lostError) fail() error {
	if e.killed {
		return fault(Crashed, e, "the process that read the file was killed, twice; the machine may be short of memory")
	}
	switch e.fault {
	case Deadline:
		return fault(Deadline, e, "%s", deadlineReason)
	case Memory:
		return fault(Memory, e, "reading the file took more memory than is allowed; it is damaged or unusually large")
	}
	return fault(Crashed, e, "the reader broke down on the file; it is probably damaged")
}

// attempt reads a file in a worker.
func (p *Pool) attempt(ctx context.Context, f File, slowOnly bool, deadline time.Duration) (Result, error) {
	w, err := p.take()
	if err != nil {
		return Result{}, err
	}
	a := ask{Name: f.Name, Size: f.Size, Limits: p.opt.Limits, SlowOnly: slowOnly, Deadline: deadline}
	res, healthy, err := w.do(ctx, a, f.Data)
	if healthy {
		p.give(w)
	} else {
		p.drop(w)
	}
	return res, err
}

// take returns an idle worker or starts one.
func (p *Pool) take() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		w.timer.Stop()
		return w, nil
	}
	w, err := startProcess(p.opt)
	if err != nil {
		return nil, fault(Lacking, err, "a process that reads it cannot be started: %v", err)
	}
	p.all[w] = true
	return w, nil
}

// usesMax is how many files a worker reads before it is replaced.
const usesMax = 500

// give puts a worker back; it ends when nothing needs it for a while.
func (p *Pool) give(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.uses++
	if p.closed || w.uses >= usesMax {
		delete(p.all, w)
		go w.stop()
		return
	}
	w.timer = time.AfterFunc(p.opt.Idle, func() {
		p.mu.Lock()
		i := slices.Index(p.idle, w)
		if i >= 0 {
			p.idle = slices.Delete(p.idle, i, i+1)
			delete(p.all, w)
		}
		p.mu.Unlock()
		if i >= 0 {
			w.stop()
		}
	})
	p.idle = append(p.idle, w)
}

func (p *Pool) drop(w *process) {
	p.mu.Lock()
	delete(p.all, w)
	p.mu.Unlock()
	w.kill()
}

// Close ends all workers; files being read fail. It waits for them.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	all := p.all
	p.all, p.idle = map[*process]bool{}, nil
	p.mu.Unlock()
	for w := range all {
		if w.timer != nil {
			w.timer.Stop()
		}
		w.kill()
	}
	return nil
}

// sendFile gives a worker the file: its descriptor where that works, otherwise
// its bytes.
func (w *process) sendFile(data io.ReaderAt, size int64, byFD bool) error {
	if byFD {
		return w.passFile(data.(*os.File))
	}
	buf := make([]byte, 256<<10)
	r := io.NewSectionReader(data, 0, size)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := writeFrame(w.in, frameData, buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return unreadable(err)
		}
	}
	return writeFrame(w.in, frameData, nil)
}
