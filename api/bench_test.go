package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
)

// canned finds the same hits at once, so that what is left is the API.
type canned struct{ index.Result }

func (c canned) Search(context.Context, index.Query) (index.Result, error) { return c.Result, nil }

// cannedServer finds ten passages of 1,200 bytes in long documents that are not
// ASCII.
func cannedServer(b *testing.B) *Server {
	e, s := newServer(b)
	for i := range 10 {
		e.add("docs", fmt.Sprintf("long/%d.md", i), strings.Repeat(strings.Repeat("größe süß ", 100)+"\n\n", 300), map[string]any{"team": "shop"})
	}
	res, err := e.Search(b.Context(), index.Query{Text: "größe", K: 10, Glob: "long/*"})
	if err != nil || len(res.Hits) != 10 {
		b.Fatal(err, len(res.Hits))
	}
	s.o.Collections[0].Search = canned{res}
	return s
}

var benchRequests = []struct{ name, path, body string }{
	{"search", "/api/search", `{"query":"größe süß","k":10}`},
	{"retrieve", "/v1/retrieve", `{"query":"größe süß","k":10}`},
	{"retrieve-filtered", "/v1/retrieve", `{"query":"größe süß","k":10,"metadata_filter":"team == ` + "`shop`" + `","filepath_globpattern":"**/*.md"}`},
}

// BenchmarkHandler is what the API adds to a search, without the network.
func BenchmarkHandler(b *testing.B) {
	s := cannedServer(b)
	for _, q := range benchRequests {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "http://127.0.0.1:8080"+q.path, strings.NewReader(q.body))
				r.RemoteAddr = "127.0.0.1:5555"
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

// BenchmarkLoopback is the same with a connection kept open; bare is a handler
// that replies with as many bytes, for comparison.
func BenchmarkLoopback(b *testing.B) {
	s := cannedServer(b)
	bare := strings.Repeat("x", 14000)
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("/bare", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, bare)
	})
	ts := httptest.NewServer(mux)
	defer ts.Close()
	for _, q := range append(benchRequests, struct{ name, path, body string }{"bare", "/bare", "{}"}) {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				res, err := ts.Client().Post(ts.URL+q.path, "application/json", strings.NewReader(q.body))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(err, res.Status)
				}
				res.Body.Close()
			}
		})
	}
}
