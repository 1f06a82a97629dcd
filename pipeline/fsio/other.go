package fsio

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// other says why a name is not read: it is no file, a link that is not followed,
// or a directory that is marked.
type other uint8

const (
	aFile other = iota
	linkOut
	linkNowhere
	linkLoop
	linkFolder
	linkClosed
	pipe
	socket
	device
	irregular
	marked
	unknown // as a former version of this package put it
)

var reasons = [...]string{
	aFile:       "",
	linkOut:     "it is a link that leads out of the folder; put the file itself here, or watch the folder that it leads to",
	linkNowhere: "it is a link to something that does not exist",
	linkLoop:    "it is a link that leads back to itself",
	linkFolder:  "it is a link to a folder within this one, whose files are listed where they lie",
	linkClosed:  "it is a link through a folder that may not be entered",
	pipe:        "it is a pipe, not a file",
	socket:      "it is a socket, not a file",
	device:      "it is a device, not a file",
	irregular:   "it is no regular file",
	marked:      "it is a folder with the data of a program, as a file in it says",
	unknown:     "it is no file",
}

func (o other) String() string { return reasons[o] }

// otherOf is the inverse of String.
func otherOf(reason string) other {
	if i := slices.Index(reasons[:], reason); i >= 0 {
		return other(i)
	}
	return unknown
}

func kindOf(m fs.FileMode) other {
	switch {
	case m.IsRegular():
		return aFile
	case m&fs.ModeNamedPipe != 0:
		return pipe
	case m&fs.ModeSocket != 0:
		return socket
	case m&fs.ModeDevice != 0:
		return device
	}
	return irregular
}

// follow returns what a link leads to if that is a file within the folder, and
// else why it is not followed.
func (s *scanner) follow(p string) (fs.FileInfo, other) {
	fi, err := os.Stat(s.abs(p))
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, linkLoop
	case notExist(err):
		s.await(p)
		return nil, linkNowhere
	case err != nil:
		return nil, linkClosed
	}
	rel, err := s.resolve(s.abs(p))
	switch {
	case errors.Is(err, errOutward):
		return nil, linkOut
	case err != nil: // it has just become another
		return nil, linkClosed
	case fi.IsDir():
		return nil, linkFolder
	}
	s.linked(p, filepath.ToSlash(rel))
	return fi, kindOf(fi.Mode())
}

// linked notes that the link p is to be looked at when target changes.
func (s *scanner) linked(p, target string) {
	if !slices.Contains(s.links[target], p) {
		s.links[target] = append(s.links[target], p)
	}
}

// await has a link that leads nowhere looked at again when what it names comes.
func (s *scanner) await(p string) {
	to, err := os.Readlink(s.abs(p))
	if err != nil {
		return
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(s.abs(path.Dir(p)), to)
	}
	if rel, err := filepath.Rel(s.root, to); err == nil && filepath.IsLocal(rel) {
		s.linked(p, filepath.ToSlash(rel))
	}
}

// marked reports whether the directory at a path is not to be looked into.
func (s *scanner) marked(p string) bool {
	if s.o.Mark == "" {
		return false
	}
	fi, err := os.Lstat(filepath.Join(s.abs(p), s.o.Mark))
	return err == nil && fi.Mode().IsRegular()
}

// isMark reports whether a name in d is what marks d. The folder itself is
// looked into whatever is in it.
func (s *scanner) isMark(d *dir, name string) bool {
	return name == s.o.Mark && d != s.t.root && s.marked(d.path)
}

// leave handles a directory that is marked.
func (s *scanner) leave(d *dir, name string, fi fs.FileInfo, backlog bool) {
	s.removeDir(d.subs[name])
	s.other(d, name, fi, marked, backlog)
}

// other compares what is no file with its row, if such things have rows.
func (s *scanner) other(d *dir, name string, fi fs.FileInfo, why other, backlog bool) {
	p := d.join(name)
	if !s.o.Others {
		s.removeFile(d, name)
		if s.told[p] != why {
			if s.told == nil {
				s.told = map[string]other{}
			}
			s.told[p] = why
			s.fail(p, errors.New(why.String()))
		}
		return
	}
	e, known := d.files[name]
	if known && e.other == why {
		e.missing, e.walk = false, s.walkNo
		s.t.set(d, name, e)
		return
	}
	st := statOf(fi)
	row := File{
		Source: s.name, Path: p, Modified: fromNanos(st.mtime), Changed: fromNanos(st.ctime),
		Owner: s.owner(st.uid), Mode: st.mode, Device: st.dev, Inode: st.ino,
		Seen: time.Now().UTC(), Backlog: backlog, Skipped: why.String(),
	}
	s.in.Upsert(row.Key(), row)
	if e.racy {
		s.in.Drop(row.Key())
	}
	if e.problem {
		s.problems--
	}
	s.t.set(d, name, entry{stat: st, walk: s.walkNo, other: why})
	s.dirty = true
}
