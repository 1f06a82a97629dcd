package fsio

import (
	"io"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/ragserver/ragserver/pipeline"
)

// hashLimit is the size up to which a file is hashed when its modification
// time is too young; larger ones wait until it is not.
const hashLimit = 32 << 20

// window is the time during which a second change may leave a modification time
// as it is. Times in whole seconds are taken for those of a file system that
// has no others (FAT counts in two seconds); others move on with the kernel's
// clock, at least every 10 ms.
func window(mtime int64) time.Duration {
	if mtime%int64(time.Second) == 0 {
		return 2100 * time.Millisecond
	}
	return 15 * time.Millisecond
}

// isFresh reports whether a change after now might leave mtime as it is.
func isFresh(mtime int64, now time.Time) bool {
	age := time.Duration(now.UnixNano() - mtime)
	return -window(mtime) < age && age < window(mtime)
}

// recheck compares the content of a file whose time could not be trusted.
func (s *scanner) recheck(p string, e *entry, fresh bool) (changed bool) {
	if e.hashed {
		h, err := s.hash(p)
		changed = err != nil || h != e.hash
	} else {
		changed = !fresh // nobody knows: have it read again, once
	}
	if changed {
		return true
	}
	if fresh {
		s.hints.later(p, time.Now(), time.Unix(0, e.mtime).Add(window(e.mtime)))
		return false
	}
	e.racy, e.hashed = false, false
	s.in.Drop(s.key(p))
	s.dirty = true
	return false
}

// keepHash notes in the source's state that a file's time is not to be trusted,
// and comes back to it.
func (s *scanner) keepHash(key pipeline.Key, p string, e *entry, was bool) {
	switch {
	case e.racy:
		v := e.hash[:]
		if !e.hashed {
			v = nil
		}
		s.in.Put(key, v)
		if !s.in.Static() {
			s.hints.later(p, time.Now(), time.Unix(0, e.mtime).Add(window(e.mtime)))
		}
	case was:
		s.in.Drop(key)
	}
}

func (s *scanner) hash(p string) (sum [16]byte, err error) {
	f, err := s.open(s.abs(p))
	if err != nil {
		return sum, err
	}
	defer f.Close()
	var h xxh3.Hasher
	if _, err := io.Copy(&h, io.LimitReader(f, hashLimit+1)); err != nil {
		return sum, err
	}
	return h.Sum128().Bytes(), nil
}
