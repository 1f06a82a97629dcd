package fsio

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// look finds out what has become of one path.
func (s *scanner) look(h *hint) {
	if h.path == "" {
		s.walkAll("something happened to the folder itself")
		return
	}
	parent, name := path.Split(h.path)
	d := s.reach(strings.TrimSuffix(parent, "/"))
	if d == nil {
		return
	}
	if name == ignoreFile && !s.o.NoIgnore {
		s.walkFrom(d)
		return
	}
	if s.isMark(d, name) {
		s.look(&hint{path: d.path})
		return
	}
	fi, err := os.Lstat(s.abs(h.path))
	switch {
	case notExist(err):
		s.gone(d, name)
	case err != nil:
		s.fail(h.path, err)
	case s.ignores(d, name, fi.IsDir()):
		s.forget(d, name)
	case fi.IsDir() && s.marked(h.path):
		s.leave(d, name, fi, false)
	case fi.IsDir():
		s.removeFile(d, name)
		sub, st := s.t.child(d, name), statOf(fi)
		sub.seen = s.walkNo
		if !sub.listed || sub.fault != "" || sub.ino != st.ino || sub.dev != st.dev {
			s.walkFrom(sub)
		}
	default:
		s.removeDir(d.subs[name])
		s.file(d, name, fi, nil, h)
	}
	for _, link := range s.links[h.path] {
		if link != h.path {
			s.hints.later(link, time.Now(), time.Now())
		}
	}
}

// reach returns the directory at a path, noting those on the way. It is nil
// if one of them is ignored, marked or no directory.
func (s *scanner) reach(p string) *dir {
	if d := s.t.find(p); d != nil && d.listed {
		return d
	}
	d := s.t.root
	if p == "" {
		return d
	}
	for name := range strings.SplitSeq(p, "/") {
		if !d.listed {
			s.readRules(d)
		}
		fi, err := os.Lstat(s.abs(d.join(name)))
		if err != nil || !fi.IsDir() || s.ignores(d, name, true) || s.marked(d.join(name)) {
			return nil
		}
		d = s.t.child(d, name)
		d.seen = s.walkNo
	}
	if !d.listed {
		s.readRules(d)
	}
	return d
}

func (s *scanner) ignores(d *dir, name string, isDir bool) bool {
	p := d.join(name)
	return !s.o.NoIgnore && d.ignored(name, isDir, s.ignore) || s.skip[p] || s.o.Skip != nil && s.o.Skip(p, isDir)
}

// readRules reads the ignore file of d if it is another than last time.
func (s *scanner) readRules(d *dir) {
	if s.o.NoIgnore {
		return
	}
	name := s.abs(d.join(ignoreFile))
	fi, err := os.Stat(name)
	if err != nil || !fi.Mode().IsRegular() {
		d.rules, d.stamp = nil, stat{}
		return
	}
	st := statOf(fi)
	fresh := isFresh(st.mtime, time.Now())
	if st == d.stamp && !fresh {
		return
	}
	text, err := s.readSmall(name, st.size)
	var rs *rules
	if err == nil {
		rs, err = parseRules(text)
	}
	if err != nil && st != d.stamp {
		s.fail(d.join(ignoreFile), err)
	}
	d.rules, d.stamp = rs, st
	if fresh {
		// It may be written again before its time moves on.
		s.hints.later(d.join(ignoreFile), time.Now(), time.Unix(0, st.mtime).Add(window(st.mtime)))
	}
}

func (s *scanner) readSmall(name string, size int64) ([]byte, error) {
	if size > maxIgnoreBytes {
		return nil, errors.New("it is too long for an ignore file")
	}
	return os.ReadFile(name)
}

// gone handles a name that does not exist (any more).
func (s *scanner) gone(d *dir, name string) {
	delete(s.told, d.join(name))
	_, isFile := d.files[name]
	if (isFile || d.subs[name] != nil) && s.confirmGone() {
		s.forget(d, name)
	}
}

// forget deletes the rows of a file or of everything in a directory.
func (s *scanner) forget(d *dir, name string) {
	s.removeFile(d, name)
	s.removeDir(d.subs[name])
}

func (s *scanner) removeFile(d *dir, name string) {
	e, ok := d.files[name]
	if !ok {
		return
	}
	key := s.key(d.join(name))
	if e.problem {
		s.problems--
	}
	if e.racy {
		s.in.Drop(key)
	}
	s.in.Delete(key)
	s.t.remove(d, name)
	s.dirty = true
}

