package changelog_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is what a log should hold: "table/shard/key" → value.
type content map[string]string

func cell(table string, shard uint8, key []byte) string {
	return fmt.Sprintf("%s/%d/%x", table, shard, key)
}

// read loads everything, in two halves of the shards, and checks the order.
func read(t testing.TB, l *changelog.Log) content {
	t.Helper()
	got := content{}
	for _, table := range l.Tables() {
		for half := range uint8(2) {
			last := ""
			err := l.Load(table, func(s uint8) bool { return s%2 == half }, func(shard uint8, key, value []byte) error {
				at := string(append([]byte{shard}, key...))
				if len(got) > 0 && last >= at && last != "" {
					return fmt.Errorf("%q comes after %q", at, last)
				}
				last = at
				if shard%2 != half {
					return fmt.Errorf("shard %d was not asked for", shard)
				}
				got[cell(table, shard, key)] = string(value)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return got
}

func same(t testing.TB, what string, got, want content) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func commit(t testing.TB, l *changelog.Log, epoch uint64, meta string) {
	t.Helper()
	if err := l.Commit(epoch, []byte(meta)); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, fs changelog.FS, o changelog.Options) *changelog.Log {
	t.Helper()
	l, err := changelog.Open(fs, "state", o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// small makes logs that are finished and folded after a few changes.
var small = changelog.Options{Segment: 400, Floor: 150}

func TestCommitAndReopen(t *testing.T) {
	for name, fs := range map[string]changelog.FS{"memory": pipelinetest.NewCrashFS(1), "disk": changelog.OSFS{}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			l, err := changelog.Open(fs, dir, changelog.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if e, m := l.Recovered(); e != 0 || m != nil {
				t.Fatalf("a new log recovered %d, %q", e, m)
			}
			big := strings.Repeat("x", 1<<20)
			w := l.Writer(1)
			w.Put("b", 7, []byte("k"), []byte("old"))
			w.Put("b", 7, []byte("k"), []byte(big))
			w.Put("a", 255, nil, nil)
			w.Put("a", 0, []byte("gone"), []byte("v"))
			commit(t, l, 3, "one")
			l.Writer(0).Delete("a", 0, []byte("gone"))
			l.Writer(0).Put("never", 0, []byte("committed"), nil)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if l, err = changelog.Open(fs, dir, changelog.Options{}); err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if e, m := l.Recovered(); e != 3 || string(m) != "one" {
				t.Fatalf("recovered %d, %q", e, m)
			}
			same(t, "after reopening", read(t, l), content{"b/7/6b": big, "a/255/": "", "a/0/676f6e65": "v"})
			l.Writer(0).Delete("a", 0, []byte("gone"))
			commit(t, l, 3, "the same epoch may be committed again")
			same(t, "after deleting", read(t, l), content{"b/7/6b": big, "a/255/": ""})
			l.Writer(1).Put("b", 1, []byte("before"), nil)
			l.Drop("b")
			l.Writer(1).Put("b", 2, []byte("after"), nil)
			commit(t, l, 4, "")
			same(t, "after dropping", read(t, l), content{"b/2/6166746572": "", "a/255/": ""})
			if err := l.Commit(3, nil); err == nil {
				t.Fatal("an earlier epoch was committed")
			}
		})
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	l, err := changelog.Open(changelog.OSFS{}, dir, changelog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var locked *changelog.LockedError
	_, err = changelog.Open(changelog.OSFS{}, dir, changelog.Options{})
	if !errors.As(err, &locked) || locked.PID == 0 || !strings.Contains(err.Error(), dir) {
		t.Fatalf("a second Open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = changelog.Open(changelog.OSFS{}, dir, changelog.Options{}); err != nil {
		t.Fatal("the lock outlived its owner:", err)
	}
	l.Close()
}

// TestFoldingKeepsFilesFew writes the same keys again and again.
func TestFoldingKeepsFilesFew(t *testing.T) {
	fs := pipelinetest.NewCrashFS(1)
	l := open(t, fs, changelog.Options{Segment: 64 << 10, Floor: 8 << 10})
	want := content{}
	for e := uint64(1); e <= 400; e++ {
		for k := range 50 {
			key, value := []byte{byte(k), byte(e % 3)}, fmt.Appendf(nil, "%d-%0*d", e, 20+k, k)
			l.Writer(k%3).Put("t", uint8(k), key, value)
			want[cell("t", uint8(k), key)] = string(value)
		}
		commit(t, l, e, "m")
	}
	l.WaitFold()
	s := l.Stats()
	if s.FoldTrouble != nil || s.Folds == 0 || s.Files > 4 || s.Bytes > 64<<10 {
		t.Fatalf("after 400 commits of 150 records: %+v", s)
	}
	same(t, "running", read(t, l), want)
	l.Close()
	l = open(t, fs, changelog.Options{})
	same(t, "reopened", read(t, l), want)
	l.Close()
}

// script is a fixed life of a log: what is committed at each epoch.
func script(l *changelog.Log, acked *uint64, wait bool) error {
	for e := uint64(1); e <= 12; e++ {
		putEpoch(l, e)
		if err := l.Commit(e, fmt.Appendf(nil, "meta %d", e)); err != nil {
			return err
		}
		*acked = e
		if wait {
			l.WaitFold()
		}
	}
	return nil
}

func putEpoch(l *changelog.Log, e uint64) {
	if e == 7 {
		l.Drop("t1")
	}
	for i := range uint64(8) {
		k := (e*5 + i*3) % 13
		w, table, key := l.Writer(int(i%2)), fmt.Sprintf("t%d", k%2), []byte{byte(k)}
		if (e+i)%5 == 0 {
			w.Delete(table, uint8(k), key)
		} else {
			w.Put(table, uint8(k), key, fmt.Appendf(nil, "value of epoch %d", e))
		}
	}
}

// at returns what script has committed at epoch e.
func at(e uint64) content {
	c := content{}
	for n := uint64(1); n <= e; n++ {
		if n == 7 {
			maps.DeleteFunc(c, func(k, _ string) bool { return strings.HasPrefix(k, "t1/") })
		}
		for i := range uint64(8) {
			k := (n*5 + i*3) % 13
			id := cell(fmt.Sprintf("t%d", k%2), uint8(k), []byte{byte(k)})
			if (n+i)%5 == 0 {
				delete(c, id)
			} else {
				c[id] = fmt.Sprintf("value of epoch %d", n)
			}
		}
	}
	return c
}

// reopen checks that what is on the disk is the state of one epoch, acked or
// later, and that the log goes on from there.
func reopen(t *testing.T, fs *pipelinetest.CrashFS, acked uint64) {
	t.Helper()
	l, err := changelog.Open(fs, "state", small)
	if err != nil {
		t.Fatalf("after epoch %d was committed: %v", acked, err)
	}
	e, meta := l.Recovered()
	if e < acked || e > acked+1 {
		t.Fatalf("epoch %d was committed, %d recovered", acked, e)
	}
	if want := fmt.Sprintf("meta %d", e); e > 0 && string(meta) != want {
		t.Fatalf("meta %q, not %q", meta, want)
	}
	same(t, fmt.Sprintf("epoch %d", e), read(t, l), at(e))
	for e++; e <= 12; e++ {
		putEpoch(l, e)
		commit(t, l, e, "")
	}
	l.WaitFold()
	same(t, "the rest of the script", read(t, l), at(12))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCrashAtEveryOperation stops the machine at each operation of the script,
// and looks at several disks that this may leave behind.
func TestCrashAtEveryOperation(t *testing.T) {
	for _, wait := range []bool{true, false} {
		for n := 1; ; n++ {
			fs := pipelinetest.NewCrashFS(uint64(n))
			fs.StopAt(n)
			var acked uint64
			l, err := changelog.Open(fs, "state", small)
			if err == nil {
				script(l, &acked, wait)
				l.WaitFold()
				l.Close()
			}
			for seed := range uint64(6) {
				reopen(t, fs.Restart(seed*1000+uint64(n)), acked)
			}
			if acked == 12 {
				if n < 60 {
					t.Fatalf("the script has only %d operations", n)
				}
				break
			}
		}
	}
}

// TestFailureAtEveryOperation lets one operation fail, then tries again in the
// same process.
func TestFailureAtEveryOperation(t *testing.T) {
	for n := 1; ; n++ {
		fs := pipelinetest.NewCrashFS(uint64(n))
		l := open(t, fs, small)
		fs.FailAt(n, syscall.ENOSPC)
		failed := false
		for e := uint64(1); e <= 12; e++ {
			putEpoch(l, e)
			err := l.Commit(e, fmt.Appendf(nil, "meta %d", e))
			if err != nil {
				failed = true
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "state") {
					t.Fatalf("an unclear error: %v", err)
				}
				for seed := range uint64(3) {
					r := fs.Restart(seed)
					reopen(t, r, e-1)
				}
				// The machine of this test has stopped with Restart; begin again.
				break
			}
			l.WaitFold()
		}
		l.Close()
		if !failed {
			if fs.Ops() < n {
				break
			}
			reopen(t, fs.Restart(1), 12)
			continue
		}
		retry(t, n)
	}
}

// retry is the same failure, but the process goes on.
func retry(t *testing.T, n int) {
	fs := pipelinetest.NewCrashFS(uint64(n))
	l := open(t, fs, small)
	openOps := fs.Ops()
	fs.Inject(func(op int, name, _ string) error {
		if op == n+openOps && name != "open" { // reading needs no room
			return syscall.ENOSPC
		}
		return nil
	})
	for e := uint64(1); e <= 12; e++ {
		putEpoch(l, e)
		if err := l.Commit(e, fmt.Appendf(nil, "meta %d", e)); err != nil {
			same(t, "after a failed commit", read(t, l), at(e-1))
			commit(t, l, e, fmt.Sprintf("meta %d", e))
		}
		l.WaitFold()
		same(t, "running", read(t, l), at(e))
	}
	l.Close()
	reopen(t, fs.Restart(uint64(n)), 12)
}

// TestAgainstMap runs random lives, crashes and full disks against a map.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := pipelinetest.NewCrashFS(rapid.Uint64().Draw(rt, "seed"))
		l, err := changelog.Open(fs, "state", small)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { l.Close() }()
		live := content{}                     // put, perhaps not committed
		possible := map[uint64]content{0: {}} // what the disk may hold, by epoch
		acked, epoch := uint64(0), uint64(0)
		check := func() {
			e, _ := l.Recovered()
			want, ok := possible[e]
			if !ok || e < acked {
				rt.Fatalf("epoch %d recovered, %d committed", e, acked)
			}
			same(t, fmt.Sprint("recovered epoch ", e), read(t, l), want)
			live, acked, epoch = maps.Clone(want), e, max(epoch, e)
			possible = map[uint64]content{e: want}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				w := l.Writer(rapid.IntRange(0, 2).Draw(rt, "worker"))
				for _, k := range rapid.SliceOfN(rapid.ByteRange(0, 30), 1, 12).Draw(rt, "keys") {
					// A key belongs to one worker, as shards do in the engine.
					w = l.Writer(int(k % 3))
					table, v := fmt.Sprint("t", k%4), rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "value")
					key := []byte{k, k}[:k%3]
					w.Put(table, k, key, v)
					live[cell(table, k, key)] = string(v)
				}
			},
			"delete": func(rt *rapid.T) {
				k := rapid.ByteRange(0, 30).Draw(rt, "key")
				key := []byte{k, k}[:k%3]
				l.Writer(int(k%3)).Delete(fmt.Sprint("t", k%4), k, key)
				delete(live, cell(fmt.Sprint("t", k%4), k, key))
			},
			"drop": func(rt *rapid.T) {
				table := fmt.Sprint("t", rapid.IntRange(0, 3).Draw(rt, "table"))
				l.Drop(table)
				maps.DeleteFunc(live, func(k, _ string) bool { return strings.HasPrefix(k, table+"/") })
			},
			"commit": func(rt *rapid.T) {
				if rapid.IntRange(0, 3).Draw(rt, "full disk") == 0 {
					fs.FailAt(rapid.IntRange(1, 8).Draw(rt, "operation"), syscall.ENOSPC)
				}
				epoch++
				possible[epoch] = maps.Clone(live)
				err := l.Commit(epoch, nil)
				l.WaitFold()
				fs.Inject(nil)
				if err == nil {
					acked = epoch
					same(t, "committed", read(t, l), live)
				}
			},
			"crash": func(rt *rapid.T) {
				fs.StopAt(rapid.IntRange(1, 12).Draw(rt, "operation"))
				epoch++
				possible[epoch] = maps.Clone(live)
				if l.Commit(epoch, nil) == nil {
					acked = epoch
				}
				l.WaitFold()
				l.Close()
				fs = fs.Restart(rapid.Uint64().Draw(rt, "seed"))
				if l, err = changelog.Open(fs, "state", small); err != nil {
					rt.Fatal(err)
				}
				check()
			},
			"reopen": func(rt *rapid.T) {
				l.Close()
				if l, err = changelog.Open(fs, "state", small); err != nil {
					rt.Fatal(err)
				}
				check()
			},
		})
	})
}
