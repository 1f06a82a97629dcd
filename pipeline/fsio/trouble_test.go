package fsio

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// TestEditWithinOneTick changes a file without changing size or modification
// time, which whole seconds do not show to be old.
func TestEditWithinOneTick(t *testing.T) {
	for name, o := range map[string]Options{"events": {}, "polling": {NoEvents: true, Rescan: 2 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write("keep", "x")
			l := run(t, New("docs", p.dir, o), pipelinetest.NewInput[File](t, false))
			l.want(sized{"keep", 1})
			tick := time.Now().Truncate(time.Second)
			edit := func(text string) {
				f, err := os.OpenFile(p.abs("a"), os.O_CREATE|os.O_RDWR, 0o644)
				p.must(err)
				_, err = f.WriteString(text)
				p.must(err)
				p.must(f.Close())
				p.must(os.Chtimes(p.abs("a"), tick, tick))
			}
			edit("first")
			l.want(sized{"a", 5}, sized{"keep", 1})
			versions := func() (n int) {
				for _, g := range l.in.Groups() {
					for _, c := range g.Changes {
						if c.Row.Path == "a" && c.Row.Modified.Equal(tick) {
							n++
						}
					}
				}
				return n
			}
			l.wait("the first version", func() bool { return versions() >= 1 })
			before := versions()
			edit("other")
			l.wait("the second version", func() bool { return versions() > before })
			l.wait("trust", func() bool { return l.in.StateSize() <= 1 }) // the device alone
		})
	}
}

// TestHashSeesWhatTimesHide is the same without change times, as on systems
// that have none.
func TestHashSeesWhatTimesHide(t *testing.T) {
	p := newPlace(t)
	p.write("a", "first")
	tick := time.Now().Truncate(time.Second)
	p.must(os.Chtimes(p.abs("a"), tick, tick))
	in := pipelinetest.NewInput[File](t, true)
	f := New("docs", p.dir, Options{})
	s := &scanner{Folder: f, ctx: context.Background(), in: in, t: newTree(), owners: map[uint32]string{}, links: map[string][]string{}}
	look := func() (emitted bool) {
		fi, err := os.Lstat(p.abs("a"))
		p.must(err)
		if e, ok := s.t.root.files["a"]; ok {
			e.ctime = statOf(fi).ctime
			s.t.root.files["a"] = e
		}
		s.file(s.t.root, "a", fi, nil, &hint{path: "a", until: time.Now().Add(time.Hour)})
		n := len(in.Groups())
		p.must(s.commit())
		return len(in.Groups()) > n && len(in.Groups()[n].Changes) > 0
	}
	if !look() {
		t.Fatal("the file was not emitted")
	}
	if look() {
		t.Fatal("an unchanged file was emitted again")
	}
	racy := s.t.root.files["a"].racy
	p.write("a", "other")
	p.must(os.Chtimes(p.abs("a"), tick, tick))
	if !racy {
		t.Skip("the machine took two seconds for a few system calls")
	}
	if !look() {
		t.Fatal("a change that only the content shows was missed")
	}
}

func TestMissingFolder(t *testing.T) {
	p := newPlace(t)
	p.write("file", "")
	for dir, words := range map[string]string{p.abs("nowhere"): "does not exist", p.abs("file"): "is a file"} {
		err := New("docs", dir, Options{}).Run(context.Background(), pipelinetest.NewInput[File](t, false))
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestVanishingFolder takes the folder away and brings it back.
func TestVanishingFolder(t *testing.T) {
	for name, o := range map[string]Options{"events": {}, "polling": {NoEvents: true, Rescan: 5 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.write("root/a", "1")
			p.write("root/sub/b", "2")
			l := run(t, New("docs", p.abs("root"), o), pipelinetest.NewInput[File](t, false))
			l.want(sized{"a", 1}, sized{"sub/b", 1})
			p.move("root", "away")
			l.wait("trouble", func() bool { return l.in.TroubleNow() != nil })
			if !strings.Contains(l.in.TroubleNow().Error(), "2 files stay") {
				t.Errorf("trouble: %v", l.in.TroubleNow())
			}
			if got := files(l.in); len(got) != 2 {
				t.Errorf("rows were deleted: %v are left", got)
			}
			p.write("away/a", "111")
			p.remove("away/sub")
			p.move("away", "root")
			l.want(sized{"a", 3})
			if err := l.in.TroubleNow(); err != nil {
				t.Errorf("trouble goes on: %v", err)
			}
			p.write("root/c", "1") // it is watched again
			l.want(sized{"a", 3}, sized{"c", 1})
		})
	}
}

// TestFolderThatReturns brings a folder back as it was: no event tells of it.
func TestFolderThatReturns(t *testing.T) {
	p := newPlace(t)
	p.write("root/a", "1")
	l := run(t, New("docs", p.abs("root"), Options{Rescan: time.Hour}), pipelinetest.NewInput[File](t, false))
	l.want(sized{"a", 1})
	l.scanned()
	for i := range 3 {
		p.move("root", "away")
		l.wait("trouble", func() bool { return l.in.TroubleNow() != nil })
		l.until("the end of looking", func() bool { return l.f.Status().Trouble != "" })
		p.move("away", "root")
		p.write("root/a", strings.Repeat("1", i+2))
		l.want(sized{"a", int64(i + 2)})
	}
}

// TestUnmountedFolder restarts with rows on an empty folder of another device.
func TestUnmountedFolder(t *testing.T) {
	p := newPlace(t)
	p.write("a", "1")
	in := pipelinetest.NewInput[File](t, true)
	f := New("docs", p.dir, Options{})
	p.must(f.Run(context.Background(), in))
	p.remove("a")
	in = in.Restart(false)
	in.Put(pipeline.KeyOf("docs", ""), []byte("4711")) // it was on this device
	l := run(t, New("docs", p.dir, Options{}), in)
	l.wait("trouble", func() bool { return in.TroubleNow() != nil })
	if len(in.Table()) != 1 {
		t.Fatal("rows were deleted")
	}
	p.write("b", "22")
	l.want(sized{"b", 2})
	if in.TroubleNow() != nil {
		t.Error(in.TroubleNow())
	}
}

// TestUnreadable has the operating system refuse a file for a while.
func TestUnreadable(t *testing.T) {
	p := newPlace(t)
	p.write("a", "1")
	f := New("docs", p.dir, Options{Rescan: 5 * time.Millisecond})
	refuse := make(chan bool, 1)
	refuse <- true
	f.open = func(name string) (*os.File, error) {
		no := <-refuse
		refuse <- no
		if no && filepath.Base(name) == "a" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
		}
		return openFile(name)
	}
	l := run(t, f, pipelinetest.NewInput[File](t, false))
	l.want(sized{"a", 1})
	if row := l.in.Table()[0]; row.Problem != "permission denied" {
		t.Errorf("row %+v", row)
	}
	if fails := l.in.Fails(); len(fails) == 0 || fails[0].Where != p.abs("a") || !strings.Contains(fails[0].Err.Error(), "permission") {
		t.Errorf("failures: %v", fails)
	}
	l.until("status", func() bool { return l.f.Status().Problems == 1 })
	<-refuse
	refuse <- false
	l.wait("readable again", func() bool { return l.in.Table()[0].Problem == "" })
	l.until("status", func() bool { return l.f.Status().Problems == 0 })
}

