package fsio

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits that end much earlier unless something is wrong.
const patience = 30 * time.Second

// place is a folder on the disk that a test works in.
type place struct {
	t   testing.TB
	dir string
}

func newPlace(t testing.TB) place { return place{t, t.TempDir()} }

func (p place) abs(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p place) write(name, text string) {
	p.t.Helper()
	p.must(os.MkdirAll(filepath.Dir(p.abs(name)), 0o755))
	p.must(os.WriteFile(p.abs(name), []byte(text), 0o644))
}

func (p place) move(from, to string) { p.t.Helper(); p.must(os.Rename(p.abs(from), p.abs(to))) }
func (p place) remove(name string)   { p.t.Helper(); p.must(os.RemoveAll(p.abs(name))) }

// sized is what tests compare of a row.
type sized struct {
	Path string
	Size int64
}

func files(in *pipelinetest.Input[File]) []sized {
	var got []sized
	for _, f := range in.Table() {
		got = append(got, sized{f.Path, f.Size})
	}
	slices.SortFunc(got, func(a, b sized) int { return strings.Compare(a.Path, b.Path) })
	return got
}

// live is a running folder.
type live struct {
	t      testing.TB
	f      *Folder
	in     *pipelinetest.Input[File]
	cancel func()
	done   chan error
}

func run(t testing.TB, f *Folder, in *pipelinetest.Input[File]) *live {
	ctx, cancel := context.WithCancel(context.Background())
	l := &live{t: t, f: f, in: in, cancel: cancel, done: make(chan error, 1)}
	go func() { l.done <- f.Run(ctx, in) }()
	t.Cleanup(l.stop)
	return l
}

func (l *live) stop() {
	l.t.Helper()
	l.cancel()
	if err := <-l.done; err != nil {
		l.t.Errorf("Run: %v", err)
	}
	l.done <- nil // for the next stop
}

func (l *live) wait(what string, ok func() bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.in.Wait(ctx, ok); err != nil {
		l.t.Fatalf("%s: %v; there are %v", what, err, files(l.in))
	}
}

func (l *live) want(want ...sized) {
	l.t.Helper()
	l.wait("rows", func() bool { return slices.Equal(files(l.in), want) })
}

// waitScanned waits, by looking, for what has no commit to wait for.
func (l *live) until(what string, ok func() bool) {
	l.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: waited in vain; %+v", what, l.f.Status())
		}
	}
}

func (l *live) scanned() {
	l.t.Helper()
	l.until("first scan", func() bool { return l.f.Status().Scanned })
}

// TestSuite is a day in the life of a folder.
func TestSuite(t *testing.T) {
	for name, o := range map[string]Options{"events": {}, "polling": {NoEvents: true, Rescan: 5 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			pipelinetest.TestSource(t, func(t *testing.T) pipelinetest.World[File] { return aDay(t, o) })
		})
	}
}

func aDay(t *testing.T, o Options) pipelinetest.World[File] {
	p, outside := newPlace(t), newPlace(t)
	outside.write("moved/in/x.txt", "from outside")
	row := func(path string, size int64) File { return File{Source: "docs", Path: path, Size: size} }
	step := func(name string, do func(), want ...File) pipelinetest.Step[File] {
		return pipelinetest.Step[File]{Name: name, Do: func(*testing.T) { do() }, Want: want}
	}
	return pipelinetest.World[File]{
		Source: func() pipeline.Source[File] { return New("docs", p.dir, o) },
		Same:   func(f File) File { return row(f.Path, f.Size) },
		Steps: []pipelinetest.Step[File]{
			step("create", func() { p.write("a.txt", "1"); p.write("sub/deep/b.md", "22"); p.write("empty", "") },
				row("a.txt", 1), row("sub/deep/b.md", 2), row("empty", 0)),
			step("append", func() { p.write("a.txt", "12") },
				row("a.txt", 2), row("sub/deep/b.md", 2), row("empty", 0)),
			step("rename", func() { p.move("a.txt", "sub/c.txt") },
				row("sub/c.txt", 2), row("sub/deep/b.md", 2), row("empty", 0)),
			step("replace atomically", func() { p.write("sub/c.txt.tmp", "333"); p.move("sub/c.txt.tmp", "sub/c.txt") },
				row("sub/c.txt", 3), row("sub/deep/b.md", 2), row("empty", 0)),
			step("move a directory", func() { p.move("sub", "other") },
				row("other/c.txt", 3), row("other/deep/b.md", 2), row("empty", 0)),
			step("edit in the moved directory", func() { p.write("other/deep/b.md", "4444") },
				row("other/c.txt", 3), row("other/deep/b.md", 4), row("empty", 0)),
			step("move a directory in", func() { p.must(os.Rename(outside.abs("moved"), p.abs("moved"))) },
				row("other/c.txt", 3), row("other/deep/b.md", 4), row("empty", 0), row("moved/in/x.txt", 12)),
			step("move a directory out", func() { p.must(os.Rename(p.abs("other"), outside.abs("other"))) },
				row("empty", 0), row("moved/in/x.txt", 12)),
			step("a file where a directory was", func() { p.remove("moved"); p.write("moved", "now a file") },
				row("empty", 0), row("moved", 10)),
			step("a directory where a file was", func() { p.remove("moved"); p.write("moved/y", "1") },
				row("empty", 0), row("moved/y", 1)),
			step("ignored names", func() {
				for _, n := range []string{".hidden", "x~", "x.swp", "~$x.docx", "4913", "x.part", "x.crdownload", ".git/config", "CVS/Root", "#x#"} {
					p.write(n, "no")
				}
				p.write("yes", "y")
			}, row("empty", 0), row("moved/y", 1), row("yes", 1)),
			step("ragignore", func() { p.write(".ragignore", "/empty\nmoved/\n!.hidden\n") },
				row("yes", 1), row(".hidden", 2)),
			step("ragignore is changed", func() { p.write(".ragignore", "/empty\n") },
				row("yes", 1), row("moved/y", 1)),
			step("ragignore is gone", func() { p.remove(".ragignore") },
				row("yes", 1), row("moved/y", 1), row("empty", 0)),
			step("delete everything", func() { p.remove("yes"); p.remove("moved"); p.remove("empty") }),
		},
	}
}

