// Package langchain makes an llm.Model of the providers of langchaingo, for
// those that do not speak OpenAI's protocol: Anthropic by name, any other that
// a program constructs by Wrap.
//
// Providers whose langchaingo client is no more than an OpenAI client (Mistral,
// whose client also cannot be cancelled; Cohere, whose client knows only single
// prompts; Google, whose client brings gRPC) are better asked through their
// compatible endpoints: see openai.BaseURLs.
package langchain

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/tmc/langchaingo/llms"

	"github.com/ragserver/ragserver/llm"
)

// Wrap returns a model that asks m, a chat model of langchaingo. The name goes
// into errors. What m cannot do it does not gain: a client without streaming
// yields its answer in one delta, one that ignores its context holds the caller
// until it returns.
func Wrap(name string, m llms.Model) llm.Model {
	return &model{name: name, begin: func(llm.Request) (call, error) { return call{model: m}, nil }}
}

type model struct {
	name string
	key  llm.Secret
	// maxTokens is asked for when the request leaves it to the model.
	maxTokens int
	begin     func(llm.Request) (call, error)
}

// call is one call of a model: the client, and how to learn what the client
// does not tell.
type call struct {
	model llms.Model
	// end, if set, says how the reply ended: its last delta, or how it failed.
	end func() (llm.Delta, error)
}

// errStopped ends a client's work when the caller walked away.
var errStopped = errors.New("the caller stopped")

// Stream runs the client in a goroutine of its own, since clients call their
// streaming function from goroutines of theirs, and does not return before it
// has ended.
func (m *model) Stream(ctx context.Context, r llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(llm.Delta{}, err)
			return
		}
		if r.MaxTokens == 0 {
			r.MaxTokens = m.maxTokens
		}
		c, err := m.begin(r)
		if err != nil {
			yield(llm.Delta{}, err)
			return
		}
		work, cancel := context.WithCancel(ctx)
		pieces, done := make(chan string), make(chan struct{})
		var resp *llms.ContentResponse
		var failed error
		go func() {
			defer close(done)
			resp, failed = c.model.GenerateContent(work, messages(r), append(options(r), llms.WithStreamingFunc(func(_ context.Context, b []byte) error {
				select {
				case pieces <- string(b):
					return nil
				case <-work.Done():
					return errStopped
				}
			}))...)
		}()
		defer func() {
			cancel()
			<-done
		}()
		streamed := false
		for {
			select {
			case p := <-pieces:
				streamed = streamed || p != ""
				if !yield(llm.Delta{Text: p}, nil) {
					return
				}
				continue
			case <-done:
			}
			break
		}
		last, err := m.end(ctx, c, resp, failed)
		if err != nil {
			yield(llm.Delta{}, err)
			return
		}
		if !streamed && resp != nil && len(resp.Choices) > 0 {
			last.Text = resp.Choices[0].Content
		}
		yield(last, nil)
	}
}

func (m *model) end(ctx context.Context, c call, resp *llms.ContentResponse, failed error) (llm.Delta, error) {
	if ctx.Err() != nil {
		return llm.Delta{}, ctx.Err()
	}
	if c.end != nil {
		return c.end()
	}
	if failed != nil {
		return llm.Delta{}, m.failure(failed)
	}
	if resp == nil || len(resp.Choices) == 0 || resp.Choices[0] == nil {
		return llm.Delta{}, &llm.Error{Kind: llm.ErrIncomplete, Provider: m.name}
	}
	choice := resp.Choices[0]
	return llm.Delta{Finish: finish(choice.StopReason), Usage: usage(choice.GenerationInfo)}, nil
}

// codes are langchaingo's kinds of failure.
var codes = map[llms.ErrorCode]error{
	llms.ErrCodeAuthentication:      llm.ErrUnauthorized,
	llms.ErrCodeRateLimit:           llm.ErrRateLimited,
	llms.ErrCodeInvalidRequest:      llm.ErrRequest,
	llms.ErrCodeResourceNotFound:    llm.ErrModelNotFound,
	llms.ErrCodeTimeout:             llm.ErrTimeout,
	llms.ErrCodeQuotaExceeded:       llm.ErrQuota,
	llms.ErrCodeTokenLimit:          llm.ErrContextTooLong,
	llms.ErrCodeProviderUnavailable: llm.ErrUnavailable,
}

func (m *model) failure(err error) error {
	var known *llm.Error
	if errors.As(err, &known) {
		return known
	}
	kind := llm.KindOf(0, err.Error())
	var coded *llms.Error
	if errors.As(err, &coded) && codes[coded.Code] != nil {
		kind = codes[coded.Code]
	}
	return &llm.Error{Kind: kind, Provider: m.name, Message: llm.Shorten(err.Error(), m.key)}
}

func messages(r llm.Request) []llms.MessageContent {
	roles := map[llm.Role]llms.ChatMessageType{llm.System: llms.ChatMessageTypeSystem, llm.User: llms.ChatMessageTypeHuman, llm.Assistant: llms.ChatMessageTypeAI}
	var out []llms.MessageContent
	for _, m := range r.Messages {
		if m.Text != "" { // Anthropic refuses empty turns
			out = append(out, llms.TextParts(roles[m.Role], m.Text))
		}
	}
	return out
}

func options(r llm.Request) []llms.CallOption {
	var out []llms.CallOption
	if r.MaxTokens > 0 {
		out = append(out, llms.WithMaxTokens(r.MaxTokens))
	}
	if r.Temperature != nil {
		out = append(out, llms.WithTemperature(*r.Temperature))
	}
	if len(r.Stop) > 0 {
		out = append(out, llms.WithStopWords(r.Stop))
	}
	return out
}

// finish says in llm's words why a provider stopped.
func finish(reason string) string {
	switch strings.ToLower(reason) {
	case "max_tokens", "length", "model_length", "model_context_window_exceeded":
		return "length"
	case "refusal", "content_filter", "safety":
		return "content_filter"
	}
	return "stop"
}

// usage finds the token counts under the names that langchaingo's clients use.
func usage(info map[string]any) *llm.Usage {
	count := func(names ...string) (int, bool) {
		for _, n := range names {
			if v, ok := info[n].(int); ok {
				return v, true
			}
		}
		return 0, false
	}
	p, okP := count("InputTokens", "PromptTokens", "input_tokens", "prompt_tokens")
	c, okC := count("OutputTokens", "CompletionTokens", "output_tokens", "completion_tokens")
	if !okP && !okC {
		return nil
	}
	return &llm.Usage{Prompt: p, Completion: c}
}
