package fsio

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// TestAgainstTheDisk does random things to a folder while it is watched, and
// now and then compares the rows with what a plain walk of the disk finds.
func TestAgainstTheDisk(t *testing.T) {
	for name, o := range map[string]Options{
		"events":  {Rescan: time.Hour},
		"healing": {NoEvents: true, Rescan: 3 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				dir, err := os.MkdirTemp(t.TempDir(), "")
				if err != nil {
					rt.Fatal(err)
				}
				p := place{t, dir}
				in := pipelinetest.NewInput[File](t, false)
				l := run(t, New("docs", p.dir, o), in)
				defer func() { l.stop() }()
				for range rapid.IntRange(1, 4).Draw(rt, "rounds") {
					for range rapid.IntRange(1, 8).Draw(rt, "operations") {
						disturb(rt, p)
					}
					l.want(onDisk(t, p)...)
					if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
						l.stop()
						in = in.Restart(false)
						disturb(rt, p)
						l = run(t, New("docs", p.dir, o), in)
						l.want(onDisk(t, p)...)
					}
				}
			})
		})
	}
}

// disturb does one thing; that it may fail is part of the game.
func disturb(rt *rapid.T, p place) {
	name := rapid.SampledFrom([]string{"a", "b", "d/a", "d/b", "d/e/a", "f", "f/a", "g.tmp", ".h/a", "d/.ragignore"})
	n := p.abs(name.Draw(rt, "name"))
	switch rapid.IntRange(0, 4).Draw(rt, "what") {
	case 0, 1:
		os.MkdirAll(filepath.Dir(n), 0o755)
		text := strings.Repeat("a\n", rapid.IntRange(0, 5).Draw(rt, "size"))
		os.WriteFile(n, []byte(text), 0o644)
	case 2:
		os.RemoveAll(n)
	case 3:
		os.RemoveAll(filepath.Dir(n) + "/x")
		os.Rename(n, p.abs(name.Draw(rt, "to")))
	case 4:
		os.Rename(p.abs("d"), p.abs(fmt.Sprint("moved", rapid.IntRange(0, 2).Draw(rt, "to"))))
	}
}

// onDisk is the naive scanner: everything regular, without what is ignored.
func onDisk(t testing.TB, p place) []sized {
	want := []sized{}
	err := filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(p.dir, path)
		rel = filepath.ToSlash(rel)
		if strings.HasPrefix(e.Name(), ".") && rel != "." || strings.HasSuffix(rel, ".tmp") || ignoredBelow(p, rel) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if fi, err := e.Info(); err == nil && e.Type().IsRegular() {
			want = append(want, sized{rel, fi.Size()})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b sized) int { return strings.Compare(a.Path, b.Path) })
	return want
}

// ignoredBelow knows the one rule that these ignore files hold: "a".
func ignoredBelow(p place, rel string) bool {
	if filepath.Base(rel) != "a" {
		return false
	}
	for dir := filepath.Dir(rel); ; dir = filepath.Dir(dir) {
		if b, err := os.ReadFile(p.abs(dir + "/.ragignore")); err == nil && len(b) > 0 {
			return true
		}
		if dir == "." {
			return false
		}
	}
}

// BenchmarkScan looks through 100,000 files in 1,000 directories: from nothing,
// and again when nothing has changed.
func BenchmarkScan(b *testing.B) {
	p := newPlace(b)
	for i := range 1000 {
		for j := range 100 {
			if j == 0 {
				p.write(fmt.Sprintf("%d/%d.txt", i, j), "x")
			} else {
				p.must(os.WriteFile(p.abs(fmt.Sprintf("%d/%d.txt", i, j)), nil, 0o644))
			}
		}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			p.must(New("docs", p.dir, Options{}).Run(b.Context(), nowhere{}))
		}
	})
	in := pipelinetest.NewInput[File](b, true)
	p.must(New("docs", p.dir, Options{}).Run(b.Context(), in))
	l := run(b, New("docs", p.dir, Options{Rescan: time.Nanosecond}), in.Restart(false))
	l.scanned()
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			last := l.f.Status().LastScan
			l.until("scan", func() bool { return l.f.Status().LastScan.After(last) })
		}
		b.ReportMetric(float64(l.f.Status().ScanTime.Milliseconds()), "ms/scan")
	})
}

// nowhere is an Input that costs nothing.
type nowhere struct{ pipeline.Input[File] }

func (nowhere) Upsert(pipeline.Key, File)                  {}
func (nowhere) Rows(func(pipeline.Key, File) bool)         {}
func (nowhere) Put(pipeline.Key, []byte)                   {}
func (nowhere) Drop(pipeline.Key)                          {}
func (nowhere) State(func(pipeline.Key, []byte) bool)      {}
func (nowhere) Static() bool                               { return true }
func (nowhere) Commit(context.Context, func(uint64)) error { return nil }
