package main

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/ragserver/ragserver/indexer/embed"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// patterns lists the keys of what is read into t, with "*" for a name that the
// user chooses and "[]" for an item of a list, each with its type.
func patterns(t reflect.Type, at string, into map[string]reflect.Type) {
	if at != "" {
		into[at] = t
	}
	switch t.Kind() {
	case reflect.Pointer:
		patterns(t.Elem(), at, into)
	case reflect.Slice:
		patterns(t.Elem(), at+"[]", into)
	case reflect.Map:
		patterns(t.Elem(), at+".*", into)
	case reflect.Struct:
		for name, field := range fieldsOf(t) {
			patterns(field, strings.TrimPrefix(at+"."+name, "."), into)
		}
	}
}

// spot is a place in a decoded YAML document.
type spot struct {
	path    keyPath
	pattern string
	set     func(any)
}

// spots lists every place below v; lists and mappings come before what is in
// them.
func spots(v any, path keyPath, pattern string, set func(any)) (all []spot) {
	if pattern != "" {
		all = append(all, spot{path, pattern, set})
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			all = append(all, spots(item, path.at(i), pattern+"[]", func(x any) { v[i] = x })...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			item, step := v[name], name
			if pattern == "collections" || pattern == "models" {
				step = "*"
			}
			all = append(all, spots(item, path.at(name), strings.TrimPrefix(pattern+"."+step, "."), func(x any) { v[name] = x })...)
		}
	}
	return all
}

// everyKey returns the file with every key, decoded without our types, and the
// folder in which it is loaded.
func everyKey(t *testing.T) (doc map[string]any, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "every-key.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	return doc, dir
}

// loadText loads and validates a configuration as the command does.
func loadText(t *testing.T, dir, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(dir, "ragserver.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, file, err := loadConfig(path)
	if err != nil {
		return nil, err
	}
	return c, locate(c.Validate(), file, overrides{}, nil)
}

// TestEveryKey loads a file in which every key that there is has a value.
func TestEveryKey(t *testing.T) {
	doc, dir := everyKey(t)
	known := map[string]reflect.Type{}
	patterns(reflect.TypeFor[Config](), "", known)
	have := map[string]bool{}
	for _, s := range spots(doc, nil, "", nil) {
		have[s.pattern] = true
		if known[s.pattern] == nil {
			t.Errorf("testdata/every-key.yaml has the key %s, which is none", s.path)
		}
	}
	for pattern := range known {
		if !have[pattern] {
			t.Errorf("testdata/every-key.yaml lacks %s", pattern)
		}
	}
	text, err := os.ReadFile(filepath.Join("testdata", "every-key.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := loadText(t, dir, string(text))
	if err != nil {
		t.Fatal(err)
	}
	// What was read is what stands there: written out again it is the same.
	c.Data, c.Collections["default"].Sources[0].Folder = "state", "docs"
	c.Models["near"].Provider, c.Models["near"].BaseURL, c.Models["near"].KeyEnv = "", "", "" // defaults
	c.LLM, c.Embedder = "local", "near"                                                       // handed on to the collections
	b, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := yaml.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, doc) {
		t.Errorf("read as\n%s", b)
	}
}

// TestWrongTypes puts a value of another kind at every key, one after the other.
func TestWrongTypes(t *testing.T) {
	first, _ := everyKey(t)
	types := map[string]reflect.Type{}
	patterns(reflect.TypeFor[Config](), "", types)
	tried := 0
	for _, at := range spots(first, nil, "", nil) {
		typ := types[at.pattern]
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		for _, wrong := range wrongFor(typ) {
			doc, dir := everyKey(t)
			all := spots(doc, nil, "", nil)
			i := slices.IndexFunc(all, func(s spot) bool { return s.path.String() == at.path.String() })
			all[i].set(wrong)
			text, err := yaml.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			_, err = loadText(t, dir, string(text))
			told(t, err, string(text), at.path, "must be "+expected(typ))
			tried++
		}
	}
	if tried < 60 {
		t.Errorf("only %d mistakes were made", tried)
	}
}

// wrongFor returns values that a t cannot be read from.
func wrongFor(t reflect.Type) []any {
	list, mapping := []any{"MISTAKE"}, map[string]any{"a": "MISTAKE"}
	switch t.Kind() {
	case reflect.String:
		return []any{list, mapping, true}
	case reflect.Bool:
		return []any{list, mapping, "MISTAKE", 1}
	case reflect.Int:
		return []any{list, mapping, "MISTAKE", true, 1.5}
	case reflect.Float64:
		return []any{list, mapping, "MISTAKE", true}
	case reflect.Slice:
		return []any{mapping, "MISTAKE", 1}
	case reflect.Map, reflect.Struct:
		return []any{list, "MISTAKE", 1}
	}
	panic(t)
}

var lineOf = regexp.MustCompile(`ragserver\.yaml:(\d+): `)

// told checks that an error names the key, its line in the text, and what it
// should say.
func told(t *testing.T, err error, text string, key keyPath, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error in\n%s", key, text)
		return
	}
	m := lineOf.FindStringSubmatch(err.Error())
	if m == nil || !strings.Contains(err.Error(), key.String()) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: the error should have a line, the key and %q:\n%v", key, want, err)
		return
	}
	// The line is that of the key, or of the item if it is one of a list.
	n, _ := strconv.Atoi(m[1])
	line := strings.Split(text, "\n")[n-1]
	if name, ok := key[len(key)-1].(string); ok && !strings.Contains(line, name+":") {
		t.Errorf("%s: the error is about the line %q:\n%v", key, line, err)
	} else if !ok && !strings.Contains(line, "- ") && !strings.Contains(line, "[") {
		t.Errorf("%s: the error is about the line %q:\n%v", key, line, err)
	}
}

