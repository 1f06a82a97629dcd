package rowfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// read reads a file from where the last reading ended to its end.
func (r *reader[T]) read(ctx context.Context, f *fileState, h *os.File, print *fingerprint) error {
	f.Tail, r.skipped = nil, 0
	if f.Broken != "" {
		return nil
	}
	header := f.Header
	if f.Offset == 0 {
		header = nil
	} else if header == nil {
		header = []byte{}
	}
	p := r.s.Format.New(header)
	var rest []byte // of the last block: the beginning of a record
	for {
		block, end, err := r.block(h, f.Offset, rest)
		if err != nil {
			return err
		}
		n, lines := p.Parse(block, false, r.emit(f, f.Offset, f.Line, 1))
		keep := f.Kept
		if n == 0 && len(block) >= maxRecord {
			n, lines = r.tooLong(f, block)
			keep = false // it has no rows to take back
		}
		if err := r.passed(ctx, f, p, print, block[:n], lines, keep); err != nil || f.Broken != "" {
			return err
		}
		if rest = block[n:]; end {
			break
		}
	}
	return r.tail(f, rest)
}

// block reads on behind rest, the bytes that were read from offset on. Rows refer
// to blocks, so each is its own.
func (r *reader[T]) block(h *os.File, offset int64, rest []byte) (b []byte, end bool, err error) {
	b = make([]byte, max(blockSize, 2*len(rest)))
	n := copy(b, rest)
	k, err := io.ReadFull(io.NewSectionReader(h, offset+int64(n), int64(len(b)-n)), b[n:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, false, fmt.Errorf("%w at offset %d: %w", errUnreadable, offset, err)
	}
	return b[:n+k], err != nil, nil
}

// passed notes that the records in text are rows now.
func (r *reader[T]) passed(ctx context.Context, f *fileState, p Parser[T], print *fingerprint, text []byte, lines int, keep bool) error {
	if len(text) == 0 {
		return nil
	}
	header, err := p.Header()
	if err != nil {
		f.Broken = err.Error()
		r.in.Fail(r.abs(f.path()), err)
		return nil
	}
	f.Header = header
	if keep {
		if err := r.keep(f, f.Offset, f.Line, text); err != nil {
			return err
		}
	}
	print.add(text)
	f.Offset += int64(len(text))
	f.Line += int64(lines)
	f.Print = print.sum()
	r.bytes += len(text)
	r.dirty = true
	return r.full(ctx, f)
}

// tooLong gives up a record that has no end, and returns the bytes and lines of
// what is left out: its first line, or if that does not help all of it.
func (r *reader[T]) tooLong(f *fileState, block []byte) (n, lines int) {
	r.skipped++
	if i := bytes.IndexByte(block, '\n'); i >= 0 && r.skipped <= 16 {
		n, lines = i+1, 1
	} else {
		n, lines = len(block), bytes.Count(block, []byte{'\n'})
	}
	r.in.Fail(fmt.Sprintf("%s:%d", r.abs(f.path()), f.Line+1),
		fmt.Errorf("a record of more than %d MB, or one whose quotes do not end: %d bytes are left out", maxRecord>>20, n))
	return n, lines
}

// tail handles what is behind the last line end: it may be the beginning of a
// record, so it waits.
func (r *reader[T]) tail(f *fileState, rest []byte) error {
	if len(rest) > 0 {
		r.tails[f.path()] = time.Now().Add(r.s.Options.settle())
		r.waiting[f.path()] = append([]byte{}, rest...)
	}
	return nil
}

// nextTail returns a timer for the next tail that counts.
func (r *reader[T]) nextTail() (*time.Timer, <-chan time.Time) {
	var next time.Time
	for _, t := range r.tails {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if next.IsZero() || r.in.Static() {
		return nil, nil
	}
	t := time.NewTimer(time.Until(next))
	return t, t.C
}

// endTails makes rows of the tails that have waited long enough, or of all.
func (r *reader[T]) endTails(ctx context.Context, all bool) error {
	now := time.Now()
	for path, t := range r.tails {
		if !all && t.After(now) {
			continue
		}
		delete(r.tails, path)
		f := r.files[path]
		if f == nil || f.Broken != "" {
			continue
		}
		f.Tail = r.waiting[path]
		delete(r.waiting, path)
		if err := r.parse(f, f.Offset, f.Line, f.Tail, true, 1, nil); err != nil {
			return err
		}
		if err := r.save(f); err != nil {
			return err
		}
	}
	return r.commit(ctx)
}
