package fsio

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

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

func (p place) remove(name string) { p.t.Helper(); p.must(os.RemoveAll(p.abs(name))) }

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
