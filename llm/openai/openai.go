// Package openai speaks to any endpoint of OpenAI's chat completions protocol:
// OpenAI itself, Azure's v1 endpoints, Ollama, vLLM, llama.cpp, LM Studio, and
// the compatible endpoints of Mistral, Cohere, Google and others.
//
// What is promised is llm.Model's contract, also when the endpoint does not
// keep to the protocol: pages of HTML, streams that end in the middle, chunks
// without choices, errors inside a stream and answers that come whole although
// a stream was asked for are sorted out by package wire before go-openai
// decodes them. A reasoning model's thoughts are not part of the answer.
package openai

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/internal/wire"
)

// DefaultBaseURL is OpenAI's own endpoint.
const DefaultBaseURL = "https://api.openai.com/v1"

// BaseURLs of providers that speak this protocol, by the name a configuration
// gives them.
var BaseURLs = map[string]string{
	"openai":     DefaultBaseURL,
	"ollama":     "http://127.0.0.1:11434/v1",
	"mistral":    "https://api.mistral.ai/v1",
	"cohere":     "https://api.cohere.ai/compatibility/v1",
	"google":     "https://generativelanguage.googleapis.com/v1beta/openai",
	"groq":       "https://api.groq.com/openai/v1",
	"deepseek":   "https://api.deepseek.com/v1",
	"openrouter": "https://openrouter.ai/api/v1",
	"together":   "https://api.together.xyz/v1",
}

// Config says which model at which endpoint.
type Config struct {
	BaseURL string     // up to and including /v1; DefaultBaseURL if empty
	Key     llm.Secret // empty: none is sent
	Model   string     // as the endpoint names it; required
	// HTTP makes the requests; http.DefaultClient if nil. It needs no
	// Timeout: llm.Deadline and llm.Queue bound a call.
	HTTP *http.Client
}

// New returns the model. It does not connect: an endpoint that is down, a
// wrong key or an unknown model show at the first call.
func New(c Config) (llm.Model, error) {
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("openai: the base URL is not an http(s) address; it looks like http://127.0.0.1:11434/v1")
	}
	if c.Model == "" {
		return nil, errors.New("openai: no model named; name one that the endpoint offers, for example qwen3:4b")
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	return &model{Config: c, name: c.Model + " at " + place(u), official: isOpenAI(u.Hostname())}, nil
}

// place is an endpoint's address without user and query, which may be secrets.
func place(u *url.URL) string { return u.Scheme + "://" + u.Host + u.Path }

// isOpenAI reports whether the newer names of parameters are understood.
func isOpenAI(host string) bool {
	return host == "api.openai.com" || strings.HasSuffix(host, ".openai.azure.com")
}

type model struct {
	Config
	name     string // for errors
	official bool
	noUsage  atomic.Bool // the endpoint refused stream_options once
}

func (m *model) Stream(ctx context.Context, r llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(llm.Delta{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, call, err := m.open(ctx, r)
		if err != nil {
			yield(llm.Delta{}, err)
			return
		}
		defer stream.Close()
		m.read(ctx, stream, call, yield)
	}
}

// open begins the stream. Older endpoints refuse stream_options; they are
// asked again without, and so is every later call.
func (m *model) open(ctx context.Context, r llm.Request) (*goopenai.ChatCompletionStream, *call, error) {
	for {
		usage := !m.noUsage.Load()
		c := m.call()
		cfg := goopenai.DefaultConfig(m.Key.Reveal())
		cfg.BaseURL, cfg.HTTPClient = m.BaseURL, &c.Guard
		stream, err := goopenai.NewClientWithConfig(cfg).CreateChatCompletionStream(ctx, m.request(r, usage))
		if err == nil {
			return stream, c, nil
		}
		if e := c.Err(); e != nil {
			err = e
		} else {
			err = &llm.Error{Kind: llm.ErrRequest, Provider: m.name, Message: llm.Shorten(err.Error(), m.Key)}
		}
		if usage && errors.Is(err, llm.ErrRequest) && strings.Contains(err.Error(), "stream_options") {
			m.noUsage.Store(true)
			continue
		}
		return nil, nil, err
	}
}

// call is one request's guard, and whether its stream had the end mark.
type call struct {
	wire.Guard
	done bool
}

func (m *model) call() *call {
	c := &call{Guard: wire.Guard{Client: m.HTTP, Provider: m.name, Key: m.Key}}
	c.Event = func(data []byte) ([]byte, error) {
		c.done = c.done || string(data) == done
		return event(&c.Guard, data)
	}
	c.Whole = func(body []byte) ([][]byte, error) {
		c.done = true
		return whole(&c.Guard, body)
	}
	return c
}

func (m *model) request(r llm.Request, usage bool) goopenai.ChatCompletionRequest {
	out := goopenai.ChatCompletionRequest{Model: m.Model, Stop: r.Stop}
	for _, msg := range r.Messages {
		out.Messages = append(out.Messages, goopenai.ChatCompletionMessage{Role: string(msg.Role), Content: msg.Text})
	}
	if m.official {
		out.MaxCompletionTokens = r.MaxTokens
	} else {
		//lint:ignore SA1019 most other servers know the old name alone
		out.MaxTokens = r.MaxTokens
	}
	if usage {
		out.StreamOptions = &goopenai.StreamOptions{IncludeUsage: true}
	}
	if r.Temperature != nil {
		out.Temperature = float32(*r.Temperature)
		if out.Temperature == 0 {
			out.Temperature = math.SmallestNonzeroFloat32 // a plain 0 would not be sent
		}
		if err := goopenai.NewReasoningValidator().Validate(out); err != nil {
			out.Temperature = 0 // reasoning models set their own
		}
	}
	return out
}

// read passes the answer on. The end is told once, with the usage, which
// endpoints send after the finish reason.
func (m *model) read(ctx context.Context, stream *goopenai.ChatCompletionStream, call *call, yield func(llm.Delta, error) bool) {
	var last llm.Delta
	var think llm.Thinking
	for {
		chunk, err := stream.Recv()
		if err != nil {
			if call.done && last.Finish == "" {
				last.Finish = "stop" // some endpoints send the mark alone
			}
			if last.Finish == "" {
				yield(llm.Delta{}, m.ended(ctx, call, err))
				return
			}
			last.Text = think.Flush()
			yield(last, nil)
			return
		}
		if chunk.Usage != nil {
			last.Usage = &llm.Usage{Prompt: chunk.Usage.PromptTokens, Completion: chunk.Usage.CompletionTokens}
		}
		if len(chunk.Choices) == 0 || last.Finish != "" {
			continue
		}
		c := chunk.Choices[0]
		if c.FinishReason != "" && c.FinishReason != goopenai.FinishReasonNull {
			last.Finish = string(c.FinishReason)
		}
		text := c.Delta.Content
		if text == "" {
			text = c.Delta.Refusal
		}
		// Thoughts are passed on as empty deltas: they show that the model lives.
		if !yield(llm.Delta{Text: think.Write(text)}, nil) {
			return
		}
	}
}

// ended says why a stream without a finish reason ended.
func (m *model) ended(ctx context.Context, call *call, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e := call.Err(); e != nil {
		return e
	}
	if errors.Is(err, io.EOF) {
		return &llm.Error{Kind: llm.ErrIncomplete, Provider: m.name}
	}
	return &llm.Error{Kind: llm.ErrGarbage, Provider: m.name, Message: llm.Shorten(err.Error(), m.Key)}
}
