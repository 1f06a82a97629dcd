package disk

import (
	"errors"
	"fmt"
)

type commit struct {
	frames []Frame
	pos    []Pos
	err    error
	done   bool
}

// Append writes frames, in order, and returns where they are once they are
// durable. After an error none of them counts; but a crash may bring them back.
func (l *Log) Append(frames ...Frame) ([]Pos, error) {
	for i := range frames {
		if n := frames[i].length(); n > MaxPayload {
			return nil, fmt.Errorf("%d bytes are more than the %d a frame can hold", n, MaxPayload)
		}
	}
	c := &commit{frames: frames}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("the log is closed")
	}
	l.queue = append(l.queue, c)
	for !c.done {
		if l.busy {
			l.cond.Wait()
			continue
		}
		// Whoever finds the log idle writes for all who wait.
		l.busy = true
		batch := l.queue
		l.queue = nil
		l.mu.Unlock()
		err := l.write(batch)
		l.mu.Lock()
		l.busy = false
		for _, b := range batch {
			b.err, b.done = err, true
		}
		l.cond.Broadcast()
	}
	return c.pos, c.err
}

// write makes the batch durable, in one sync if it fits the current file.
func (l *Log) write(batch []*commit) error {
	if err := l.takeBack(); err != nil {
		return err
	}
	w := batchWriter{l: l}
	for _, c := range batch {
		c.pos = make([]Pos, len(c.frames))
		for i := range c.frames {
			if err := w.frame(&c.frames[i], &c.pos[i]); err != nil {
				return w.failed(err)
			}
		}
	}
	if err := w.sync(); err != nil {
		return w.failed(err)
	}
	return nil
}

// batchWriter writes one batch. It remembers how things were before.
type batchWriter struct {
	l      *Log
	f      *logFile // being written
	base   int64    // where this batch begins in f
	at     int64    // where the next byte goes, buf not counted
	buf    []byte
	before []undo // of the files that are written
}

func (w *batchWriter) frame(f *Frame, pos *Pos) error {
	n := FrameSize(f.length())
	if w.f == nil {
		w.use(w.l.current)
	}
	if w.f == nil || w.at+int64(len(w.buf)) > fileHead && w.at+int64(len(w.buf))+n > w.l.opt.Limit {
		if err := w.sync(); err != nil {
			return err
		}
		next, err := w.l.begin()
		if err != nil {
			return err
		}
		w.use(next)
	}
	*pos = Pos{w.f.number, w.at + int64(len(w.buf)), f.length()}
	h := f.header(w.base, w.f.salt)
	w.buf = append(w.buf, h[:]...)
	if len(f.Payload) <= pieceSize {
		w.buf = append(w.buf, f.Payload...)
	} else if err := w.direct(f.Payload); err != nil {
		return err
	}
	for b := range f.tail() {
		if len(w.buf) >= pieceSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
		w.buf = append(w.buf, b...)
	}
	w.buf = append(w.buf, pad(f.length())...)
	if len(w.buf) > pieceSize {
		return w.flush()
	}
	return nil
}

func (w *batchWriter) use(f *logFile) {
	w.f = f
	if f != nil {
		w.base, w.at = f.size, f.size
		w.before = append(w.before, undo{f, f.size})
	}
}

// direct writes what is too large for the buffer.
func (w *batchWriter) direct(b []byte) error {
	if err := w.flush(); err != nil {
		return err
	}
	m, err := w.f.WriteAt(b, w.at)
	w.at += int64(m)
	return err
}

func (w *batchWriter) flush() error {
	m, err := w.f.WriteAt(w.buf, w.at)
	w.at += int64(m)
	w.buf = w.buf[:0]
	return err
}

// sync ends what this batch writes to the current file.
func (w *batchWriter) sync() error {
	if w.f == nil {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if w.at == w.base {
		return nil
	}
	if err := w.f.Sync(); err != nil {
		return err
	}
	w.l.mu.Lock()
	w.f.size = w.at
	w.l.mu.Unlock()
	return nil
}

// undo is a file and the size it had before a commit.
type undo struct {
	f    *logFile
	size int64
}

// failed takes the batch back: after a failed write or sync nobody knows what of
// it is on disk.
func (w *batchWriter) failed(cause error) error {
	w.l.undo = w.before
	return errors.Join(fmt.Errorf("writing to the log %q: %w", w.l.opt.Name, cause), w.l.takeBack())
}

// takeBack cuts off what a failed commit left behind. If that fails as well, it
// is tried again before the next commit.
func (l *Log) takeBack() error {
	for len(l.undo) > 0 {
		u := l.undo[0]
		if err := u.f.Truncate(u.size); err != nil {
			return fmt.Errorf("taking back a failed commit to %s: %w", FileName(l.opt.Name, u.f.number), err)
		}
		l.mu.Lock()
		u.f.size = u.size
		l.mu.Unlock()
		l.undo = l.undo[1:]
	}
	return nil
}