// wrongValues has, for every key with a value of its own, a value of the right
// kind that cannot work and what the error says; or that any will do.
var wrongValues = map[string]struct {
	value any
	says  string
}{
	"listen":                            {"everywhere", "is not HOST:PORT"},
	"data":                              {"ragserver.yaml", "is a file"},
	"no_auth":                           {},
	"hosts[]":                           {"https://example.com", "is not a host name"},
	"url":                               {"intranet.example/rag", "is not the address of a server"},
	"origins[]":                         {"example.com", "is not an origin"},
	"collections.*.sources[].folder":    {"nowhere", "does not exist; create it"},
	"collections.*.sources[].name":      {"a/b", "cannot be a source's name"},
	"collections.*.sources[].exclude[]": {"[z-", "is not a pattern"},
	"collections.*.sources[].kafka.brokers[]":    {"localhost", "is not HOST:PORT"},
	"collections.*.sources[].kafka.topic":        {"two words", "cannot be a topic"},
	"collections.*.sources[].kafka.format":       {"xml", "is not raw or json"},
	"collections.*.sources[].kafka.text":         {},
	"collections.*.sources[].kafka.title":        {},
	"collections.*.sources[].kafka.tls":          {},
	"collections.*.sources[].kafka.sasl":         {"gssapi", "is not plain, scram-sha-256 or scram-sha-512"},
	"collections.*.sources[].kafka.user":         {},
	"collections.*.sources[].kafka.password_env": {"s3cret!", "the name of an environment variable"},
	"collections.*.embedder":                     {"far", "no such model under models (there are: builtin, local, near), and \"far\" is neither"},
	"collections.*.model":                        {"remote", "no such model under models (there are: local, near), and \"remote\" is neither"},
	"llm":                                        {"claude", "no such model under models (there are: local, near), and \"claude\" is neither PROVIDER:MODEL"},
	"embedder":                                   {"minilm", "no such model under models (there are: builtin, local, near), and"},
	"models.*.provider":                          {"nobody", "is not one of anthropic,"},
	"models.*.base_url":                          {"ftp://example.com", "is not an http or https address"},
	"models.*.model":                             {},
	"models.*.key_env":                           {"sk-4711-0815", "the name of an environment variable"},
	"models.*.context":                           {-1, "is negative"},
	"models.*.dims":                              {5000, "is not from 1 to 4096"},
	"models.*.weight":                            {1.5, "is not from 0 to 1"},
	"keys[].name":                                {"?", "a name is 1 to 64 letters"},
	"keys[].scopes[]":                            {"everything", "there is no scope \"everything\""},
	"keys[].hash":                                {"abc", "is not a SHA-256"},
	"default_collection":                         {"elsewhere", "there is no collection \"elsewhere\"; there are: default"},
	"limits.upload_mb":                           {-1, "is negative"},
	"limits.searches":                            {-1, "is negative"},
	"limits.asks":                                {-1, "is negative"},
	"limits.feeds":                               {-1, "is negative"},
	"models.*.concurrency":                       {-1, "is negative"},
	"models.*.first_word":                        {"soon", "is not a time, such as 90s"},
	"models.*.between_words":                     {"-1s", "is not a time, such as 90s"},
	"models.*.total":                             {"5", "is not a time, such as 90s"},
	"log.level":                                  {"loud", "is not debug, info, warn or error"},
	"log.format":                                 {"xml", "is not text or json"},
}

