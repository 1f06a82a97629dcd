package changelog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// FS is the part of a file system that a log needs. It is an interface so that
// tests can take the machine away at any operation
// (pipelinetest.CrashFS); OSFS is the real one.
type FS interface {
	MkdirAll(dir string) error
	// Create makes an empty file, or empties an existing one.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// List returns the names, without folder, of what is in dir.
	List(dir string) ([]string, error)
	// SyncDir makes created, renamed and removed names durable.
	SyncDir(dir string) error
	// Lock takes the file name for this process until the Closer is closed;
	// when another one has it, the error is a LockedError.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Writes are at offsets: a log knows where it is.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// LockedError says that a directory is in use by another process.
type LockedError struct {
	Dir string
	PID int // 0: not known
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is in use by another process; stop it or use another directory", e.Dir)
	}
	return fmt.Sprintf("%s is in use by process %d; stop it or use another directory", e.Dir, e.PID)
}

// OSFS is the file system of the operating system.
type OSFS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// MkdirAll makes a folder and those above it.
func (OSFS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// Create makes an empty file that only its owner can read.
func (OSFS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Open opens an existing file for reading and writing.
func (OSFS) Open(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Rename replaces to by from.
func (OSFS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file.
func (OSFS) Remove(name string) error { return os.Remove(name) }

// List returns the names in a folder.
func (OSFS) List(dir string) ([]string, error) {
	es, err := os.ReadDir(dir)
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = e.Name()
	}
	return names, err
}

// SyncDir syncs the folder itself.
func (OSFS) SyncDir(dir string) error { return syncDir(dir) }

// Lock locks the file name, and writes the process id into it.
func (OSFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		locked := &LockedError{Dir: filepath.Dir(name)}
		b := make([]byte, 32)
		n, _ := f.ReadAt(b, 0)
		// Best effort: the number only makes the message more helpful.
		_, _ = fmt.Sscanf(strings.TrimSpace(string(b[:n])), "%d", &locked.PID)
		return nil, locked
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil // closing the file gives the lock back
}

var errLocked = errors.New("locked")
