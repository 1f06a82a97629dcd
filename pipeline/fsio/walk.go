package fsio

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

// walk looks at everything in a directory, a slice of time after the other.
type walk struct {
	no     uint32
	from   *dir
	full   bool // of the whole folder
	first  bool // the first full one of this run
	heals  bool // started by the clock: what it finds, events have missed
	begin  time.Time
	looked int
	stack  []*listing // the last one goes on first
}

// listing is a directory being read.
type listing struct {
	d     *dir
	f     *os.File // nil: not yet opened
	batch []fs.DirEntry
	subs  []*dir
	count int
	moved bool // it is on another device than before
}

// walkAll begins to look at everything; why is "" if the clock says so.
func (s *scanner) walkAll(why string) {
	fi, err := os.Stat(s.root)
	if err == nil && len(s.walks) > 0 && s.walks[0].full && s.rootState() == rootSame {
		s.again = why // what goes on is ended first, so that it does end
		return
	}
	s.closeWalks()
	if err != nil {
		s.rootID = [2]uint64{}
		s.lose(fmt.Errorf("folder %s cannot be read (%s): the rows of its %d files stay as they were", s.root, plain(err), s.t.files))
		return
	}
	st := statOf(fi)
	s.rootID = [2]uint64{st.dev, st.ino}
	if s.emptied() {
		s.lose(fmt.Errorf("folder %s is empty and on another device than before (is its disk unmounted? if not, put a file into it): the rows of its %d files stay as they were", s.root, s.t.files))
		return
	}
	if s.w != nil {
		s.w.failed = false
	}
	w := s.newWalk(s.t.root)
	w.full, w.first, w.heals = true, !s.scanned, why == ""
}

// walkFrom looks at everything in d, before all else.
func (s *scanner) walkFrom(d *dir) {
	if !slices.ContainsFunc(s.walks, func(w *walk) bool { return w.from == d && !w.full && w.looked == 0 }) {
		s.newWalk(d)
	}
}

func (s *scanner) newWalk(d *dir) *walk {
	s.walkNo++
	w := &walk{no: s.walkNo, from: d, begin: time.Now(), stack: []*listing{{d: d}}}
	s.walks = append(s.walks, w)
	return w
}

func (s *scanner) closeWalks() {
	for _, w := range s.walks {
		for _, l := range w.stack {
			l.close()
		}
	}
	s.walks = nil
}

func (l *listing) close() {
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
}

// walkSlice goes on with the latest walk for a while.
func (s *scanner) walkSlice() {
	w := s.walks[len(s.walks)-1]
	for begin := time.Now(); time.Since(begin) < slice && s.ctx.Err() == nil; {
		if len(w.stack) == 0 {
			s.walked(w)
			return
		}
		s.step(w, w.stack[len(w.stack)-1])
		if len(s.walks) == 0 || s.walks[len(s.walks)-1] != w {
			return // the folder is gone, or another walk goes first
		}
	}
}

// walked ends a walk.
func (s *scanner) walked(w *walk) {
	s.walks = slices.DeleteFunc(s.walks, func(x *walk) bool { return x == w })
	if !w.full {
		return
	}
	s.settleWatches()
	s.lastScan, s.scanTime = time.Now(), time.Since(w.begin)
	s.nextWalk = s.lastScan.Add(s.everyWait())
	if w.first {
		s.o.Logger.Info("a folder was looked through", "folder", s.root, "files", s.t.files, "took", s.scanTime)
	}
	s.scanned = true
	if s.again != "" {
		why := s.again
		s.again = ""
		s.walkAll(why)
	}
}

// step looks at one name of a directory.
func (s *scanner) step(w *walk, l *listing) {
	if l.f == nil && !s.openDir(w, l) {
		w.stack = w.stack[:len(w.stack)-1]
		return
	}
	if len(l.batch) == 0 {
		batch, err := l.f.ReadDir(256)
		if len(batch) == 0 {
			l.close()
			w.stack = w.stack[:len(w.stack)-1]
			if err != nil && !errors.Is(err, io.EOF) {
				s.setFault(l.d, err)
				return
			}
			s.listed(w, l)
			return
		}
		l.batch = batch
		l.count += len(batch)
	}
	e := l.batch[0]
	l.batch = l.batch[1:]
	w.looked++
	s.found(w, l, e)
}