// TestRow checks every field once.
func TestRow(t *testing.T) {
	p := newPlace(t)
	p.write("sub/a.txt", "hello")
	when := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	p.must(os.Chtimes(p.abs("sub/a.txt"), when, when))
	before := time.Now()
	l := run(t, New("docs", p.dir, Options{}), pipelinetest.NewInput[File](t, false))
	l.want(sized{"sub/a.txt", 5})
	f := l.in.Table()[0]
	if f.Source != "docs" || !f.Modified.Equal(when) || f.Seen.Before(before) || !f.Backlog || f.Problem != "" {
		t.Errorf("row %+v", f)
	}
	if runtime.GOOS == "linux" && (f.Owner == "" || f.Inode == 0 || f.Changed.Before(when) || f.Mode&0o400 == 0) {
		t.Errorf("row %+v", f)
	}
	p.write("new.txt", "1")
	l.want(sized{"new.txt", 1}, sized{"sub/a.txt", 5})
	for _, f := range l.in.Table() {
		if f.Path == "new.txt" && f.Backlog {
			t.Error("a file that came later counts as backlog")
		}
	}
	if s := l.f.Status(); !s.Scanned || s.Files != 2 || s.Dirs != 2 {
		t.Errorf("status %+v", s)
	}
}

// TestOnlyDifferencesAfterRestart restarts on an unchanged and on a changed folder.
func TestOnlyDifferencesAfterRestart(t *testing.T) {
	p := newPlace(t)
	for _, n := range []string{"a", "b", "c/d", "c/e"} {
		p.write(n, n)
	}
	in := pipelinetest.NewInput[File](t, false)
	l := run(t, New("docs", p.dir, Options{}), in)
	l.want(sized{"a", 1}, sized{"b", 1}, sized{"c/d", 3}, sized{"c/e", 3})
	l.stop()
	p.write("c/d", "more")
	p.remove("b")
	in = in.Restart(true)
	if err := New("docs", p.dir, Options{}).Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, g := range in.Groups() {
		for _, c := range g.Changes {
			paths = append(paths, c.Row.Path)
		}
	}
	slices.Sort(paths)
	if !slices.Equal(paths, []string{"b", "c/d"}) {
		t.Errorf("after the restart changes of %v were emitted", paths)
	}
}

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

