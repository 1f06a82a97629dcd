package parse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestPassing(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("anything"), false},
		{io.ErrUnexpectedEOF, false},
		{&fs.PathError{Op: "open", Path: "a", Err: shortages[0]}, true},
		{fmt.Errorf("reading: %w", shortages[len(shortages)-1]), true},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.ENOENT}, false},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.EACCES}, false},
		{fault(Lacking, nil, "no process"), true},
		{fault(Damaged, shortages[0], "the file's own, whatever came of it"), false},
		{fault(Deadline, nil, "late"), false},
		{fault(Memory, nil, "much"), false},
		{fault(Crashed, nil, "broken"), false},
		{&SkipError{Reason: "no text"}, false},
		{failureOf(fault(Lacking, shortages[0], "over the wire"), Result{}).error(), true},
		{failureOf(fault(Damaged, shortages[0], "over the wire"), Result{}).error(), false},
		{unreadable(shortages[0]), true},
		{unreadable(syscall.EISDIR), false},
	} {
		if got := Passing(c.err); got != c.want {
			t.Errorf("Passing(%v) = %t", c.err, got)
		}
	}
}

// TestNoRoomForWorkers: a worker that cannot have its directory is the machine's
// fault; the same file is read when there is room again.
func TestNoRoomForWorkers(t *testing.T) {
	p := testPool(t)
	gone := filepath.Join(t.TempDir(), "gone")
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, gone)
	}
	_, err := p.Parse(t.Context(), page("a page"))
	var e *Error
	if !errors.As(err, &e) || e.Fault != Lacking || !strings.Contains(e.Reason, "cannot be started") {
		t.Errorf("without a directory for temporary files: %v", err)
	}
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	if res, err := p.Parse(t.Context(), page("a page")); err != nil || !strings.Contains(res.Text, "a page") {
		t.Errorf("with one: %q, %v", res.Text, err)
	}
}

// TestNoRoomForBody: a worker that cannot keep a file says so and takes the next.
func TestNoRoomForBody(t *testing.T) {
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "gone"))
	}
	var buf bytes.Buffer
	out := bufio.NewWriter(&buf)
	piece := make([]byte, 8<<20)
	for range spillBytes/len(piece) + 2 {
		if err := writeFrame(out, frameData, piece); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range []string{"", "next", ""} {
		if err := writeFrame(out, frameData, []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	out.Flush()
	in := bufio.NewReader(&buf)
	if _, _, err := receive(in, 0); !Passing(err) {
		t.Errorf("a body for which there is no room: %v", err)
	}
	data, done, err := receive(in, 4)
	if err != nil {
		t.Fatalf("the body after it: %v", err)
	}
	defer done()
	got := make([]byte, 4)
	if _, err := data.ReadAt(got, 0); err != nil || string(got) != "next" {
		t.Errorf("the body after it: %q, %v", got, err)
	}
}
