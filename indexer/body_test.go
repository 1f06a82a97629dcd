package indexer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ragserver/ragserver/indexer/index"
)

// put stores an upload and waits until it is searchable.
func (r *rig) put(key, text string, m index.Meta) {
	r.t.Helper()
	s, err := r.x.Put(r.t.Context(), UploadsName, key, strings.NewReader(text), m)
	if err == nil {
		s, err = r.x.Settle(r.t.Context(), s)
	}
	if err != nil || s.State != Live {
		r.t.Fatalf("putting %s: %+v, %v", key, s, err)
	}
}

// Uploads outlive index and engine: their files tell whose they are.
func TestUploadsWithoutState(t *testing.T) {
	r := newRig(t)
	r.start()
	r.put("a.txt", "Apples.", index.Meta{Title: "On fruit", Owner: "Ann", Attributes: map[string]any{"shelf": "7"}})
	r.put("b.txt", "Bananas.", index.Meta{})
	r.put("b.txt", "Blueberries.", index.Meta{})
	r.put("c.txt", "Cherries.", index.Meta{})
	if _, err := r.x.Delete(t.Context(), UploadsName, "c.txt"); err != nil {
		t.Fatal(err)
	}
	r.eventually("two bodies", func() bool { left, _ := os.ReadDir(r.x.uploadsDir()); return len(left) == 2 })
	r.stop()
	for _, d := range []string{"engine", "index"} {
		if err := os.RemoveAll(filepath.Join(r.dir, d)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"short": "x", "long": "\xff\xff\xff\xff{}", "other": "\x00\x00\x00\x02no"} {
		if err := os.WriteFile(filepath.Join(r.x.uploadsDir(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time from the state
		r.start()
		r.eventually("all uploads", func() bool {
			return len(r.hits("apples", index.Keyword)) == 1 && len(r.hits("blueberries", index.Keyword)) == 1
		})
		if rows, _ := r.x.Documents(List{}); len(rows) != 2 {
			t.Errorf("uploads taken up: %v", rows)
		}
		d, _ := r.x.View().Document(DocumentID(UploadsName, "a.txt"))
		if m := d.Meta; m.Title != "On fruit" || m.Owner != "Ann" || fmt.Sprint(m.Attributes["shelf"]) != "7" || m.Size != 7 {
			t.Errorf("what is known of a document: %+v", m)
		}
		r.stop()
	}
	r.start()
	if _, err := r.x.Delete(t.Context(), UploadsName, "a.txt"); err != nil {
		t.Fatal(err)
	}
	r.eventually("the deletion", func() bool { return len(r.hits("apples", index.Keyword)) == 0 })
	for _, name := range []string{"short", "long", "other"} {
		if _, err := os.Stat(filepath.Join(r.x.uploadsDir(), name)); err != nil {
			t.Errorf("a file that is no upload: %v", err)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02{}text"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "body")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, size, err := describeBody(path); err == nil && size > int64(len(b)) {
			t.Errorf("%d bytes of body in %d", size, len(b))
		}
	})
}

// An upload that was cut off is none, whatever came before it under its name.
func TestUploadCutOff(t *testing.T) {
	r := newRig(t)
	r.start()
	r.put("a.txt", "Apples.", index.Meta{})
	broken := errors.New("the client is gone")
	if _, err := r.x.Put(t.Context(), UploadsName, "a.txt", io.MultiReader(strings.NewReader("Apr"), iotest.ErrReader(broken)), index.Meta{}); !errors.Is(err, broken) {
		t.Errorf("an upload that is cut off: %v", err)
	}
	if left, _ := os.ReadDir(r.x.uploadsDir()); len(left) != 1 {
		t.Errorf("files after an upload that was cut off: %v", left)
	}

	// As it is found after the process was killed while it wrote.
	body, w := io.Pipe()
	go func() { w.Write([]byte("Apr")); w.Write([]byte("ic")) }()
	ended := make(chan error, 1)
	go func() {
		_, err := r.x.Put(context.Background(), UploadsName, "a.txt", body, index.Meta{})
		ended <- err
	}()
	var torn []os.DirEntry
	r.eventually("a second body", func() bool { torn, _ = os.ReadDir(r.x.uploadsDir()); return len(torn) == 2 })
	copies := map[string][]byte{}
	for _, e := range torn {
		b, err := os.ReadFile(filepath.Join(r.x.uploadsDir(), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		copies[e.Name()] = b
	}
	w.CloseWithError(broken)
	if err := <-ended; !errors.Is(err, broken) {
		t.Errorf("an upload that is cut off: %v", err)
	}
	r.stop()
	for name, b := range copies {
		if err := os.WriteFile(filepath.Join(r.x.uploadsDir(), name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(r.dir, "engine")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(r.dir, "index")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.eventually("the whole upload", func() bool { return len(r.hits("apples", index.Keyword)) == 1 })
	if left, _ := os.ReadDir(r.x.uploadsDir()); len(left) != 1 {
		t.Errorf("files after the restart: %v", left)
	}
}
