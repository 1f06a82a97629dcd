//go:build unix

package parse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually waits for what other processes do.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !f(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// shoot kills the only worker that is at work.
func shoot(t *testing.T, p *Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.all) != 1 {
		t.Fatalf("%d workers", len(p.all))
	}
	for w := range p.all {
		if err := w.proc.Kill(); err != nil {
			t.Error(err)
		}
	}
}

func TestAWorkerThatIsKilledCostsAnAttempt(t *testing.T) {
	p := testPool(t)
	marker := filepath.Join(t.TempDir(), "marker")
	type answer struct {
		res Result
		err error
	}
	read := func() chan answer {
		c := make(chan answer, 1)
		go func() {
			res, err := p.Parse(t.Context(), page("trick:once "+marker+" "))
			c <- answer{res, err}
		}()
		eventually(t, "the file is being read", func() bool { return exists(marker) })
		return c
	}
	a := read()
	shoot(t, p)
	if got := <-a; got.err != nil || Markdown(got.res.Document) != "read at last\n" {
		t.Errorf("after one attempt was killed: %v", got.err)
	}
	os.Remove(marker)
	a = read()
	os.Remove(marker)
	shoot(t, p)
	eventually(t, "the file is being read again", func() bool { return exists(marker) })
	shoot(t, p)
	got := <-a
	var e *Error
	if !errors.As(got.err, &e) || e.Fault != Crashed || !strings.Contains(Reason(got.err), "killed, twice") {
		t.Errorf("after two attempts were killed: %v", got.err)
	}
	if _, err := p.Parse(t.Context(), page("the next")); err != nil {
		t.Errorf("the pool does not go on: %v", err)
	}
}

// Whichever error tells first that a worker is gone, nobody of us killed it.
func TestAWorkerThatIsGone(t *testing.T) {
	for _, told := range []error{io.EOF, syscall.EPIPE, os.ErrClosed} {
		p := testPool(t)
		w, err := p.take()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.proc.Kill(); err != nil {
			t.Fatal(err)
		}
		<-w.ended
		if w.end(&fs.PathError{Op: "read", Path: "|0", Err: told}) {
			t.Errorf("%v: taken for one that was killed by us", told)
		}
		p.drop(w)
	}
}

// running reports whether a process is there and no zombie.
func running(pid int) bool {
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		_, rest, _ := bytes.Cut(b, []byte(") "))
		return len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
	}
	return syscall.Kill(pid, 0) == nil
}

// A worker ends in the middle of a file when its server is killed.
func TestNoWorkerOutlivesItsServer(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	marker := filepath.Join(t.TempDir(), "marker")
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), envWorker+"=parent", envMarker+"="+marker)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a file is being read", func() bool { return exists(marker) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	var pid int
	if _, err := fmt.Sscan(out.String(), &pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, fmt.Sprintf("worker %d ends", pid), func() bool { return !running(pid) })
}

// The same where the system does not see to it: stdin ends.
func TestAWorkerEndsWithStdinInTheMiddleOfAFile(t *testing.T) {
	p := testPool(t)
	marker := filepath.Join(t.TempDir(), "marker")
	w, err := startProcess(p.opt)
	if err != nil {
		t.Fatal(err)
	}
	defer w.kill()
	f := page("trick:once " + marker + " ")
	done := make(chan error, 1)
	go func() {
		_, err := w.talk(ask{Name: f.Name, Size: f.Size, Limits: p.opt.Limits, Sent: true, Deadline: time.Hour}, f.Data, false, func(string) {})
		done <- err
	}()
	eventually(t, "the file is being read", func() bool { return exists(marker) })
	w.stdin.Close()
	<-w.ended
	if err := <-done; err == nil {
		t.Error("an answer of a worker that has ended")
	}
}
