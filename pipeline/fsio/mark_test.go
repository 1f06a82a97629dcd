package fsio

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// TestMark has directories that are marked, become so, come so, and are no
// longer so.
func TestMark(t *testing.T) {
	const data = ": it is a folder with the data of a program"
	for name, o := range map[string]Options{"events": {Rescan: time.Hour}, "polling": {NoEvents: true, Rescan: 5 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			p, outside := newPlace(t), newPlace(t)
			o.Others, o.Mark = true, "MARK"
			p.write("sub/data/MARK", "1")
			p.write("sub/data/deep/index", "1")
			p.write("sub/a", "1")
			p.write("later/index", "1")
			p.write("MARK", "of the folder itself, which was asked for")
			p.write("odd/MARK/a", "the mark is a file")
			l := run(t, New("docs", p.dir, o), pipelinetest.NewInput[File](t, false))
			l.lists("MARK", "sub/data"+data, "sub/a", "later/index", "odd/MARK/a")
			// Another program takes a directory.
			p.write("later/MARK", "1")
			l.lists("MARK", "sub/data"+data, "sub/a", "later"+data, "odd/MARK/a")
			p.write("later/more", "1")
			p.write("sub/data/more/x", "1")
			l.f.Poke("sub/data/more/x")
			p.write("sub/b", "1")
			l.lists("MARK", "sub/data"+data, "sub/a", "sub/b", "later"+data, "odd/MARK/a")
			// One comes with its mark, one goes.
			outside.write("new/MARK", "1")
			outside.write("new/index", "1")
			if err := os.Rename(outside.abs("new"), p.abs("new")); err != nil {
				t.Fatal(err)
			}
			p.remove("sub/data")
			l.lists("MARK", "sub/a", "sub/b", "later"+data, "new"+data, "odd/MARK/a")
			if name == "polling" { // what is not looked into has no events
				p.remove("later/MARK")
				l.lists("MARK", "sub/a", "sub/b", "later/index", "later/more", "new"+data, "odd/MARK/a")
				p.write("later/MARK", "1")
				l.lists("MARK", "sub/a", "sub/b", "later"+data, "new"+data, "odd/MARK/a")
			}
			l.stop()
			in := l.in.Restart(true)
			p.must(New("docs", p.dir, o).Run(context.Background(), in))
			for _, g := range in.Groups() {
				if len(g.Changes) > 0 {
					t.Errorf("after a restart there were changes: %+v", g.Changes)
				}
			}
			// Without the option it is a file like any other.
			o.Mark = ""
			in = pipelinetest.NewInput[File](t, true)
			p.must(New("docs", p.dir, o).Run(context.Background(), in))
			if n := len(in.Table()); n != 9 {
				t.Errorf("without a mark there are %d rows: %q", n, listed(in))
			}
		})
	}
}
