package rowfile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ragserver/ragserver/pipeline"
)

// Sink appends the changes of a table to a file. It is a pipeline.StagedSink:
// the length of the file is a part of each commit, and what a crash leaves
// behind it is cut off.
type Sink[T any] struct {
	Name   string // of the format; errors begin with it
	Path   string
	Header []byte // with which the file begins
	// Append writes one change to b.
	Append func(b []byte, epoch uint64, c *pipeline.Change[T]) ([]byte, error)
	Err    error // why rows of this type cannot be written; Recover returns it

	f      *os.File
	buf    []byte
	length int64 // of the file, without buf
	dirty  bool  // something was written since the last sync
}

var _ pipeline.StagedSink[struct{}] = (*Sink[struct{}])(nil)

// flushAt is the size at which the buffer is written.
const flushAt = 1 << 20

// Recover opens the file and cuts it back to position. Without one it is the
// first run, or there is no state: the file begins anew.
func (s *Sink[T]) Recover(_ context.Context, position []byte) error {
	if s.Err != nil {
		return s.Err
	}
	length, n := binary.Uvarint(position)
	if position != nil && n != len(position) {
		return fmt.Errorf("%s: write %s: the saved position is not one of this sink", s.Name, s.Path)
	}
	f, err := os.OpenFile(s.Path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("%s: write: %w", s.Name, err)
	}
	if err := s.cutBack(f, int64(length)); err != nil {
		f.Close()
		return fmt.Errorf("%s: write %s: %w", s.Name, s.Path, err)
	}
	s.f, s.length, s.buf, s.dirty = f, int64(length), nil, false
	if length == 0 {
		s.buf = append(s.buf, s.Header...)
	}
	return nil
}

func (s *Sink[T]) cutBack(f *os.File, length int64) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return errors.New("it is not a regular file, which is what can be cut back after a crash")
	}
	if fi.Size() < length {
		return fmt.Errorf("it has %d bytes, but %d were committed: restore it, or delete it together with the state", fi.Size(), length)
	}
	if err := f.Truncate(length); err != nil {
		return err
	}
	_, err = f.Seek(length, io.SeekStart)
	return err
}

// Stage writes the changes of an epoch.
func (s *Sink[T]) Stage(_ context.Context, epoch uint64, changes []pipeline.Change[T]) (err error) {
	for i := range changes {
		if s.buf, err = s.Append(s.buf, epoch, &changes[i]); err != nil {
			return fmt.Errorf("%s: write %s: row %v: %w", s.Name, s.Path, changes[i].Key, err)
		}
		if len(s.buf) >= flushAt {
			if err := s.write(); err != nil {
				return err
			}
		}
	}
	return nil
}

// write empties the buffer. After an error, of a full disk perhaps, what was
// written is cut off again and the buffer stays, so that it can be tried again.
func (s *Sink[T]) write() error {
	if len(s.buf) == 0 {
		return nil
	}
	if _, err := s.f.Write(s.buf); err != nil {
		return fmt.Errorf("%s: write: %w", s.Name, errors.Join(err, s.cutBack(s.f, s.length)))
	}
	s.length += int64(len(s.buf))
	s.buf, s.dirty = s.buf[:0], true
	return nil
}

// Flush syncs the file and returns its length.
func (s *Sink[T]) Flush(context.Context) ([]byte, error) {
	if err := s.write(); err != nil {
		return nil, err
	}
	if s.dirty {
		if err := s.f.Sync(); err != nil {
			return nil, fmt.Errorf("%s: write: %w", s.Name, err)
		}
		s.dirty = false
	}
	return binary.AppendUvarint(nil, uint64(s.length)), nil
}

// Close closes the file. What was staged and not flushed is not in it, except a
// header, so that an empty table leaves a file that says what it would hold.
func (s *Sink[T]) Close() error {
	if s.f == nil {
		return nil
	}
	var err error
	if s.length == 0 && len(s.buf) == len(s.Header) {
		err = s.write()
	}
	if e := s.f.Close(); err == nil {
		err = e
	}
	s.f = nil
	return err
}
