package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described is a description of routes, as its readers see it.
type described struct {
	doc      any
	compiler *jsonschema.Compiler
}

const describedURL = "https://description.example/openapi.json"

func describedAt(t *testing.T, s *Server, target string) *described {
	t.Helper()
	w := call(t, s, "GET", target, "")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	doc, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	d := &described{doc: doc, compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	if err := d.compiler.AddResource(describedURL, doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// at follows names and references.
func (d *described) at(from any, names ...string) any {
	for _, n := range names {
		m, _ := from.(map[string]any)
		from = m[n]
		if next, _ := from.(map[string]any); next != nil {
			if ref, ok := next["$ref"].(string); ok {
				from = d.at(d.doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			}
		}
	}
	return from
}

// What a route answers is what its description says it does.
func TestRepliesAreAsDescribed(t *testing.T) {
	s := newRoutesRig(t).Server
	d := describedAt(t, s, "/openapi.json")
	checked := 0
	for _, rt := range s.routes().native {
		if rt.doc == nil || rt.doc.reply == nil {
			continue
		}
		path := strings.Replace(rt.path, "/*", "/{key}", 1)
		at := "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/" + strings.ToLower(rt.method) + "/responses/200/content/application~1json/schema"
		schema, err := d.compiler.Compile(describedURL + at)
		if err != nil {
			t.Errorf("%s %s: %v", rt.method, rt.path, err)
			continue
		}
		w := samples[rt.method+" "+rt.path].try(t, rt.method)
		reply, err := jsonschema.UnmarshalJSON(strings.NewReader(w.Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(reply); err != nil {
			t.Errorf("%s %s: %v\n%s", rt.method, rt.path, err, w.Body)
		}
		checked++
	}
	if checked < 10 {
		t.Errorf("only %d routes were checked", checked)
	}
}

// A request made of the examples of a description's fields is answered, and has
// every field that must be there.
func TestExamples(t *testing.T) {
	s := newRoutesRig(t).Server
	sent := 0
	for _, target := range []string{"/openapi.json", "/_schema?format=json"} {
		d := describedAt(t, s, target)
		paths, _ := d.at(d.doc, "paths").(map[string]any)
		for path, methods := range paths {
			for method := range methods.(map[string]any) {
				schema, _ := d.at(methods, method, "requestBody", "content", "application/json", "schema").(map[string]any)
				if schema == nil {
					continue
				}
				body := map[string]any{}
				fields, _ := schema["properties"].(map[string]any)
				for name := range fields {
					field := d.at(fields, name).(map[string]any)
					if list, ok := field["examples"].([]any); ok && len(list) > 0 {
						body[name] = list[0]
					} else if one, ok := field["example"]; ok {
						body[name] = one
					}
				}
				required, _ := schema["required"].([]any)
				for _, name := range required {
					if body[name.(string)] == nil {
						t.Errorf("%s %s: the field %s must be there and has no example", method, path, name)
					}
				}
				data, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				if w := call(t, s, strings.ToUpper(method), path, string(data)); w.Code != http.StatusOK {
					t.Errorf("%s %s %s: %d %s", method, path, data, w.Code, w.Body)
				}
				sent++
			}
		}
	}
	if sent < 8 {
		t.Errorf("only %d requests were sent", sent)
	}
}