func TestLinks(t *testing.T) {
	p, outside := newPlace(t), newPlace(t)
	p.write("real/a.txt", "12345")
	outside.write("secret", "secret")
	for link, target := range map[string]string{
		"relative": "real/a.txt", "absolute": p.abs("real/a.txt"), "out": outside.abs("secret"),
		"directory": "real", "loop": ".", "self": "self", "dangling": "nothing",
	} {
		if err := os.Symlink(target, p.abs(link)); err != nil {
			t.Skip("no links here:", err)
		}
	}
	l := run(t, New("docs", p.dir, Options{}), pipelinetest.NewInput[File](t, false))
	l.want(sized{"absolute", 5}, sized{"real/a.txt", 5}, sized{"relative", 5})
	p.write("real/a.txt", "123")
	l.want(sized{"absolute", 3}, sized{"real/a.txt", 3}, sized{"relative", 3})
	for _, name := range []string{"relative", "absolute", "real/a.txt"} {
		h, err := l.f.Open(name)
		if err != nil {
			t.Errorf("open %s: %v", name, err)
			continue
		}
		if b, _ := io.ReadAll(h); string(b) != "123" {
			t.Errorf("%s holds %q", name, b)
		}
		h.Close()
	}
	for _, name := range []string{"out", "directory", "self", "dangling", "../x", "/etc/passwd", "", ".", "real"} {
		if h, err := l.f.Open(name); err == nil {
			h.Close()
			t.Errorf("%q was opened", name)
		}
	}
}

func TestExcludeAndSkip(t *testing.T) {
	p := newPlace(t)
	p.write("data/index", "1")
	p.write("keep/data/x", "1")
	p.write("no.bin", "1")
	l := run(t, New("docs", p.dir, Options{
		Exclude: []string{p.abs("data"), p.abs("later/secret"), t.TempDir()},
		Skip:    func(path string, dir bool) bool { return !dir && strings.HasSuffix(path, ".bin") },
	}), pipelinetest.NewInput[File](t, false))
	l.want(sized{"keep/data/x", 1})
	p.write("later/secret", "1")
	p.write("later/open", "1")
	l.want(sized{"keep/data/x", 1}, sized{"later/open", 1})
	l.stop()
	in := pipelinetest.NewInput[File](t, true)
	p.write(".hidden/x", "1")
	p.write("keep/.ragignore", "!no.bin\nx\n")
	p.write("keep/no.bin", "1")
	p.must(New("docs", p.dir, Options{Ignore: []string{"*.bin", "/later"}}).Run(context.Background(), in))
	if got := files(in); !slices.Equal(got, []sized{{"data/index", 1}, {"keep/no.bin", 1}}) {
		t.Errorf("with rules: %v", got)
	}
	in = pipelinetest.NewInput[File](t, true)
	p.must(New("docs", p.abs("keep"), Options{NoIgnore: true}).Run(context.Background(), in))
	if got := files(in); !slices.Equal(got, []sized{{".ragignore", 10}, {"data/x", 1}, {"no.bin", 1}}) {
		t.Errorf("without rules: %v", got)
	}
	err := New("docs", p.abs("data"), Options{Exclude: []string{p.dir}}).Run(context.Background(), pipelinetest.NewInput[File](t, true))
	if err == nil || !strings.Contains(err.Error(), "excluded") {
		t.Errorf("a folder within an excluded one: %v", err)
	}
}

// TestPoke looks at a path although there are no events and no rescans.
func TestPoke(t *testing.T) {
	p := newPlace(t)
	l := run(t, New("docs", p.dir, Options{NoEvents: true, Rescan: time.Hour}), pipelinetest.NewInput[File](t, false))
	l.scanned()
	p.write("new/sub/a", "1")
	p.write("new/sub/b", "1")
	p.write("x.tmp", "1")
	l.f.Poke("../a")
	l.f.Poke("x.tmp")
	l.f.Poke("new/sub/a")
	l.want(sized{"new/sub/a", 1})
	p.remove("new")
	l.f.Poke("new")
	l.want()
}

func TestStrangeNames(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not take such names")
	}
	p := newPlace(t)
	want := []sized{{" ", 1}, {"a\nb", 1}, {"dir \xfe/x", 1}, {"ends in a dot.", 1}, {"latin \xe9.txt", 1}, {"日本語.txt", 1}}
	for _, w := range want {
		p.write(w.Path, "1")
	}
	l := run(t, New("docs", p.dir, Options{}), pipelinetest.NewInput[File](t, false))
	l.want(want...)
	p.write("latin \xe9.txt", "22")
	want[4].Size = 2
	l.want(want...)
	h, err := l.f.Open("dir \xfe/x")
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
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
	f.hints.everything("test")
	if _, _, why := f.hints.take(time.Now(), 1); why != "test" {
		t.Fatal("a demand to look at everything was lost")
	}
}

func TestPipeInPlaceOfFile(t *testing.T) {
	p := newPlace(t)
	p.write("a", "1")
	f := New("docs", p.dir, Options{})
	if err := mkfifo(p.abs("pipe")); err != nil {
		t.Skip("no pipes here:", err)
	}
	if h, err := f.Open("pipe"); err == nil {
		h.Close()
		t.Error("a pipe was opened")
	}
	l := run(t, f, pipelinetest.NewInput[File](t, false))
	l.want(sized{"a", 1})
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
