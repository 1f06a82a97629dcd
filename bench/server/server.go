package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a running ragserver.
type server struct {
	url    string
	cmd    *exec.Cmd
	client *http.Client
	errs   bytes.Buffer
}

// launch starts the binary on folders and a data directory and returns when
// the port answers.
func (b *bench) launch(data string, folders ...string) (*server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	ln.Close()
	s := &server{url: "http://" + addr, client: &http.Client{
		Timeout:   2 * time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	s.cmd = exec.Command(b.binary, append([]string{"--listen", addr, "--data", data, "--log-level", "warn"}, folders...)...)
	s.cmd.Stderr = &s.errs
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	err = until(30*time.Second, time.Millisecond, func() (bool, error) {
		resp, err := s.client.Get(s.url + "/ready")
		if err != nil {
			return false, nil
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server did not get ready: %w: %s", err, s.errs.String())
	}
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

var errLate = errors.New("did not happen in time")

// until asks again and again until yes says so.
func until(most, every time.Duration, yes func() (bool, error)) error {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(every) {
		if ok, err := yes(); ok || err != nil {
			return err
		}
	}
	return errLate
}

type hit struct {
	Path  string  `json:"path"`
	Text  string  `json:"text"`
	Title string  `json:"title"`
	Score float64 `json:"score"`
}

// search asks /api/search.
func (s *server) search(q, mode string, k int) ([]hit, error) {
	body, err := json.Marshal(map[string]any{"query": q, "mode": mode, "k": k})
	if err != nil {
		return nil, err
	}
	var r struct{ Hits []hit }
	return r.Hits, s.post("/api/search", body, &r)
}

func (s *server) post(path string, body []byte, into any) error {
	resp, err := s.client.Post(s.url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	return decode(resp, into)
}

func (s *server) get(path string, into any) error {
	resp, err := s.client.Get(s.url + path)
	if err != nil {
		return err
	}
	return decode(resp, into)
}

func decode(resp *http.Response, into any) error {
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.300s", resp.Request.URL.Path, resp.Status, b)
	}
	return json.Unmarshal(b, into)
}

// live waits until n documents are live and none is on its way.
func (s *server) live(n int) error {
	return until(20*time.Minute, 20*time.Millisecond, func() (bool, error) {
		var st struct{ Documents, Pending int }
		if err := s.get("/api/stats", &st); err != nil {
			return false, err
		}
		return st.Documents >= n && st.Pending == 0, nil
	})
}

// memory returns the resident set of the server's process in MB, and its CPU
// time so far; zeros where /proc is not.
func (s *server) memory() (mb float64, cpu time.Duration) {
	pid := strconv.Itoa(s.cmd.Process.Pid)
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			mb = kb / 1024
		}
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return mb, 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return mb, time.Duration(user+system) * 10 * time.Millisecond
}
