package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ragserver/ragserver/indexer"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decode reads a reply of the native API.
func decode[T any](t testing.TB, status int, w interface {
	Result() *http.Response
}, body string) T {
	t.Helper()
	var v T
	if got := w.Result().StatusCode; got != status {
		t.Fatalf("status %d, want %d: %s", got, status, body)
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func TestSearch(t *testing.T) {
	e, s := newServer(t)
	for _, tc := range []struct{ name, method, target, body string }{
		{"post", "POST", "/api/search", `{"query":"gift cards refunded","k":1,"explain":true}`},
		{"get", "GET", "/api/search?query=gift+cards+refunded&k=1&explain=true", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := call(t, s, tc.method, tc.target, tc.body)
			out := decode[SearchResponse](t, 200, w, w.Body.String())
			if len(out.Hits) != 1 || out.Epoch != 2 || out.TookMS != 0.042 {
				t.Fatalf("%+v", out)
			}
			h := out.Hits[0]
			if h.Text != "Gift cards are never refunded." || h.N != 1 || h.Start != 48 || h.End != 78 || h.Path != "policies/refunds.md" {
				t.Errorf("%+v", h)
			}
			if h.Cosine == nil || h.BM25 <= 0 || h.Why == nil || h.Why.Terms["gift"] == 0 {
				t.Errorf("scores: %+v", h)
			}
			if h.Metadata["team"] != "legal" || h.Metadata["path"] != nil {
				t.Errorf("metadata: %v", h.Metadata)
			}
			if want := "/d/" + h.Document + "?v=" + h.Version + "&start=48&end=78"; h.URL != want {
				t.Errorf("url %s, want %s", h.URL, want)
			}
		})
	}
	t.Run("code points", func(t *testing.T) {
		w := call(t, s, "POST", "/api/search", `{"query":"Kinder süß","k":1,"mode":"keyword"}`)
		h := decode[SearchResponse](t, 200, w, w.Body.String()).Hits[0]
		var text string
		for _, v := range e.texts {
			if strings.Contains(v, h.Text) {
				text = v
			}
		}
		if got := string([]rune(text)[h.Start:h.End]); got != h.Text {
			t.Errorf("the span %d-%d is %q, the hit %q", h.Start, h.End, got, h.Text)
		}
		if h.Cosine != nil {
			t.Errorf("a keyword search has a cosine: %v", *h.Cosine)
		}
	})
	t.Run("filters reach the index", func(t *testing.T) {
		call(t, s, "POST", "/api/search", `{"query":"x","filter":"team == `+"`shop`"+`","glob":"**/*.md","min_epoch":1,"mode":"vector","documents":["`+strings.Repeat("0a", 16)+`"]}`)
		q := e.queried
		if q.Filter != "team == `shop`" || q.Glob != "**/*.md" || q.MinEpoch != 1 || q.Mode != 2 || q.K != 10 || len(q.Documents) != 1 {
			t.Errorf("%+v", q)
		}
	})
}

func TestBadRequests(t *testing.T) {
	_, s := newServer(t)
	for _, tc := range []struct {
		name, method, target, body string
		status                     int
		code, says                 string
	}{
		{"no JSON", "POST", "/api/search", `{"query":`, 400, "bad_json", "line 1, column 9"},
		{"broken JSON", "POST", "/api/search", "{\n \"query\": nope}", 400, "bad_json", "line 2, column"},
		{"wrong type", "POST", "/api/search", `{"query":"a","k":"ten"}`, 400, "bad_json", "`k` must be an integer"},
		{"fraction", "POST", "/api/search", `{"query":"a","k":1.5}`, 400, "bad_json", "`k` must be an integer"},
		{"unknown field", "POST", "/api/search", `{"query":"a","filer":"x"}`, 400, "bad_json", "no field `filer`"},
		{"more than one value", "POST", "/api/search", `{"query":"a"} {}`, 400, "bad_json", "more after"},
		{"array", "POST", "/api/search", `[]`, 400, "bad_json", "must be a JSON object"},
		{"empty body", "POST", "/api/search", ``, 400, "bad_json", "empty"},
		{"not UTF-8", "POST", "/api/search", "{\"query\":\"a\xff\"}", 400, "bad_json", "byte 12"},
		{"not UTF-8 in a URL", "GET", "/api/search?query=%ff", "", 400, "bad_request", "UTF-8"},
		{"no query", "POST", "/api/search", `{"k":3}`, 400, "missing_field", "`query`"},
		{"blank query", "POST", "/api/search", `{"query":" \n"}`, 400, "missing_field", "`query`"},
		{"long query", "POST", "/api/search", `{"query":"` + strings.Repeat("ä", 32769) + `"}`, 400, "bad_request", "32769 characters"},
		{"negative k", "POST", "/api/search", `{"query":"a","k":-1}`, 400, "bad_request", "1 to 1000"},
		{"huge k", "POST", "/api/search", `{"query":"a","k":1001}`, 400, "bad_request", "1 to 1000"},
		{"huger k", "POST", "/api/search", `{"query":"a","k":99999999999999999999}`, 400, "bad_json", "`k`"},
		{"zero k", "GET", "/api/search?query=a&k=0", ``, 400, "bad_request", "1 to 1000"},
		{"k in a URL", "GET", "/api/search?query=a&k=x", ``, 400, "bad_request", "`k` must be an integer"},
		{"truth in a URL", "GET", "/api/search?query=a&explain=perhaps", ``, 400, "bad_request", "`explain`"},
		{"mode", "POST", "/api/search", `{"query":"a","mode":"magic"}`, 400, "bad_request", "hybrid, keyword or vector"},
		{"filter", "POST", "/api/search", `{"query":"a","filter":"owner == "}`, 400, "bad_filter", "character"},
		{"glob", "POST", "/api/search", `{"query":"a","glob":"[a"}`, 400, "bad_glob", "["},
		{"document id", "POST", "/api/search", `{"query":"a","documents":["x"]}`, 400, "bad_request", "32 hexadecimal"},
		{"collection", "POST", "/api/search", `{"query":"a","collection":"nope"}`, 404, "collection_not_found", "default"},
		{"too large", "POST", "/api/search", `{"query":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "too_large", "1048576"},

		{"no question", "POST", "/api/ask", `{}`, 400, "missing_field", "`question`"},
		{"ask k", "POST", "/api/ask", `{"question":"a","k":51}`, 400, "bad_request", "1 to 50"},
		{"ask model", "POST", "/api/ask", `{"question":"a","model":"gpt"}`, 404, "model_not_found", "no model is configured"},
		{"ask filter", "POST", "/api/ask", `{"question":"a","filter":"(("}`, 400, "bad_filter", ""},
		{"ask role", "POST", "/api/ask", `{"question":"a","history":[{"role":"system","content":"x"}]}`, 400, "bad_request", "turn 1"},

		{"bad id", "GET", "/api/documents/xyz", "", 400, "bad_request", "32 hexadecimal"},
		{"no such document", "GET", "/api/documents/" + strings.Repeat("ab", 16), "", 404, "document_not_found", ""},
		{"state", "GET", "/api/documents?state=gone", "", 400, "bad_request", "no state"},
		{"limit", "GET", "/api/documents?limit=0", "", 400, "bad_request", "1 to 1000"},
		{"cursor", "GET", "/api/documents?cursor=!!", "", 400, "bad_request", "cursor"},

		{"put nowhere", "PUT", "/api/sources/nope/documents/a", "x", 404, "source_not_found", "uploads"},
		{"put into a folder", "PUT", "/api/sources/docs/documents/a", "x", 409, "read_only", "docs"},
		{"put up the tree", "PUT", "/api/sources/uploads/documents/a/%2e%2e/b", "x", 400, "bad_request", "relative path"},
		{"put without a key", "PUT", "/api/sources/uploads/documents/", "x", 400, "bad_request", "empty"},
		{"put a NUL", "PUT", "/api/sources/uploads/documents/a%00b", "x", 400, "bad_request", "control character"},
		{"put not UTF-8", "PUT", "/api/sources/uploads/documents/a%ffb", "x", 400, "bad_request", "UTF-8"},
		{"wait", "PUT", "/api/sources/uploads/documents/a?wait=soon", "x", 400, "bad_request", "`wait`"},
		{"long wait", "PUT", "/api/sources/uploads/documents/a?wait=11m", "x", 400, "bad_request", "`wait`"},
		{"delete nothing", "DELETE", "/api/sources/uploads/documents/nope", "", 404, "document_not_found", ""},
		{"no form", "POST", "/api/sources/uploads/documents", "x", 415, "not_a_form", "PUT"},

		{"no route", "GET", "/api/nope", "", 404, "not_found", "/openapi.json"},
		{"no method", "PATCH", "/api/stats", "", 405, "method_not_allowed", "use GET"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := call(t, s, tc.method, tc.target, tc.body)
			got := decode[Error](t, tc.status, w, w.Body.String())
			if got.Error.Code != tc.code || !strings.Contains(got.Error.Message, tc.says) {
				t.Errorf("got %s: %s; want %s with %q", got.Error.Code, got.Error.Message, tc.code, tc.says)
			}
			if w.Header().Get(requestID) == "" {
				t.Error("no request id")
			}
		})
	}
}

func TestInnerErrorsDoNotLeak(t *testing.T) {
	e, s := newServer(t)
	e.fail = errInner
	for _, tc := range []struct{ method, target, body string }{
		{"POST", "/api/search", `{"query":"a"}`},
		{"POST", "/api/ask", `{"question":"a"}`},
		{"PUT", "/api/sources/uploads/documents/a", "x"},
		{"POST", "/v1/retrieve", `{"query":"a","k":1}`},
		{"POST", "/v2/answer", `{"prompt":"a"}`},
		{"POST", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":"a"}]}`},
		{"POST", "/v1/embeddings", `{"model":"rag","input":"a"}`},
	} {
		w := call(t, s, tc.method, tc.target, tc.body)
		if w.Code < 500 || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %d %s", tc.target, w.Code, w.Body)
		}
	}
}

