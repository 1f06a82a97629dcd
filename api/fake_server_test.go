package api

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// echo is a language model that repeats the last message, word by word.
type echo struct{ err error }

func (m echo) Stream(ctx context.Context, r llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		text := r.Messages[len(r.Messages)-1].Text
		for w := range strings.SplitAfterSeq(text, " ") {
			if !yield(llm.Delta{Text: w}, nil) {
				return
			}
			if m.err != nil {
				yield(llm.Delta{}, m.err)
				return
			}
		}
		yield(llm.Delta{Finish: "stop", Usage: &llm.Usage{Prompt: 3, Completion: len(words(text))}}, nil)
	}
}

var errInner = errors.New("inner text with the password hunter2")

// newServer returns a server over an engine with two documents.
func newServer(t testing.TB, change ...func(*Options)) (*engine, *Server) {
	t.Helper()
	e := newEngine()
	e.add("docs", "policies/refunds.md", "Refunds are paid within 14 days. Ask the desk.\n\nGift cards are never refunded.", map[string]any{"team": "legal", "year": 2024.0})
	e.add("docs", "überblick/größen.md", "Schuhgrößen: 36 bis 47. Größen über 47 auf Anfrage.\n\nFür Kinder gibt es Größe 20 bis 35 – süß!", map[string]any{"team": "shop"})
	c := e.collection("default")
	o := Options{Version: "test", Collections: []Collection{c}, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e, s
}

// call sends one request as a client on this machine would.
func call(t testing.TB, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequest(method, "http://127.0.0.1:8080"+target, nil)
	} else {
		r = httptest.NewRequest(method, "http://127.0.0.1:8080"+target, strings.NewReader(body))
	}
	r.RemoteAddr = "127.0.0.1:5555"
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// brokenAsker fails after the first words.
type brokenAsker struct{ *engine }

func (a *brokenAsker) Ask(ctx context.Context, q answer.Question) iter.Seq2[answer.Event, error] {
	return func(yield func(answer.Event, error) bool) {
		for e, err := range a.engine.Ask(ctx, q) {
			if !yield(e, err) {
				return
			}
			if e.Text != "" {
				yield(answer.Event{}, &llm.Error{Kind: llm.ErrUnavailable, Provider: "hunter2", Message: "hunter2"})
				return
			}
		}
	}
}

// vectorOnly searches by vector whatever is asked.
type vectorOnly struct{ *engine }

func (v vectorOnly) Search(ctx context.Context, q index.Query) (index.Result, error) {
	q.Mode = index.Vector
	return v.engine.Search(ctx, q)
}
