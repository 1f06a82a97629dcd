package fsio

import (
	"time"

	"github.com/ragserver/ragserver/pipeline"
)

// File is the row of one file.
type File struct {
	Source   string // name of the folder, as given to New
	Path     string // relative to the folder, with slashes; perhaps not UTF-8
	Size     int64  // bytes
	Modified time.Time
	Changed  time.Time // last change of content, permissions or owner; zero where the system does not tell
	Created  time.Time // zero where the file system does not tell
	Owner    string    // user name, or number if it has none; "" where the system has no owners
	Mode     uint32    // permission bits when this row was made
	Device   uint64    // with Inode the identity of the file, 0 where there is none
	Inode    uint64
	Seen     time.Time // when this state of the file was found
	Backlog  bool      // found by the first scan, not by a live event: others may overtake it
	Problem  string    // why the file cannot be read; "" if it can
	Skipped  string    // why this is nothing to read (a link that leads out, a pipe); "" if it is. See Options.Others
}

// Key returns the row's key: the hash of source and path.
func (f File) Key() pipeline.Key { return pipeline.KeyOf(f.Source, f.Path) }

// stat is what is compared of a file. Times are Unix ns, 0 where unknown.
type stat struct {
	size, mtime, ctime int64
	dev, ino           uint64
	mode, uid          uint32
}

// differs reports whether a file with these two states has changed its content,
// as far as metadata tells. A new change time counts unless permissions or
// owner, which change it too, are others.
func (s stat) differs(o stat) bool {
	if s.size != o.size || s.mtime != o.mtime || s.ino != o.ino {
		return true
	}
	return s.ctime != o.ctime && s.mode == o.mode && s.uid == o.uid
}

func (f *File) stat() stat {
	return stat{
		size: f.Size, mtime: nanos(f.Modified), ctime: nanos(f.Changed),
		dev: f.Device, ino: f.Inode, mode: f.Mode,
	}
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
