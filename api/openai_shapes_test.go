package api

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ragserver/ragserver/internal/evaldata"
	"github.com/ragserver/ragserver/llm"
)

// checkShape validates JSON against a schema of OpenAI's own description, where
// it is at hand.
func checkShape(t *testing.T, name string, data []byte) {
	t.Helper()
	s, err := openAISchema(name)
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		t.Logf("OpenAI's description of %s is not at hand (RAGSERVER_SHARED): its shape is not checked", name)
		return
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v\n%s", name, err, data)
	}
}

var openAISpec struct {
	read     bool
	compiler *jsonschema.Compiler
}

const specURL = "https://spec.example/openapi.json"

// openAISchema returns nil where the description is not at hand.
func openAISchema(name string) (*jsonschema.Schema, error) {
	o := &openAISpec
	if !o.read {
		o.read = true
		data, err := os.ReadFile(evaldata.Path("openai-spec", "openapi.yaml"))
		if err != nil {
			return nil, nil
		}
		if data, err = yaml.YAMLToJSON(data); err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
		if err != nil {
			return nil, err
		}
		allowNull(doc)
		o.compiler = jsonschema.NewCompiler()
		o.compiler.DefaultDraft(jsonschema.Draft2020)
		if err := o.compiler.AddResource(specURL, doc); err != nil {
			return nil, err
		}
	}
	if o.compiler == nil {
		return nil, nil
	}
	return o.compiler.Compile(specURL + "#/components/schemas/" + name)
}

// allowNull turns OpenAPI 3.0's nullable, which parts of the description still
// use, into what JSON Schema says for it.
func allowNull(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			allowNull(x)
		}
	case map[string]any:
		for _, x := range v {
			allowNull(x)
		}
		if v["nullable"] != true {
			return
		}
		if t, ok := v["type"].(string); ok {
			v["type"] = []any{t, "null"}
		}
		if e, ok := v["enum"].([]any); ok {
			v["enum"] = append(e, nil)
		}
	}
}

// Replies have the shapes of OpenAI's own description.
func TestOpenAIShapes(t *testing.T) {
	if s, err := openAISchema("ListModelsResponse"); err != nil {
		t.Fatal(err)
	} else if s == nil {
		t.Skip("OpenAI's description (shared/data/openai-spec) is not there; set RAGSERVER_SHARED")
	}
	e, s := newServer(t, withModels)
	e.usage = llm.Usage{Prompt: 1, Completion: 2}
	checkShape(t, "ListModelsResponse", call(t, s, "GET", "/v1/models", "").Body.Bytes())
	checkShape(t, "Model", call(t, s, "GET", "/v1/models/rag", "").Body.Bytes())
	checkShape(t, "CreateEmbeddingResponse", call(t, s, "POST", "/v1/embeddings", `{"model":"rag","input":"abba"}`).Body.Bytes())
	for _, model := range []string{"rag", "local"} {
		body := `{"model":"` + model + `","messages":[{"role":"user","content":"gift cards"}]`
		checkShape(t, "CreateChatCompletionResponse", call(t, s, "POST", "/v1/chat/completions", body+`}`).Body.Bytes())
		for _, options := range []string{"", `,"stream_options":{"include_usage":true}`} {
			w := call(t, s, "POST", "/v1/chat/completions", body+`,"stream":true`+options+`}`)
			ms := allMessages(t, w.Body)
			for _, m := range ms[:len(ms)-1] {
				// The words of the description want usage: null here, its schema does not know it.
				checkShape(t, "CreateChatCompletionStreamResponse", []byte(strings.Replace(m.data, `,"usage":null}`, "}", 1)))
			}
			if usage := strings.Contains(ms[0].data, `"usage":null`); usage != (options != "") {
				t.Errorf("the first chunk: %s", ms[0].data)
			}
			if last := ms[len(ms)-2].data; options != "" && (!strings.Contains(last, `"choices":[]`) || !strings.Contains(last, `"total_tokens"`)) {
				t.Errorf("the chunk with the usage: %s", last)
			}
		}
	}
}
