// Package llm is the gateway to language models: what a model is, and the
// bounds around calling one. It knows nothing of documents, indexes or HTTP
// routes.
//
// A Model streams; everything else (retries, concurrency, budgets, recording)
// wraps a Model in another Model. Implementations live in openai (any endpoint
// of OpenAI's protocol) and langchain (the other providers); llmtest has a fake
// that behaves.
package llm

import (
	"context"
	"iter"
)

// Role says who speaks.
type Role string

// The roles every provider knows.
const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
)

// Message is one turn of a conversation.
type Message struct {
	Role Role
	Text string
}

// Request asks a model to go on with a conversation. Zero values leave the
// choice to the model.
type Request struct {
	Messages    []Message
	MaxTokens   int
	Temperature *float64
	Stop        []string
}

// Delta is a piece of a model's answer. Text may be empty. The last delta of a
// complete answer has Finish set; Usage is there if the provider tells.
type Delta struct {
	Text   string
	Finish string // "stop", "length", "content_filter", "" while it goes on
	Usage  *Usage
}

// Usage counts tokens as the provider counts them.
type Usage struct {
	Prompt, Completion int
}

// Model is a language model.
//
// Stream yields the answer as it is written. An error is yielded once and ends
// the sequence; what came before it stands. A sequence that ends without Finish
// and without an error was cut off, which implementations must report as
// ErrIncomplete. The caller may stop ranging or cancel ctx at any time, which
// ends the work at the provider. Safe for concurrent use. Errors never contain
// the key.
type Model interface {
	Stream(ctx context.Context, r Request) iter.Seq2[Delta, error]
}
