package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts drives the real binary through testdata/*.txtar. Besides
// testscript's own commands there are:
//
//	serve [FLAG...] FOLDER...   start a server on a free port; wait until it answers
//	live N                      wait until N documents are live and none is on its way
//	ask QUESTION                print the answer and the paths of its cited sources
//	search MODE QUERY           print path and text of each hit
//	find MODE QUERY REGEXP      search until the hits match
//	lose MODE QUERY REGEXP      search until no hit matches
//	status PATH                 print a document's state and reason
//	gone PATH                   wait until a document is not in the list any more
//	get|post PATH [BODY]        print status line and body
//	crash                       SIGKILL, and wait for the end
//	exits CODE [NAME=VALUE...] ARG...
//	                            run the command, with variables, to its end, which must be with this exit code
//	flip FILE                   change a byte in the middle of a file
//	keyed FILE CODE ARG...      as exits, with the key in a file as RAGSERVER_KEY
//	log REGEXP                  waits until the server's log matches
//	halt                        ask to stop; the exit code must be 0
func TestScripts(t *testing.T) {
	bin := filepath.Dir(buildBinary(t))
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			root, err := filepath.Abs(filepath.Join("..", ".."))
			if err != nil {
				return err
			}
			env.Setenv("ROOT", root)
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			s := &scripted{}
			env.Values[scriptedKey{}] = s
			env.Defer(s.end)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "live": scriptLive, "ask": scriptAsk, "search": scriptSearch,
			"find": scriptFind, "lose": scriptLose, "status": scriptStatus, "gone": scriptGone,
			"get": scriptGet, "post": scriptPost, "crash": scriptCrash, "exits": scriptExits, "keyed": scriptKeyed, "log": scriptLog, "flip": scriptFlip, "halt": scriptHalt,
		},
	})
}

type scriptedKey struct{}

// scripted is the server of a script.
type scripted struct {
	cmd *exec.Cmd
	url string
	log processLog
}

// processLog is what a process has written so far. Its methods may be called
// while it goes on.
type processLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *processLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *processLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *processLog) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (s *scripted) end() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func of(ts *testscript.TestScript) *scripted { return ts.Value(scriptedKey{}).(*scripted) }

// eventually bounds what a script waits for; it only costs time when something
// is broken.
const eventually = 60 * time.Second

// await asks again until yes.
func await(ts *testscript.TestScript, what string, yes func() bool) {
	for end := time.Now().Add(eventually); !yes(); {
		if time.Now().After(end) {
			s := of(ts)
			ts.Fatalf("%s did not happen within %s\nserver log:\n%s", what, eventually, s.log.String())
		}
		<-time.After(10 * time.Millisecond)
	}
}

func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	s := of(ts)
	if neg || s.cmd != nil {
		ts.Fatalf("usage: serve [VARIABLE=VALUE...] [FLAG...] FOLDER... with no server running")
	}
	env := scriptEnv(ts)
	for len(args) > 0 && variableAndValue.MatchString(args[0]) {
		env, args = append(env, args[0]), args[1:]
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	addr := ln.Addr().String()
	ts.Check(ln.Close())
	exe, err := lookIn(ts.Getenv("PATH"), "ragserver")
	ts.Check(err)
	s.cmd = exec.Command(exe, append([]string{"--listen", addr}, args...)...)
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = env
	s.log.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	ts.Check(s.cmd.Start())
	s.url = "http://" + addr
	ts.Setenv("URL", s.url)
	ts.Setenv("ADDR", addr)
	await(ts, "an answer from the server", func() bool {
		resp, err := http.Get(s.url + "/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func scriptEnv(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "SYSTEMROOT", "GOCOVERDIR", "RAGSERVER_KERNEL"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

func lookIn(path, name string) (string, error) {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(path) {
		if p := filepath.Join(dir, name); isFile(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not in %s", name, path)
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// call makes a request; body "" is a GET.
func (s *scripted) call(method, path, body string, into any) (status string, text []byte, err error) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return "", nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		return "", nil, err
	}
	if into != nil {
		err = json.Unmarshal(text, into)
	}
	return resp.Status, text, err
}

func scriptLive(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	await(ts, args[0]+" live documents", func() bool {
		var st struct {
			States  map[string]int
			Pending int
		}
		_, _, err := of(ts).call("GET", "/api/stats", "", &st)
		return err == nil && st.States["live"] == want && st.Pending == 0
	})
}

type scriptSource struct {
	N          int
	Cited      bool
	Path, Text string
	Page       int
}

func scriptAsk(ts *testscript.TestScript, _ bool, args []string) {
	body, err := json.Marshal(map[string]any{"question": args[0]})
	ts.Check(err)
	var a struct {
		Answer, Kind string
		Notices      []struct{ Code, Message string }
		Sources      []scriptSource
	}
	_, _, err = of(ts).call("POST", "/api/ask", string(body), &a)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "kind: %s\n%s\n", a.Kind, a.Answer)
	for _, n := range a.Notices {
		fmt.Fprintf(ts.Stdout(), "%s: %s\n", n.Code, n.Message)
	}
	for _, src := range a.Sources {
		if src.Cited {
			fmt.Fprintf(ts.Stdout(), "cited [%d] %s page %d\n", src.N, src.Path, src.Page)
		}
	}
}

func (s *scripted) hits(mode, query string) (string, error) {
	body, err := json.Marshal(map[string]any{"query": query, "mode": mode})
	if err != nil {
		return "", err
	}
	var r struct{ Hits []scriptSource }
	status, text, err := s.call("POST", "/api/search", string(body), &r)
	if err == nil && !strings.HasPrefix(status, "200") {
		err = fmt.Errorf("%s: %s", status, text)
	}
	var b strings.Builder
	for _, h := range r.Hits {
		fmt.Fprintf(&b, "%s: %s\n", h.Path, strings.ReplaceAll(h.Text, "\n", " "))
	}
	return b.String(), err
}

func scriptSearch(ts *testscript.TestScript, _ bool, args []string) {
	found, err := of(ts).hits(args[0], args[1])
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), found)
}

func scriptFind(ts *testscript.TestScript, _ bool, args []string) { untilHits(ts, args, true) }
func scriptLose(ts *testscript.TestScript, _ bool, args []string) { untilHits(ts, args, false) }

func untilHits(ts *testscript.TestScript, args []string, match bool) {
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	await(ts, fmt.Sprintf("match=%v of %s in a search for %q", match, args[2], args[1]), func() bool {
		found, err := of(ts).hits(args[0], args[1])
		return err == nil && re.MatchString(found) == match
	})
}

// listed returns the row of a document in the list.
func (s *scripted) listed(path string) (state, reason string, err error) {
	var l struct {
		Documents []struct{ Path, State, Reason string }
	}
	_, _, err = s.call("GET", "/api/documents?limit=200&q="+url.QueryEscape(path), "", &l)
	for _, d := range l.Documents {
		if d.Path == path {
			return d.State, d.Reason, err
		}
	}
	return "", "", err
}

func scriptStatus(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, "a settled state of "+args[0], func() bool {
		state, reason, err := of(ts).listed(args[0])
		if err != nil || state != "live" && state != "failed" && state != "skipped" {
			return false
		}
		fmt.Fprintf(ts.Stdout(), "%s: %s\n", state, reason)
		return true
	})
}

func scriptGone(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, "the end of "+args[0], func() bool {
		state, _, err := of(ts).listed(args[0])
		return err == nil && state == ""
	})
}

func scriptGet(ts *testscript.TestScript, _ bool, args []string) {
	status, text, err := of(ts).call("GET", args[0], "", nil)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n%s\n", status, text)
}

func scriptPost(ts *testscript.TestScript, _ bool, args []string) {
	body := "{}"
	if len(args) > 1 {
		body = args[1]
	}
	status, text, err := of(ts).call("POST", args[0], body, nil)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n%s\n", status, text)
}

func scriptCrash(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	ts.Check(s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	s.cmd = nil
}

func scriptHalt(ts *testscript.TestScript, _ bool, _ []string) {
	s := of(ts)
	if runtime.GOOS == "windows" {
		scriptCrash(ts, false, nil)
		return
	}
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	if err := s.cmd.Wait(); err != nil {
		ts.Fatalf("the server did not stop cleanly: %v\n%s", err, s.log.String())
	}
	s.cmd = nil
}

var variableAndValue = regexp.MustCompile(`^[A-Z0-9_]+=`)

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	n := 1
	for n < len(args) && variableAndValue.MatchString(args[n]) {
		n++
	}
	program, rest := "ragserver", args[n:]
	if n > 1 {
		program, rest = "env", slices.Concat(args[1:n], []string{"ragserver"}, rest)
	}
	err := ts.Exec(program, rest...)
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d instead of %s", code, args[0])
	}
}

func scriptFlip(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	b[len(b)/2] ^= 0x55
	ts.Check(os.WriteFile(name, b, 0o600))
}

func scriptKeyed(ts *testscript.TestScript, neg bool, args []string) {
	key := strings.TrimSpace(ts.ReadFile(args[0]))
	scriptExits(ts, neg, append([]string{args[1], "RAGSERVER_KEY=" + key}, args[2:]...))
}

func scriptLog(ts *testscript.TestScript, neg bool, args []string) {
	s, line := of(ts), regexp.MustCompile(args[0])
	if neg {
		if text := s.log.String(); line.MatchString(text) {
			ts.Fatalf("%s is in the server's log:\n%s", args[0], text)
		}
		return
	}
	await(ts, "a line with "+args[0], func() bool { return line.MatchString(s.log.String()) })
}