// openDir opens a directory and has it watched before it is read, so that
// nothing falls between.
func (s *scanner) openDir(w *walk, l *listing) bool {
	d, name := l.d, s.abs(l.d.path)
	fi, err := os.Lstat(name)
	if d == s.t.root {
		fi, err = os.Stat(name)
	}
	if err == nil && !fi.IsDir() {
		err = fs.ErrNotExist // it has become something else; its parent tells
	}
	if err == nil {
		l.f, err = os.Open(name)
	}
	if err == nil {
		var opened fs.FileInfo
		if opened, err = l.f.Stat(); err == nil && !os.SameFile(fi, opened) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		l.close()
		switch {
		case !notExist(err):
			s.setFault(d, err)
		case d != s.t.root:
			s.hints.poke(d.path, time.Now())
		default:
			s.confirmGone()
		}
		return false
	}
	st := statOf(fi)
	l.moved = d.dev != 0 && d.dev != st.dev
	if d.dev != st.dev || d.ino != st.ino {
		s.unwatch(d)
	}
	d.dev, d.ino = st.dev, st.ino
	s.watch(d)
	s.readRules(d)
	return true
}

// setFault notes that a directory cannot be read; nil: that it can.
func (s *scanner) setFault(d *dir, err error) {
	fault := ""
	if err != nil {
		fault = plain(err)
	}
	if (fault == "") != (d.fault == "") {
		if fault == "" {
			s.problems--
		} else {
			s.problems++
		}
	}
	if fault != "" && fault != d.fault {
		s.fail(d.path, fmt.Errorf("directory cannot be read, its files stay as they were: %s", fault))
	}
	d.fault = fault
}

// found handles one name of a listing.
func (s *scanner) found(w *walk, l *listing, e fs.DirEntry) {
	d, name := l.d, e.Name()
	if s.ignores(d, name, e.IsDir()) {
		s.forget(d, name)
		return
	}
	if s.isMark(d, name) { // it came after the directory
		s.hints.poke(d.path, time.Now())
		return
	}
	if e.IsDir() && s.marked(d.join(name)) {
		if fi, err := e.Info(); err == nil {
			s.leave(d, name, fi, w.first)
		}
		return
	}
	if e.IsDir() {
		s.removeFile(d, name)
		sub := s.t.child(d, name)
		sub.seen = w.no
		l.subs = append(l.subs, sub)
		return
	}
	s.removeDir(d.subs[name])
	fi, err := e.Info()
	switch {
	case notExist(err): // gone since; listed finds out
	case err != nil:
		s.fail(d.join(name), err)
	default:
		s.file(d, name, fi, w, nil)
	}
}

// listed ends the reading of a directory: what it did not have is gone.
func (s *scanner) listed(w *walk, l *listing) {
	d := l.d
	s.setFault(d, nil)
	if l.count == 0 && l.moved && len(d.files)+len(d.subs) > 0 {
		// What is left where a disk was mounted below the folder.
		s.setFault(d, errors.New("it is empty and on another device than before"))
		return
	}
	d.listed = true
	if d == s.t.root && l.count > 0 && d.dev != s.device {
		s.device = d.dev
		s.in.Put(s.deviceKey(), fmt.Append(nil, s.device))
		s.dirty = true
	}
	for name, e := range d.files {
		if e.walk < w.no && !s.unlisted(d, name, e) {
			return
		}
	}
	for name, sub := range d.subs {
		if sub.seen >= w.no {
			continue
		}
		if fi, err := os.Lstat(s.abs(sub.path)); notExist(err) || err == nil && !fi.IsDir() {
			if !s.confirmGone() {
				return
			}
			s.forget(d, name)
		}
	}
	for _, sub := range slices.Backward(l.subs) {
		if d.subs[sub.name] == sub {
			w.stack = append(w.stack, &listing{d: sub})
		}
	}
}

// unlisted handles a file that a listing did not have. If it exists all the
// same, it came meanwhile, or its name differs only in case: the next listing
// decides. It returns false if the folder itself has gone.
func (s *scanner) unlisted(d *dir, name string, e entry) bool {
	_, err := os.Lstat(s.abs(d.join(name)))
	switch {
	case notExist(err) || err == nil && e.missing:
		if !s.confirmGone() {
			return false
		}
		s.removeFile(d, name)
	case err == nil:
		e.missing = true
		s.t.set(d, name, e)
	}
	return true
}