func TestDocuments(t *testing.T) {
	_, s := newServer(t)
	w := call(t, s, "GET", "/api/documents?limit=1", "")
	first := decode[DocumentList](t, 200, w, w.Body.String())
	if len(first.Documents) != 1 || first.Total != 2 || first.Cursor == "" || first.States["live"] != 2 {
		t.Fatalf("%+v", first)
	}
	w = call(t, s, "GET", "/api/documents?limit=1&cursor="+first.Cursor, "")
	second := decode[DocumentList](t, 200, w, w.Body.String())
	if len(second.Documents) != 1 || second.Documents[0].Path != "überblick/größen.md" {
		t.Fatalf("%+v", second)
	}
	w = call(t, s, "GET", "/api/documents?limit=1&cursor="+second.Cursor, "")
	if last := decode[DocumentList](t, 200, w, w.Body.String()); len(last.Documents) != 0 || last.Cursor != "" {
		t.Fatalf("%+v", last)
	}
	w = call(t, s, "GET", "/api/documents?q="+url.QueryEscape("ÜBERBLICK"), "")
	if l := decode[DocumentList](t, 200, w, w.Body.String()); l.Total != 1 {
		t.Errorf("q: %+v", l)
	}
	d := first.Documents[0]
	w = call(t, s, "GET", "/api/documents/"+d.ID, "")
	one := decode[Document](t, 200, w, w.Body.String())
	if one.Metadata["team"] != "legal" || !one.Live || one.Own || one.State != "live" {
		t.Errorf("%+v", one)
	}
}

