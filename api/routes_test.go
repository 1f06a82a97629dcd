package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/ragserver/ragserver/api/openai"
)

// A sample is a request that its route answers well, and what of it can be
// spoilt. A route without a sample fails TestEveryRoute, so that none is
// forgotten.
type sample struct {
	target string         // with values for the path's parameters
	body   map[string]any // of a JSON request
	raw    string         // any other body
	kind   string         // its Content-Type
	status int            // 0 for 200
	// Names of fields, of the body or else of the query string.
	required, numbers, filters, globs []string
	stream                            bool // the reply does not end by itself

	rig *routesRig // nil: a server of its own for each request
}

var hello = []map[string]any{{"role": "user", "content": "gift cards"}}

// samples has the routes by method and pattern. ID stands for a document's id.
var samples = map[string]sample{
	"GET /health":       {target: "/health"},
	"GET /ready":        {target: "/ready"},
	"GET /metrics":      {target: "/metrics"},
	"GET /openapi.json": {target: "/openapi.json"},
	"GET /openapi.yaml": {target: "/openapi.yaml"},

	"POST /api/ask": {target: "/api/ask", body: map[string]any{"question": "gift cards", "k": 2, "filter": "team == 'legal'", "glob": "**/*.md"},
		required: []string{"question"}, numbers: []string{"k"}, filters: []string{"filter"}, globs: []string{"glob"}},
	"GET /api/search": {target: "/api/search?query=gift&k=2&filter=team+%3D%3D+'legal'&glob=**/*.md",
		required: []string{"query"}, numbers: []string{"k"}, filters: []string{"filter"}, globs: []string{"glob"}},
	"POST /api/search": {target: "/api/search", body: map[string]any{"query": "gift", "k": 2, "filter": "team == 'legal'", "glob": "**/*.md"},
		required: []string{"query"}, numbers: []string{"k"}, filters: []string{"filter"}, globs: []string{"glob"}},
	"GET /api/documents":                     {target: "/api/documents?limit=2", numbers: []string{"limit"}},
	"GET /api/documents/{id}":                {target: "/api/documents/ID?collection=default"},
	"GET /api/documents/{id}/text":           {target: "/api/documents/ID/text?around=5"},
	"DELETE /api/documents/{id}":             {target: "/api/documents/OWN"},
	"GET /api/sources":                       {target: "/api/sources?collection=default"},
	"POST /api/sources/{name}/documents":     {target: "/api/sources/uploads/documents?wait=live", raw: "FORM", kind: "multipart/form-data; boundary=b"},
	"PUT /api/sources/{name}/documents/*":    {target: "/api/sources/uploads/documents/a/b.md?wait=live", raw: "text"},
	"DELETE /api/sources/{name}/documents/*": {target: "/api/sources/uploads/documents/own.md"},
	"GET /api/events":                        {target: "/api/events?collection=default", stream: true},
	"GET /api/stats":                         {target: "/api/stats?plan=true"},
	"POST /v1/chat/completions":              {target: "/v1/chat/completions", body: map[string]any{"model": "rag", "messages": hello}, required: []string{"model", "messages"}, numbers: []string{"max_tokens"}},
	"POST /v1/embeddings":                    {target: "/v1/embeddings", body: map[string]any{"model": "rag", "input": "a"}, required: []string{"model", "input"}, numbers: []string{"dimensions"}},
	"POST /v1/rerank":                        {target: "/v1/rerank", raw: `{"query":"gift","documents":["a"]}`, status: 404},
	"GET /v1/models":                         {target: "/v1/models"},
	"GET /v1/models/*":                       {target: "/v1/models/rag"},
	"GET /v1/retrieve":                       {target: "/v1/retrieve?query=gift&k=2&metadata_filter=team+%3D%3D+'legal'&filepath_globpattern=*.md", required: []string{"query", "k"}, numbers: []string{"k"}, filters: []string{"metadata_filter"}, globs: []string{"filepath_globpattern"}},
	"POST /v1/retrieve":                      retrieve,
	"GET /v1/statistics":                     {target: "/v1/statistics"},
	"POST /v1/statistics":                    {target: "/v1/statistics", body: map[string]any{}},
	"GET /v1/inputs":                         {target: "/v1/inputs?metadata_filter=team+%3D%3D+'legal'&filepath_globpattern=*.md", filters: []string{"metadata_filter"}, globs: []string{"filepath_globpattern"}},
	"POST /v1/inputs":                        inputs("/v1/inputs"),
	"POST /v1/pw_list_documents":             inputs("/v1/pw_list_documents"),
	"POST /v2/list_documents":                inputs("/v2/list_documents"),
	"POST /v1/pw_ai_answer":                  answered("/v1/pw_ai_answer"),
	"POST /v2/answer":                        answered("/v2/answer"),
	"POST /v1/pw_ai_summary":                 {target: "/v1/pw_ai_summary", body: map[string]any{"text_list": []string{"a"}}, required: []string{"text_list"}},
	"POST /v2/summarize":                     {target: "/v2/summarize", body: map[string]any{"text_list": []string{"a"}}, required: []string{"text_list"}},
	"GET /_schema":                           {target: "/_schema?format=json"},
}

