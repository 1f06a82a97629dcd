package index

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ragserver/ragserver/indexer/index/disk/disktest"
)

// script is a run of operations with the twin's state after each epoch. It ends
// at the first error unless retry is set.
type script struct {
	acked  uint64           // last epoch that Apply returned nil for
	tried  uint64           // last epoch given to Apply
	states map[uint64]*twin // by epoch
	stored []*Content       // acknowledged, and not yet live
}

// run goes through the script on x. Documents of one epoch differ from those of
// the next, so that half an epoch would be seen.
func (s *script) run(x *Index, from uint64, retry bool) error {
	ctx := context.Background()
	again := func(f func() error) error {
		for i := 0; ; i++ {
			err := f()
			if err == nil || !retry || i > 3 {
				return err
			}
		}
	}
	for e := from; e <= 6; e++ {
		b, w := Batch{Epoch: e}, s.states[e-1].clone()
		w.epoch = e
		s.stored = nil
		for n := range uint64(3) {
			docID := id(fmt.Sprint("doc", (e+n)%4))
			if n == 2 {
				b.Delete = append(b.Delete, docID)
				delete(w.docs, docID)
				continue
			}
			c := contentOf(fmt.Sprintf("epoch %d", e), fmt.Sprintf("shared line\nred river %d\nstone %d %s", e, n, strings.Repeat("x", int(100*e))))
			if err := again(func() error { return x.PutContent(ctx, c) }); err != nil {
				return err
			}
			s.stored = append(s.stored, c)
			var vs [][]float32
			for i := range c.Chunks {
				vs = append(vs, vectorOf(c.EmbedText(i)))
			}
			if err := again(func() error { return x.PutVectors(ctx, hashes(c), vs) }); err != nil {
				return err
			}
			d := Document{ID: docID, Path: fmt.Sprintf("%d.txt", n), Version: c.Version, Embedded: true}
			b.Put = append(b.Put, d)
			w.docs[docID] = twinDoc{d, c}
		}
		s.tried, s.states[e] = e, w
		if err := again(func() error { _, err := x.Apply(ctx, b); return err }); err != nil {
			return err
		}
		s.acked = e
		if e%2 == 0 { // far enough in the future for compaction and a checkpoint
			if err := again(func() error { return x.tidy(time.Now().Add(3 * time.Hour)) }); err != nil {
				return err
			}
		}
	}
	return again(x.Close)
}

func newScript() *script {
	return &script{states: map[uint64]*twin{0: {docs: map[ID]twinDoc{}}}}
}

// checkRecovered compares an index that was opened after a crash with the twin
// of the epoch it is at, which must be the last acknowledged or the one after.
func (s *script) checkRecovered(t *testing.T, x *Index) {
	t.Helper()
	v := x.View()
	if v.Epoch() < s.acked || v.Epoch() > s.tried {
		t.Fatalf("epoch %d; %d was acknowledged, %d tried", v.Epoch(), s.acked, s.tried)
	}
	w := s.states[v.Epoch()]
	w.whole(t, v)
	for _, q := range []Query{
		{Text: "red river", Vector: vectorOf("red river"), K: 20},
		{Mode: Vector, Vector: vectorOf("shared line"), K: 20},
		{Text: "stone", K: 20},
	} {
		w.compare(t, v, q)
	}
	if v.Epoch() < s.tried {
		for _, c := range s.stored[:max(0, len(s.stored)-1)] {
			if got, err := x.Content(c.Version); err != nil || got.Text != c.Text {
				t.Fatalf("an acknowledged content is gone: %v", err)
			}
		}
	}
	// Life goes on, from the epoch that is there.
	n := newScript()
	n.states = s.states
	if err := n.run(x, v.Epoch()+1, false); err != nil {
		t.Fatalf("going on: %v", err)
	}
}

