package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// silentModel is a language model that takes questions and says nothing; asked
// has something for each.
func silentModel(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	questions, end := make(chan struct{}, 100), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			questions <- struct{}{}
		}
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}))
	t.Cleanup(func() { close(end); s.Close() })
	return s.URL + "/v1#silent", questions
}

// TestSignals breaks commands off while they wait for a model: they say nothing,
// and end with the code of the signal.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no way to send these signals to another process")
	}
	exe := buildBinary(t)
	dir := t.TempDir()
	docs, questions := filepath.Join(dir, "docs"), filepath.Join(dir, "questions.jsonl")
	if err := errors.Join(
		os.Mkdir(docs, 0o700),
		os.WriteFile(filepath.Join(docs, "leave.md"), []byte("Full-time staff have 28 days of paid leave a year.\n"), 0o600),
		os.WriteFile(questions, []byte(`{"id": "1", "question": "How many days of leave?", "answers": ["28"]}`), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args   []string // the last is what the model is for
		signal os.Signal
		code   int
	}{
		"ask interrupted":       {[]string{"ask", "How many days of leave?", docs, "--llm"}, os.Interrupt, 130},
		"ask terminated":        {[]string{"ask", "How many days of leave?", docs, "--llm"}, syscall.SIGTERM, 143},
		"eval interrupted":      {[]string{"eval", questions, docs, "--llm"}, os.Interrupt, 130},
		"doctor interrupted":    {[]string{"doctor", docs, "--llm"}, os.Interrupt, 130},
		"a server that starts":  {[]string{docs, "--log-level", "warn", "--embedder"}, syscall.SIGTERM, 0},
		"a question that waits": {[]string{"ask", "How many days of leave?", docs, "--embedder"}, syscall.SIGTERM, 143},
	} {
		t.Run(name, func(t *testing.T) {
			model, asked := silentModel(t)
			cmd := exec.Command(exe, append(tc.args, model, "--listen", "127.0.0.1:0", "--data", t.TempDir())...)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-asked:
			case <-time.After(eventually):
				_ = cmd.Process.Kill()
			}
			if err := cmd.Process.Signal(tc.signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != tc.code {
				t.Errorf("exit code %d instead of %d", code, tc.code)
			}
			if errs.Len() > 0 || strings.Contains(out.String(), "cancel") {
				t.Errorf("it says %q and %q", out.String(), errs.String())
			}
		})
	}
}

// TestSecondSignal ends a server that waits for an answer under way. Where it
// stopped of itself the code would be 0.
func TestSecondSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no way to send these signals to another process")
	}
	dir, addr := t.TempDir(), freeAddress(t)
	if err := os.WriteFile(filepath.Join(dir, "leave.md"), []byte("Full-time staff have 28 days of paid leave a year.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	model, asked := silentModel(t)
	cmd := exec.Command(buildBinary(t), "--listen", addr, "--data", t.TempDir(), "--llm", model, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	going := func() bool {
		select {
		case <-ended:
			return false
		case <-time.After(20 * time.Millisecond):
			return true
		}
	}
	waiting := func() bool {
		select {
		case <-asked:
			return false
		default:
			return going()
		}
	}
	for end := time.Now().Add(eventually); waiting(); {
		if time.Now().After(end) {
			_ = cmd.Process.Kill()
			t.Fatal("the model was not asked")
		}
		go func() {
			resp, err := http.Post("http://"+addr+"/api/ask", "application/json", strings.NewReader(`{"question": "How many days of leave?"}`))
			if err == nil {
				resp.Body.Close()
			}
		}()
	}
	for going() {
		_ = cmd.Process.Signal(os.Interrupt)
	}
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// firstWrite calls a function once, at the first write.
type firstWrite struct {
	bytes.Buffer
	do func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.Len() == 0 {
		w.do()
	}
	return w.Buffer.Write(p)
}

// TestParseBrokenOff: no file is read after the end, and none is blamed.
func TestParseBrokenOff(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(name, []byte("Leave.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	out, errs := &firstWrite{do: func() { cancel(stopped{os.Interrupt}) }}, &bytes.Buffer{}
	err := parseFiles(ctx, []string{name, name, "missing"}, false, out, errs)
	if code, ok := brokenOff(ctx, err); !ok || code != 130 {
		t.Errorf("ended with %v", err)
	}
	if strings.Count(out.String(), "Leave.") != 1 || errs.Len() > 0 {
		t.Errorf("it said %q and %q", out, errs)
	}
}