// TestPermissions is the same with real permissions, which root does not feel.
func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("permissions do not bind this user")
	}
	p := newPlace(t)
	p.write("a", "1")
	p.write("dir/b", "1")
	l := run(t, New("docs", p.dir, Options{Rescan: 20 * time.Millisecond}), pipelinetest.NewInput[File](t, false))
	l.want(sized{"a", 1}, sized{"dir/b", 1})
	p.must(os.Chmod(p.abs("a"), 0))
	p.must(os.Chmod(p.abs("dir"), 0))
	t.Cleanup(func() { os.Chmod(p.abs("dir"), 0o755) })
	l.until("problems", func() bool { return l.f.Status().Problems == 2 })
	if len(l.in.Table()) != 2 {
		t.Error("rows of what cannot be read were deleted")
	}
	p.must(os.Chmod(p.abs("a"), 0o644))
	p.must(os.Chmod(p.abs("dir"), 0o755))
	l.until("no problems", func() bool { return l.f.Status().Problems == 0 })
}

// TestLostEvents takes the watches away behind the scanner's back: the next
// look at everything finds what happened, and polling takes over.
func TestLostEvents(t *testing.T) {
	p := newPlace(t)
	p.write("a", "1")
	f := New("docs", p.dir, Options{})
	s := &scanner{Folder: f, ctx: context.Background(), in: pipelinetest.NewInput[File](t, false), t: newTree(),
		w: &watcher{inodes: map[[2]uint64]string{}}, owners: map[uint32]string{}, links: map[string][]string{}}
	old := time.Now().Add(-time.Hour).UnixNano()
	s.suspect("a", stat{ctime: time.Now().UnixNano()}, time.Now())
	if s.w.polling != "" {
		t.Fatal("a change that is a moment old is no lost event")
	}
	s.suspect("a", stat{ctime: old}, time.Now())
	if s.w.polling == "" || s.everyWait() > time.Second {
		t.Fatalf("polling %q, every %v", s.w.polling, s.everyWait())
	}
	s.w.polling = ""
	w, err := fsnotify.NewWatcher()
	p.must(err)
	p.must(w.Close()) // it refuses everything now
	s.w.fs = w
	s.watch(s.t.root)
	if s.w.polling == "" || s.t.root.watch {
		t.Fatal("a refused watch was taken for a watch")
	}
	s.settleWatches()
	if s.w.polling == "" {
		t.Fatal("polling ended although a watch was refused")
	}
	s.w.failed = false
	s.settleWatches()
	if s.w.polling != "" {
		t.Fatal("polling goes on although everything is watched")
	}
	f.hints.everything("test")
	if _, _, why := f.hints.take(time.Now(), 1); why != "test" {
		t.Fatal("a demand to look at everything was lost")
	}
}

func TestStaticStopsAtError(t *testing.T) {
	p := newPlace(t)
	p.write("a", "1")
	in := pipelinetest.NewInput[File](t, true)
	in.CrashAt(1, false)
	if err := New("docs", p.dir, Options{}).Run(context.Background(), in); !errors.Is(err, pipelinetest.ErrCrashed) {
		t.Errorf("Run: %v", err)
	}
}
