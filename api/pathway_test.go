package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
)

// retrieved is an item of /v1/retrieve as the clients read it.
type retrieved struct {
	Text     string
	Metadata map[string]any
	Dist     *float64
}

func withSummaries(e **engine) func(*Options) {
	return func(o *Options) {
		*e = o.Collections[0].Search.(*engine)
		o.Models = map[string]llm.Model{"local": echo{}}
	}
}

// The requests are those that the real clients send, byte for byte but for the
// values: Pathway's DocumentStoreClient and RAGClient, LangChain's
// PathwayVectorClient, LlamaIndex's retriever and reader, Streamlit's UI.
func TestPathwayClients(t *testing.T) {
	var e *engine
	_, s := newServer(t, withSummaries(&e))
	e.pending[cut("docs", "new.pdf")] = indexer.Status{ID: cut("docs", "new.pdf"), Source: "docs", Path: "new.pdf", State: indexer.Parsing, Size: 7, Seen: e.now}
	list := func(t *testing.T, body string) []map[string]any {
		var l []map[string]any
		if err := json.Unmarshal([]byte(body), &l); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return l
	}
	for _, tc := range []struct {
		name, method, target, body string
		check                      func(t *testing.T, body string)
	}{
		{"retrieve", "POST", "/v1/retrieve", `{"query": "gift cards refunded", "k": 3}`, func(t *testing.T, body string) {
			var hits []retrieved
			if err := json.Unmarshal([]byte(body), &hits); err != nil {
				t.Fatal(err)
			}
			if len(hits) != 3 || hits[0].Text != "Gift cards are never refunded." {
				t.Fatalf("%s", body)
			}
			for i, h := range hits {
				if h.Dist == nil || i > 0 && *h.Dist < *hits[i-1].Dist || h.Metadata["path"] == "" {
					t.Errorf("item %d: %+v", i, h)
				}
			}
		}},
		{"retrieve with nulls", "POST", "/v1/retrieve", `{"query":"gift","k":"2","metadata_filter":null,"filepath_globpattern":null,"timeout":3}`, func(t *testing.T, body string) {
			if len(list(t, body)) != 2 {
				t.Error(body)
			}
		}},
		{"retrieve with filters", "POST", "/v1/retrieve", `{"query":"gift","k":9,"metadata_filter":"team == ` + "`shop`" + ` && contains(path, ` + "`größen`" + `)","filepath_globpattern":"**/*.md"}`, func(t *testing.T, body string) {
			if l := list(t, body); len(l) != 2 || !strings.Contains(body, "größen") {
				t.Error(body)
			}
		}},
		{"retrieve by URL", "GET", "/v1/retrieve?query=gift&k=1", "", func(t *testing.T, body string) {
			if len(list(t, body)) != 1 {
				t.Error(body)
			}
		}},
		{"nothing found", "POST", "/v1/retrieve", `{"query":"gift","k":1,"filepath_globpattern":"nope*"}`, func(t *testing.T, body string) {
			if body != "[]" {
				t.Error(body)
			}
		}},
		{"statistics", "POST", "/v1/statistics", `{}`, func(t *testing.T, body string) {
			if body != `{"file_count":2,"last_modified":1795431602,"last_indexed":1795435202}` {
				t.Error(body)
			}
		}},
		{"statistics by GET", "GET", "/v1/statistics", "", func(t *testing.T, body string) {
			if !strings.HasPrefix(body, `{"file_count":2,`) {
				t.Error(body)
			}
		}},
		{"inputs", "POST", "/v1/inputs", `{"metadata_filter":null,"filepath_globpattern":null,"return_status":false}`, func(t *testing.T, body string) {
			l := list(t, body)
			if len(l) != 3 || strings.Contains(body, "_indexing_status") {
				t.Fatal(body)
			}
			for _, d := range l {
				for _, k := range []string{"path", "modified_at", "seen_at", "size", "owner", "created_at"} {
					if _, ok := d[k]; !ok {
						t.Errorf("no %s in %v", k, d)
					}
				}
			}
		}},
		{"list with status", "POST", "/v2/list_documents", `{"return_status":true}`, func(t *testing.T, body string) {
			got := map[any]any{}
			for _, d := range list(t, body) {
				got[d["path"]] = d["_indexing_status"]
			}
			if want := map[any]any{"policies/refunds.md": "INDEXED", "überblick/größen.md": "INDEXED", "new.pdf": "INGESTED"}; !reflect.DeepEqual(got, want) {
				t.Error(got)
			}
		}},
		{"list by filter", "POST", "/v1/pw_list_documents", `{"metadata_filter":"path == 'new.pdf'"}`, func(t *testing.T, body string) {
			if l := list(t, body); len(l) != 1 || l[0]["owner"] != nil {
				t.Error(body)
			}
		}},
		{"list of an empty body", "POST", "/v2/list_documents", "", func(t *testing.T, body string) {
			if len(list(t, body)) != 3 {
				t.Error(body)
			}
		}},
		{"answer", "POST", "/v2/answer", `{"prompt":"Are gift cards refunded?"}`, func(t *testing.T, body string) {
			var a map[string]any
			if err := json.Unmarshal([]byte(body), &a); err != nil || len(a) != 1 || a["response"] == "" {
				t.Error(body, err)
			}
		}},
		{"answer with documents", "POST", "/v1/pw_ai_answer", `{"prompt":"gift?","filters":"globmatch(` + "`policies/refunds.md`" + `, path)","return_context_docs":true,"model":"local"}`, func(t *testing.T, body string) {
			var a struct {
				Response string
				Docs     []retrieved `json:"context_docs"`
			}
			if err := json.Unmarshal([]byte(body), &a); err != nil || len(a.Docs) != 2 || a.Docs[0].Metadata["path"] != "policies/refunds.md" {
				t.Error(body, err)
			}
		}},
		{"summary", "POST", "/v2/summarize", `{"text_list":["a","b"]}`, func(t *testing.T, body string) {
			if body != `"2 texts by default: a"` {
				t.Error(body)
			}
		}},
		{"summary by a model", "POST", "/v1/pw_ai_summary", `{"text_list":["ä"],"model":"local"}`, func(t *testing.T, body string) {
			if body != `"1 texts by local: ä"` {
				t.Error(body)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := call(t, s, tc.method, tc.target, tc.body, "Content-Type", "application/json")
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			tc.check(t, w.Body.String())
		})
	}
}

// The metadata's names come in Pathway's order, the document's own after them;
// what a document says of itself does not hide what the server knows.
func TestPathwayMetadata(t *testing.T) {
	e, s := newServer(t)
	e.add("docs", "it's.md", "apostrophe", map[string]any{"path": "/etc/passwd", "zeta": 1.0, "alpha": []any{"x"}})
	w := call(t, s, "POST", "/v1/retrieve", `{"query":"apostrophe","k":1,"metadata_filter":"path == `+"`it's.md`"+`"}`)
	want := `"metadata":{"created_at":null,"modified_at":1795431603,"owner":null,"path":"it's.md","size":10,"seen_at":1795435203,"source":"docs","title":"it's.md","alpha":["x"],"zeta":1},"dist":`
	if !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s\nwant %s", w.Body, want)
	}
}

