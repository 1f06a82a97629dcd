package indexer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/parse"
)

// found reports whether a search by words gives just these files, in any order.
func (r *rig) found(words string, names ...string) bool {
	r.t.Helper()
	left := map[string]bool{}
	for _, n := range names {
		left[n] = true
	}
	for _, h := range r.hits(words, index.Keyword) {
		if !left[h.Document.Path] {
			return false
		}
		delete(left, h.Document.Path)
	}
	return len(left) == 0
}

// refused waits until a file has that state, with a reason that says so.
func (r *rig) refused(name string, want State, reason string) {
	r.t.Helper()
	var s Status
	r.eventually(fmt.Sprintf("%s %s: %s", name, want, reason), func() bool {
		s, _ = r.x.Document(DocumentID("docs", name))
		return s.State == want && strings.Contains(s.Reason, reason)
	})
	r.eventually("nothing of "+name+" is found", func() bool {
		v := r.x.View()
		d, ok := v.Document(DocumentID("docs", name))
		return ok && d.Chunks == 0
	})
}

func (r *rig) path(name string) string { return filepath.Join(r.folder, name) }

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestFileWrittenInParts(t *testing.T) {
	r := newRig(t)
	r.start()
	f, err := os.Create(r.path("a.txt"))
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("The first half tells of herons, and ")
	must(t, err)
	r.until("a.txt", Live)
	_, err = f.WriteString("the second of storks.")
	must(t, err, f.Close())
	r.eventually("the whole file", func() bool { return r.found("storks", "a.txt") && r.state("a.txt") == Live })
	hits := r.hits("herons storks", index.Keyword)
	if len(hits) != 1 || hits[0].Text != "The first half tells of herons, and the second of storks." {
		t.Errorf("found %+v", hits)
	}
}

func TestFileRenamed(t *testing.T) {
	r := newRig(t)
	r.write("old.txt", "Herons.")
	r.start()
	r.until("old.txt", Live)
	parsed := r.parser.n.Load()
	must(t, os.Rename(r.path("old.txt"), r.path("new.txt")))
	r.until("new.txt", Live)
	r.gone("old.txt")
	r.eventually("found under its new name alone", func() bool { return r.found("herons", "new.txt") })
	if n := r.parser.n.Load() - parsed; n != 0 {
		t.Errorf("parsed %d times more", n)
	}
	must(t, os.Mkdir(r.path("dir"), 0o755), os.Rename(r.path("new.txt"), r.path("dir/new.txt")))
	r.until("dir/new.txt", Live)
	r.gone("new.txt")
	must(t, os.Rename(r.path("dir"), r.path("other")))
	r.until("other/new.txt", Live)
	r.gone("dir/new.txt")
}

// A file replaced by another one in one step is never missing.
func TestFileReplaced(t *testing.T) {
	r := newRig(t)
	r.write("a.txt", "Herons 0.")
	r.start()
	r.until("a.txt", Live)
	for i := range 5 {
		text := fmt.Sprintf("Herons x%d.", i+1)
		next := filepath.Join(t.TempDir(), "next")
		must(t, os.WriteFile(next, []byte(text), 0o644), os.Rename(next, r.path("a.txt")))
		r.eventually(text, func() bool {
			hits := r.hits("herons", index.Keyword)
			if len(hits) != 1 {
				t.Fatalf("%d hits while the file is replaced", len(hits))
			}
			return hits[0].Text == text
		})
	}
}

func TestFileUnreadable(t *testing.T) {
	r := newRig(t)
	r.write("a.txt", "Herons.")
	r.start()
	r.until("a.txt", Live)
	must(t, os.Chmod(r.path("a.txt"), 0))
	if f, err := os.Open(r.path("a.txt")); err == nil {
		f.Close()
		t.Skip("this user may read any file")
	}
	r.refused("a.txt", Failed, "permission denied")
	must(t, os.Chmod(r.path("a.txt"), 0o644))
	r.until("a.txt", Live)
	if !r.found("herons", "a.txt") {
		t.Error("it is not found any more")
	}
}

