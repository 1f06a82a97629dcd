package langchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tmc/langchaingo/llms/anthropic"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/internal/wire"
)

// Config says which model of a provider.
type Config struct {
	BaseURL string       // the provider's own if empty
	Key     llm.Secret   // required
	Model   string       // as the provider names it; required
	HTTP    *http.Client // http.DefaultClient if nil
}

const anthropicURL = "https://api.anthropic.com/v1"

// anthropicMax is asked for when the caller leaves the length of the answer to
// the model: Anthropic's API wants a number.
const anthropicMax = 4096

// Anthropic returns a Claude model. It does not connect.
func Anthropic(c Config) (llm.Model, error) {
	if c.BaseURL == "" {
		c.BaseURL = anthropicURL
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("anthropic: the base URL is not an http(s) address; leave it out for " + anthropicURL)
	}
	if c.Key.Empty() {
		return nil, errors.New("anthropic: no key; set the environment variable that key_env names, for example ANTHROPIC_API_KEY")
	}
	if c.Model == "" {
		return nil, errors.New("anthropic: no model named; name one, for example claude-sonnet-4-5")
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	name := c.Model + " at " + u.Scheme + "://" + u.Host + u.Path // no user, no query: they may be secrets
	return &model{name: name, key: c.Key, maxTokens: anthropicMax, begin: func(r llm.Request) (call, error) {
		reply := &reply{Guard: wire.Guard{Client: c.HTTP, Provider: name, Key: c.Key}}
		if r.Temperature == nil {
			reply.Edit = noTemperature
		}
		reply.Event = reply.event
		m, err := anthropic.New(anthropic.WithToken(c.Key.Reveal()), anthropic.WithBaseURL(strings.TrimRight(c.BaseURL, "/")), anthropic.WithModel(c.Model), anthropic.WithHTTPClient(&reply.Guard))
		if err != nil {
			return call{}, &llm.Error{Kind: llm.ErrRequest, Provider: name, Message: llm.Shorten(err.Error(), c.Key)}
		}
		return call{model: m, end: reply.end}, nil
	}}, nil
}

// noTemperature takes out the temperature of 0 that langchaingo's client sends
// when none was chosen: newer models refuse any.
func noTemperature(body []byte) []byte {
	var r map[string]json.RawMessage
	if json.Unmarshal(body, &r) != nil {
		return body
	}
	delete(r, "temperature")
	out, err := json.Marshal(r)
	if err != nil {
		return body
	}
	return out
}

// reply follows one reply of Anthropic's protocol. It lets through what
// langchaingo's client understands: the text blocks, as one. Thoughts, kinds
// of events and of blocks that are newer than the client are left out.
type reply struct {
	wire.Guard
	text    map[int]bool // indexes of the text blocks
	opened  bool         // a text block was passed on
	stopped bool         // message_stop came
	reason  string
	usage   llm.Usage
}

type anthropicEvent struct {
	Type    string `json:"type"`
	Index   int    `json:"index"`
	Message struct {
		Usage anthropicUsage `json:"usage"`
	} `json:"message"`
	Block struct {
		Type string `json:"type"`
		Text string `json:"text"`
	} `json:"content_block"`
	Delta struct {
		Type       string `json:"type"`
		Text       string `json:"text"`
		StopReason string `json:"stop_reason"`
	} `json:"delta"`
	Usage anthropicUsage `json:"usage"`
}

type anthropicUsage struct {
	Input       int `json:"input_tokens"`
	Output      int `json:"output_tokens"`
	CacheCreate int `json:"cache_creation_input_tokens"`
	CacheRead   int `json:"cache_read_input_tokens"`
}

func (r *reply) event(data []byte) ([]byte, error) {
	var e anthropicEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, r.Error(llm.ErrGarbage, 0, "an event that is not of Anthropic's protocol: "+string(data))
	}
	switch e.Type {
	case "message_start":
		r.count(e.Message.Usage)
		return []byte(`{"type":"message_start","message":{"role":"assistant","type":"message","usage":{"input_tokens":0}}}`), nil
	case "content_block_start":
		return r.block(e), nil
	case "content_block_delta":
		if !r.text[e.Index] || e.Delta.Type != "text_delta" || e.Delta.Text == "" {
			return nil, nil
		}
		return textDelta(e.Delta.Text), nil
	case "message_delta":
		r.reason = e.Delta.StopReason
		r.count(e.Usage)
		return nil, nil
	case "message_stop":
		r.stopped = true
		return []byte(`{"type":"message_stop"}`), nil
	case "error":
		words, code := wire.ErrorWords(data)
		return nil, r.Error(llm.KindOf(http.StatusInternalServerError, code+" "+words), 0, words)
	}
	return nil, nil
}

// block opens a block; the client sees the first text block alone, and the
// text of all.
func (r *reply) block(e anthropicEvent) []byte {
	if e.Block.Type != "text" {
		return nil
	}
	if r.text == nil {
		r.text = map[int]bool{}
	}
	r.text[e.Index] = true
	if !r.opened {
		r.opened = true
		return []byte(`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
	}
	if e.Block.Text != "" {
		return textDelta(e.Block.Text)
	}
	return nil
}

func textDelta(text string) []byte {
	quoted, _ := json.Marshal(text) // of a string it cannot fail
	return fmt.Appendf(nil, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%s}}`, quoted)
}

func (r *reply) count(u anthropicUsage) {
	if in := u.Input + u.CacheCreate + u.CacheRead; in > 0 {
		r.usage.Prompt = in
	}
	if u.Output > 0 {
		r.usage.Completion = u.Output
	}
}

// end says how the reply ended. It is called when the client has returned.
func (r *reply) end() (llm.Delta, error) {
	if err := r.Err(); err != nil && !r.stopped {
		return llm.Delta{}, err
	}
	if !r.stopped {
		return llm.Delta{}, &llm.Error{Kind: llm.ErrIncomplete, Provider: r.Provider}
	}
	return llm.Delta{Finish: finish(r.reason), Usage: &r.usage}, nil
}
