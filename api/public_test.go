package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Behind a proxy at https://intranet.example/rag, whether it takes the path away
// or not.
func TestPublicAddress(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "page ", r.URL.Path) })
	_, s := newServer(t, func(o *Options) { o.URL, o.Page = "https://intranet.example/rag/", page })
	for _, prefix := range []string{"", "/rag"} {
		w := call(t, s, "POST", prefix+"/api/search", `{"query":"gift","k":1}`, "Host", "intranet.example")
		h := decode[SearchResponse](t, 200, w, w.Body.String()).Hits[0]
		if !strings.HasPrefix(h.URL, "/rag/d/") {
			t.Errorf("a link of the native API: %s", h.URL)
		}
		w = call(t, s, "POST", prefix+"/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":"gift"}]}`, "Host", "127.0.0.1:8080")
		if !strings.Contains(w.Body.String(), `"citations":["https://intranet.example/rag/d/`) {
			t.Errorf("citations: %s", w.Body)
		}
		if w := call(t, s, "GET", prefix+"/d/abc?v=1", ""); w.Code != 200 || w.Body.String() != "page /d/abc" {
			t.Errorf("the page: %d %s", w.Code, w.Body)
		}
		if w := call(t, s, "GET", prefix+"/api/stats/?plan=true", ""); w.Code != 308 || w.Header().Get("Location") != "/rag/api/stats?plan=true" {
			t.Errorf("a slash too much: %d %s", w.Code, w.Header().Get("Location"))
		}
	}
	if w := call(t, s, "GET", "/rag", ""); w.Code != 308 || w.Header().Get("Location") != "/rag/" {
		t.Errorf("without its slash: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := call(t, s, "GET", "/ragout", ""); w.Body.String() != "page /ragout" {
		t.Errorf("another path: %d %s", w.Code, w.Body)
	}
	for _, bad := range []string{"intranet.example", "ftp://a", "https://", "https://u:p@a", "https://a/?q", "https://a/#f", "http://\x7f", "https://a/b%20c"} {
		if _, err := New(Options{Collections: []Collection{newEngine().collection("a")}, URL: bad}); err == nil || !strings.Contains(err.Error(), "such as https://") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