// TestCrash stops the machine at every operation on the disk, with everything,
// nothing or a random part of what was not synced surviving.
func TestCrash(t *testing.T) {
	all := disktest.New()
	x, err := Open(Options{fs: all, Space: testSpace})
	if err != nil {
		t.Fatal(err)
	}
	if err := newScript().run(x, 1, false); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d operations", all.Ops())
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for op := 1; op <= all.Ops(); op++ {
		for seed := range seeds {
			fs := disktest.New()
			fs.CrashAt = op
			s := newScript()
			x, err := Open(Options{fs: fs, Space: testSpace})
			if err == nil {
				err = s.run(x, 1, false)
				x.Close()
			}
			if err != nil && !errors.Is(err, disktest.ErrCrashed) {
				t.Fatalf("crash at %d: %v", op, err)
			}
			how := disktest.Survival{All: seed == 0}
			if seed > 1 {
				how.Rand = rand.New(rand.NewPCG(seed, uint64(op)))
			}
			after, err := Open(Options{fs: fs.Crash(how), Space: testSpace})
			if err != nil {
				t.Fatalf("crash at %d, seed %d: %v", op, seed, err)
			}
			s.checkRecovered(t, after)
			after.Close()
			if t.Failed() {
				t.Fatalf("crash at %d, seed %d", op, seed)
			}
		}
	}
}

// TestFullDisk lets every operation fail once, for want of space: what failed can
// be tried again, searches go on, and in the end all is as if nothing had been.
func TestFullDisk(t *testing.T) {
	for op := 1; ; op++ {
		fs := disktest.New()
		hit := false
		fs.Fail = func(n int, what, name string) error {
			if n == op {
				hit = true
				return syscall.ENOSPC
			}
			return nil
		}
		x, err := Open(Options{fs: fs, Space: testSpace})
		if err != nil {
			if !strings.Contains(err.Error(), "disk is full") {
				t.Fatalf("operation %d: %v", op, err)
			}
			continue
		}
		s := newScript()
		if err := s.run(x, 1, true); err != nil {
			t.Fatalf("operation %d: %v", op, err)
		}
		x, err = Open(Options{fs: fs.Crash(disktest.Survival{}), Space: testSpace})
		if err != nil {
			t.Fatalf("operation %d: %v", op, err)
		}
		if x.Epoch() != 6 {
			t.Fatalf("operation %d: epoch %d", op, x.Epoch())
		}
		s.checkRecovered(t, x)
		x.Close()
		if !hit {
			break
		}
	}
}

// A version that cannot be read while it is made live, at whatever place of its
// record, changes nothing that can be seen; applying it again makes it live.
func TestUnreadableVersion(t *testing.T) {
	fs := disktest.New()
	x := open(t, Options{fs: fs})
	old, c := contentOf("", "before"), contentOf("", "after\nanother")
	put(t, x, old)
	apply(t, x, Batch{Epoch: 1, Put: []Document{{ID: id("a"), Version: old.Version}}})
	put(t, x, c)
	b := Batch{Epoch: 2, Put: []Document{{ID: id("a"), Version: c.Version}}}
	for k := 1; ; k++ {
		reads := 0
		fs.FailRead = func(name string, _ int64, _ int) error {
			if reads++; strings.HasPrefix(name, textLog) && reads == k {
				return syscall.EIO
			}
			return nil
		}
		_, err := x.Apply(t.Context(), b)
		if fs.FailRead = nil; err == nil {
			if k == 1 {
				t.Fatal("nothing was read")
			}
			break
		}
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("read %d: %v", k, err)
		}
		if got := find(t, x.View(), Query{Text: "before after another"}); len(got) != 1 || got[0].Text != "before" || x.Epoch() != 1 {
			t.Fatalf("read %d: found %+v at epoch %d", k, got, x.Epoch())
		}
	}
	if got := find(t, x.View(), Query{Text: "before after another"}); len(got) != 2 {
		t.Fatalf("found %+v", got)
	}
}

