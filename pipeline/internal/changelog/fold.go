package changelog

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

var errClosing = errors.New("the log is being closed")

// maybeFold finishes the active log when it is large enough and starts folding
// if there is something to fold. REQUIRES: l.writing.
func (l *Log) maybeFold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active != nil && l.state.lastLength() >= l.finishAt() {
		l.active.Close() // synced by the commit
		l.active = nil
		l.foldWanted = true
	}
	if !l.foldWanted || l.foldBusy || l.stopping() {
		return
	}
	l.foldWanted = false
	if _, _, ok := l.plan(); !ok {
		return
	}
	l.foldBusy = true
	l.folding.Go(l.foldAll)
}

// finishAt is the length at which a log has as much as all runs together.
func (l *Log) finishAt() int64 {
	var runs int64
	for _, f := range l.state.files {
		if f.kind == kindRun {
			runs += f.length
		}
	}
	return min(max(runs, l.o.Floor), l.o.Segment)
}

func (l *Log) stopping() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// plan chooses the files [from, to) to fold into one run: the oldest finished
// logs, as many as fit into two segments, and the runs before them that are
// less than twice as large as what follows. REQUIRES: l.writing, l.mu.
func (l *Log) plan() (from, to int, ok bool) {
	files := l.state.files
	if l.active != nil {
		files = files[:len(files)-1]
	}
	from = slices.IndexFunc(files, func(f file) bool { return f.kind == kindLog })
	if from < 0 {
		return 0, 0, false
	}
	to = from
	var sum int64
	for to < len(files) && (sum == 0 || sum+files[to].length <= 2*l.o.Segment) {
		sum += files[to].length
		to++
	}
	for from > 0 && files[from-1].length < 2*sum {
		from--
		sum += files[from].length
	}
	return from, to, true
}

// foldAll folds until nothing is left to fold, something fails (the next
// commit that finishes a log tries again) or the log is closed.
func (l *Log) foldAll() {
	for {
		l.writing.Lock()
		l.mu.Lock()
		from, to, ok := l.plan()
		if !ok || l.stopping() {
			l.foldBusy = false
			l.mu.Unlock()
			l.writing.Unlock()
			return
		}
		files, epoch := slices.Clone(l.state.files[from:to]), l.state.epoch
		run := file{id: l.state.nextID, kind: kindRun}
		l.state.nextID++
		l.mu.Unlock()
		l.writing.Unlock()

		err := l.fold(files, from == 0, epoch, run)
		if err != nil && !errors.Is(err, errClosing) {
			l.o.Logger.Warn("folding the changelog failed; it goes on growing until the next attempt", "dir", l.dir, "err", err)
		}
		l.mu.Lock()
		l.stats.FoldTrouble = err
		if err != nil {
			l.foldBusy = false
			l.mu.Unlock()
			return
		}
		l.stats.Folds++
		l.mu.Unlock()
	}
}

// fold writes what counts of files into run and puts it in their place.
func (l *Log) fold(files []file, oldest bool, epoch uint64, run file) error {
	err := l.writeRun(files, oldest, epoch, &run)
	if err != nil {
		l.fs.Remove(l.path(run.name() + ".tmp"))
		return fmt.Errorf("write %s: %w", run.name(), err)
	}
	if err := l.install(files, run); err != nil {
		return err
	}
	// Whoever reads the old files now opened them before.
	l.reading.Lock()
	defer l.reading.Unlock()
	for _, f := range files {
		l.dirs.forget(f.id)
		if err := l.fs.Remove(l.path(f.name())); err != nil {
			l.o.Logger.Warn("cannot remove a folded file; the next start will", "file", l.path(f.name()), "err", err)
		}
	}
	return nil
}

// install enters run into MANIFEST in the place of files.
func (l *Log) install(files []file, run file) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	next := l.state.clone()
	at := slices.Index(next.files, files[0])
	next.files = slices.Delete(next.files, at, at+len(files))
	if run.length > headerLen {
		next.files = slices.Insert(next.files, at, run)
	}
	if err := l.writeManifest(&next, true); err != nil {
		if run.length > headerLen {
			l.doubtful = append(l.doubtful, l.path(run.name()))
		}
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = next
	return nil
}

// writeRun merges files into the file run, whose length it sets. An empty
// result leaves no file.
func (l *Log) writeRun(files []file, oldest bool, epoch uint64, run *file) error {
	fs, err := l.openFiles(files)
	defer fs.close()
	if err != nil {
		return err
	}
	h, err := l.fs.Create(l.path(run.name() + ".tmp"))
	if err != nil {
		return err
	}
	w := runWriter{l: l, h: h, epoch: epoch}
	w.write(header(magicRun))
	tables := map[string]bool{}
	for _, f := range fs {
		for t := range f.tables {
			tables[t] = true
		}
	}
	for _, t := range slices.Sorted(maps.Keys(tables)) {
		w.table(fs, t, oldest)
	}
	if w.err == nil {
		w.err = l.sync(h)
	}
	run.length = w.length
	if w.err != nil || w.length == headerLen {
		h.Close()
		if w.err == nil {
			w.err = l.fs.Remove(l.path(run.name() + ".tmp"))
		}
		return w.err
	}
	return l.settle(h, run.name())
}

// runWriter writes a run; after an error it does nothing more.
type runWriter struct {
	l      *Log
	h      File
	epoch  uint64
	length int64
	frame  []byte
	err    error
}

func (w *runWriter) write(b []byte) {
	if w.err == nil && w.l.stopping() {
		w.err = errClosing
	}
	if w.err == nil {
		_, w.err = w.h.WriteAt(b, w.length)
		w.length += int64(len(b))
	}
}

// table writes the records of one table. Where older files remain, tombstones
// and a drop are kept, for they still have something to hide.
func (w *runWriter) table(fs openedFiles, table string, oldest bool) {
	var all [256]bool
	for s := range all {
		all[s] = true
	}
	cs, dropped, err := fs.cursors(table, &all)
	if err != nil {
		w.err = err
	}
	if w.err != nil {
		return
	}
	if dropped && !oldest {
		w.frame = beginFrame(w.frame[:0], kindDrop, table)
		w.flush(0, math.MaxUint8)
	}
	w.frame = beginFrame(w.frame[:0], kindChanges, table)
	empty := len(w.frame)
	var low, high uint8
	err = merge(cs, func(c change) error {
		if c.deleted && oldest {
			return w.err
		}
		if len(w.frame) == empty {
			low = c.shard
		}
		high = c.shard
		w.frame = appendChange(w.frame, c)
		if len(w.frame) >= frameTarget {
			w.flush(low, high)
			w.frame = beginFrame(w.frame[:0], kindChanges, table)
		}
		return w.err
	})
	if err != nil {
		w.err = err
	} else if len(w.frame) > empty {
		w.flush(low, high)
	}
}

func (w *runWriter) flush(low, high uint8) {
	setBounds(w.frame, w.epoch, low, high)
	seal(w.frame)
	w.write(w.frame)
}
