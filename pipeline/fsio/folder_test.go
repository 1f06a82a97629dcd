package fsio

import (
	"context"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

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

// TestLargeFile saves 200 MB, most of it a hole, and changes one byte of it.
func TestLargeFile(t *testing.T) {
	p := newPlace(t)
	l := run(t, New("docs", p.dir, Options{}), pipelinetest.NewInput[File](t, false))
	l.scanned()
	p.write("big", "beginning")
	p.must(os.Truncate(p.abs("big"), 200<<20))
	l.want(sized{"big", 200 << 20})
	modified := l.in.Table()[0].Modified
	f, err := os.OpenFile(p.abs("big"), os.O_WRONLY, 0)
	p.must(err)
	_, err = f.WriteAt([]byte("x"), 100<<20)
	p.must(err)
	p.must(f.Close())
	l.wait("the change", func() bool { rows := l.in.Table(); return len(rows) == 1 && rows[0].Modified.After(modified) })
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