var retrieve = sample{target: "/v1/retrieve", body: map[string]any{"query": "gift", "k": 2, "metadata_filter": "team == 'legal'", "filepath_globpattern": "*.md"},
	required: []string{"query", "k"}, numbers: []string{"k"}, filters: []string{"metadata_filter"}, globs: []string{"filepath_globpattern"}}

func inputs(target string) sample {
	return sample{target: target, body: map[string]any{"metadata_filter": "team == 'legal'", "filepath_globpattern": "*.md", "return_status": true},
		filters: []string{"metadata_filter"}, globs: []string{"filepath_globpattern"}}
}

func answered(target string) sample {
	return sample{target: target, body: map[string]any{"prompt": "gift", "filters": "team == 'legal'"}, required: []string{"prompt"}, filters: []string{"filters"}}
}

const aForm = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.md\"\r\n\r\ntext\r\n--b--\r\n"

// A routesRig is a server with what the samples name.
type routesRig struct {
	*Server
	ids *strings.Replacer
}

func newRoutesRig(t *testing.T) *routesRig {
	t.Helper()
	var e *engine
	_, s := newServer(t, withSummaries(&e))
	own := e.add("uploads", "own.md", "my own", nil)
	return &routesRig{s, strings.NewReplacer("ID", cut("docs", "policies/refunds.md").String(), "OWN", own.String())}
}

func (r *routesRig) fill(t *testing.T, x sample) (target, body string) {
	t.Helper()
	target = r.ids.Replace(x.target)
	switch {
	case x.raw == "FORM":
		return target, aForm
	case x.body == nil:
		return target, x.raw
	}
	data, err := json.Marshal(x.body)
	if err != nil {
		t.Fatal(err)
	}
	return target, string(data)
}

// try sends a request, whose reply is cut off when it is a stream.
func (x sample) try(t *testing.T, method string, more ...string) *httptest.ResponseRecorder {
	t.Helper()
	rig := x.rig
	if rig == nil {
		rig = newRoutesRig(t)
	}
	target, body := rig.fill(t, x)
	return x.send(t, rig.Server, method, target, body, more...)
}

func (x sample) send(t *testing.T, s *Server, method, target, body string, more ...string) *httptest.ResponseRecorder {
	t.Helper()
	if x.stream {
		close(s.stopping) // ends feeds at once
	}
	if x.kind != "" && !slices.Contains(more, "Content-Type") {
		more = append(more, "Content-Type", x.kind)
	}
	return call(t, s, method, target, body, more...)
}

// with returns the sample with one field set to a value, or without it for nil.
func (x sample) with(field string, v any) sample {
	if x.body != nil {
		x.body = maps.Clone(x.body)
		if x.body[field] = v; v == nil {
			delete(x.body, field)
		}
		return x
	}
	path, query, _ := strings.Cut(x.target, "?")
	q, _ := url.ParseQuery(query)
	if q.Set(field, fmt.Sprint(v)); v == nil {
		q.Del(field)
	}
	x.target = path + "?" + q.Encode()
	return x
}

// face is a protocol's way to tell failures.
type face struct {
	name   string
	strict bool // unknown fields are failures
	check  func(t *testing.T, w *httptest.ResponseRecorder, says string)
}

var native = face{"native", true, func(t *testing.T, w *httptest.ResponseRecorder, says string) {
	t.Helper()
	e := decode[Error](t, w.Code, w, w.Body.String())
	if e.Error.Code == "" || !strings.Contains(e.Error.Message, says) || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		t.Errorf("%d %s, want %q in it", w.Code, w.Body, says)
	}
}}

