// Package durable puts files in place so that a crash leaves the old one or the
// new one, whole, and makes the names in a directory durable.
//
// It is for small files that are written as one: lists, settings. Logs and
// checkpoints have their own ways (packages disk and changelog).
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts data under a name. A file that is there keeps its mode; a new one
// is readable by its owner alone. What root writes belongs to whom the old file
// belongs, or the directory: a service must be able to read what its
// administrator wrote into its directory. When Replace returns
// nil, that is durable; otherwise the file is as it was, unless only the last
// step failed: then the new one is in place, but a power cut may undo that.
// Readers see the old file or the new one. Of concurrent calls for one name one
// wins.
func Replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = like(f, path)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// like gives f the mode and the owner that a file of that name is to have.
func like(f *os.File, path string) error {
	old, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if old, err = os.Stat(filepath.Dir(path)); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := f.Chmod(old.Mode().Perm()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return own(f, old)
}
