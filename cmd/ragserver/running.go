package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/ragserver/ragserver/api"
)

// running is a server in another process, called over HTTP.
type running struct {
	address string
	data    string // its data directory
	key     string // "" for none
}

// errNoServer says that nobody answers.
var errNoServer = errors.New("no server answers")

// call makes a request of the native API; body nil is none.
func (s running) call(ctx context.Context, method, path string, body, into any) error {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, r)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoServer, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s.refusal(resp)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("reading the answer of the server on %s: %w", s.address, err)
	}
	return nil
}

// refused is a reply with another status than 200.
type refused struct {
	status int
	err    error
}

func (e *refused) Error() string { return e.err.Error() }

func (s running) refusal(resp *http.Response) error {
	var e api.Error
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&e); err != nil || e.Error.Message == "" {
		e.Error.Message = resp.Status
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized && s.key == "":
		e.Error.Message = "a key is needed: put one into the variable RAGSERVER_KEY; `ragserver key add NAME --data " + s.data + "` makes one"
	case resp.StatusCode == http.StatusUnauthorized:
		e.Error.Message = "the key in RAGSERVER_KEY is not valid here; it may have been revoked"
	}
	return &refused{resp.StatusCode, fmt.Errorf("the server on %s: %s", s.address, e.Error.Message)}
}

// mustWatch refuses folders that the server does not watch: its answer would not
// be from them. A key that may not see the sources cannot find out.
func (s running) mustWatch(ctx context.Context, q asking) error {
	if len(q.folders) == 0 {
		return nil
	}
	var sources []api.SourceInfo
	err := s.call(ctx, http.MethodGet, "/api/sources?collection="+url.QueryEscape(q.collection), nil, &sources)
	if no, ok := errors.AsType[*refused](err); ok && no.status == http.StatusForbidden {
		return nil
	}
	if err != nil {
		return err
	}
	for _, folder := range q.folders {
		if !watched(folder, sources) {
			return usage(fmt.Errorf("a server runs on this data directory, on %s, and does not watch the folder %s: ask it without the folder, or give another directory with --data", s.address, folder))
		}
	}
	return nil
}

func watched(folder string, sources []api.SourceInfo) bool {
	info, err := os.Stat(folder)
	abs, absErr := filepath.Abs(folder)
	for _, s := range sources {
		if s.Kind != "folder" {
			continue
		}
		if absErr == nil && s.Location == abs {
			return true
		}
		if other, e := os.Stat(s.Location); err == nil && e == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}
