package langchain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tmc/langchaingo/llms"
	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/langchain"
	"github.com/ragserver/ragserver/llm/llmtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func claude(t *testing.T, h http.HandlerFunc) llm.Model {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	m, err := langchain.Anthropic(langchain.Config{BaseURL: s.URL + "/v1", Key: llm.NewSecret(llmtest.Key), Model: "claude-tiny", HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func send(w io.Writer, event string, fields string) {
	fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q%s}\n\n", event, event, fields)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

var refusals = map[error]struct {
	status int
	kind   string
}{
	llm.ErrUnauthorized: {401, "authentication_error"}, llm.ErrRateLimited: {429, "rate_limit_error"}, llm.ErrModelNotFound: {404, "not_found_error"},
	llm.ErrContextTooLong: {413, "request_too_large"}, llm.ErrUnavailable: {529, "overloaded_error"}, llm.ErrRequest: {400, "invalid_request_error"},
}

func TestAnthropicContract(t *testing.T) {
	reasons := map[string]string{"stop": "end_turn", "length": "max_tokens"}
	llmtest.TestModel(t, func(t *testing.T, s llmtest.Scenario) llm.Model {
		return claude(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("X-Api-Key"); got != llmtest.Key || r.URL.Path != "/v1/messages" {
				t.Errorf("%s with key %q", r.URL.Path, got)
			}
			_, _ = io.ReadAll(r.Body)
			if f, ok := refusals[s.Fail]; ok {
				w.WriteHeader(f.status)
				fmt.Fprintf(w, `{"type":"error","error":{"type":%q,"message":"no, %s"}}`, f.kind, llmtest.Key)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			send(w, "message_start", fmt.Sprintf(`,"message":{"id":"m","role":"assistant","usage":{"input_tokens":%d,"output_tokens":1}}`, s.Usage.Prompt))
			send(w, "content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
			send(w, "ping", "")
			for _, p := range s.Pieces {
				send(w, "content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":`+quoted(p)+`}`)
			}
			switch {
			case s.Stall:
				<-r.Context().Done()
				s.Gone()
			case !s.Cut:
				send(w, "content_block_stop", `,"index":0`)
				send(w, "message_delta", fmt.Sprintf(`,"delta":{"stop_reason":%q},"usage":{"output_tokens":%d}`, reasons[s.Finish], s.Usage.Completion))
				send(w, "message_stop", "")
			}
		})
	})
}

func TestAnthropicOddReplies(t *testing.T) {
	start := func(w io.Writer) { send(w, "message_start", `,"message":{"usage":{"input_tokens":3}}`) }
	block := func(w io.Writer, i int, kind string) {
		send(w, "content_block_start", fmt.Sprintf(`,"index":%d,"content_block":{"type":%q}`, i, kind))
	}
	text := func(w io.Writer, i int, s string) {
		send(w, "content_block_delta", fmt.Sprintf(`,"index":%d,"delta":{"type":"text_delta","text":%q}`, i, s))
	}
	end := func(w io.Writer, reason string) {
		send(w, "message_delta", fmt.Sprintf(`,"delta":{"stop_reason":%q}`, reason))
		send(w, "message_stop", "")
	}
	tests := []struct {
		name         string
		reply        func(w io.Writer)
		text, finish string
		err          error
	}{
		{"thoughts, tools and new things left out", func(w io.Writer) {
			start(w)
			block(w, 0, "thinking")
			send(w, "content_block_delta", `,"index":0,"delta":{"type":"thinking_delta","thinking":"hm"}`)
			block(w, 1, "redacted_thinking")
			block(w, 2, "text")
			text(w, 2, "Hello")
			send(w, "brand_new_event", "")
			block(w, 3, "server_tool_use")
			block(w, 4, "text")
			text(w, 4, ", you")
			end(w, "end_turn")
		}, "Hello, you", "stop", nil},
		{"no content", func(w io.Writer) { start(w); end(w, "refusal") }, "", "content_filter", nil},
		{"overloaded in the middle, and more behind", func(w io.Writer) {
			start(w)
			block(w, 0, "text")
			text(w, 0, "Half")
			send(w, "error", `,"error":{"type":"overloaded_error","message":"Overloaded"}`)
			for range 50 {
				text(w, 0, "x")
			}
		}, "Half", "", llm.ErrUnavailable},
		{"no JSON", func(w io.Writer) { start(w); io.WriteString(w, "data: <html>\n\n") }, "", "", llm.ErrGarbage},
		{"nothing", func(io.Writer) {}, "", "", llm.ErrIncomplete},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := claude(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				tt.reply(w)
			})
			text, finish, err := llmtest.Collect(t.Context(), m, llm.Request{Messages: []llm.Message{{Role: llm.User, Text: "hi"}}})
			if text != tt.text || finish != tt.finish || !errors.Is(err, tt.err) {
				t.Errorf("%q, %q, %v; want %q, %q, %v", text, finish, err, tt.text, tt.finish, tt.err)
			}
		})
	}
}

func TestAnthropicRequest(t *testing.T) {
	var got map[string]any
	m := claude(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	})
	llmtest.Collect(t.Context(), m, llm.Request{Messages: []llm.Message{{Role: llm.System, Text: "rules"}, {Role: llm.User, Text: "a"}, {Role: llm.Assistant, Text: ""}, {Role: llm.User, Text: "b"}}})
	if _, has := got["temperature"]; has || got["system"] != "rules" || got["max_tokens"] != 4096.0 || got["model"] != "claude-tiny" || got["stream"] != true || len(got["messages"].([]any)) != 2 {
		t.Errorf("%v", got)
	}
}

func TestAnthropicTemperature(t *testing.T) {
	var got map[string]any
	m := claude(t, func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	})
	zero := 0.0
	llmtest.Collect(t.Context(), m, llm.Request{Messages: []llm.Message{{Role: llm.User, Text: "a"}}, Temperature: &zero, MaxTokens: 2048})
	if v, has := got["temperature"]; !has || v != 0.0 || got["max_tokens"] != 2048.0 {
		t.Errorf("what was chosen must be sent: %v", got)
	}
}

func TestAnthropicRefusesWhatCannotWork(t *testing.T) {
	key := llm.NewSecret(llmtest.Key)
	for _, c := range []langchain.Config{{Model: "m"}, {Key: key}, {Key: key, Model: "m", BaseURL: "api.anthropic.com"}} {
		if _, err := langchain.Anthropic(c); err == nil {
			t.Errorf("Anthropic(%+v) gave no error", c)
		}
	}
}

// chat is a langchaingo model that plays a scenario.
type chat struct{ s llmtest.Scenario }

func (c chat) Call(context.Context, string, ...llms.CallOption) (string, error) {
	return "", errors.ErrUnsupported
}

func (c chat) GenerateContent(ctx context.Context, _ []llms.MessageContent, opts ...llms.CallOption) (*llms.ContentResponse, error) {
	var o llms.CallOptions
	for _, f := range opts {
		f(&o)
	}
	for code, kind := range map[llms.ErrorCode]error{llms.ErrCodeAuthentication: llm.ErrUnauthorized, llms.ErrCodeRateLimit: llm.ErrRateLimited, llms.ErrCodeResourceNotFound: llm.ErrModelNotFound, llms.ErrCodeTokenLimit: llm.ErrContextTooLong, llms.ErrCodeProviderUnavailable: llm.ErrUnavailable, llms.ErrCodeInvalidRequest: llm.ErrRequest} {
		if c.s.Fail == kind {
			return nil, fmt.Errorf("wrapped: %w", llms.NewError(code, "chat", "no"))
		}
	}
	for _, p := range c.s.Pieces {
		if err := o.StreamingFunc(ctx, []byte(p)); err != nil {
			if c.s.Gone != nil {
				c.s.Gone()
			}
			return nil, err
		}
	}
	switch {
	case c.s.Stall:
		<-ctx.Done()
		c.s.Gone()
		return nil, ctx.Err()
	case c.s.Cut:
		return nil, nil
	}
	return &llms.ContentResponse{Choices: []*llms.ContentChoice{{Content: strings.Join(c.s.Pieces, ""), StopReason: c.s.Finish, GenerationInfo: map[string]any{"PromptTokens": c.s.Usage.Prompt, "CompletionTokens": c.s.Usage.Completion}}}}, nil
}

func TestWrapContract(t *testing.T) {
	llmtest.TestModel(t, func(_ *testing.T, s llmtest.Scenario) llm.Model { return langchain.Wrap("chat", chat{s}) })
}
