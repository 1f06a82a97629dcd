package openai_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/llmtest"
	"github.com/ragserver/ragserver/llm/openai"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a provider and returns a model that asks it.
func serve(t *testing.T, h http.HandlerFunc) llm.Model {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	m, err := openai.New(openai.Config{BaseURL: s.URL + "/v1/", Key: llm.NewSecret(llmtest.Key), Model: "tiny", HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// refusals are how the protocol tells each kind of failure.
var refusals = map[error]struct {
	status int
	body   string
}{
	llm.ErrUnauthorized:   {401, `{"error":{"message":"Incorrect API key provided: ` + llmtest.Key + `","type":"invalid_request_error","code":"invalid_api_key"}}`},
	llm.ErrRateLimited:    {429, `{"error":{"message":"slow down, ` + llmtest.Key + `","type":"requests","code":"rate_limit_exceeded"}}`},
	llm.ErrModelNotFound:  {404, `{"error":{"message":"The model does not exist ` + llmtest.Key + `","code":"model_not_found"}}`},
	llm.ErrContextTooLong: {400, `{"error":{"message":"This model's maximum context length is 8 tokens ` + llmtest.Key + `","code":"context_length_exceeded"}}`},
	llm.ErrUnavailable:    {503, `Service Unavailable ` + llmtest.Key},
	llm.ErrRequest:        {400, `{"object":"error","message":"bad temperature ` + llmtest.Key + `"}`},
}

func TestContract(t *testing.T) {
	llmtest.TestModel(t, func(t *testing.T, s llmtest.Scenario) llm.Model {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != "Bearer "+llmtest.Key {
				t.Errorf("Authorization %q", got)
			}
			if _, err := io.ReadAll(r.Body); err != nil { // so that the server notices when the caller goes
				t.Error(err)
			}
			if f, ok := refusals[s.Fail]; ok {
				w.WriteHeader(f.status)
				io.WriteString(w, f.body)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			for i, p := range s.Pieces {
				chunk(w, map[string]any{"role": "assistant", "content": p}, nil, i == 0)
			}
			switch {
			case s.Stall:
				<-r.Context().Done()
				s.Gone()
			case !s.Cut:
				chunk(w, map[string]any{}, s.Finish, false)
				fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d}}\n\ndata: [DONE]\n\n", s.Usage.Prompt, s.Usage.Completion)
			}
		})
	})
}