func TestDocumentText(t *testing.T) {
	e, s := newServer(t)
	id := e.add("docs", "long.md", strings.Repeat("äöü abc ", 5000), nil)
	get := func(query string) DocumentText {
		t.Helper()
		w := call(t, s, "GET", "/api/documents/"+id.String()+"/text"+query, "")
		return decode[DocumentText](t, 200, w, w.Body.String())
	}
	whole := get("")
	if whole.Length != 40000 || whole.Start != 0 || whole.End != 40000 || utf8.RuneCountInString(whole.Text) != 40000 || !whole.Current {
		t.Fatalf("%d-%d of %d, %d characters", whole.Start, whole.End, whole.Length, utf8.RuneCountInString(whole.Text))
	}
	runes := []rune(whole.Text)
	for _, q := range []struct {
		query      string
		start, end int
	}{
		{"?start=8001&end=8003", 8001, 8003},
		{"?start=8001&end=8003&around=10", 7991, 8013},
		{"?start=5&end=7&around=100", 0, 107},
		{"?start=39999&around=1000", 38999, 40000},
		{"?start=99999", 40000, 40000},
		{"?start=0&end=0", 0, 0},
		{"?start=3&end=9223372036854775807&around=9223372036854775807", 0, 40000},
	} {
		if got := get(q.query); got.Start != q.start || got.End != q.end || got.Text != string(runes[q.start:q.end]) {
			t.Errorf("%s: %d-%d", q.query, got.Start, got.End)
		}
	}
	for query, status := range map[string]int{"?start=-1": 400, "?start=5&end=3": 400, "?start=x": 400, "?version=zz": 400, "?version=" + strings.Repeat("ab", 16): 404} {
		if w := call(t, s, "GET", "/api/documents/"+id.String()+"/text"+query, ""); w.Code != status {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	old := whole.Version
	e.add("docs", "long.md", "new text", nil)
	if now := get(""); now.Text != "new text" || now.Version == old {
		t.Errorf("%+v", now)
	}
	if was := get("?version=" + old + "&end=3"); was.Current || was.Text != "äöü" {
		t.Errorf("%+v", was)
	}
}

// Documents are those that can be found; what failed, was skipped or is on its
// way is told apart, and Pathway's clients see what was parsed.
func TestUnreadDocumentsAreNotCounted(t *testing.T) {
	e, s := newServer(t)
	before := call(t, s, "POST", "/v1/statistics", "{}").Body.String()
	e.unread("docs", "scan.png", indexer.Skipped, "images are not read")
	e.unread("docs", "poison.pdf", indexer.Failed, "the file is broken")
	e.pending[cut("docs", "new.md")] = indexer.Status{ID: cut("docs", "new.md"), Source: "docs", Path: "new.md", State: indexer.Parsing}
	e.pending[cut("docs", "policies/refunds.md")] = indexer.Status{ID: cut("docs", "policies/refunds.md"), Source: "docs", Path: "policies/refunds.md", State: indexer.Embedding}
	w := call(t, s, "GET", "/api/stats", "")
	st := decode[Stats](t, 200, w, w.Body.String())
	if want := map[string]int{"live": 1, "skipped": 1, "failed": 1, "parsing": 1, "embedding": 1}; st.Documents != 2 || st.Pending != 2 || !maps.Equal(st.States, want) {
		t.Errorf("%+v", st)
	}
	if after := call(t, s, "POST", "/v1/statistics", "{}").Body.String(); after != before {
		t.Errorf("Pathway's statistics became %s, were %s", after, before)
	}
	if body := call(t, s, "POST", "/v1/inputs", `{"return_status":true}`).Body.String(); strings.Count(body, `"_indexing_status"`) != 5 {
		t.Errorf("inputs are all documents with their state: %s", body)
	}
}

func TestStatsAndSources(t *testing.T) {
	_, s := newServer(t)
	w := call(t, s, "GET", "/api/stats?plan=true", "")
	st := decode[Stats](t, 200, w, w.Body.String())
	if st.Documents != 2 || st.Chunks != 4 || st.Epoch != 2 || st.Plan == "" || st.Embedder != "letters" || st.Models == nil {
		t.Errorf("%+v", st)
	}
	if len(st.Troubles) != 1 || st.Troubles[0] != (Trouble{"storage", "the disk is full"}) {
		t.Errorf("troubles: %v", st.Troubles)
	}
	if m := call(t, s, "GET", "/metrics", "").Body.String(); !strings.Contains(m, `ragserver_trouble{collection="default",part="storage"} 1`) {
		t.Errorf("metrics do not tell of the trouble: %s", m)
	}
	w = call(t, s, "GET", "/api/sources", "")
	src := decode[[]SourceInfo](t, 200, w, w.Body.String())
	if len(src) != 3 || src[0].Writable || !src[1].Writable || src[2].Lag != 7 {
		t.Errorf("%+v", src)
	}
	w = call(t, s, "GET", "/health", "")
	decode[Health](t, 200, w, w.Body.String())
	w = call(t, s, "GET", "/ready", "")
	if r := decode[Ready](t, 200, w, w.Body.String()); !r.Ready || r.Pending != 0 || !slices.Equal(r.Troubles, []string{"storage"}) {
		t.Errorf("%+v", r)
	}
	if w := call(t, s, "HEAD", "/ready", ""); w.Code != 200 {
		t.Errorf("HEAD /ready: %d", w.Code)
	}
}
