package changelog

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Checked is what Check has read.
type Checked struct {
	Epoch uint64 // of the last commit
	Files int    // logs and runs
	Bytes int64  // that count of them
}

// Check reads everything that counts of the state in dir and verifies all
// checksums; if all is well, look may read tables from it. It changes nothing.
// The error joins a *DamageError for each damaged file; it is a *LockedError if
// another process has the directory.
func Check(fs FS, dir string, look func(*Log) error) (Checked, error) {
	lock, err := fs.Lock(filepath.Join(dir, "LOCK"))
	if err != nil {
		return Checked{}, fmt.Errorf("check the state directory: %w", err)
	}
	defer lock.Close()
	l := &Log{fs: fs, dir: dir}
	s, err := l.lookAtManifest()
	if err != nil {
		return Checked{}, fmt.Errorf("check the state in %s: %w", dir, err)
	}
	l.state = s
	c := Checked{Epoch: s.epoch, Files: len(s.files)}
	var errs []error
	for _, f := range s.files {
		c.Bytes += f.length
		if err := l.checkFile(f); err != nil {
			errs = append(errs, fmt.Errorf("check the state in %s: %w", dir, err))
		}
	}
	if len(errs) > 0 {
		return c, errors.Join(errs...)
	}
	return c, look(l)
}

// lookAtManifest reads MANIFEST and leaves it as it is.
func (l *Log) lookAtManifest() (state, error) {
	name := l.path("MANIFEST")
	f, err := l.fs.Open(name)
	if err != nil {
		return state{}, &DamageError{name, 0, fmt.Sprintf("it cannot be opened (%v)", err)}
	}
	defer f.Close()
	b, err := readAll(f)
	if err != nil {
		return state{}, fmt.Errorf("read MANIFEST: %w", err)
	}
	s, _, _, err := readManifest(name, b)
	return s, err
}

func (l *Log) checkFile(f file) error {
	name := l.path(f.name())
	h, err := l.openCommitted(f)
	if err != nil {
		return err
	}
	defer h.Close()
	tables, err := l.dirs.tables(h, f, name)
	if err != nil {
		return err
	}
	var buf []byte
	for table, refs := range tables {
		for _, r := range refs {
			if _, buf, err = readFrame(h, r, name, table, buf); err != nil {
				return err
			}
		}
	}
	return nil
}

// openCommitted opens a file of the last commit, which must be at least as long
// as that and of its kind.
func (l *Log) openCommitted(f file) (File, error) {
	name := l.path(f.name())
	h, err := l.fs.Open(name)
	if err != nil {
		return nil, &DamageError{name, 0, fmt.Sprintf("it belongs to the last commit and cannot be opened (%v)", err)}
	}
	size, err := h.Size()
	if err == nil && size < f.length {
		err = &DamageError{name, size, fmt.Sprintf("it ends here, the last commit needs %d bytes", f.length)}
	}
	if err == nil {
		err = checkFileHeader(h, name, f.kind)
	}
	if err != nil {
		h.Close() // nothing was written
		return nil, err
	}
	return h, nil
}