var openAI = face{"openai", false, func(t *testing.T, w *httptest.ResponseRecorder, says string) {
	t.Helper()
	e := decode[openai.Error](t, w.Code, w, w.Body.String())
	if e.Error.Code == nil || e.Error.Type == "" || !strings.Contains(e.Error.Message, says) {
		t.Errorf("%d %s, want %q in it", w.Code, w.Body, says)
	}
	checkShape(t, "ErrorResponse", w.Body.Bytes())
}}

var pathways = face{"pathway", false, func(t *testing.T, w *httptest.ResponseRecorder, says string) {
	t.Helper()
	if !strings.HasPrefix(w.Body.String(), fmt.Sprintf("%d: ", w.Code)) || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") ||
		w.Code != 405 && !strings.Contains(w.Body.String(), says) {
		t.Errorf("%d %s, want %q in it", w.Code, w.Body, says)
	}
}}

// TestEveryRoute spoils a good request to each route in every way that fits it.
// The routes come from the router itself.
func TestEveryRoute(t *testing.T) {
	s := newRoutesRig(t).Server
	all := s.routes()
	faces := map[string]face{}
	paths := map[string][]string{} // methods by pattern
	for _, f := range []struct {
		face   face
		routes []route
	}{{native, all.native}, {openAI, all.openai}, {pathways, all.pathway}} {
		for _, rt := range f.routes {
			faces[rt.method+" "+rt.path] = f.face
			paths[rt.path] = append(paths[rt.path], rt.method)
		}
	}
	seen := map[string]bool{}
	err := chi.Walk(s.handler.(chi.Routes), func(method, path string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		seen[path] = true
		if paths[path] == nil {
			t.Errorf("%s %s is served, but is in no table of routes", method, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range faces {
		method, path, _ := strings.Cut(name, " ")
		x, ok := samples[name]
		if !ok || !seen[path] {
			t.Errorf("%s (%s): sample %v, served %v", name, f.name, ok, seen[path])
			continue
		}
		t.Run(name, func(t *testing.T) { spoil(t, x, method, path, f, paths[path]) })
	}
	for name := range samples {
		if _, ok := faces[name]; !ok {
			t.Errorf("the sample %s is of no route", name)
		}
	}
}

func spoil(t *testing.T, x sample, method, path string, f face, methods []string) {
	fails := func(what string, w *httptest.ResponseRecorder, status int, says string) {
		t.Helper()
		if w.Code != status {
			t.Errorf("%s: %d %.300s, want %d", what, w.Code, w.Body, status)
			return
		}
		f.check(t, w, says)
	}
	if method != "DELETE" && !x.stream {
		x.rig = newRoutesRig(t)
	}
	good := x.try(t, method)
	if good.Code != max(x.status, 200) {
		t.Fatalf("the sample: %d %s", good.Code, good.Body)
	}
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		if slices.Contains(methods, m) {
			continue
		}
		w := x.try(t, m)
		fails(m, w, 405, m)
		if m != "TRACE" && m != "BREW" && w.Header().Get("Allow") != strings.Join(methods, ", ") {
			t.Errorf("%s: Allow is %q", m, w.Header().Get("Allow"))
		}
	}
	fails("compressed", x.try(t, method, "Content-Encoding", "gzip"), 415, "gzip")

	// The query string.
	join := func(q string) sample {
		y := x
		if y.target += "?" + q; strings.Contains(x.target, "?") {
			y.target = x.target + "&" + q
		}
		return y
	}
	fails("a broken escape", join("a=%zz").try(t, method), 400, "query string")
	fails("a query that is not UTF-8", join("collection=%ff").try(t, method), 400, "`collection`")
	described := strings.HasPrefix(path, "/api/")
	if w := join("filer=x").try(t, method); described {
		fails("an unknown parameter", w, 400, "`filer`")
	} else if w.Code != good.Code {
		t.Errorf("an unknown parameter: %d %s", w.Code, w.Body)
	}
	if described && strings.Contains(x.target, "collection=") {
		fails("an unknown collection", x.with("collection", "nope").try(t, method), 404, "nope")
	}

	// Fields.
	for _, name := range x.required {
		fails("without "+name, x.with(name, nil).try(t, method), 400, "`"+name+"`")
		if v, isText := x.body[name].(string); isText && v != "" || x.body == nil && name != "k" {
			w := x.with(name, "").try(t, method)
			fails("an empty "+name, w, 400, name)
		}
	}
	for _, name := range x.numbers {
		for _, v := range []any{-1, json.Number("99999999999999999999"), json.Number("1e400"), "many", 1.5, []int{1}, true} {
			fails(fmt.Sprintf("%s = %v", name, v), x.with(name, v).try(t, method), 400, "`"+name+"`")
		}
	}
	for _, name := range slices.Concat(x.filters, x.globs) {
		for _, v := range []string{"owner ==", "((", "'open", "a && ", strings.Repeat("(", 5000), strings.Repeat("a == 'b' && ", 5000) + "a == 'b'"} {
			if slices.Contains(x.globs, name) {
				v = "[" + v
			}
			if w := x.with(name, v).try(t, method); w.Code != 400 {
				t.Errorf("%s = %.40q: %d %.200s", name, v, w.Code, w.Body)
			} else {
				f.check(t, w, "cannot be read")
			}
		}
	}

	// The body.
	if x.body == nil {
		return
	}
	target, body := x.rig.fill(t, x)
	send := func(body string, more ...string) *httptest.ResponseRecorder {
		t.Helper()
		return x.send(t, x.rig.Server, method, target, body, more...)
	}
	for what, body := range map[string]string{
		"half of it":    body[:len(body)-1],
		"words":         "what is this?",
		"two values":    body + body,
		"not UTF-8":     strings.TrimSuffix(body, "}") + ",\"x\":\"\xff\"}",
		"a NUL":         "\x00" + body,
		"deep":          strings.Repeat("[", 20_000),
		"a byte of BOM": "\xef" + body,
	} {
		if len(x.body) == 0 && what == "not UTF-8" {
			body = "{\"x\":\"\xff\"}"
		}
		fails(what, send(body), 400, "")
	}
	if f.name == "pathway" {
		_, odd := x.rig.fill(t, x.with("collection", []int{1}))
		fails("a collection that is no name", send(odd), 400, "`collection`")
	}
	for what, kind := range map[string]string{"text": "text/plain", "a form, as curl says": "application/x-www-form-urlencoded", "none": "", "nonsense": ";;;"} {
		if w := send(body, "Content-Type", kind); w.Code != good.Code {
			t.Errorf("Content-Type %s: %d %s", what, w.Code, w.Body)
		}
	}
	more := x.with("surprise", "x")
	_, body = x.rig.fill(t, more)
	if w := send(body); f.strict {
		fails("a further field", w, 400, "`surprise`")
	} else if w.Code != good.Code {
		t.Errorf("a further field: %d %s", w.Code, w.Body)
	}
	if len(x.required) > 0 {
		for what, body := range map[string]string{"an empty body": "", "null": "null", "a number": "7", "a text": `"x"`, "an array": "[]", "an empty object": "{}"} {
			w := send(body)
			if f.name == "pathway" && strings.HasPrefix(what, "an empty") || what == "null" || what == "an empty object" {
				fails(what, w, 400, "`"+x.required[0]+"`")
			} else {
				fails(what, w, 400, "")
			}
		}
	}
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	g.Write([]byte(body))
	g.Close()
	fails("compressed, and not said to be", send(z.String()), 400, "UTF-8")
	fails("too large", send(`{"x":"`+strings.Repeat("a", 17<<20)+`"}`), 413, "larger")
}

// What is at no route is told in JSON, whatever is sent, in the way of the
// protocol that the path looks like.
func TestUnknownRoutes(t *testing.T) {
	_, s := newServer(t, func(o *Options) {
		o.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") })
	})
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		for path, f := range map[string]face{
			"/api": native, "/api/": native, "/api/nope": native, "/api/ask/more": native, "/v2": native, "/v2/nope": native,
			"/v1/nope": openAI, "/v1/chat": openAI, "/v1/engines/x/completions": openAI,
		} {
			w := call(t, s, m, path, "")
			if path == "/api/" {
				if w.Code != 308 {
					t.Errorf("%s %s: %d", m, path, w.Code)
				}
				continue
			}
			if w.Code != 404 {
				t.Errorf("%s %s: %d %s", m, path, w.Code, w.Body)
				continue
			}
			f.check(t, w, "there is nothing at "+path)
		}
		w := call(t, s, m, "/ask", "{}")
		if m == "GET" {
			if w.Code != 200 {
				t.Errorf("the page: %d", w.Code)
			}
			continue
		}
		if w.Code != 404 {
			t.Errorf("%s /ask: %d %s", m, w.Code, w.Body)
			continue
		}
		native.check(t, w, "/openapi.json")
	}
}