func TestPathwayEmptyStore(t *testing.T) {
	_, s := newServer(t, func(o *Options) { o.Collections = []Collection{newEngine().collection("empty")} })
	if w := call(t, s, "POST", "/v1/statistics", "{}"); w.Body.String() != `{"file_count":0,"last_modified":null,"last_indexed":null}` {
		t.Error(w.Body)
	}
	for _, path := range []string{"/v1/inputs", "/v2/list_documents"} {
		if w := call(t, s, "POST", path, "{}"); w.Body.String() != `[]` {
			t.Error(w.Body)
		}
	}
}

func TestPathwayBadRequests(t *testing.T) {
	var e *engine
	_, s := newServer(t, withSummaries(&e))
	for _, tc := range []struct {
		name, method, target, body string
		status                     int
		says                       string
	}{
		{"no prompt", "POST", "/v2/answer", `{}`, 400, "400: `prompt` is required"},
		{"no query", "POST", "/v1/retrieve", `{"k":1}`, 400, "400: `query` is required"},
		{"null query", "POST", "/v1/retrieve", `{"query":null,"k":1}`, 400, "400: `query` is required"},
		{"no k", "POST", "/v1/retrieve", `{"query":"a"}`, 400, "400: `k` is required"},
		{"no body", "POST", "/v1/retrieve", ``, 400, "400: `query` is required"},
		{"negative k", "POST", "/v1/retrieve", `{"query":"a","k":-1}`, 400, "1 to 1000"},
		{"huge k", "POST", "/v1/retrieve", `{"query":"a","k":1e99}`, 400, "1 to 1000"},
		{"half a k", "POST", "/v1/retrieve", `{"query":"a","k":1.5}`, 400, "whole number"},
		{"many", "POST", "/v1/retrieve", `{"query":"a","k":"many"}`, 400, "whole number"},
		{"NaN", "POST", "/v1/retrieve", `{"query":"a","k":"NaN"}`, 400, "whole number"},
		{"query is a list", "POST", "/v1/retrieve", `{"query":["a"],"k":1}`, 400, "`query` must be a string"},
		{"array", "POST", "/v1/retrieve", `[1]`, 400, "must be a JSON object"},
		{"broken JSON", "POST", "/v1/retrieve", `{"query"`, 400, "column"},
		{"not UTF-8", "POST", "/v1/retrieve", "{\"query\":\"\xff\",\"k\":1}", 400, "UTF-8"},
		{"filter", "POST", "/v1/retrieve", `{"query":"a","k":1,"metadata_filter":"a == "}`, 400, "filter cannot be read"},
		{"filter of inputs", "POST", "/v1/inputs", `{"metadata_filter":"(("}`, 400, "filter cannot be read"},
		{"filter of an answer", "POST", "/v2/answer", `{"prompt":"a","filters":"(("}`, 400, "filter cannot be read"},
		{"glob", "POST", "/v2/list_documents", `{"filepath_globpattern":"[a"}`, 400, "pattern cannot be read"},
		{"truth", "POST", "/v1/inputs", `{"return_status":"maybe"}`, 400, "true or false"},
		{"one text", "POST", "/v2/summarize", `{"text_list":"abc"}`, 400, "list of strings"},
		{"no texts", "POST", "/v2/summarize", `{"text_list":[]}`, 400, "empty"},
		{"unknown model", "POST", "/v2/answer", `{"prompt":"a","model":"gpt-5"}`, 404, "there are: local"},
		{"method", "GET", "/v2/answer", ``, 405, "405: Method Not Allowed"},
		{"method of a list", "GET", "/v2/list_documents", ``, 405, "405: Method Not Allowed"},
		{"preflight", "OPTIONS", "/v1/retrieve", ``, 405, "405: Method Not Allowed"},
		{"too large", "POST", "/v1/retrieve", `{"query":"` + strings.Repeat("a", 1<<20) + `","k":1}`, 413, "413: "},
		{"format", "GET", "/_schema?format=xml", ``, 400, "json and yaml"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := call(t, s, tc.method, tc.target, tc.body)
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.says) || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("%d %s %q, want %d with %q", w.Code, w.Header().Get("Content-Type"), w.Body, tc.status, tc.says)
			}
		})
	}
	if w := call(t, s, "POST", "/v1/nope", "{}"); w.Code != 404 {
		t.Errorf("an unknown route: %d", w.Code)
	}
	for _, q := range []string{"false", "0", ""} {
		w := call(t, s, "GET", "/v1/inputs?return_status="+q, "")
		if w.Code != 200 || strings.Contains(w.Body.String(), "_indexing_status") {
			t.Errorf("return_status=%s is taken for true: %s", q, w.Body)
		}
	}
	e.fail = &llm.Error{Kind: llm.ErrTimeout, Provider: "hunter2"}
	if w := call(t, s, "POST", "/v2/answer", `{"prompt":"a"}`); w.Code != 504 || !strings.HasPrefix(w.Body.String(), "504: the model took too long") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	e.fail = &llm.Error{Kind: llm.ErrUnavailable, Provider: "hunter2"}
	if w := call(t, s, "POST", "/v2/summarize", `{"text_list":["a"]}`); w.Code != 502 || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A glob is data: what would break out of a string that it is pasted into
