package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/ragserver/ragserver/llm"
)

func TestMetrics(t *testing.T) {
	e, s := newServer(t)
	e.usage = llm.Usage{Prompt: 11, Completion: 7}
	call(t, s, "POST", "/api/search", `{"query":"gift"}`)
	call(t, s, "POST", "/api/search", `{`)
	call(t, s, "POST", "/api/ask", `{"question":"gift cards"}`)
	call(t, s, "GET", "/api/documents/"+strings.Repeat("ab", 16), "")
	call(t, s, "BREW", "/no/such/thing", "")
	w := call(t, s, "GET", "/metrics", "")
	for _, line := range []string{
		`ragserver_http_requests_total{code="200",method="POST",route="/api/search"} 1`,
		`ragserver_http_requests_total{code="400",method="POST",route="/api/search"} 1`,
		`ragserver_http_requests_total{code="404",method="GET",route="/api/documents/{id}"} 1`,
		`ragserver_http_request_duration_seconds_count{route="/api/search"} 2`,
		`ragserver_model_tokens_total{kind="prompt",model="local"} 11`,
		`ragserver_model_tokens_total{kind="completion",model="local"} 7`,
		`ragserver_answers_total{kind="generated"} 1`,
		`ragserver_documents{collection="default",state="live"} 2`,
		`ragserver_documents{collection="default",state="failed"} 0`,
		`ragserver_chunks{collection="default"} 4`,
		`ragserver_epoch{collection="default"} 2`,
		`ragserver_source_lag{collection="default",source="news"} 7`,
		`ragserver_trouble{collection="default",part="storage"} 1`,
		`ragserver_build_info{`,
	} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("missing: %s", line)
		}
	}
	if strings.Contains(w.Body.String(), "such") || strings.Contains(w.Body.String(), "BREW") {
		t.Error("clients make up labels")
	}
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestOpenAPI(t *testing.T) {
	_, s := newServer(t)
	w := call(t, s, "GET", "/openapi.json", "")
	var doc struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
		Comp    struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	// Every native route that is not about the description itself is described.
	for _, rt := range s.routes().native {
		path := strings.Replace(rt.path, "/*", "/{key}", 1)
		_, described := doc.Paths[path][strings.ToLower(rt.method)]
		if want := rt.path != "/metrics" && !strings.HasPrefix(rt.path, "/openapi"); described != want {
			t.Errorf("%s %s: described %v", rt.method, rt.path, described)
		}
	}
	for _, name := range []string{"AskRequest", "AskAnswer", "AskSources", "AskText", "FeedEvent", "Source", "Error", "Written"} {
		if doc.Comp.Schemas[name] == nil {
			t.Errorf("no schema %s", name)
		}
	}
	for _, ref := range strings.Split(w.Body.String(), `"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		if doc.Comp.Schemas[name] == nil {
			t.Errorf("a reference to %q leads nowhere", name)
		}
	}
	if w := call(t, s, "GET", "/openapi.yaml", ""); !strings.HasPrefix(w.Body.String(), "components:") && !strings.Contains(w.Body.String(), "openapi: ") {
		t.Errorf("%.200s", w.Body)
	}
}

// The limits that the description tells are those that are kept.
func TestDescribedLimitsAreKept(t *testing.T) {
	_, s := newServer(t)
	for _, tc := range []struct {
		typ          reflect.Type
		field, route string
		body         string
	}{
		{reflect.TypeFor[SearchRequest](), "K", "/api/search", `{"query":"gift","k":%d}`},
		{reflect.TypeFor[AskRequest](), "K", "/api/ask", `{"question":"gift","k":%d}`},
	} {
		f, _ := tc.typ.FieldByName(tc.field)
		most, err := strconv.Atoi(f.Tag.Get("maximum"))
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range map[int]int{most: 200, most + 1: 400, 1: 200, -1: 400} {
			if w := call(t, s, "POST", tc.route, fmt.Sprintf(tc.body, k)); w.Code != want {
				t.Errorf("%s k=%d: %d", tc.route, k, w.Code)
			}
		}
	}
	f, _ := reflect.TypeFor[SearchRequest]().FieldByName("Query")
	if got := f.Tag.Get("maxLength"); got != strconv.Itoa(maxText) {
		t.Errorf("maxLength %s, kept %d", got, maxText)
	}
	f, _ = reflect.TypeFor[AskRequest]().FieldByName("History")
	if got := f.Tag.Get("maxItems"); got != strconv.Itoa(maxTurns) {
		t.Errorf("maxItems %s, kept %d", got, maxTurns)
	}
}
