package indexer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ragserver/ragserver/indexer/index"
)

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("ragserver-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a file system of its own cannot be mounted here, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no space on a disk; free gives it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for n := 1 << 16; n > 0; {
		if _, err := f.Write(make([]byte, n)); err != nil {
			n /= 2
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk: while the disk is full what is there answers, what is new waits
// with the reason, and nothing that was accepted is lost; all is done when there
// is space, in this run or a later one.
func TestFullDisk(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%t", again), func(t *testing.T) {
			r := newRig(t)
			r.dir = smallDisk(t, 32<<20)
			put := r.topic()
			r.write("old.txt", "Apples are red.")
			r.start()
			r.until("old.txt", Live)
			if _, err := r.x.Put(t.Context(), UploadsName, "kept.txt", strings.NewReader("Quinces."), index.Meta{}); err != nil {
				t.Fatal(err)
			}
			free := fill(t, r.dir)
			for i := range 20 {
				r.write(fmt.Sprintf("new%d.txt", i), fmt.Sprintf("Pear number %d. %s", i, strings.Repeat("More of it. ", 2000)))
			}
			r.remove("old.txt")
			put("a", `{"text": "Cherries `+strings.Repeat("and more ", 5000)+`"}`)
			r.eventually("a waiting document that says so", func() bool {
				rows, _ := r.x.Documents(List{})
				for _, s := range rows {
					if s.State == Parsing && strings.Contains(s.Reason, "disk is full") {
						return true
					}
				}
				return false
			})
			if err := r.x.Trouble(); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("trouble on a full disk: %v", err)
			}
			if ts := r.x.Troubles(); len(ts) == 0 || ts[0].Part != "storage" {
				t.Errorf("troubles on a full disk: %v", ts)
			}
			if _, err := r.x.Put(t.Context(), UploadsName, "more.txt", strings.NewReader(strings.Repeat("Melons. ", 1<<16)), index.Meta{}); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("an upload on a full disk: %v", err)
			}
			if hits := r.hits("quinces", index.Keyword); len(hits) > 1 {
				t.Errorf("searching on a full disk: %v", hits)
			}
			if again {
				r.may = syscall.ENOSPC // it could not commit before its end
				r.stop()
				r.may = nil
			}
			free()
			if again {
				r.start()
			}
			for i := range 20 {
				r.until(fmt.Sprintf("new%d.txt", i), Live)
			}
			r.gone("old.txt")
			r.untilRecord("a", Live)
			r.eventually("the upload", func() bool { return len(r.hits("quinces", index.Keyword)) == 1 })
			r.eventually("no trouble", func() bool { return r.x.Trouble() == nil })
			rows, _ := r.x.Documents(List{})
			for _, s := range rows {
				if s.State != Live {
					t.Errorf("%s/%s is %s: %s", s.Source, s.Path, s.State, s.Reason)
				}
			}
		})
	}
}

// TestUploadNotCommitted: a body that fits while the engine's commit does not is
// refused at once, and so is a deletion, and requests that were taken before
// are answered; afterwards all is as it was told.
func TestUploadNotCommitted(t *testing.T) {
	r := newRig(t)
	r.dir = smallDisk(t, 32<<20)
	r.start()
	r.put("old.txt", "Apples.", index.Meta{})
	free := fill(t, r.dir)
	if err := os.Truncate(filepath.Join(r.dir, "filler"), fillerSize(t, r.dir)-3*4096); err != nil {
		t.Fatal(err)
	}
	var refused error
	for i := 0; refused == nil; i++ { // until the little that is free is used up
		_, refused = r.x.Put(t.Context(), UploadsName, fmt.Sprintf("new%d.txt", i), strings.NewReader("Pears."), index.Meta{})
	}
	if !errors.Is(refused, syscall.ENOSPC) {
		t.Errorf("an upload without space for it: %v", refused)
	}
	r.eventually("the engine's trouble", func() bool {
		_, err := r.x.Delete(t.Context(), UploadsName, "old.txt")
		return errors.Is(err, syscall.ENOSPC)
	})
	free()
	r.eventually("no trouble", func() bool { return r.x.Trouble() == nil })
	r.put("more.txt", "Melons.", index.Meta{})
	if _, err := r.x.Delete(t.Context(), UploadsName, "more.txt"); err != nil {
		t.Errorf("deleting once there is space: %v", err)
	}
	r.eventually("the deletion", func() bool { return len(r.hits("melons", index.Keyword)) == 0 })
}

func fillerSize(t *testing.T, dir string) int64 {
	t.Helper()
	st, err := os.Stat(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}
