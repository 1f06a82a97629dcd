// Package durable puts files in place so that a crash leaves the old one or the
// new one, whole, and makes the names in a directory durable.
//
// It is for small files that are written as one: lists, settings. Logs and
// checkpoints have their own ways (packages disk and changelog).
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace puts data under a name, readable by its owner alone. When it returns
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
