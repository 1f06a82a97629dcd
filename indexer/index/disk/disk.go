// Package disk keeps bytes through crashes: append-only logs with group commit,
// files written whole or not at all, and the lock of a directory.
//
// # Format, version 1
//
// All numbers are little-endian. A log named x is a run of files x-000001.log,
// x-000002.log …, in which a new one is begun when the last is full. A file
// starts with a head of 64 bytes:
//
//	 0  8  "RAGSLOG1"
//	 8  8  the file's number
//	16 16  the log's name, padded with zeros
//	32  4  salt, random; checksums of frames start from it
//	36 24  zeros
//	60  4  CRC-32C of the bytes before
//
// Frames follow, each at a multiple of 16:
//
//	 0  4  0x52464752
//	 4  4  CRC-32C of all that follows, padding included, begun with the salt
//	 8  4  length of the payload
//	12  4  kind, the log's user says what it means
//	16 16  id
//	32  8  time of writing, Unix nanoseconds
//	40  8  offset in this file at which the frame's commit began
//	48     payload, padded with zeros to a multiple of 16
//
// # What survives
//
// Append returns when its frames are synced. Callers that come together share
// one sync. A write that failed is taken back, and may be tried again.
//
// A crash may leave the last commit of the last file torn: such a tail is cut
// off when the log is opened. A commit is begun only when the one before it is
// durable; so a bad frame that is followed by a good one of a later commit was
// damaged after it had been written, as is any bad frame in an earlier file.
// That is an error of type *Damage, which names the file.
package disk

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// FS is a directory without subdirectories. Names are base names.
type FS interface {
	// Create makes an empty file, or empties the one there is, for reading
	// and writing.
	Create(name string) (File, error)
	// Open opens a file for reading and, if it can, for writing.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	List() ([]string, error)
	// SyncDir makes created, renamed and removed names durable.
	SyncDir() error
}

// File is an open file. ReadAt may run beside everything else.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync makes the content and the size durable.
	Sync() error
	// Map gives the first n bytes, which must exist and never change again,
	// and how to release them.
	Map(n int) (data []byte, release func(), err error)
}

// Damage says that a file is not as it was written.
type Damage struct {
	File   string
	Offset int64 // -1 if the file as a whole is meant
	What   string
}

func (d *Damage) Error() string {
	if d.Offset < 0 {
		return fmt.Sprintf("file %s is damaged: %s", d.File, d.What)
	}
	return fmt.Sprintf("file %s is damaged at byte %d: %s", d.File, d.Offset, d.What)
}

// ErrLocked says that another process uses the directory.
var ErrLocked = errors.New("another process uses it")

// WriteFile replaces a file by data: after a crash, either the old or the new
// one is there, whole.
func WriteFile(fs FS, name string, write func(w io.Writer) error) (err error) {
	tmp := name + ".tmp"
	f, err := fs.Create(tmp)
	if err != nil {
		return fmt.Errorf("creating %s: %w", tmp, err)
	}
	w := &offsetWriter{f: f}
	err = write(w)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = fs.Rename(tmp, name)
	}
	if err == nil {
		err = fs.SyncDir()
	}
	if err != nil {
		_ = fs.Remove(tmp) // it would be removed at the next start otherwise
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

type offsetWriter struct {
	f  File
	at int64
}

func (w *offsetWriter) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.at)
	w.at += int64(n)
	return n, err
}

// ReadFile reads a file of at most limit bytes.
func ReadFile(fs FS, name string, limit int64) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := f.Size()
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, &Damage{name, -1, fmt.Sprintf("it has %d bytes, more than the %d it can have", n, limit)}
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil && !(errors.Is(err, io.EOF)) {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return b, nil
}
