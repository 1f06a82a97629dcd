package fsio

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watcher turns the system's events into hints.
type watcher struct {
	fs      *fsnotify.Watcher // nil: there are none
	done    sync.WaitGroup
	polling string
	refused bool                 // polling is because watches were refused
	failed  bool                 // one was since the last look at everything began
	inodes  map[[2]uint64]string // watched directories, by identity
}

func (s *scanner) startWatching() {
	if s.o.NoEvents {
		return
	}
	s.w = &watcher{inodes: map[[2]uint64]string{}}
	if kind := remote(s.root); kind != "" {
		s.poll(fmt.Sprintf("it lies on %s, where changes made elsewhere have no events", kind))
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.poll(fmt.Sprintf("the system gives no events: %v", err))
		return
	}
	s.w.fs = w
	s.w.done.Go(func() { s.listen(w) })
}

func (s *scanner) stopWatching() {
	if s.w != nil && s.w.fs != nil {
		s.w.fs.Close()
		s.w.done.Wait()
	}
}

// poll has looking by interval take over.
func (s *scanner) poll(why string) {
	if s.w == nil || s.w.polling != "" {
		return
	}
	s.w.polling = why
	s.o.Logger.Warn("the folder is looked through at intervals, for events cannot be relied on", "folder", s.root, "because", why)
}

// listen notes what events speak of until the watcher is closed.
func (s *scanner) listen(w *fsnotify.Watcher) {
	prefix := s.root
	if !strings.HasSuffix(prefix, string(filepath.Separator)) {
		prefix += string(filepath.Separator)
	}
	for {
		select {
		case e, ok := <-w.Events:
			if !ok {
				return
			}
			if rel, ok := strings.CutPrefix(e.Name, prefix); ok {
				s.hints.add(filepath.ToSlash(rel), time.Now())
			} else {
				s.hints.everything("something happened to the folder itself")
			}
		case err, ok := <-w.Errors:
			if !ok {
				return
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				s.hints.everything("the system has lost events")
			} else {
				s.o.Logger.Warn("watching a folder", "folder", s.root, "err", err)
			}
		}
	}
}

// watch has the system report changes in d, which has just been opened.
func (s *scanner) watch(d *dir) {
	if s.w == nil || s.w.fs == nil {
		return
	}
	id := [2]uint64{d.dev, d.ino}
	if d.ino != 0 {
		if old, ok := s.w.inodes[id]; ok && old != d.path {
			// It was moved. The system would go on using its old name.
			s.w.fs.Remove(s.abs(old))
			s.hints.poke(old, time.Now())
		}
		s.w.inodes[id] = d.path
	}
	err := s.w.fs.Add(s.abs(d.path))
	d.watch = err == nil
	if err != nil {
		s.w.refused = s.w.refused || s.w.polling == ""
		s.w.failed = true
		s.poll(fmt.Sprintf("the system refuses to watch %s: %v%s", s.abs(d.path), err, limitHint(err)))
	}
}

// unwatch forgets a directory that is gone.
func (s *scanner) unwatch(d *dir) {
	if s.w == nil || s.w.fs == nil || !d.watch {
		return
	}
	id := [2]uint64{d.dev, d.ino}
	if d.ino != 0 && s.w.inodes[id] != d.path {
		return // it is watched under its new name
	}
	delete(s.w.inodes, id)
	s.w.fs.Remove(s.abs(d.path)) // an error means that the system has forgotten it too
}

// settleWatches goes back to events if every directory could be watched in the
// look at everything that has just ended.
func (s *scanner) settleWatches() {
	if s.w == nil || !s.w.refused || s.w.failed {
		return
	}
	s.w.refused, s.w.polling = false, ""
	s.o.Logger.Info("the whole folder is watched again", "folder", s.root)
}

// everyWait is the time from one look at everything to the next.
func (s *scanner) everyWait() time.Duration {
	switch {
	case s.o.Rescan > 0:
		return s.o.Rescan
	case s.w == nil || s.w.fs == nil || s.w.polling != "":
		return max(500*time.Millisecond, 25*s.scanTime)
	default:
		return max(30*time.Second, 200*s.scanTime)
	}
}