func chunk(w http.ResponseWriter, delta map[string]any, finish any, comment bool) {
	b, _ := json.Marshal(map[string]any{"object": "chat.completion.chunk", "choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}})
	if comment {
		io.WriteString(w, ": keepalive\n\n")
	}
	fmt.Fprintf(w, "data: %s\n\n", b)
	w.(http.Flusher).Flush()
}

// TestOddReplies is what endpoints send that is not quite the protocol, or not at all.
func TestOddReplies(t *testing.T) {
	const sse, page, whole = "text/event-stream", "text/html; charset=utf-8", "application/json"
	say := func(s string) string { return `data: {"choices":[{"delta":{"content":"` + s + `"}}]}` + "\n\n" }
	stop := `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	tests := []struct {
		name, kind, body string
		text, finish     string
		err              error
	}{
		{"choices null", sse, `data: {"choices":null}` + "\n\n" + say("hi") + stop, "hi", "stop", nil},
		{"choices missing and empty", sse, "data: {}\n\n" + `data: {"choices":[]}` + "\n\n" + say("hi") + stop, "hi", "stop", nil},
		{"content null", sse, `data: {"choices":[{"delta":{"role":"assistant","content":null}}]}` + "\n\n" + say("hi") + stop, "hi", "stop", nil},
		{"no blank lines, no space, CRLF", sse, strings.NewReplacer("\n\n", "\r\n", "data: ", "data:").Replace(say("a") + say("b") + stop), "ab", "stop", nil},
		{"last line without its end", sse, say("hi") + strings.TrimSpace(stop), "hi", "stop", nil},
		{"end mark alone", sse, say("hi") + "data: [DONE]\n\n", "hi", "stop", nil},
		{"comments, ids, event names", sse, strings.Repeat(": PROCESSING\n\n", 400) + "event: message\nid: 1\nretry: 10\n" + say("hi") + stop, "hi", "stop", nil},
		{"reasoning apart", sse, `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}` + "\n\n" + say("hi") + stop, "hi", "stop", nil},
		{"reasoning inside", sse, say("<think>") + say("hm") + say("</think>hi") + stop, "hi", "stop", nil},
		{"content in parts", sse, `data: {"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hi"}]}}]}` + "\n\n" + stop, "hi", "stop", nil},
		{"refusal", sse, `data: {"choices":[{"delta":{"refusal":"no"}}]}` + "\n\n" + stop, "no", "stop", nil},
		{"text after the finish", sse, say("hi") + stop + say("more"), "hi", "stop", nil},
		{"whole although streamed", whole, `{"choices":[{"message":{"content":"hi"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, "hi", "length", nil},
		{"whole, an error with status 200", whole, `{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}`, "", "", llm.ErrRateLimited},
		{"whole, something else", whole, `{"status":"ok"}`, "", "", llm.ErrGarbage},
		{"whole, broken", whole, `{"choices":`, "", "", llm.ErrGarbage},
		{"a web page that is called a stream", sse, "<!doctype html>\n<title>Welcome</title>\n<a href=\"https://example.com\">", "", "", llm.ErrGarbage},
		{"a text that is called a stream", sse, "upstream is busy", "", "", llm.ErrGarbage},
		{"nothing", sse, "", "", "", llm.ErrIncomplete},
		{"comments alone", sse, ": ping\n\nretry: 1000\n\n", "", "", llm.ErrIncomplete},
		{"a web page", page, "<!doctype html><title>Welcome</title>", "", "", llm.ErrGarbage},
		{"cut", sse, say("half"), "half", "", llm.ErrIncomplete},
		{"cut inside an event", sse, say("half") + `data: {"choi`, "half", "", llm.ErrGarbage},
		{"empty", sse, "", "", "", llm.ErrIncomplete},
		{"no JSON", sse, say("a") + "data: oops\n\n", "a", "", llm.ErrGarbage},
		{"an error in the stream", sse, say("a") + `data: {"error":{"message":"overloaded","type":"server_error"}}` + "\n\n", "a", "", llm.ErrUnavailable},
		{"spaced error in the stream", sse, say("a") + `data: { "id":"1", "error": "context size exceeded" }` + "\n\n" + say("b"), "a", "", llm.ErrContextTooLong},
		{"error line", sse, say("a") + `error: {"code":500,"message":"slot lost","type":"server_error"}` + "\n\n", "a", "", llm.ErrUnavailable},
		{"endless event", sse, "data: " + strings.Repeat("x", 2<<20), "", "", llm.ErrGarbage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				io.WriteString(w, tt.body)
			})
			text, finish, err := llmtest.Collect(t.Context(), m, llm.Request{})
			if text != tt.text || finish != tt.finish || !errors.Is(err, tt.err) {
				t.Errorf("got %q, finish %q, error %v; want %q, %q, %v", text, finish, err, tt.text, tt.finish, tt.err)
			}
		})
	}
}

func TestConnectionBreaksInsideTheStream(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Content-Length", "1000") // more than comes
		io.WriteString(w, `data: {"choices":[{"delta":{"content":"half"}}]}`+"\n\n")
	})
	if text, _, err := llmtest.Collect(t.Context(), m, llm.Request{}); text != "half" || !errors.Is(err, llm.ErrIncomplete) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	m, err := openai.New(openai.Config{BaseURL: s.URL + "/v1", Model: "x", HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = llmtest.Collect(t.Context(), m, llm.Request{})
	if !errors.Is(err, llm.ErrUnavailable) || !llm.Retryable(err) {
		t.Errorf("error %v, want a retryable ErrUnavailable", err)
	}
}

func TestRetryAfterArrives(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(429)
	})
	var e *llm.Error
	if _, _, err := llmtest.Collect(t.Context(), m, llm.Request{}); !errors.As(err, &e) || e.RetryAfter.Seconds() != 7 || e.Status != 429 {
		t.Errorf("%+v", e)
	}
}