// TestWrongValues puts a value that cannot work at every key that has one.
func TestWrongValues(t *testing.T) {
	types := map[string]reflect.Type{}
	patterns(reflect.TypeFor[Config](), "", types)
	for pattern, typ := range types {
		leaf := typ.Kind() != reflect.Slice && typ.Kind() != reflect.Map && typ.Kind() != reflect.Struct && typ.Kind() != reflect.Pointer
		if _, ok := wrongValues[pattern]; leaf && !ok {
			t.Errorf("wrongValues lacks %s", pattern)
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(wrongValues)) {
		wrong := wrongValues[pattern]
		if wrong.says == "" {
			continue
		}
		doc, dir := everyKey(t)
		all := spots(doc, nil, "", nil)
		i := slices.IndexFunc(all, func(s spot) bool { return s.pattern == pattern })
		if i < 0 {
			t.Errorf("there is no %s", pattern)
			continue
		}
		all[i].set(wrong.value)
		text, err := yaml.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = loadText(t, dir, string(text))
		key := all[i].path
		if strings.HasPrefix(pattern, "keys[]") {
			key = key[:2] // told of the whole key
		}
		told(t, err, string(text), key, wrong.says)
		if strings.Contains(pattern, "_env") && err != nil && strings.Contains(err.Error(), fmt.Sprint(wrong.value)) {
			t.Errorf("%s: a secret that was put in the wrong place is in the error: %v", pattern, err)
		}
	}
}

// TestWeight: what an embedder's vectors count may be nothing, which is not the
// default.
func TestWeight(t *testing.T) {
	for text, want := range map[string]float64{"weight: 0, ": 0, "weight: 0.25, ": 0.25, "weight: 1, ": 1, "": embed.OpenAIWeight} {
		c, err := loadText(t, t.TempDir(), "models: {e: {"+text+"base_url: http://127.0.0.1:1/v1, model: m, dims: 8}}")
		if err != nil {
			t.Fatal(err)
		}
		if space, err := spaceOf(t.Context(), c, "e", slog.New(slog.DiscardHandler)); err != nil || space.Weight != want {
			t.Errorf("%q: weight %g, %v", text, space.Weight, err)
		}
	}
}

// TestLongVectors: an embedder whose vectors are too long for the index is
// refused, with what to do.
func TestLongVectors(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		vector := strings.Repeat("0.5,", vector.MaxDims) + "0.5"
		fmt.Fprintf(w, `{"data": [{"index": 0, "embedding": [%s]}]}`, vector)
	}))
	defer s.Close()
	c, err := loadText(t, t.TempDir(), "models: {e: {base_url: "+s.URL+", model: m}}")
	if err != nil {
		t.Fatal(err)
	}
	_, err = spaceOf(t.Context(), c, "e", slog.New(slog.DiscardHandler))
	if code, _ := explain(err); err == nil || code != exitUsage || !strings.Contains(err.Error(), "its vectors have 4097 dimensions, and at most 4096 are kept") {
		t.Errorf("code %d: %v", code, err)
	}
}