// matches nothing.
func TestPathwayGlobIsBound(t *testing.T) {
	_, s := newServer(t)
	for _, glob := range []string{"x', path) || `true` || globmatch('x", "x` || `true", "') || ('' == '", `x" || "a" == "a`} {
		for _, path := range []string{"/v1/inputs", "/v1/retrieve"} {
			w := call(t, s, "GET", path+"?query=gift&k=5&filepath_globpattern="+url.QueryEscape(glob), "")
			if w.Code != 200 || w.Body.String() != "[]" {
				t.Errorf("%s %q: %d %s", path, glob, w.Code, w.Body)
			}
		}
	}
}

// Globs and filters mean the same everywhere.
func TestPathwayGlobs(t *testing.T) {
	e, s := newServer(t)
	e.add("docs", "a/b.pdf", "x", map[string]any{"n": 5.0})
	e.add("docs", "c.pdf", "x", nil)
	e.add("docs", "it's.txt", "x", nil)
	for _, tc := range []struct {
		filter, glob string
		want         []string
	}{
		{"", "*.pdf", []string{"a/b.pdf", "c.pdf"}},
		{"", "**/*.pdf", []string{"a/b.pdf", "c.pdf"}},
		{"", "**/c.pdf", []string{"c.pdf"}},
		{"", "docs/a/*", []string{"a/b.pdf"}},
		{"", "it's.txt", []string{"it's.txt"}},
		{"globmatch(`*.pdf`, path)", "", []string{"a/b.pdf", "c.pdf"}},
		{"n >= `5`", "", []string{"a/b.pdf"}},
		{"n > 4.5 && n < 6", "", []string{"a/b.pdf"}},
		{"path == 'c.pdf'", "", []string{"c.pdf"}},
		{"path == `it's.txt`", "", []string{"it's.txt"}},
		{"path == `\"c.pdf\"`", "", []string{"c.pdf"}},
		{"!(contains(path, `.pdf`) || contains(path, `.md`))", "", []string{"it's.txt"}},
		{"contains(path, `c`)", "*.pdf", []string{"c.pdf"}},
	} {
		body, _ := json.Marshal(map[string]any{"query": "x", "k": 50, "metadata_filter": tc.filter, "filepath_globpattern": tc.glob})
		for _, route := range []string{"/v1/inputs", "/v1/retrieve"} {
			w := call(t, s, "POST", route, string(body))
			var got []string
			for _, part := range strings.Split(w.Body.String(), `"path":"`)[1:] {
				p, _, _ := strings.Cut(part, `"`)
				got = append(got, p)
			}
			slices.Sort(got)
			if got = slices.Compact(got); w.Code != 200 || !slices.Equal(got, tc.want) {
				t.Errorf("%s %q %q: %d %v, want %v", route, tc.filter, tc.glob, w.Code, got, tc.want)
			}
		}
	}
}

