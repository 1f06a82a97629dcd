package api

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	keys, err := OpenKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	_, s := newServer(t, func(o *Options) { o.Keys = keys })
	asker, err := keys.Add("asker", Ask)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := keys.Add("admin", Admin)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), asker) || strings.Contains(string(data), asker[4:]) {
		t.Error("the key itself is in the file")
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v", info.Mode())
	}
	const search = `{"query":"gift"}`
	for _, tc := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
	}{
		{"health is open", "GET", "/health", "", nil, 200},
		{"ready is open", "GET", "/ready", "", nil, 200},
		{"no key", "POST", "/api/search", search, nil, 401},
		{"bearer", "POST", "/api/search", search, []string{"Authorization", "Bearer " + asker}, 200},
		{"bearer, any case", "POST", "/api/search", search, []string{"Authorization", "bearer " + asker}, 200},
		{"X-API-Key", "POST", "/api/search", search, []string{"X-API-Key", asker}, 200},
		{"basic", "POST", "/api/search", search, []string{"Authorization", "Basic " + asker}, 401},
		{"wrong", "POST", "/api/search", search, []string{"Authorization", "Bearer " + asker + "0"}, 401},
		{"the hash is no key", "POST", "/api/search", search, []string{"Authorization", "Bearer " + firstHash(t, keys)}, 401},
		{"no scope", "GET", "/api/documents", "", []string{"X-API-Key", asker}, 403},
		{"no scope to write", "PUT", "/api/sources/uploads/documents/a", "x", []string{"X-API-Key", asker}, 403},
		{"no scope for metrics", "GET", "/metrics", "", []string{"X-API-Key", asker}, 403},
		{"admin may all", "PUT", "/api/sources/uploads/documents/a", "x", []string{"X-API-Key", admin}, 202},
		{"any host with a key", "GET", "/api/documents", "", []string{"X-API-Key", admin, "Host", "rag.example:8080"}, 200},
		{"openai", "GET", "/v1/models", "", []string{"Authorization", "Bearer " + asker}, 200},
		{"openai without", "GET", "/v1/models", "", nil, 401},
		{"pathway without", "POST", "/v1/retrieve", `{"query":"a","k":1}`, nil, 401},
		{"schema is open", "GET", "/_schema", "", nil, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := call(t, s, tc.method, tc.target, tc.body, tc.headers...)
			if w.Code != tc.status && !(tc.status == 202 && w.Code == 200) {
				t.Errorf("status %d, want %d: %s", w.Code, tc.status, w.Body)
			}
			if w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}
	if err := keys.Revoke("asker"); err != nil {
		t.Fatal(err)
	}
	if w := call(t, s, "POST", "/api/search", search, "X-API-Key", asker); w.Code != 401 {
		t.Errorf("a revoked key works: %d", w.Code)
	}
}

func firstHash(t *testing.T, k *Keys) string {
	all, err := k.List()
	if err != nil {
		t.Fatal(err)
	}
	return all[0].Hash
}