func (s *scanner) removeDir(d *dir) {
	if d == nil {
		return
	}
	d.each(func(d *dir) {
		for name := range d.files {
			s.removeFile(d, name)
		}
		if d.fault != "" {
			s.problems--
		}
		s.unwatch(d)
		s.t.dirs--
	})
	delete(d.parent.subs, d.name)
}

// file compares a file with its row. w is the walk that came upon it, h the
// hint; one of them is nil.
func (s *scanner) file(d *dir, name string, fi fs.FileInfo, w *walk, h *hint) {
	p, now := d.join(name), time.Now()
	link := fi.Mode()&fs.ModeSymlink != 0
	target, why := fi, kindOf(fi.Mode())
	if link {
		target, why = s.follow(p)
	}
	if why != aFile {
		s.other(d, name, fi, why, w != nil && w.first)
		return
	}
	fi = target
	st := statOf(fi)
	e, known := d.files[name]
	fresh := isFresh(st.mtime, now)
	changed := !known || e.other != aFile || st.differs(e.stat)
	if !changed && (e.problem || st.mode != e.mode) {
		changed = (s.unreadable(p) != "") != e.problem
	}
	if !changed && e.racy {
		changed = s.recheck(p, &e, fresh)
	}
	if !changed {
		e.stat, e.missing, e.walk = st, false, s.walkNo
		s.t.set(d, name, e)
		return
	}
	if s.unsettled(p, st, fresh, w, h) {
		if known { // it is there, whatever it will be
			e.missing, e.walk = false, s.walkNo
			s.t.set(d, name, e)
		}
		return
	}
	if w != nil && w.heals && known && d.watch && !link {
		s.suspect(p, st, now)
	}
	s.emit(d, name, st, fi, fresh, w != nil && w.first)
}

// unsettled puts a changed file off until it has settled: one that a walk has found
// while it is being written, or one too large to hash whose time is too young.
func (s *scanner) unsettled(p string, st stat, fresh bool, w *walk, h *hint) bool {
	if s.in.Static() {
		return false
	}
	now := time.Now()
	if w != nil {
		if age := now.UnixNano() - st.mtime; fresh || age >= 0 && age < int64(s.o.Quiet) {
			s.hints.add(p, now)
			return true
		}
		return s.hints.waiting(p)
	}
	if fresh && st.size > hashLimit && !h.final(now) {
		s.hints.later(p, now, time.Unix(0, st.mtime).Add(window(st.mtime)))
		return true
	}
	return false
}

// suspect judges a change that a walk has found: if it is old, there ought to
// have been an event.
func (s *scanner) suspect(p string, st stat, now time.Time) {
	if st.ctime != 0 && now.UnixNano()-st.ctime > int64(2*time.Second) {
		s.poll("a change came without an event (" + p + ")")
	}
}

// emit makes the row of a file.
func (s *scanner) emit(d *dir, name string, st stat, fi fs.FileInfo, fresh, backlog bool) {
	p := d.join(name)
	old := d.files[name]
	e := entry{stat: st, walk: s.walkNo, racy: fresh}
	problem := ""
	if fresh && st.size <= hashLimit {
		var err error
		if e.hash, err = s.hash(p); err != nil {
			if notExist(err) {
				return // its removal is on the way
			}
			problem = plain(err)
		}
		e.hashed, e.racy = err == nil, err == nil
	} else {
		problem = s.unreadable(p)
	}
	e.problem = problem != ""
	row := File{
		Source: s.name, Path: p, Size: st.size, Modified: fromNanos(st.mtime), Changed: fromNanos(st.ctime),
		Created: created(s.abs(p), fi), Owner: s.owner(st.uid), Mode: st.mode, Device: st.dev, Inode: st.ino,
		Seen: time.Now().UTC(), Backlog: backlog, Problem: problem,
	}
	s.in.Upsert(row.Key(), row)
	s.keepHash(row.Key(), p, &e, old.racy)
	if problem != "" {
		s.in.Fail(s.abs(p), errors.New(problem))
	}
	if e.problem != old.problem {
		if e.problem {
			s.problems++
		} else {
			s.problems--
		}
	}
	s.t.set(d, name, e)
	s.dirty = true
}

func (s *scanner) owner(uid uint32) string {
	name, ok := s.owners[uid]
	if !ok {
		name = ownerName(uid)
		s.owners[uid] = name
	}
	return name
}

// unreadable returns why a file cannot be opened, "" if it can.
func (s *scanner) unreadable(p string) string {
	h, err := s.open(s.abs(p))
	if err != nil {
		return plain(err)
	}
	h.Close()
	return ""
}
