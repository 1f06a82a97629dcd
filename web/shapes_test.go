package web_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ragserver/ragserver/api"
)

// The types that the page declares in ui/src/api/shapes.ts, by their names.
var shapes = map[string]any{
	"Message": api.Message{}, "AskRequest": api.AskRequest{}, "Source": api.Source{}, "AskSources": api.AskSources{},
	"AskText": api.AskText{}, "AskAnswer": api.AskAnswer{}, "Notice": api.Notice{}, "Usage": api.Usage{}, "SearchResponse": api.SearchResponse{},
	"Document": api.Document{}, "DocumentList": api.DocumentList{}, "DocumentText": api.DocumentText{},
	"Written": api.Written{}, "SourceInfo": api.SourceInfo{}, "FeedEvent": api.FeedEvent{},
	"Stats": api.Stats{}, "Trouble": api.Trouble{}, "ErrorBody": api.ErrorBody{},
}

var (
	interfaces = regexp.MustCompile(`(?s)export interface (\w+) \{\n(.*?)\n\}`)
	members    = regexp.MustCompile(`^\s*(\w+)(\??): ([^;]+);`)
)

// What the page reads is what the server writes: every member of the page's
// types is a member of the server's, of the same kind and as optional.
func TestShapes(t *testing.T) {
	text, err := os.ReadFile("ui/src/api/shapes.ts")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range interfaces.FindAllStringSubmatch(string(text), -1) {
		server, ok := shapes[m[1]]
		if !ok {
			t.Errorf("%s is no type of the server's that this test knows", m[1])
			continue
		}
		found++
		fields := jsonFields(reflect.TypeOf(server))
		for line := range strings.SplitSeq(m[2], "\n") {
			member := members.FindStringSubmatch(line)
			if member == nil {
				t.Errorf("%s: cannot read the line %q", m[1], line)
				continue
			}
			f, ok := fields[member[1]]
			switch {
			case !ok:
				t.Errorf("%s.%s: the server's type has no such member", m[1], member[1])
			case f.optional != (member[2] == "?"):
				t.Errorf("%s.%s: optional on the server: %v; on the page: %v", m[1], member[1], f.optional, member[2] == "?")
			case !kindFits(f.kind, member[3]):
				t.Errorf("%s.%s: %s on the server, %s on the page", m[1], member[1], f.kind, member[3])
			}
		}
	}
	if found != len(shapes) {
		t.Errorf("%d of %d types are in shapes.ts", found, len(shapes))
	}
}

type jsonField struct {
	kind     reflect.Type
	optional bool
}

func jsonFields(t reflect.Type) map[string]jsonField {
	out := map[string]jsonField{}
	for f := range t.Fields() {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = jsonField{f.Type, strings.Contains(rest, "omitempty")}
	}
	return out
}

// kindFits tells whether a Go type is written as what TypeScript expects.
func kindFits(t reflect.Type, ts string) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[time.Time]() {
		return ts == "string"
	}
	switch t.Kind() {
	case reflect.String:
		return ts == "string" || ts == "State" || strings.HasPrefix(ts, "'")
	case reflect.Bool:
		return ts == "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return ts == "number"
	case reflect.Slice:
		return strings.HasSuffix(ts, "[]") && kindFits(t.Elem(), strings.TrimSuffix(ts, "[]"))
	case reflect.Map:
		return strings.HasPrefix(ts, "Partial<Record<")
	case reflect.Struct:
		return ts == t.Name()
	}
	return false
}