// TestFailureKeepsServing checks that a failed Apply changes nothing that can be
// seen.
func TestFailureKeepsServing(t *testing.T) {
	fs := disktest.New()
	x := open(t, Options{fs: fs})
	c := contentOf("", "before")
	put(t, x, c)
	apply(t, x, Batch{Epoch: 1, Put: []Document{{ID: id("a"), Version: c.Version, Embedded: true}}})
	c2 := contentOf("", "after")
	put(t, x, c2)
	full := true
	fs.Fail = func(int, string, string) error {
		if full {
			return syscall.ENOSPC
		}
		return nil
	}
	b := Batch{Epoch: 2, Put: []Document{{ID: id("a"), Version: c2.Version, Embedded: true}, {ID: id("b"), Version: c2.Version}}}
	for range 3 {
		_, err := x.Apply(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Fatalf("on a full disk: %v", err)
		}
		if err := x.PutContent(t.Context(), contentOf("", "more")); err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Fatalf("on a full disk: %v", err)
		}
		if got := find(t, x.View(), Query{Text: "before after"}); len(got) != 1 || got[0].Text != "before" || x.Epoch() != 1 {
			t.Fatalf("found %+v at epoch %d", got, x.Epoch())
		}
	}
	full = false
	apply(t, x, b)
	if got := find(t, x.View(), Query{Text: "before after"}); len(got) != 2 || got[0].Text != "after" {
		t.Fatalf("found %+v", got)
	}
}

// TestKill kills a child process that writes to the real disk, several times at
// a random moment, and looks at what it left.
func TestKill(t *testing.T) {
	if dir := os.Getenv("INDEX_TEST_CHILD"); dir != "" {
		child(dir)
		return
	}
	if testing.Short() {
		t.Skip("it starts processes")
	}
	dir := t.TempDir()
	last := uint64(0)
	for round := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "INDEX_TEST_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		wait := 3 + rand.IntN(40)
		for lines.Scan() {
			var e uint64
			if _, err := fmt.Sscanf(lines.Text(), "acked %d", &e); err == nil {
				last = e
				if wait--; wait == 0 {
					break
				}
			}
		}
		if wait > 0 {
			t.Fatalf("round %d: the child ended by itself: %v", round, lines.Err())
		}
		cmd.Process.Kill()
		for lines.Scan() { // what it said before it died
			fmt.Sscanf(lines.Text(), "acked %d", &last)
		}
		cmd.Wait()
		x := open(t, Options{Dir: dir})
		v := x.View()
		if v.Epoch() < last {
			t.Fatalf("round %d: epoch %d, %d was acknowledged", round, v.Epoch(), last)
		}
		w := childState(v.Epoch())
		w.whole(t, v)
		w.compare(t, v, Query{Text: "river", Vector: vectorOf("red river"), K: 100})
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(dir, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// childDoc is the document that epoch e puts; document e%7 is replaced, document
// (e+3)%7 deleted.
func childDoc(e uint64) (Document, *Content) {
	c := contentOf(fmt.Sprintf("epoch %d", e), fmt.Sprintf("red river %d\nstone\n%s", e, strings.Repeat("pebble ", int(e%50))))
	return Document{ID: id(fmt.Sprint(e % 7)), Path: fmt.Sprint(e), Version: c.Version, Embedded: true}, c
}

func childState(epoch uint64) *twin {
	w := &twin{docs: map[ID]twinDoc{}}
	for e := uint64(1); e <= epoch; e++ {
		d, c := childDoc(e)
		w.docs[d.ID] = twinDoc{d, c}
		delete(w.docs, id(fmt.Sprint((e+3)%7)))
	}
	w.epoch = epoch
	return w
}

func child(dir string) {
	fatal := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
	}
	x, err := Open(Options{Dir: dir, Space: testSpace})
	fatal(err)
	ctx := context.Background()
	for e := x.Epoch() + 1; ; e++ {
		d, c := childDoc(e)
		fatal(x.PutContent(ctx, c))
		var vs [][]float32
		for i := range c.Chunks {
			vs = append(vs, vectorOf(c.EmbedText(i)))
		}
		fatal(x.PutVectors(ctx, hashes(c), vs))
		_, err := x.Apply(ctx, Batch{Epoch: e, Put: []Document{d}, Delete: []ID{id(fmt.Sprint((e + 3) % 7))}})
		fatal(err)
		fmt.Println("acked", e)
		if e%5 == 0 {
			fatal(x.tidy(time.Now().Add(2 * time.Hour)))
		}
	}
}