// In a pure vector search dist is 1 - cosine.
func TestPathwayDistOfVectors(t *testing.T) {
	e, s := newServer(t)
	s.o.Collections[0].Search = vectorOnly{e}
	w := call(t, s, "POST", "/v1/retrieve", `{"query":"gift cards","k":4}`)
	var got []retrieved
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	res, err := vectorOnly{e}.Search(t.Context(), index.Query{Text: "gift cards", K: 4})
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range res.Hits {
		if *got[i].Dist != 1-h.Cosine {
			t.Errorf("item %d: dist %v, 1 - cosine %v", i, *got[i].Dist, 1-h.Cosine)
		}
	}
}

func TestPathwaySchema(t *testing.T) {
	_, s := newServer(t)
	w := call(t, s, "GET", "/_schema?format=json", "", "X-Forwarded-Proto", "https", "Host", "localhost:99")
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["openapi"] != "3.0.3" || fmt.Sprint(doc["servers"]) != "[map[url:https://localhost:99]]" {
		t.Errorf("%v %v", doc["openapi"], doc["servers"])
	}
	paths := doc["paths"].(map[string]any)
	for _, rt := range s.routes().pathway {
		if rt.path == "/_schema" {
			continue
		}
		if item, _ := paths[rt.path].(map[string]any); item[strings.ToLower(rt.method)] == nil {
			t.Errorf("%s %s is not described", rt.method, rt.path)
		}
	}
	w = call(t, s, "GET", "/_schema", "")
	if w.Header().Get("Content-Type") != "text/x-yaml; charset=utf-8" {
		t.Error(w.Header())
	}
	var again map[string]any
	if err := yaml.Unmarshal(w.Body.Bytes(), &again); err != nil || again["openapi"] != "3.0.3" {
		t.Errorf("%v %v", err, again["openapi"])
	}
}
