package indexer

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkState brings in many small documents and reports what the engine
// keeps of each on disk and in memory, and how long a restart takes until the
// folder has been compared with what was kept of it. -v shows it by operator.
func BenchmarkState(b *testing.B) {
	const documents = 100_000
	for b.Loop() {
		b.StopTimer()
		r := newRig(b)
		for i := range documents {
			r.write(fmt.Sprintf("archive/%03d/minutes of meeting %06d.txt", i/1000, i), fmt.Sprintf("Meeting %d\n\nIt was agreed to meet again.", i))
		}
		r.start()
		r.patiently("everything live", func() bool {
			_, pending := r.x.Counts()
			n := r.x.View().Stats().Documents
			return n == documents && pending == 0
		})
		r.stop()
		r.start() // what is in memory now has been read back and is not a remnant
		r.patiently("the first restart", r.scanned)
		r.stop()
		b.StartTimer()
		start := time.Now()
		r.start()
		open := time.Since(start)
		r.patiently("a restart", r.scanned)
		took := time.Since(start)
		b.StopTimer()
		var memory int64
		for _, o := range r.x.graph.Stats().Operators {
			memory += o.StateBytes
		}
		b.Log(r.x.Explain())
		r.stop()
		b.ReportMetric(float64(memory)/documents, "memory-B/doc")
		b.ReportMetric(float64(sizeOf(b, filepath.Join(r.dir, "engine")))/documents, "disk-B/doc")
		b.ReportMetric(open.Seconds(), "open-s")
		b.ReportMetric(took.Seconds(), "restart-s")
		b.StartTimer()
	}
}

// patiently is eventually for what takes minutes.
func (r *rig) patiently(what string, yes func() bool) {
	r.t.Helper()
	for end := time.Now().Add(15 * time.Minute); !yes(); {
		if time.Now().After(end) {
			r.t.Fatalf("%s: not within 15 minutes", what)
		}
		<-time.After(time.Millisecond)
	}
}

// scanned reports whether every source has been looked through since the start.
func (r *rig) scanned() bool {
	for _, s := range r.x.sources {
		if !s.status().Scanned {
			return false
		}
	}
	return true
}

func sizeOf(t testing.TB, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		fi, err := e.Info()
		if err == nil {
			n += fi.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
