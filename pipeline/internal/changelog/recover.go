package changelog

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// recover brings the directory to the state of its last commit.
func (l *Log) recover() error {
	names, err := l.fs.List(l.dir)
	if err != nil {
		return err
	}
	if !slices.Contains(names, "MANIFEST") {
		for _, n := range names {
			if ours(n) {
				return &DamageError{l.path("MANIFEST"), 0, "it is missing although " + n + " is there"}
			}
		}
		l.state.nextID = 1
		return l.rewriteManifest(&l.state)
	}
	if l.state, err = l.loadManifest(); err != nil {
		return err
	}
	for i, f := range l.state.files {
		if err := l.recoverFile(f, i == len(l.state.files)-1); err != nil {
			return err
		}
	}
	// A process may have been killed between a write and its sync: what this
	// one builds upon must not be lost when the power goes later.
	err = l.sync(l.manifest.f)
	if err == nil {
		err = l.syncDir()
	}
	if err != nil {
		return fmt.Errorf("sync what was found: %w", err)
	}
	l.removeOrphans(names)
	l.recoveredEpoch, l.recoveredMeta = l.state.epoch, slices.Clone(l.state.meta)
	return nil
}

// recoverFile checks that a file is as long as MANIFEST says and cuts off what
// was never committed.
func (l *Log) recoverFile(f file, last bool) error {
	name := l.path(f.name())
	h, err := l.openCommitted(f)
	if err != nil {
		return recoverError(name, err)
	}
	size, err := h.Size()
	if err == nil && size > f.length {
		err = h.Truncate(f.length)
	}
	if err == nil && last {
		err = l.sync(h)
	}
	if err == nil && last && f.kind == kindLog && f.length < l.o.Segment {
		l.active = h
		return nil
	}
	if e := h.Close(); err == nil {
		err = e
	}
	return recoverError(name, err)
}

func recoverError(name string, err error) error {
	if err != nil && !errors.As(err, new(*DamageError)) {
		err = fmt.Errorf("recover %s: %w", name, err)
	}
	return err
}

func checkFileHeader(h File, name string, kind byte) error {
	b := make([]byte, headerLen)
	if n, err := h.ReadAt(b, 0); n < headerLen {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if kind == kindRun {
		return checkHeader(name, b, magicRun)
	}
	return checkHeader(name, b, magicLog)
}

// removeOrphans deletes what a crash left of unfinished commits and foldings.
func (l *Log) removeOrphans(names []string) {
	for _, n := range names {
		known := slices.ContainsFunc(l.state.files, func(f file) bool { return f.name() == n })
		if ours(n) && !known {
			// If it cannot be removed now, the next Open tries again.
			if err := l.fs.Remove(l.path(n)); err != nil {
				l.o.Logger.Warn("cannot remove an unused file", "file", l.path(n), "err", err)
			}
		}
	}
}

// ours reports whether a log could have made a file of this name, MANIFEST and
// LOCK aside.
func ours(name string) bool {
	stem, tmp := strings.CutSuffix(name, ".tmp")
	ext := filepath.Ext(stem)
	digits := strings.TrimSuffix(stem, ext)
	if strings.Trim(digits, "0123456789") != "" || len(digits) < 6 {
		return false
	}
	return ext == ".run" || ext == ".log" && !tmp
}