// TestRequest checks what goes over the wire.
func TestRequest(t *testing.T) {
	zero, warm := 0.0, 0.5
	var got map[string]any
	var path string
	m := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, path = nil, r.URL.Path
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		if _, has := got["stream_options"]; has && got["model"] == "tiny" && got["stop"] != nil {
			w.WriteHeader(400)
			io.WriteString(w, `{"error":{"message":"unknown field stream_options"}}`)
			return
		}
		io.WriteString(w, "data: [DONE]\n\n")
	})
	msgs := []llm.Message{{Role: llm.System, Text: "s"}, {Role: llm.User, Text: "q"}}
	if _, _, err := llmtest.Collect(t.Context(), m, llm.Request{Messages: msgs, MaxTokens: 9, Temperature: &warm}); err != nil {
		t.Fatal(err)
	}
	if path != "/v1/chat/completions" || got["stream"] != true || got["max_tokens"] != 9.0 || got["temperature"] != 0.5 || fmt.Sprint(got["messages"]) != "[map[content:s role:system] map[content:q role:user]]" {
		t.Errorf("%s %v", path, got)
	}
	if _, _, err := llmtest.Collect(t.Context(), m, llm.Request{Messages: msgs, Temperature: &zero, Stop: []string{"X"}}); err != nil {
		t.Fatalf("an endpoint that refuses stream_options must be asked without: %v", err)
	}
	if v, ok := got["temperature"].(float64); !ok || v > 1e-6 {
		t.Errorf("temperature 0 was sent as %v", got["temperature"])
	}
	if _, has := got["stream_options"]; has {
		t.Error("stream_options sent again")
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, c := range []openai.Config{{}, {BaseURL: "localhost:11434", Model: "m"}, {BaseURL: "ftp://x/v1", Model: "m"}, {BaseURL: "http://u:pass-word@/v1", Model: "m"}, {BaseURL: "http://\x7f", Model: "m"}} {
		_, err := openai.New(c)
		if err == nil {
			t.Errorf("New(%+v) gave no error", c)
		} else if strings.Contains(err.Error(), "pass-word") {
			t.Errorf("the password shows: %v", err)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"data: [DONE]\n", `data: {"choices":[{"delta":{"content":[{"text":1}]}}]}`, `data: {"error":[]}`, "error: x\n", "data: {\"choices\":[null]}\n", "data: null\n\n", `data: {"CHOICES":[{"delta":{"content":[{"text":"x"}]}}]}`} {
		f.Add("text/event-stream", s)
		f.Add("application/json", strings.TrimPrefix(s, "data: "))
	}
	var kind, body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{kind}
		io.WriteString(w, body)
	}))
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, k, b string) {
		kind, body = strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return -1
			}
			return r
		}, k), b
		m, err := openai.New(openai.Config{BaseURL: s.URL, Model: "m", HTTP: s.Client()})
		if err != nil {
			t.Fatal(err)
		}
		var ends int
		for d, err := range m.Stream(t.Context(), llm.Request{}) {
			if d.Finish != "" || err != nil {
				ends++
			}
		}
		if ends != 1 {
			t.Errorf("%d ends, want exactly one finish or error", ends)
		}
	})
}

// TestRealServer asks a real endpoint: RAGSERVER_TEST_LLM_URL is its base URL,
// RAGSERVER_TEST_LLM_MODEL the model's name.
func TestRealServer(t *testing.T) {
	base := os.Getenv("RAGSERVER_TEST_LLM_URL")
	if base == "" {
		t.Skip("RAGSERVER_TEST_LLM_URL is not set: no model server to ask")
	}
	name := os.Getenv("RAGSERVER_TEST_LLM_MODEL")
	if name == "" {
		name = "default"
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	m, err := openai.New(openai.Config{BaseURL: base, Key: llm.NewSecret("none"), Model: name, HTTP: client})
	if err != nil {
		t.Fatal(err)
	}
	zero := 0.0
	var usage *llm.Usage
	text, finish := "", ""
	for d, err := range m.Stream(t.Context(), llm.Request{
		Messages:    []llm.Message{{Role: llm.User, Text: "The capital of France is Paris.\nQuestion: What is the capital of France? Answer:"}},
		MaxTokens:   40,
		Temperature: &zero,
	}) {
		if err != nil {
			t.Fatal(err)
		}
		text += d.Text
		finish = d.Finish
		if d.Usage != nil {
			usage = d.Usage
		}
	}
	// What a small model says is its own affair; that it says it whole is ours.
	if strings.TrimSpace(text) == "" || finish != "stop" && finish != "length" || usage == nil || usage.Prompt == 0 || usage.Completion == 0 {
		t.Errorf("text %q, finish %q, usage %+v", text, finish, usage)
	}

	_, _, err = llmtest.Collect(t.Context(), m, llm.Request{Messages: []llm.Message{{Role: llm.User, Text: strings.Repeat("many words ", 20000)}}})
	if !errors.Is(err, llm.ErrContextTooLong) {
		t.Errorf("a prompt past the window gave %v", err)
	}

	n := 0
	for range m.Stream(t.Context(), llm.Request{Messages: []llm.Message{{Role: llm.User, Text: "Count to a thousand."}}}) {
		if n++; n == 3 {
			break
		}
	}
}
