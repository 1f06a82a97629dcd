package disk_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/disk/disktest"
)

const limit = 600 // of a file, so that there are several

func openLog(fs disk.FS, known []disk.FileInfo) (*disk.Log, []string, error) {
	var got []string
	l, err := disk.OpenLog(fs, disk.LogOptions{Name: "x", Limit: limit, Known: known, Visit: func(_ disk.Pos, f disk.Frame) error {
		got = append(got, string(f.Payload))
		return nil
	}})
	return l, got, err
}

func mustOpen(t *testing.T, fs disk.FS) (*disk.Log, []string) {
	t.Helper()
	l, got, err := openLog(fs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l, got
}

// frame gives the payload in two parts, one of which may be empty.
func frame(s string) disk.Frame {
	n := len(s) * 2 / 3
	return disk.Frame{Kind: 7, Time: 5, Payload: []byte(s[:n]), Tail: s[n:]}
}

// payload is a text of varying length, now and then longer than a file.
func payload(i int) string { return fmt.Sprintf("%d:%s", i, strings.Repeat("x", i*37%700)) }

func TestLogOnRealDisk(t *testing.T) {
	d, err := disk.MakeDir(t.TempDir() + "/new/index")
	if err != nil {
		t.Fatal(err)
	}
	testLog(t, d)
}

func TestLog(t *testing.T) { testLog(t, disktest.New()) }

func testLog(t *testing.T, fs disk.FS) {
	var want []string
	for round := range 4 {
		l, got := mustOpen(t, fs)
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: %d frames, not %d", round, len(got), len(want))
		}
		for i := range 25 {
			p := payload(round*25 + i)
			pos, err := l.Append(frame(p), frame("and"))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, p, "and")
			f, err := l.Read(pos[0])
			if err != nil || string(f.Payload) != p || f.Kind != 7 || f.Time != 5 {
				t.Fatalf("read back %+v, %v", f, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(frame("late")); err == nil {
			t.Fatal("a closed log took a frame")
		}
	}
}

// TestGroupCommit checks that callers who come together share a sync.
func TestGroupCommit(t *testing.T) {
	const callers = 50
	fs := disktest.New()
	l, _ := mustOpen(t, fs)
	if _, err := l.Append(frame("first")); err != nil {
		t.Fatal(err)
	}
	// The first sync waits until all others have queued up.
	syncs := 0
	gate := make(chan struct{})
	fs.Fail = func(_ int, what, name string) error {
		if what == "sync" {
			if syncs++; syncs == 1 {
				<-gate
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			if _, err := l.Append(frame(payload(i))); err != nil {
				t.Error(err)
			}
		})
	}
	for l.Waiting() < callers-1 {
		runtime.Gosched()
	}
	close(gate)
	wg.Wait()
	fs.Fail = nil
	// One commit for the first caller, one for all others; but each file that
	// is filled needs its own, and a new one syncs its head and the directory.
	if files := len(l.Files()); syncs > 2+3*files {
		t.Errorf("%d syncs for %d callers and %d files", syncs, callers, files)
	}
	if _, got := mustOpen(t, fs); len(got) != callers+1 {
		t.Errorf("%d frames are there, not %d", len(got), callers+1)
	}
}

// TestCrash stops at every operation, with every kind of survival: what was
// acknowledged is there, in order; what was not may be.
func TestCrash(t *testing.T) {
	const appends = 14
	run := func(fs *disktest.FS) (acked, tried []string) {
		l, _, err := openLog(fs, nil)
		if err != nil {
			return nil, nil
		}
		for i := range appends {
			p := []string{payload(i), payload(i + 100)}
			tried = append(tried, p...)
			if _, err := l.Append(frame(p[0]), frame(p[1])); err != nil {
				return acked, tried
			}
			acked = append(acked, p...)
		}
		return acked, tried
	}
	all := disktest.New()
	run(all)
	for op := 1; op <= all.Ops(); op++ {
		for seed := range uint64(12) {
			fs := disktest.New()
			fs.CrashAt = op
			acked, tried := run(fs)
			s := disktest.Survival{All: seed == 1}
			if seed > 1 {
				s.Rand = rand.New(rand.NewPCG(seed, uint64(op)))
			}
			after := fs.Crash(s)
			l, got, err := openLog(after, nil)
			if err != nil {
				t.Fatalf("crash at %d, seed %d: %v", op, seed, err)
			}
			if len(got) < len(acked) || len(got) > len(tried) || !slices.Equal(got, tried[:len(got)]) {
				t.Fatalf("crash at %d, seed %d: %d frames, %d acknowledged, %d tried", op, seed, len(got), len(acked), len(tried))
			}
			if _, err := l.Append(frame("after")); err != nil {
				t.Fatal(err)
			}
			if _, again := mustOpen(t, after); !slices.Equal(again, append(got, "after")) {
				t.Fatalf("crash at %d, seed %d: what was written after it is not read back", op, seed)
			}
		}
	}
}

// TestFailure lets every operation fail once: the append fails, nothing is lost,
// the next one succeeds.
func TestFailure(t *testing.T) {
	const appends = 14
	for op := 1; ; op++ {
		fs := disktest.New()
		failed := false
		fs.Fail = func(n int, what, name string) error {
			if n == op {
				failed = true
				return syscall.ENOSPC
			}
			return nil
		}
		l, _ := mustOpen(t, fs)
		var want []string
		for i := range appends {
			for {
				_, err := l.Append(frame(payload(i)))
				if err == nil {
					break
				}
				if !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("operation %d: %v", op, err)
				}
			}
			want = append(want, payload(i))
		}
		if _, got := mustOpen(t, fs.Crash(disktest.Survival{})); !slices.Equal(got, want) {
			t.Fatalf("operation %d: %d frames, not %d", op, len(got), len(want))
		}
		if !failed {
			break
		}
	}
}

// TestDamage flips every byte of the files in turn: what is before is read, and
// unless the tail can be torn there is an error that names the file.
func TestDamage(t *testing.T) {
	base := disktest.New()
	l, _ := mustOpen(t, base)
	var want []string
	for i := range 12 {
		want = append(want, payload(i))
		if _, err := l.Append(frame(want[i])); err != nil {
			t.Fatal(err)
		}
	}
	files := l.Files()
	if len(files) < 3 {
		t.Fatalf("%d files", len(files))
	}
	for n, info := range files {
		name := disk.FileName("x", info.Number)
		for at := range info.Length {
			fs := base.Crash(disktest.Survival{})
			fs.Corrupt(name, func(b []byte) []byte { b[at] ^= 0x10; return b })
			_, got, err := openLog(fs, nil)
			var d *disk.Damage
			switch {
			case err == nil && n == len(files)-1 && len(got) < len(want) && slices.Equal(got, want[:len(got)]):
				// It looks like a torn end. Only the last commit can.
				if len(got) < len(want)-1 {
					t.Fatalf("%s, byte %d: %d of %d frames and no error", name, at, len(got), len(want))
				}
			case errors.As(err, &d) && d.File == name:
			default:
				t.Fatalf("%s, byte %d: %d of %d frames, %v", name, at, len(got), len(want), err)
			}
		}
		if n < len(files)-1 {
			fs := base.Crash(disktest.Survival{})
			if err := fs.Remove(name); err != nil {
				t.Fatal(err)
			}
			if _, _, err := openLog(fs, files); err == nil || !strings.Contains(err.Error(), name+" is damaged: it is missing") {
				t.Fatalf("%s is missing: %v", name, err)
			}
		}
		fs := base.Crash(disktest.Survival{})
		fs.Corrupt(name, func(b []byte) []byte { return b[:len(b)-16] })
		if _, _, err := openLog(fs, files); err == nil || !strings.Contains(err.Error(), name) {
			t.Fatalf("%s is short: %v", name, err)
		}
	}
}

func TestForgottenFilesAreRemoved(t *testing.T) {
	fs := disktest.New()
	l, _ := mustOpen(t, fs)
	for i := range 12 {
		if _, err := l.Append(frame(payload(i))); err != nil {
			t.Fatal(err)
		}
	}
	l.Forget(2)
	if _, err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	files := l.Files()
	l2, _, err := openLog(fs, files)
	if err != nil {
		t.Fatal(err)
	}
	names, _ := fs.List()
	if slices.Contains(names, disk.FileName("x", 2)) || !slices.Equal(l2.Files(), files) {
		t.Errorf("files %v, in the log %v", names, l2.Files())
	}
}

func TestWriteFile(t *testing.T) {
	write := func(fs disk.FS, s string) error {
		return disk.WriteFrames(fs, "s", 1, func(emit func(disk.Frame) error) error {
			return errors.Join(emit(frame(s)), emit(frame("end")))
		})
	}
	read := func(fs disk.FS) (s string) {
		err := disk.ReadFrames(fs, "s", 1, func(f disk.Frame) error { s += string(f.Payload); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for op := 1; ; op++ {
		fs := disktest.New()
		if err := write(fs, "old"); err != nil {
			t.Fatal(err)
		}
		fs.CrashAt = fs.Ops() + op
		err := write(fs, "new")
		for seed := range uint64(8) {
			got := read(fs.Crash(disktest.Survival{All: seed == 0, Rand: rand.New(rand.NewPCG(seed, 1))}))
			if got != "oldend" && got != "newend" || err == nil && got != "newend" {
				t.Fatalf("crash at %d: %q", op, got)
			}
			fs = fs.Crash(disktest.Survival{})
		}
		if err == nil {
			break
		}
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	release, err := disk.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Lock(dir); !errors.Is(err, disk.ErrLocked) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("the second lock: %v", err)
	}
	release()
	if release, err = disk.Lock(dir); err != nil {
		t.Error(err)
	} else {
		release()
	}
}

// FuzzScan reads anything. A frame that is visited was written, and reading
// takes time that the size bounds.
func FuzzScan(f *testing.F) {
	fs := disktest.New()
	l, _, err := openLog(fs, nil)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if _, err := l.Append(frame(payload(i))); err != nil {
			f.Fatal(err)
		}
	}
	b, err := disk.ReadFile(fs, disk.FileName("x", 1), 1<<20)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, true)
	f.Add(b[:100], false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, last bool) {
		n := 0
		good, err := disk.Scan(bytes.NewReader(b), int64(len(b)), "x", 1, last, 0, func(at int64, f disk.Frame) error {
			n += int(disk.FrameSize(len(f.Payload)))
			return nil
		})
		if good > int64(len(b)) || n > len(b) {
			t.Fatalf("%d good bytes, %d in frames, of %d", good, n, len(b))
		}
		var d *disk.Damage
		if err != nil && !errors.As(err, &d) {
			t.Fatalf("an error that is no damage: %v", err)
		}
	})
}
