package api

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"github.com/ragserver/ragserver/llm"
)

func withModels(o *Options) {
	o.Models = map[string]llm.Model{"local": echo{}, "broken": echo{err: &llm.Error{Kind: llm.ErrUnavailable, Provider: "hunter2"}}}
	second := newEngine()
	second.add("docs", "handbook.md", "Parking is free for gift shop staff.", nil)
	o.Collections = append(o.Collections, second.collection("handbook"))
}

func openAIClient(t *testing.T, s *Server) *openai.Client {
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	cfg := openai.DefaultConfig("any key")
	cfg.BaseURL = ts.URL + "/v1"
	cfg.HTTPClient = ts.Client()
	return openai.NewClientWithConfig(cfg)
}

func userSays(text string) []openai.ChatCompletionMessage {
	return []openai.ChatCompletionMessage{{Role: "user", Content: text}}
}

func TestOpenAIClient(t *testing.T) {
	e, s := newServer(t, withModels)
	e.usage = llm.Usage{Prompt: 10, Completion: 5}
	c := openAIClient(t, s)
	ctx := t.Context()

	t.Run("models", func(t *testing.T) {
		list, err := c.ListModels(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, m := range list.Models {
			ids = append(ids, m.ID)
		}
		if got := strings.Join(ids, " "); got != "ragserver rag:handbook broken local" {
			t.Error(got)
		}
		for _, id := range []string{"ragserver", "rag", "rag:default", "rag:handbook", "local", "letters"} {
			if m, err := c.GetModel(ctx, id); err != nil || m.ID != id {
				t.Errorf("%s: %+v %v", id, m, err)
			}
		}
		var api *openai.APIError
		if _, err := c.GetModel(ctx, "rag:nope"); !errors.As(err, &api) || api.HTTPStatusCode != 404 || api.Code != "model_not_found" {
			t.Errorf("%v", err)
		}
	})
	t.Run("chat", func(t *testing.T) {
		temperature := float32(0.5)
		res, err := c.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
			Model: "rag", MaxCompletionTokens: 77, Temperature: temperature, Stop: []string{"END"}, User: "u", Seed: new(int),
			Messages: []openai.ChatCompletionMessage{
				{Role: "system", Content: "Be brief."}, {Role: "user", Content: "hi"}, {Role: "assistant", Content: "hello"},
				{Role: "user", MultiContent: []openai.ChatMessagePart{{Type: "text", Text: "Are gift"}, {Type: "text", Text: "cards refunded?"}}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ch := res.Choices[0]
		if res.Object != "chat.completion" || res.Model != "rag" || ch.FinishReason != "stop" || ch.Message.Role != "assistant" || !strings.Contains(ch.Message.Content, "[1]") ||
			res.Usage.TotalTokens != 15 || !strings.HasPrefix(res.ID, "chatcmpl-") || res.Created == 0 {
			t.Errorf("%+v", res)
		}
		q := e.asked
		if q.Text != "Are gift\ncards refunded?" || q.System != "Be brief." || len(q.History) != 2 || q.Generate.MaxTokens != 77 ||
			*q.Generate.Temperature != 0.5 || len(q.Generate.Stop) != 1 || q.Query.K != 6 {
			t.Errorf("%+v", q)
		}
	})
	t.Run("stream", func(t *testing.T) {
		st, err := c.CreateChatCompletionStream(ctx, openai.ChatCompletionRequest{Model: "ragserver", Messages: userSays("gift cards"),
			StreamOptions: &openai.StreamOptions{IncludeUsage: true}})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		var text string
		var finish openai.FinishReason
		var usage *openai.Usage
		for {
			r, err := st.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if usage != nil {
				t.Error("a chunk behind the usage")
			}
			usage = r.Usage
			if len(r.Choices) > 0 {
				text += r.Choices[0].Delta.Content
				finish = r.Choices[0].FinishReason
			}
		}
		if !strings.Contains(text, "[1]") || finish != "stop" || usage == nil || usage.TotalTokens != 15 {
			t.Errorf("%q %s %+v", text, finish, usage)
		}
	})
	t.Run("collection", func(t *testing.T) {
		res, err := c.CreateChatCompletion(ctx, openai.ChatCompletionRequest{Model: "rag:handbook", Messages: userSays("Is parking free?")})
		if err != nil || !strings.Contains(res.Choices[0].Message.Content, "Parking is free") {
			t.Errorf("%+v %v", res, err)
		}
	})
	t.Run("language model alone", func(t *testing.T) {
		before := e.asked.Text
		res, err := c.CreateChatCompletion(ctx, openai.ChatCompletionRequest{Model: "local", Messages: userSays("a title please")})
		if err != nil || res.Choices[0].Message.Content != "a title please" || res.Usage.TotalTokens != 6 || e.asked.Text != before {
			t.Errorf("%+v %v", res, err)
		}
		st, err := c.CreateChatCompletionStream(ctx, openai.ChatCompletionRequest{Model: "local", Messages: userSays("one two")})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		var text string
		for {
			r, err := st.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text += r.Choices[0].Delta.Content
		}
		if text != "one two" {
			t.Errorf("%q", text)
		}
	})
	t.Run("failure in the middle", func(t *testing.T) {
		st, err := c.CreateChatCompletionStream(ctx, openai.ChatCompletionRequest{Model: "broken", Messages: userSays("one two")})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		for err == nil {
			_, err = st.Recv()
		}
		if errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	})
	t.Run("embeddings", func(t *testing.T) {
		for _, format := range []openai.EmbeddingEncodingFormat{"", "float", "base64"} {
			res, err := c.CreateEmbeddings(ctx, openai.EmbeddingRequest{Model: "letters", Input: []string{"abba", "z"}, EncodingFormat: format})
			if err != nil {
				t.Fatal(format, err)
			}
			if len(res.Data) != 2 || len(res.Data[1].Embedding) != 26 || res.Data[0].Embedding[1] != 2 || res.Data[1].Index != 1 || res.Usage.PromptTokens == 0 {
				t.Errorf("%s: %+v", format, res)
			}
		}
	})
}

func TestOpenAICitations(t *testing.T) {
	e, s := newServer(t, withModels)
	e.add("docs", "größe.md", "Größe süß zählt. Ja", nil)
	type citation struct {
		Type string
		URL  struct {
			URL, Title string
			Start      int `json:"start_index"`
			End        int `json:"end_index"`
		} `json:"url_citation"`
	}
	check := func(t *testing.T, text string, cs []citation, urls []string) {
		t.Helper()
		if len(cs) != 2 {
			t.Fatalf("%d annotations of %q", len(cs), text)
		}
		runes := []rune(text)
		for i, c := range cs {
			if got := string(runes[c.URL.Start:c.URL.End]); c.Type != "url_citation" || got != "["+string(rune('1'+i))+"]" {
				t.Errorf("annotation %d marks %q", i, got)
			}
			if c.URL.URL != urls[i] || !strings.HasPrefix(c.URL.URL, "http://127.0.0.1:8080/d/") || c.URL.Title == "" {
				t.Errorf("%+v, want %s", c, urls[i])
			}
		}
	}
	type span struct {
		Start, End int
		Text       string
		Documents  []string `json:"document_ids"`
	}
	checkSpans := func(t *testing.T, text string, got []span, sources []Source) {
		t.Helper()
		runes := []rune(text)
		if len(got) != 2 {
			t.Fatalf("%d spans of %q", len(got), text)
		}
		for i, p := range got {
			if string(runes[p.Start:p.End]) != p.Text || strings.Contains(p.Text, "[") || len(p.Documents) != 1 || p.Documents[0] != sources[i].Document {
				t.Errorf("%q: %+v", text, p)
			}
		}
	}
	type side struct {
		Citations []string
		Sources   []struct {
			Source    struct{ ID, Name, URL string }
			Document  []string
			Metadata  []struct{ Source, Name string }
			Distances []float64
		}
		Resources []struct {
			Position int
			Dataset  string `json:"dataset_name"`
			Document string `json:"document_id"`
			Name     string `json:"document_name"`
			Segment  string `json:"segment_id"`
			Score    float64
			Content  string
		} `json:"retriever_resources"`
		Results   []struct{ Title, URL, Date, Snippet string } `json:"search_results"`
		Ragserver struct {
			Kind    string
			Epoch   uint64
			Sources []Source
		}
	}
	checkSide := func(t *testing.T, out side) {
		t.Helper()
		all := out.Ragserver.Sources
		if len(all) < 3 || len(out.Citations) != len(all) || len(out.Results) != len(all) || len(out.Sources) != len(all) || len(out.Resources) != len(all) {
			t.Fatalf("%+v", out)
		}
		for i, src := range all {
			if e := out.Sources[i]; e.Source.ID != src.Document || e.Source.URL != src.URL || e.Source.Name != src.Title || e.Document[0] != src.Text || e.Metadata[0].Source != src.URL || e.Distances[0] != src.Score {
				t.Errorf("%+v", e)
			}
			if r := out.Resources[i]; r.Position != i+1 || r.Dataset != "default" || r.Document != src.Document || r.Name != src.Title || r.Segment != src.Chunk || r.Content != src.Text || r.Score != src.Score {
				t.Errorf("%+v", r)
			}
		}
	}
	t.Run("whole", func(t *testing.T) {
		w := call(t, s, "POST", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":"größe süß gift"}]}`)
		var out struct {
			side
			Choices []struct {
				Message struct {
					Content     string
					Annotations []citation
					Citations   []span
				}
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		check(t, out.Choices[0].Message.Content, out.Choices[0].Message.Annotations, out.Citations)
		checkSpans(t, out.Choices[0].Message.Content, out.Choices[0].Message.Citations, out.Ragserver.Sources)
		checkSide(t, out.side)
		if len(out.Citations) != len(out.Results) || len(out.Ragserver.Sources) != len(out.Citations) || out.Ragserver.Kind != "extractive" || out.Ragserver.Epoch != 3 ||
			!out.Ragserver.Sources[0].Cited || out.Results[0].Snippet == "" || out.Results[0].Date == "" {
			t.Errorf("%+v", out)
		}
	})
	t.Run("stream", func(t *testing.T) {
		w := call(t, s, "POST", "/v1/chat/completions", `{"model":"rag","stream":true,"messages":[{"role":"user","content":"größe süß gift"}]}`)
		ms := allMessages(t, w.Body)
		if ms[len(ms)-1].data != "[DONE]" {
			t.Fatalf("the end is %q", ms[len(ms)-1].data)
		}
		type chunk struct {
			side
			ID, Object string
			Choices    []struct {
				Delta struct {
					Role, Content string
					Annotations   []citation
					Citations     []span
				}
				Finish *string `json:"finish_reason"`
			}
		}
		var text string
		var found []citation
		var supported []span
		var first, last chunk
		for i, m := range ms[:len(ms)-1] {
			var k chunk
			if err := json.Unmarshal([]byte(m.data), &k); err != nil {
				t.Fatal(err)
			}
			if k.Object != "chat.completion.chunk" || len(k.Choices) != 1 || strings.Contains(m.data, `"usage"`) {
				t.Errorf("%s", m.data)
			}
			text += k.Choices[0].Delta.Content
			found = append(found, k.Choices[0].Delta.Annotations...)
			supported = append(supported, k.Choices[0].Delta.Citations...)
			if i == 0 {
				first = k
			}
			last = k
			if k.ID != first.ID {
				t.Error("the id changes")
			}
		}
		if first.Choices[0].Delta.Role != "assistant" || len(first.Citations) == 0 || len(first.Ragserver.Sources) == 0 || last.Choices[0].Finish == nil || *last.Choices[0].Finish != "stop" {
			t.Errorf("first %+v, last %+v", first, last)
		}
		check(t, text, found, first.Citations)
		checkSpans(t, text, supported, last.Ragserver.Sources)
		checkSide(t, last.side)
	})
	t.Run("public address", func(t *testing.T) {
		_, s := newServer(t, func(o *Options) { o.URL = "https://rag.example/base/" })
		w := call(t, s, "POST", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":"gift"}]}`)
		if !strings.Contains(w.Body.String(), `"citations":["https://rag.example/base/d/`) {
			t.Error(w.Body)
		}
	})
}

func TestOpenAIBadRequests(t *testing.T) {
	e, s := newServer(t, withModels)
	const say = `"messages":[{"role":"user","content":"a"}]`
	for _, tc := range []struct {
		name, target, body string
		status             int
		code, param        string
	}{
		{"broken", "/v1/chat/completions", `{`, 400, "bad_json", ""},
		{"no model", "/v1/chat/completions", `{` + say + `}`, 400, "missing_field", "model"},
		{"unknown model", "/v1/chat/completions", `{"model":"gpt-4o",` + say + `}`, 404, "model_not_found", "model"},
		{"no messages", "/v1/chat/completions", `{"model":"rag"}`, 400, "missing_field", "messages"},
		{"no user", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"system","content":"a"}]}`, 400, "bad_request", "messages"},
		{"empty question", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":""}]}`, 400, "bad_request", "messages"},
		{"blank question", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":[{"type":"text","text":" \n"}]}]}`, 400, "bad_request", "messages"},
		{"unknown collection", "/v1/chat/completions", `{"model":"rag:nope",` + say + `}`, 404, "model_not_found", "model"},
		{"role", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"boss","content":"a"}]}`, 400, "bad_request", "messages"},
		{"image", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}`, 400, "bad_request", "messages"},
		{"content", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":7}]}`, 400, "bad_json", ""},
		{"n", "/v1/chat/completions", `{"model":"rag","n":2,` + say + `}`, 400, "bad_request", "n"},
		{"temperature", "/v1/chat/completions", `{"model":"rag","temperature":3,` + say + `}`, 400, "bad_request", "temperature"},
		{"filter", "/v1/chat/completions", `{"model":"rag","ragserver":{"filter":"(("},` + say + `}`, 400, "bad_filter", "filter"},
		{"k", "/v1/chat/completions", `{"model":"rag","ragserver":{"k":99},` + say + `}`, 400, "bad_request", "ragserver.k"},
		{"writer", "/v1/chat/completions", `{"model":"rag","ragserver":{"model":"x"},` + say + `}`, 404, "model_not_found", "ragserver.model"},
		{"long", "/v1/chat/completions", `{"model":"rag","messages":[{"role":"user","content":"` + strings.Repeat("a", 256<<10+1) + `"}]}`, 400, "context_length_exceeded", "messages"},
		{"too large", "/v1/chat/completions", strings.Repeat(" ", 8<<20+1), 413, "too_large", ""},
		{"embedding tokens", "/v1/embeddings", `{"model":"letters","input":[1,100256]}`, 400, "bad_request", "input"},
		{"documents brought along", "/v1/chat/completions", `{"model":"rag","documents":[{"text":"x"}],` + say + `}`, 400, "bad_request", "documents"},
		{"reranking", "/v1/rerank", `{"model":"rag","query":"x","documents":["a"]}`, 404, "no_reranker", ""},
		{"embedding token lists", "/v1/embeddings", `{"model":"letters","input":[[1,2],[-3]]}`, 400, "bad_request", "input"},
		{"embedding nothing", "/v1/embeddings", `{"model":"letters"}`, 400, "missing_field", "input"},
		{"embedding empty", "/v1/embeddings", `{"model":"letters","input":[""]}`, 400, "bad_request", "input"},
		{"embedding none", "/v1/embeddings", `{"model":"letters","input":[]}`, 400, "bad_request", "input"},
		{"embedding object", "/v1/embeddings", `{"model":"letters","input":{}}`, 400, "bad_request", "input"},
		{"embedding format", "/v1/embeddings", `{"model":"letters","input":"a","encoding_format":"int8"}`, 400, "bad_request", "encoding_format"},
		{"embedding dimensions", "/v1/embeddings", `{"model":"letters","input":"a","dimensions":27}`, 400, "bad_request", "dimensions"},
		{"embedding model", "/v1/embeddings", `{"model":"local","input":"a"}`, 404, "model_not_found", "model"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := call(t, s, "POST", tc.target, tc.body)
			var e struct {
				Error struct {
					Message, Type string
					Param, Code   *string
				}
			}
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
				t.Fatal(err, w.Body)
			}
			param := ""
			if e.Error.Param != nil {
				param = *e.Error.Param
			}
			if w.Code != tc.status || e.Error.Code == nil || *e.Error.Code != tc.code || tc.param != "" && param != tc.param ||
				e.Error.Message == "" || e.Error.Type != "invalid_request_error" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			checkShape(t, "ErrorResponse", w.Body.Bytes())
		})
	}
	if w := call(t, s, "POST", "/v1/chat/completions", `{"model":"rag","tools":[{}],"response_format":{"type":"text"},"metadata":{"a":"b"},"logit_bias":null,"max_tokens":9,`+say+`}`); w.Code != 200 || e.asked.Generate.MaxTokens != 9 {
		t.Errorf("unknown fields: %d %s", w.Code, w.Body)
	}
}

// Tokens are the text that they were made of: clients send them for models that
// they do not know.
func TestEmbeddingsOfTokens(t *testing.T) {
	_, s := newServer(t)
	embeddings := func(input string) (out openai.EmbeddingResponse) {
		t.Helper()
		w := call(t, s, "POST", "/v1/embeddings", `{"model":"rag","input":`+input+`}`)
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", input, w.Code, w.Body)
		}
		return out
	}
	const hello, world = 15339, 1917 // the second with its blank
	text := embeddings(`["hello world","hello"]`)
	tokens := embeddings(fmt.Sprintf("[[%d,%d],[%d]]", hello, world, hello))
	if !reflect.DeepEqual(text.Data, tokens.Data) || tokens.Usage.PromptTokens != 3 {
		t.Errorf("%v\n%v %v", text.Data, tokens.Data, tokens.Usage)
	}
	if one := embeddings(fmt.Sprintf("[%d,%d]", hello, world)); !reflect.DeepEqual(one.Data, text.Data[:1]) {
		t.Errorf("%v", one.Data)
	}
	for input, says := range map[string]string{
		"[[]]":                   "text 1 of `input` is empty",
		"[]":                     "`input` is empty",
		"[-1]":                   "-1, which is no token",
		"[15339,100256]":         "100256, which is no token",
		"[[15339],[4000000000]]": "4000000000, which is no token",
		"[1.5]":                  "must be a string",
		`["a",1]`:                "must be a string",
		"{}":                     "must be a string",
		"[" + strings.TrimSuffix(strings.Repeat("58040,", 70000), ",") + "]": "more than 8 MB of text",
		"[" + strings.TrimSuffix(strings.Repeat("[1],", 2049), ",") + "]":    "2049 texts",
	} {
		w := call(t, s, "POST", "/v1/embeddings", `{"model":"rag","input":`+input+`}`)
		if got := w.Body.String(); w.Code != 400 || !strings.Contains(got, says) {
			t.Errorf("%.40s: %d %s", input, w.Code, got)
		}
	}
}

