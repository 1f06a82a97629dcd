package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
)

// told fails unless an error is one that clients are told, as their fault.
func told(t *testing.T, err error) {
	t.Helper()
	if f := fault.From(err); f.Status < 400 || f.Status >= 500 || f.Message == "" || !utf8.ValidString(f.Message) {
		t.Errorf("%d %q: %v", f.Status, f.Message, err)
	}
}

func FuzzSearchRequest(f *testing.F) {
	for _, s := range []string{`{"query":"a"}`, `{"query":"a","k":1000,"mode":"vector","filter":"a == 'b'","glob":"*.md","documents":["` + strings.Repeat("ab", 16) + `"]}`,
		`{`, `[]`, `null`, "{\"query\":\"\xff\"}", `{"query":"a","k":1e3}`, `{"query":{"query":1}}`, `{"query":"a"}x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var req SearchRequest
		if err := body.JSON(data, &req, true); err != nil {
			told(t, err)
			return
		}
		q, err := req.query()
		if err != nil {
			told(t, err)
			return
		}
		if q.K < 1 || q.K > index.MaxK || strings.TrimSpace(q.Text) == "" || !utf8.ValidString(q.Text) {
			t.Errorf("taken: %+v", q)
		}
	})
}

func FuzzAskRequest(f *testing.F) {
	for _, s := range []string{`{"question":"a"}`, `{"question":"a","history":[{"role":"user","content":"x"}],"k":50,"stream":true}`, `{"question":"a","history":[{}]}`, `{"question":""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var req AskRequest
		if err := body.JSON(data, &req, true); err != nil {
			told(t, err)
			return
		}
		q, err := req.question()
		if err != nil {
			told(t, err)
			return
		}
		if q.Query.K < 1 || q.Query.K > MaxAskK || len(q.History) > maxTurns {
			t.Errorf("taken: %+v", q)
		}
	})
}

func FuzzSearchQueryString(f *testing.F) {
	for _, s := range []string{"query=a&k=1", "query=%ff", "k=99999999999999999999&query=a", "query=a&documents=x,y&explain", "%zz", "query=a;b"} {
		f.Add(s)
	}
	_, s := newServer(f)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "http://127.0.0.1/api/search", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	})
}

func FuzzKeyFile(f *testing.F) {
	f.Add([]byte(`{"keys":[{"name":"a","scopes":["ask"],"hash":"` + strings.Repeat("ab", 32) + `"}]}`))
	f.Add([]byte(`{"keys":[{}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeys(data)
		if err != nil {
			return
		}
		for _, k := range keys {
			if k.Name == "" || len(k.Scopes) == 0 || len(k.Hash) != 64 {
				t.Errorf("taken: %+v", k)
			}
		}
	})
}

func FuzzDocumentKey(f *testing.F) {
	for _, s := range []string{"a/b.pdf", "../a", "a//b", "", "a\x00", "\xff", "C:\\x", ".", "a/..", "ä/ö"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if err := checkKey(key); err != nil {
			told(t, err)
			return
		}
		if strings.Contains("/"+key+"/", "/../") || strings.HasPrefix(key, "/") || strings.ContainsAny(key, "\x00\\\n") || !utf8.ValidString(key) {
			t.Errorf("taken: %q", key)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor(indexer.Place{Source: "docs", Path: "a/b.md"}))
	f.Add("W10")
	f.Add("!")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := placeOf(text); err != nil {
			told(t, err)
		}
	})
}

func FuzzUpload(f *testing.F) {
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n"))
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{}\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../x\"\r\n\r\n1\r\n--b--"))
	f.Add([]byte("--b\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, s := newServer(t)
		w := call(t, s, "POST", "/api/sources/uploads/documents", string(data), "Content-Type", "multipart/form-data; boundary=b")
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
