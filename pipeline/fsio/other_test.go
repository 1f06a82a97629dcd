package fsio

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// listed are the rows as "path: why it is skipped", the reason cut to its
// first words.
func listed(in *pipelinetest.Input[File]) []string {
	got := []string{}
	for _, f := range in.Table() {
		why, _, _ := strings.Cut(f.Skipped, ";")
		why, _, _ = strings.Cut(why, ",")
		got = append(got, strings.TrimSuffix(fmt.Sprintf("%s: %s", f.Path, why), ": "))
		if f.Skipped != "" && f.Size != 0 {
			got = append(got, fmt.Sprintf("%s has size %d", f.Path, f.Size))
		}
	}
	slices.Sort(got)
	return got
}

func (l *live) lists(want ...string) {
	l.t.Helper()
	slices.Sort(want)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.in.Wait(ctx, func() bool { return slices.Equal(listed(l.in), want) }); err != nil {
		l.t.Fatalf("%v; rows\n%s\nand not\n%s", err, strings.Join(listed(l.in), "\n"), strings.Join(want, "\n"))
	}
}

// TestOthers has everything in a folder that is no file, and lets it come, turn
// into something else, and go.
func TestOthers(t *testing.T) {
	for name, o := range map[string]Options{"events": {}, "polling": {NoEvents: true, Rescan: 5 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			p, outside := newPlace(t), newPlace(t)
			link := func(target, name string) {
				t.Helper()
				if err := os.Symlink(target, p.abs(name)); err != nil {
					t.Skip("no links here:", err)
				}
			}
			const (
				out     = ": it is a link that leads out of the folder"
				nowhere = ": it is a link to something that does not exist"
				loop    = ": it is a link that leads back to itself"
				folder  = ": it is a link to a folder within this one"
			)
			outside.write("secret", "secret")
			p.write("real/a.txt", "1")
			link(outside.abs("secret"), "out")
			link(outside.dir, "out folder")
			o.Others = true
			l := run(t, New("docs", p.dir, o), pipelinetest.NewInput[File](t, false))
			l.lists("real/a.txt", "out"+out, "out folder"+out)

			link("real/a.txt", "in")
			link("../nothing", "up")
			link("real/later.txt", "real-later")
			link("b", "a")
			link("a", "b")
			link("real", "folder")
			link(".", "dot")
			base := []string{"real/a.txt", "out" + out, "out folder" + out, "up" + nowhere, "folder" + folder, "dot" + folder}
			if runtime.GOOS != "windows" { // which has no error of its own for a circle
				base = append(base, "a"+loop, "b"+loop)
				l.lists(append(slices.Clone(base), "in", "real-later"+nowhere)...)
			}

			// What a link leads to comes, goes and comes back.
			p.write("real/later.txt", "22")
			base = append(base, "real/later.txt", "real-later")
			l.lists(append(slices.Clone(base), "in")...)
			p.move("real/a.txt", "real/aside.txt")
			base[0] = "real/aside.txt"
			l.lists(append(slices.Clone(base), "in"+nowhere)...)

			// One thing takes the place of another.
			p.remove("in")
			p.write("in", "now a file")
			p.remove("out")
			l.lists(append(slices.DeleteFunc(slices.Clone(base), func(s string) bool { return s == "out"+out }), "in")...)
			p.remove("in")
			link(outside.abs("secret"), "in")
			p.write("out", "now a file")
			base[1] = "out"
			l.lists(append(slices.Clone(base), "in"+out)...)

			// A restart finds nothing new.
			l.stop()
			in := l.in.Restart(true)
			p.must(New("docs", p.dir, Options{Others: true}).Run(context.Background(), in))
			for _, g := range in.Groups() {
				if len(g.Changes) > 0 {
					t.Errorf("after a restart on an unchanged folder: %+v", g.Changes)
				}
			}

			// Who does not ask for such rows has none, but is told.
			in = in.Restart(true)
			p.must(New("docs", p.dir, Options{}).Run(context.Background(), in))
			if got, want := listed(in), []string{"out", "real-later", "real/aside.txt", "real/later.txt"}; !slices.Equal(got, want) {
				t.Errorf("without Others: %q", got)
			}
			told := 0
			for _, f := range in.Fails() {
				if f.Where == p.abs("in") && strings.Contains(f.Err.Error(), "leads out of the folder") {
					told++
				}
			}
			if told != 1 {
				t.Errorf("told %d times of a link that leads out: %v", told, in.Fails())
			}
		})
	}
}

// TestSpecialFiles lists what the system has besides files and links.
func TestSpecialFiles(t *testing.T) {
	p := newPlace(t)
	p.write("a", "1")
	if err := mkfifo(p.abs("fifo")); err != nil {
		t.Skip("no pipes here:", err)
	}
	t.Chdir(p.dir) // a socket's name is short
	s, err := net.Listen("unix", "sock")
	p.must(err)
	defer s.Close()
	p.must(os.Symlink("fifo", p.abs("link")))
	want := []string{"a", "fifo: it is a pipe", "link: it is a pipe", "sock: it is a socket"}
	if err := mknod(p.abs("null")); err == nil {
		want = append(want, "null: it is a device")
	}
	l := run(t, New("docs", p.dir, Options{Others: true}), pipelinetest.NewInput[File](t, false))
	l.lists(want...)
	for _, name := range []string{"fifo", "link", "sock", "null"} {
		if h, err := l.f.Open(name); err == nil {
			h.Close()
			t.Errorf("%s was opened", name)
		}
		p.remove(name)
	}
	l.lists("a")
}

func TestReasonsAreTold(t *testing.T) {
	for o := aFile; o <= unknown; o++ {
		if back := otherOf(o.String()); back != o || (o.String() == "") != (o == aFile) {
			t.Errorf("%d: %q is taken for %d", o, o, back)
		}
	}
	if otherOf("what a former version said") != unknown {
		t.Error("a reason that is not known any more is taken for one that is")
	}
}
