package changelog_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// lived returns a disk with runs, a log and a MANIFEST, and what it holds.
func lived(t *testing.T) (*pipelinetest.CrashFS, content) {
	disk := pipelinetest.NewCrashFS(1)
	l := open(t, disk, small)
	var acked uint64
	if err := script(l, &acked, true); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = open(t, disk, changelog.Options{}) // which leaves the last epochs in a log
	putEpoch(l, 13)
	commit(t, l, 13, "meta 13")
	putEpoch(l, 14)
	commit(t, l, 14, "meta 14")
	want := read(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return disk, want
}

// TestEveryFlippedByteIsNoticed damages each byte of each file in turn. The
// last record of MANIFEST is the exception: it cannot be told from one that a
// crash has torn.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	disk, want := lived(t)
	names, err := disk.List("state")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, name := range names {
		path := filepath.Join("state", name)
		size := 0
		disk.Corrupt(path, func(b []byte) []byte { size = len(b); return b })
		for i := range size {
			damaged := disk.Restart(1)
			damaged.Corrupt(path, func(b []byte) []byte { b[i] ^= 0x41; return b })
			switch got, err := readAll(damaged); {
			case err == nil && name == "MANIFEST":
				if i < size/2 {
					t.Fatalf("byte %d of %d of MANIFEST changed and nobody noticed", i, size)
				}
			case err == nil:
				t.Fatalf("byte %d of %s changed and nobody noticed: %v", i, name, got)
			case i < 8 || i >= 16: // 8..16 is the version, which has an error of its own
				var d *changelog.DamageError
				if !errors.As(err, &d) || d.File != path {
					t.Fatalf("byte %d of %s: %v", i, name, err)
				}
			}
			kinds[filepath.Ext(name)]++
		}
	}
	if kinds[".log"] == 0 || kinds[".run"] == 0 || kinds[""] == 0 {
		t.Fatalf("not every kind of file was damaged: %v", kinds)
	}
	if got, err := readAll(disk.Restart(1)); err != nil {
		t.Fatal(err)
	} else {
		same(t, "the undamaged disk", got, want)
	}
}

func readAll(disk changelog.FS) (content, error) {
	l, err := changelog.Open(disk, "state", small)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	got := content{}
	for _, table := range l.Tables() {
		err := l.Load(table, nil, func(shard uint8, key, value []byte) error {
			got[cell(table, shard, key)] = string(value)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return got, nil
}

func TestMissingAndShortFiles(t *testing.T) {
	disk, _ := lived(t)
	names, _ := disk.List("state")
	for _, name := range names {
		if name == "LOCK" {
			continue
		}
		path := filepath.Join("state", name)
		short := disk.Restart(1)
		short.Corrupt(path, func(b []byte) []byte { return b[:len(b)-1] })
		_, err := readAll(short)
		var d *changelog.DamageError
		if name != "MANIFEST" && (!errors.As(err, &d) || d.File != path) {
			t.Errorf("%s cut: %v", name, err)
		}
		missing := disk.Restart(1)
		if err := missing.Remove(path); err != nil {
			t.Fatal(err)
		}
		_, err = readAll(missing)
		if !errors.As(err, &d) || d.File != path {
			t.Errorf("%s missing: %v", name, err)
		}
	}
}

// TestTornManifest cuts MANIFEST everywhere: up to the last record, an earlier
// epoch is found, and its state is whole.
func TestTornManifest(t *testing.T) {
	disk := pipelinetest.NewCrashFS(1)
	l := open(t, disk, changelog.Options{})
	var acked uint64
	if err := script(l, &acked, true); err != nil {
		t.Fatal(err)
	}
	l.Close()
	size := 0
	disk.Corrupt("state/MANIFEST", func(b []byte) []byte { size = len(b); return b })
	seen := map[uint64]bool{}
	for n := size; n > 0; n-- {
		torn := disk.Restart(1)
		torn.Corrupt("state/MANIFEST", func(b []byte) []byte { return b[:n] })
		l, err := changelog.Open(torn, "state", changelog.Options{})
		if err != nil {
			var d *changelog.DamageError
			if !errors.As(err, &d) || len(seen) < 13 {
				t.Fatalf("cut to %d of %d: %v", n, size, err)
			}
			continue
		}
		e, _ := l.Recovered()
		seen[e] = true
		same(t, fmt.Sprint("epoch ", e), read(t, l), at(e))
		l.Close()
	}
}

func TestOrphansAreRemoved(t *testing.T) {
	disk, _ := lived(t)
	for _, name := range []string{"000099.log", "000099.run.tmp", "000100.run", "notes.txt", "7.log"} {
		if _, err := disk.Create(filepath.Join("state", name)); err != nil {
			t.Fatal(err)
		}
	}
	open(t, disk, small).Close()
	names, _ := disk.List("state")
	for _, name := range []string{"000099.log", "000099.run.tmp", "000100.run"} {
		if slices.Contains(names, name) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range []string{"notes.txt", "7.log"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s, which is not ours, is gone", name)
		}
	}
}

// TestFoldingTrouble fills the disk for folding alone: commits go on.
func TestFoldingTrouble(t *testing.T) {
	disk := pipelinetest.NewCrashFS(1)
	l := open(t, disk, small)
	disk.Inject(func(_ int, op, name string) error {
		if filepath.Ext(name) == ".tmp" && filepath.Base(name) != "MANIFEST.tmp" {
			return fs.ErrPermission
		}
		return nil
	})
	var acked uint64
	if err := script(l, &acked, true); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); !errors.Is(s.FoldTrouble, fs.ErrPermission) || s.Folds != 0 {
		t.Fatalf("%+v", s)
	}
	disk.Inject(nil)
	for e := uint64(13); e < 20; e++ {
		putEpoch(l, e)
		commit(t, l, e, "")
		l.WaitFold()
	}
	if s := l.Stats(); s.FoldTrouble != nil || s.Folds == 0 {
		t.Fatalf("%+v", s)
	}
	same(t, "after the trouble", read(t, l), at(19))
	l.Close()
}

// TestCheckFindsEveryFlippedByte: what a check passes is whole, and it leaves
// everything as it was.
func TestCheckFindsEveryFlippedByte(t *testing.T) {
	disk, _ := lived(t)
	names, err := disk.List("state")
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(*changelog.Log) error { return nil }
	report, err := changelog.Check(disk, "state", nothing)
	if err != nil || report.Epoch != 14 || report.Files < 2 || report.Bytes == 0 {
		t.Fatalf("Check of a whole state: %+v, %v", report, err)
	}
	for _, name := range names {
		if name == "MANIFEST" || name == "LOCK" {
			continue // see TestEveryFlippedByteIsNoticed
		}
		path := filepath.Join("state", name)
		size := 0
		disk.Corrupt(path, func(b []byte) []byte { size = len(b); return b })
		for i := range size {
			damaged := disk.Restart(1)
			damaged.Corrupt(path, func(b []byte) []byte { b[i] ^= 0x41; return b })
			_, err := changelog.Check(damaged, "state", nothing)
			if d := (*changelog.DamageError)(nil); err == nil || (i < 8 || i >= 16) && !errors.As(err, &d) {
				t.Fatalf("byte %d of %s changed: %v", i, name, err)
			}
		}
		missing := disk.Restart(1)
		if err := missing.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := changelog.Check(missing, "state", nothing); err == nil {
			t.Errorf("%s is missing and nobody noticed", name)
		}
	}
}
