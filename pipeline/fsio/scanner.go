package fsio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ragserver/ragserver/pipeline"
)

// scanner is one run of a folder. Only Run's goroutine touches it.
type scanner struct {
	*Folder
	ctx  context.Context
	in   pipeline.Input[File]
	t    *tree
	skip map[string]bool // excluded paths

	ignore *rules   // of Options.Ignore
	w      *watcher // nil: no events

	walks    []*walk // the last one goes on first
	walkNo   uint32
	nextWalk time.Time
	again    string // why to look at everything once more
	scanned  bool
	lastScan time.Time
	scanTime time.Duration

	device  uint64 // of the folder, as of the last time it was not empty
	rootID  [2]uint64
	lost    bool // the folder has vanished
	trouble string

	dirty    bool // there is something to commit
	problems int
	owners   map[uint32]string
	links    map[string][]string // paths of links, by the path they lead to
	told     map[string]other    // without Options.Others: what the error table knows of
}

// slice is how long looking at everything goes on before live changes get
// their turn again.
const slice = 10 * time.Millisecond

// returnWait is the time between two looks for a folder that has vanished: no
// event tells that it is back.
const returnWait = 250 * time.Millisecond

// hintsAtOnce bounds the group that live changes are committed in.
const hintsAtOnce = 1024

func (s *scanner) run() error {
	s.walkAll("start")
	for s.ctx.Err() == nil {
		if s.lost && !s.returned() {
			s.report()
			if err := s.commit(); err != nil {
				return err
			}
			s.wait(time.Now().Add(returnWait))
			continue
		}
		due, next, overflow := s.hints.take(time.Now(), hintsAtOnce)
		for _, h := range due {
			s.look(h)
		}
		if overflow != "" {
			s.o.Logger.Info("looking at the whole folder again", "folder", s.root, "because", overflow)
			s.walkAll(overflow)
		}
		if err := s.commit(); err != nil {
			return err
		}
		if s.lost {
			continue
		}
		switch {
		case len(s.walks) > 0:
			s.walkSlice()
			if err := s.commit(); err != nil {
				return err
			}
		case s.in.Static():
			s.report()
			return nil
		case len(due) == 0 && time.Now().After(s.nextWalk):
			s.walkAll("")
		case len(due) == 0:
			s.report()
			if next.IsZero() || s.nextWalk.Before(next) {
				next = s.nextWalk
			}
			s.wait(next)
		}
		s.report()
	}
	return nil
}

// wait returns at a time, or when something has happened, or at the end.
func (s *scanner) wait(until time.Time) {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.hints.wake:
	case <-s.ctx.Done():
	}
}

func (s *scanner) commit() error {
	if !s.dirty {
		return nil
	}
	s.dirty = false
	return s.in.Commit(s.ctx, nil)
}

func (s *scanner) report() {
	st := &Status{
		Scanned: s.scanned, Scanning: len(s.walks) > 0, Files: s.t.files, Dirs: s.t.dirs,
		Problems: s.problems, Trouble: s.trouble, LastScan: s.lastScan, ScanTime: s.scanTime,
	}
	if len(s.walks) > 0 {
		st.Looked = s.walks[0].looked
	}
	if s.w != nil {
		st.Polling = s.w.polling
	} else if s.o.NoEvents {
		st.Polling = "events are switched off"
	}
	s.status.Store(st)
}

func (s *scanner) key(path string) pipeline.Key { return pipeline.KeyOf(s.name, path) }

// deviceKey is where the device of the folder stands in the source's state. No
// path is empty, so it is nobody's row.
func (s *scanner) deviceKey() pipeline.Key { return s.key("") }

// recover takes over the rows of the last run.
func (s *scanner) recover() {
	racy := map[pipeline.Key][]byte{}
	s.in.State(func(k pipeline.Key, v []byte) bool {
		if k == s.deviceKey() {
			fmt.Sscanf(string(v), "%d", &s.device)
			return true
		}
		racy[k] = append([]byte{}, v...)
		return true
	})
	s.in.Rows(func(k pipeline.Key, f File) bool {
		e := entry{stat: f.stat(), problem: f.Problem != "", other: otherOf(f.Skipped)}
		var h []byte
		if h, e.racy = racy[k]; e.racy {
			e.hashed = copy(e.hash[:], h) == len(e.hash)
		}
		if e.problem {
			s.problems++
		}
		s.t.put(f.Path, e)
		return true
	})
}

func (s *scanner) abs(path string) string {
	return filepath.Join(s.root, filepath.FromSlash(path))
}

// rootState is what has become of the folder.
type rootState int

const (
	rootSame rootState = iota
	rootOther
	rootGone
)

func (s *scanner) rootState() rootState {
	fi, err := os.Stat(s.root)
	if err != nil || !fi.IsDir() {
		return rootGone
	}
	if st := statOf(fi); [2]uint64{st.dev, st.ino} != s.rootID {
		return rootOther
	}
	return rootSame
}

// confirmGone decides whether something that was not found is to be deleted:
// only if the folder is still the one that it was in.
func (s *scanner) confirmGone() bool {
	switch s.rootState() {
	case rootSame:
		return true
	case rootGone:
		s.lose(fmt.Errorf("folder %s has vanished: the rows of its %d files stay as they were until it is back", s.root, s.t.files))
	default:
		s.walkAll("the folder was replaced by another")
	}
	return false
}

// lose stops looking until the folder is back.
func (s *scanner) lose(err error) {
	s.closeWalks()
	s.lost = true
	if s.trouble == err.Error() {
		return
	}
	s.trouble = err.Error()
	s.o.Logger.Warn("a watched folder cannot be read", "folder", s.root, "err", err)
	s.in.Trouble(err)
}

// returned looks whether a lost folder is there again.
func (s *scanner) returned() bool {
	if s.rootState() == rootGone {
		return false
	}
	if s.emptied() {
		return false
	}
	s.lost, s.trouble = false, ""
	s.in.Trouble(nil)
	s.o.Logger.Info("the watched folder is there again", "folder", s.root)
	s.walkAll("the folder came back")
	return true
}

// emptied reports that the folder is empty, on another device than it was, and
// has not been empty: that is what is left where a disk was unmounted.
func (s *scanner) emptied() bool {
	if s.t.files == 0 || s.device == 0 {
		return false
	}
	fi, err := os.Stat(s.root)
	if err != nil || statOf(fi).dev == s.device {
		return false
	}
	d, err := os.Open(s.root)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(1)
	return len(names) == 0
}

// fail puts an error into the graph's error table.
func (s *scanner) fail(path string, err error) {
	s.in.Fail(s.abs(path), err)
	s.dirty = true
}

// plain is an error without the path, which stands beside it already.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}
