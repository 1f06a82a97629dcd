package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is the FS of a real directory.
type Dir string

// MakeDir makes the directory, readable by its owner only, if it is not there.
func MakeDir(path string) (Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("making the directory: %w", err)
	}
	return Dir(path), nil
}

func (d Dir) path(name string) string { return filepath.Join(string(d), name) }

// Create implements FS.
func (d Dir) Create(name string) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Open implements FS.
func (d Dir) Open(name string) (File, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		f, err = os.Open(d.path(name))
	}
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Rename implements FS.
func (d Dir) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

// Remove implements FS.
func (d Dir) Remove(name string) error { return os.Remove(d.path(name)) }

// List implements FS.
func (d Dir) List() ([]string, error) {
	es, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range es {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// SyncDir implements FS.
func (d Dir) SyncDir() error { return syncDir(string(d)) }

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	i, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return i.Size(), nil
}

func (f osFile) Sync() error { return syncFile(f.File) }

func (f osFile) Map(n int) ([]byte, func(), error) {
	if n == 0 {
		return nil, func() {}, nil
	}
	if size, err := f.Size(); err != nil || size < int64(n) {
		return nil, nil, fmt.Errorf("mapping %d bytes of %s, which has %d: %w", n, f.Name(), size, errors.Join(err, os.ErrInvalid))
	}
	b, release, err := mapFile(f.File, n)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %s: %w", f.Name(), err)
	}
	return b, release, nil
}

// Lock takes the directory for this process; release gives it back, as does the
// end of the process. If another one has it, the error is ErrLocked.
func Lock(path string) (release func(), err error) {
	name := filepath.Join(path, "LOCK")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		if errors.Is(err, ErrLocked) {
			pid := make([]byte, 20)
			if g, e := os.Open(name); e == nil {
				n, _ := g.ReadAt(pid, 0)
				g.Close()
				if n > 0 {
					return nil, fmt.Errorf("%w (process %s)", ErrLocked, pid[:n])
				}
			}
		}
		return nil, err
	}
	_ = f.Truncate(0)
	_, _ = fmt.Fprint(f, os.Getpid()) // only for the message above
	return func() { f.Close() }, nil
}