// What another process writes is seen; what is damaged lets in whom it did before.
func TestKeysReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	mine, err := OpenKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := OpenKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Add("other's", Read); err == nil {
		t.Fatal("a name with an apostrophe was taken")
	}
	text, err := other.Add("other", Read)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok, err := mine.Find(text); !ok || err != nil || k.Name != "other" {
		t.Fatalf("%+v %v %v", k, ok, err)
	}
	if _, err := mine.Add("other", Ask); err == nil {
		t.Error("a name was given twice")
	}
	if _, err := mine.Add("x", "root"); err == nil {
		t.Error("a scope was made up")
	}
	if _, err := mine.Add("x"); err == nil {
		t.Error("a key without a scope")
	}
	if err := mine.Revoke("nobody"); err == nil {
		t.Error("a key that is not there was revoked")
	}
	if err := os.WriteFile(path, []byte(`{"keys":[`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := mine.Find(text); !ok || err == nil || !mine.Wanted() {
		t.Errorf("a damaged file: %v %v", ok, err)
	}
	if _, err := OpenKeys(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := mine.Find(text); ok || err != nil || !mine.Wanted() {
		t.Errorf("after the file was removed: %v %v", ok, err)
	}
	fixed, err := OpenKeys(path, Key{Name: "conf", Scopes: []Scope{Ask}, Hash: strings.Repeat("AB", 32)})
	if err != nil {
		t.Fatal(err)
	}
	if err := fixed.Revoke("conf"); err == nil || !strings.Contains(err.Error(), "configuration") {
		t.Errorf("%v", err)
	}
	if _, err := OpenKeys(path, Key{Name: "conf", Scopes: []Scope{Ask}, Hash: "12"}); err == nil {
		t.Error("a short hash was taken")
	}
}

// A server that began without keys wants one as soon as there is one, and goes
// on wanting one.
func TestFirstKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	keys, err := OpenKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	_, s := newServer(t, func(o *Options) { o.Keys, o.Log = keys, slog.New(slog.NewTextHandler(&log, nil)) })
	if w := call(t, s, "GET", "/api/stats", ""); w.Code != 200 {
		t.Fatalf("without keys: %d %s", w.Code, w.Body)
	}
	if w := call(t, s, "GET", "/openapi.json", ""); strings.Contains(w.Body.String(), `"security"`) {
		t.Error("the description wants a key")
	}
	if w := call(t, s, "GET", "/api/stats", "", "Host", "rebound.example"); w.Code != 403 {
		t.Errorf("any name is served without keys: %d", w.Code)
	}
	other, err := OpenKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	text, err := other.Add("first", Read)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, want int, headers ...string) {
		t.Helper()
		if w := call(t, s, "GET", "/api/stats", "", headers...); w.Code != want {
			t.Errorf("%s: %d, want %d: %s", what, w.Code, want, w.Body)
		}
	}
	try("no key", 401)
	try("the key", 200, "X-API-Key", text)
	if w := call(t, s, "GET", "/openapi.json", ""); !strings.Contains(w.Body.String(), `"security"`) {
		t.Error("the description does not tell that a key is wanted")
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		try("the key, of a file that cannot be read", 200, "X-API-Key", text)
		try("another key then", 401, "X-API-Key", text+"0")
	}
	if n := strings.Count(log.String(), "cannot be read"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
	if err := os.WriteFile(path, []byte(`{"keys": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	try("no key is left", 401, "X-API-Key", text)
	try("no key is left, none given", 401)
}

// A file of keys that is there and cannot be read closes the door even if no
// key is known.
func TestUnreadableKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	keys, err := OpenKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	_, s := newServer(t, func(o *Options) { o.Keys = keys })
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w := call(t, s, "GET", "/api/stats", ""); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := call(t, s, "GET", "/health", ""); w.Code != 200 {
		t.Errorf("health: %d %s", w.Code, w.Body)
	}
}

// What a key has begun ends soon after it was revoked.
func TestRevokedWhileStreaming(t *testing.T) {
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(path string) (*engine, *http.Response, *http.Response) {
		e, s := newServer(t, func(o *Options) { o.Keys = keys })
		e.block = make(chan struct{}) // for ever
		ts := httptest.NewServer(s)
		t.Cleanup(ts.Close)
		get := func(method, path, body string, headers ...string) *http.Response {
			r, err := http.NewRequestWithContext(t.Context(), method, ts.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			res, err := ts.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { res.Body.Close() })
			return res
		}
		feed := get("GET", "/api/events", "", "X-API-Key", path)
		if path == "" {
			return e, feed, nil
		}
		return e, feed, get("POST", "/api/ask", `{"question":"gift","stream":true}`, "X-API-Key", path)
	}
	_, early, _ := open("")
	if early.StatusCode != 200 {
		t.Fatalf("a feed without keys: %d", early.StatusCode)
	}
	text, err := keys.Add("reader", Read, Ask)
	if err != nil {
		t.Fatal(err)
	}
	ended := func(what string, res *http.Response) string {
		t.Helper()
		body, err := io.ReadAll(res.Body) // to the end, which the test's deadline bounds
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return string(body)
	}
	ended("the feed of a caller without a key", early)
	_, feed, asked := open(text)
	if feed.StatusCode != 200 || asked.StatusCode != 200 {
		t.Fatalf("%d %d", feed.StatusCode, asked.StatusCode)
	}
	if err := keys.Revoke("reader"); err != nil {
		t.Fatal(err)
	}
	ended("the feed of a revoked key", feed)
	if body := ended("the answer for a revoked key", asked); strings.Contains(body, "event: done") {
		t.Errorf("%s", body)
	}
}

func TestKeysConcurrently(t *testing.T) {
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			text, err := keys.Add(name, Ask)
			if err != nil {
				t.Error(err)
				return
			}
			if _, ok, err := keys.Find(text); !ok || err != nil {
				t.Errorf("%s: %v %v", name, ok, err)
			}
		})
	}
	wg.Wait()
	if all, _ := keys.List(); len(all) != 4 {
		t.Errorf("%d keys", len(all))
	}
}

func TestHostAndOrigin(t *testing.T) {
	_, s := newServer(t, func(o *Options) {
		o.Hosts = []string{"Rag.Example"}
		o.Origins = []string{"https://intranet.example"}
	})
	for _, tc := range []struct {
		name, method string
		headers      []string
		status       int
		code         string
	}{
		{"address", "POST", nil, 200, ""},
		{"localhost", "POST", []string{"Host", "localhost:8080"}, 200, ""},
		{"localhost with a dot", "POST", []string{"Host", "localhost.:8080"}, 200, ""},
		{"IPv6", "POST", []string{"Host", "[::1]:8080"}, 200, ""},
		{"configured", "POST", []string{"Host", "rag.example"}, 200, ""},
		{"rebound", "POST", []string{"Host", "evil.example:8080"}, 403, "host_not_allowed"},
		{"rebound GET", "GET", []string{"Host", "evil.example:8080"}, 403, "host_not_allowed"},
		{"looks like an address", "POST", []string{"Host", "127.0.0.1.evil.example"}, 403, "host_not_allowed"},
		{"same origin", "POST", []string{"Origin", "http://127.0.0.1:8080"}, 200, ""},
		{"another port", "POST", []string{"Origin", "http://127.0.0.1:9999"}, 403, "origin_not_allowed"},
		{"foreign post", "POST", []string{"Origin", "https://evil.example"}, 403, "origin_not_allowed"},
		{"foreign get", "GET", []string{"Origin", "https://evil.example"}, 403, "origin_not_allowed"},
		{"sandboxed", "POST", []string{"Origin", "null"}, 403, "origin_not_allowed"},
		{"cross-site by the browser's word", "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403, "origin_not_allowed"},
		{"an image of a foreign page", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403, "origin_not_allowed"},
		{"a link on a foreign page", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403, "origin_not_allowed"},
		{"an image of a page on another port", "GET", []string{"Sec-Fetch-Site", "same-site"}, 403, "origin_not_allowed"},
		{"typed by the user", "GET", []string{"Sec-Fetch-Site", "none"}, 200, ""},
		{"the page's own", "GET", []string{"Sec-Fetch-Site", "same-origin"}, 200, ""},
		{"an allowed origin reads", "GET", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://intranet.example"}, 200, ""},
		{"same-site is not the same origin", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 403, "origin_not_allowed"},
		{"behind a proxy that renames", "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", "https://rag.example"}, 200, ""},
		{"allowed origin", "POST", []string{"Origin", "https://intranet.example", "Sec-Fetch-Site", "cross-site"}, 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target, body := "/api/search?query=gift", ""
			if tc.method == "POST" {
				target, body = "/api/search", `{"query":"gift"}`
			}
			w := call(t, s, tc.method, target, body, tc.headers...)
			if w.Code != tc.status || tc.code != "" && !strings.Contains(w.Body.String(), tc.code) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); (got != "") != (strings.Contains(tc.name, "allowed origin")) {
				t.Errorf("Access-Control-Allow-Origin %q", got)
			}
		})
	}
	w := call(t, s, "OPTIONS", "/api/ask", "", "Origin", "https://intranet.example", "Access-Control-Request-Method", "POST")
	if w.Code != 204 || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
	w = call(t, s, "OPTIONS", "/api/ask", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	if w.Code != 403 && w.Code != 405 || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another: %d %v", w.Code, w.Header())
	}
	if _, err := New(Options{Collections: []Collection{newEngine().collection("a")}, Origins: []string{"intranet.example"}}); err == nil {
		t.Error("an origin without a scheme was taken")
	}
}

func TestPageAndHeaders(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "own")
		fmt.Fprint(w, "page ", r.URL.Path)
	})
	_, s := newServer(t, func(o *Options) { o.Page = page })
	w := call(t, s, "GET", "/d/abc?v=1", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if w.Code != 200 || w.Body.String() != "page /d/abc" {
		t.Errorf("a link from elsewhere: %d %s", w.Code, w.Body)
	}
	if csp := w.Header().Get("Content-Security-Policy"); csp != "own" {
		t.Errorf("the page's policy became %q", csp)
	}
	w = call(t, s, "GET", "/api/stats", "", requestID, "caller-1")
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": apiCSP, "Cache-Control": "no-store", requestID: "caller-1",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if w := call(t, s, "GET", "/api/stats", "", requestID, "bad id\n"); w.Header().Get(requestID) == "bad id\n" {
		t.Error("any request id is echoed")
	}
	for path, want := range map[string]string{"/v1/retrieve/": "/v1/retrieve", "/_schema/?format=json": "/_schema?format=json", "/api/stats/": "/api/stats"} {
		if w := call(t, s, "GET", path, ""); w.Code != 308 || w.Header().Get("Location") != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Location"))
		}
	}
	for _, path := range []string{"//evil.example/", "//evil.example/v1/"} {
		r := httptest.NewRequest("GET", "http://127.0.0.1:8080/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if loc := w.Header().Get("Location"); loc != "" {
			t.Errorf("%s leads to %s", path, loc)
		}
	}
}

func TestGzip(t *testing.T) {
	e, s := newServer(t)
	for i := range 50 {
		e.add("docs", strings.Repeat("x", i+1)+".md", "gift "+strings.Repeat("cards ", 50), nil)
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1:8080/api/search?query=gift&k=50", nil)
	r.Header.Set("Accept-Encoding", "br, gzip;q=0.8")
	r.RemoteAddr = "192.0.2.7:1234"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("a long reply to another machine: %v", w.Header())
	}
	for _, tc := range []struct{ from, accept string }{{"127.0.0.1:1", "gzip"}, {"192.0.2.7:1", "gzip;q=0"}, {"192.0.2.7:1", ""}} {
		r := httptest.NewRequest("GET", "http://127.0.0.1:8080/api/search?query=gift&k=50", nil)
		r.Header.Set("Accept-Encoding", tc.accept)
		r.RemoteAddr = tc.from
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%+v: compressed", tc)
		}
	}
}