func TestFilesThatAreLinks(t *testing.T) {
	r := newRig(t)
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret.txt"), []byte("Storks."), 0o644))
	r.write("a.txt", "Herons.")
	if err := os.Symlink("a.txt", r.path("inside.txt")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	must(t,
		os.Symlink(filepath.Join(outside, "secret.txt"), r.path("out.txt")),
		os.Symlink("nothing.txt", r.path("dangling.txt")),
		os.Symlink("loop2.txt", r.path("loop1.txt")), os.Symlink("loop1.txt", r.path("loop2.txt")),
		os.Symlink(".", r.path("self")),
	)
	r.start()
	r.until("a.txt", Live)
	r.until("inside.txt", Live)
	r.refused("out.txt", Skipped, "leads out of the folder")
	r.refused("dangling.txt", Skipped, "does not exist")
	r.refused("loop1.txt", Skipped, "leads back to itself")
	r.refused("loop2.txt", Skipped, "leads back to itself")
	r.refused("self", Skipped, "link to a folder within this one")
	if !r.found("herons", "a.txt", "inside.txt") || !r.found("storks") {
		t.Error("what lies outside is found, or what lies inside is not")
	}
	// What a link leads to may change, and a link become a file.
	r.write("nothing.txt", "Cranes.")
	r.until("dangling.txt", Live)
	must(t, os.Remove(r.path("out.txt")))
	r.write("out.txt", "Ibises.")
	r.until("out.txt", Live)
	must(t, os.Remove(r.path("a.txt")))
	r.refused("inside.txt", Skipped, "does not exist")
}

// A file that goes, or changes, while it is being read leaves nothing behind of
// what was read.
func TestFileGoesWhileItIsRead(t *testing.T) {
	r := newRig(t)
	reading, open := make(chan string), make(chan struct{})
	r.parser.before = func(f parse.File) {
		select {
		case reading <- f.Name:
			<-open
		case <-open:
		}
	}
	r.write("goes.txt", "Herons.")
	r.write("changes.txt", "Herons.")
	r.start()
	<-reading
	<-reading
	must(t, os.Remove(r.path("goes.txt")))
	r.write("changes.txt", "Storks.")
	r.gone("goes.txt")
	close(open)
	r.until("changes.txt", Live)
	r.eventually("what is there now", func() bool { return r.found("storks", "changes.txt") && r.found("herons") })
	if _, ok := r.x.Document(DocumentID("docs", "goes.txt")); ok {
		t.Error("the file that went is back")
	}
}

func TestFilesOfUnusualSize(t *testing.T) {
	r := newRig(t)
	sparse := func(name string, size int64) {
		f, err := os.Create(r.path(name))
		must(t, err)
		must(t, f.Truncate(size), f.Close())
	}
	r.write("empty.txt", "")
	r.write("empty.pdf", "")
	r.write("blank.md", " \n\t\n")
	r.start()
	r.refused("empty.txt", Skipped, "empty")
	r.refused("empty.pdf", Skipped, "empty")
	r.refused("blank.md", Skipped, "white space")
	r.write("empty.txt", "No more.")
	r.until("empty.txt", Live)
	must(t, os.Truncate(r.path("empty.txt"), 0))
	r.refused("empty.txt", Skipped, "empty")
	sparse("huge.txt", MaxFile+1)
	r.refused("huge.txt", Skipped, fmt.Sprintf("at most %d MB are read", MaxFile>>20))
	if testing.Short() || RaceDetector {
		t.Skip("200 MB take long")
	}
	sparse("large.txt", 200<<20)
	r.refused("large.txt", Skipped, "")
	f, err := os.Create(r.path("large.md"))
	must(t, err)
	line := strings.Repeat("The heron stands in the water and waits. ", 25) + "\n\n"
	for n := 0; n < 200<<20; n += len(line) {
		_, err := f.WriteString(line)
		must(t, err)
	}
	_, err = f.WriteString("At the very end there is an okapi.\n")
	must(t, err, f.Close())
	r.eventually("a text of 200 MB", func() bool { return r.found("okapi", "large.md") || r.state("large.md") == Failed })
	if s := r.state("large.md"); s == Failed {
		st, _ := r.x.Document(DocumentID("docs", "large.md"))
		t.Errorf("it failed: %s", st.Reason)
	}
}
