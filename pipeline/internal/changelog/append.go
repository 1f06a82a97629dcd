package changelog

import (
	"fmt"
	"slices"
)

// appending is one commit on its way into the logs.
type appending struct {
	l       *Log
	next    state
	epoch   uint64
	file    File   // the log written to; nil: none yet
	fresh   []File // logs begun by this commit, open
	changed bool   // more than the length of the last log
	bytes   int64
	small   []byte // frames too small for a write of their own
}

// append writes drops and frames to the last log, and to new ones as they fill
// up, and syncs them.
func (a *appending) append() error {
	for _, t := range a.l.drops {
		b := beginFrame(nil, kindDrop, t)
		setBounds(b, a.epoch, 0, 255)
		if err := a.write(b); err != nil {
			return err
		}
		if i, ok := slices.BinarySearch(a.next.tables, t); ok {
			a.next.tables = slices.Delete(a.next.tables, i, i+1)
			a.changed = true
		}
	}
	for _, f := range a.l.pending {
		setBounds(f.b, a.epoch, f.min, f.max)
		if err := a.write(f.b); err != nil {
			return err
		}
		if i, ok := slices.BinarySearch(a.next.tables, f.table); !ok {
			a.next.tables = slices.Insert(a.next.tables, i, f.table)
			a.changed = true
		}
	}
	if err := a.finish(); err != nil {
		return err
	}
	if len(a.fresh) == 0 {
		return nil
	}
	if err := a.l.syncDir(); err != nil {
		return fmt.Errorf("sync %s: %w", a.l.dir, err)
	}
	return nil
}

// write seals a frame and appends it, gathering small ones.
func (a *appending) write(frame []byte) error {
	seal(frame)
	if a.file == nil || a.last().length+int64(len(a.small)) >= a.l.o.Segment {
		if err := a.openLog(); err != nil {
			return err
		}
	}
	if len(frame) < frameTarget/4 {
		a.small = append(a.small, frame...)
		if len(a.small) < frameTarget {
			return nil
		}
		return a.flush()
	}
	if err := a.flush(); err != nil {
		return err
	}
	return a.writeAll(frame)
}

func (a *appending) flush() error {
	err := a.writeAll(a.small)
	a.small = a.small[:0]
	return err
}

func (a *appending) writeAll(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	last := a.last()
	if _, err := a.file.WriteAt(b, last.length); err != nil {
		return fmt.Errorf("write %s: %w", last.name(), err)
	}
	last.length += int64(len(b))
	a.bytes += int64(len(b))
	return nil
}

func (a *appending) last() *file { return &a.next.files[len(a.next.files)-1] }

// openLog takes the active log, or begins a new one when there is none or it
// is full.
func (a *appending) openLog() error {
	if a.file == nil && a.l.active != nil {
		a.file = a.l.active
		return nil
	}
	if err := a.finish(); err != nil {
		return err
	}
	f := file{id: a.next.nextID, kind: kindLog, length: headerLen}
	a.next.nextID++
	h, err := a.l.fs.Create(a.l.path(f.name()))
	if err != nil {
		return err
	}
	a.next.files = append(a.next.files, f)
	a.fresh = append(a.fresh, h)
	a.file, a.changed = h, true
	if _, err := h.WriteAt(header(magicLog), 0); err != nil {
		return fmt.Errorf("write %s: %w", f.name(), err)
	}
	return nil
}

// finish writes what is gathered and syncs the log.
func (a *appending) finish() error {
	if a.file == nil {
		return nil
	}
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.l.sync(a.file); err != nil {
		return fmt.Errorf("sync %s: %w", a.last().name(), err)
	}
	return nil
}

// done makes the last log the active one.
func (a *appending) done() {
	if len(a.fresh) == 0 {
		return
	}
	if a.l.active != nil {
		a.l.active.Close() // synced: nothing is left that closing could lose
	}
	for _, f := range a.fresh[:len(a.fresh)-1] {
		f.Close()
	}
	a.l.active = a.file
}

// undo gives up the logs that were written to: after a failed write or sync
// nobody knows what the disk holds of them. The next commit begins another. If
// MANIFEST may have taken the commit (doubtful), they must stay as they are
// until it is replaced: an Open before that would find the commit, and it is
// whole. Errors do not matter here, for nothing names these bytes.
func (a *appending) undo(doubtful bool) {
	l := a.l
	l.mu.Lock()
	l.state.nextID = a.next.nextID // the numbers of doubtful files stay taken
	n := len(l.state.files)
	l.mu.Unlock()
	for _, f := range a.fresh {
		f.Close()
	}
	if l.active != nil {
		if !doubtful {
			l.active.Truncate(l.state.files[n-1].length)
		}
		l.active.Close()
		l.active = nil
	}
	for _, f := range a.next.files[n:] {
		if doubtful {
			l.doubtful = append(l.doubtful, l.path(f.name()))
		} else {
			l.fs.Remove(l.path(f.name()))
		}
	}
}