// TestWrongFiles are mistakes that are none of a single value.
func TestWrongFiles(t *testing.T) {
	for text, says := range map[string]string{
		"data: x\nlisen: 127.0.0.1:1": `ragserver.yaml:2: unknown key "lisen"; did you mean "listen"?`,
		"log:\n  levels: debug":       `ragserver.yaml:2: unknown key "levels" in log; did you mean "level"?`,
		"log:\n  zzzzzzzz: debug":     `ragserver.yaml:2: unknown key "zzzzzzzz" in log; known are format, level`,
		"models: {a: {modell: x}}":    `unknown key "modell" in models.a; did you mean "model"?`,
		"data: x\ndata: y":            `ragserver.yaml:2: `,
		"data: [x":                    `ragserver.yaml:1: `,
		"\tdata: x":                   `ragserver.yaml:1: `,
		"data: x\n---\ndata: y":       "holds 2 documents",
		"just words":                  "must be a mapping with the keys collections, data,",
		"- listen":                    "must be a mapping with the keys",
		"collections: {default: {sources: [{name: x}]}}":     "collections.default.sources[0]: needs folder or kafka",
		"collections: {default: {sources: [{kafka: {}}]}}":   "collections.default.sources[0].kafka: needs brokers and topic",
		"collections: {a b: {}}":                             "collections.a b: a collection's name has letters",
		"models: {a: }":                                      "ragserver.yaml:1: models.a: says nothing",
		"models:\n  a:\n    base_url: http://u:p@127.0.0.1/": "ragserver.yaml:3: models.a.base_url: has a secret in it",
		"keys:\n- {name: a}":                                 "ragserver.yaml:2: keys[0]",
	} {
		_, err := loadText(t, t.TempDir(), text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v\nand not %s", text, err, says)
		}
	}
	for _, text := range []string{"", "# nothing\n", "collections:\n", "log:\n  level:\n", "log: &l {level: debug}\n"} {
		if _, err := loadText(t, t.TempDir(), text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestWhoSaidIt tells of a value where it was given: flag, variable or file.
func TestWhoSaidIt(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("c.yaml", []byte("data: d\nlisten: nonsense\nmodels:\n  x: {provider: wrong}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, env, says string }{
		{"--config c.yaml", "", "c.yaml:2: listen: "},
		{"--config c.yaml --listen rubbish", "", "--listen: \"rubbish\" is not"},
		{"--config c.yaml", "RAGSERVER_LISTEN=rubbish", "RAGSERVER_LISTEN: \"rubbish\" is not"},
		{"--config c.yaml --listen 127.0.0.1:1", "", "c.yaml:4: models.x.provider: "},
		{"nowhere", "", "ragserver: folder nowhere does not exist"},
		{"--kafka localhost/topic", "", "--kafka: \"localhost\" is not HOST:PORT"},
		{"--log-level loud", "", "--log-level: \"loud\" is not"},
		{"--port 80", "", "unknown flag: --port; did you mean --listen?"},
	} {
		if name, value, ok := strings.Cut(c.env, "="); ok {
			t.Setenv(name, value)
		} else {
			t.Setenv("RAGSERVER_LISTEN", "")
		}
		var out, errs strings.Builder
		code := run(strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if code != exitUsage || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%+v: exit code %d, %s", c, code, errs.String())
		}
	}
}