// Fewer dimensions are the first ones at length one.
func TestEmbeddingsDimensions(t *testing.T) {
	_, s := newServer(t)
	for dims, says := range map[string]string{"2": "", "26": "", "0": "1 to 26", "27": "1 to 26", "-1": "1 to 26"} {
		w := call(t, s, "POST", "/v1/embeddings", `{"model":"rag","input":"aaabbbb","dimensions":`+dims+`}`)
		if says != "" {
			if w.Code != 400 || !strings.Contains(w.Body.String(), says) {
				t.Errorf("%s: %d %s", dims, w.Code, w.Body)
			}
			continue
		}
		var out struct {
			Data []struct{ Embedding []float64 }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		v := out.Data[0].Embedding
		if fmt.Sprint(len(v)) != dims || dims == "2" && (math.Abs(v[0]-.6) > 1e-6 || math.Abs(v[1]-.8) > 1e-6) {
			t.Errorf("%s: %v", dims, v)
		}
	}
}

func TestEmbeddingsBase64(t *testing.T) {
	_, s := newServer(t)
	w := call(t, s, "POST", "/v1/embeddings", `{"model":"rag","input":"abba","encoding_format":"base64","dimensions":26}`)
	var out struct{ Data []struct{ Embedding string } }
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(out.Data[0].Embedding)
	if err != nil || len(b) != 4*26 || math.Float32frombits(binary.LittleEndian.Uint32(b[4:])) != 2 {
		t.Errorf("%v %v", b, err)
	}
}
