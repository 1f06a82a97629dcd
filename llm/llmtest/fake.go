// Package llmtest has what tests of and around language models need: Fake, a
// model that behaves as a script says, and TestModel, the contract of
// llm.Model as a suite that each implementation runs.
package llmtest

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/ragserver/ragserver/llm"
)

// Step is what a fake does next: waits, then yields a delta or fails.
type Step struct {
	Wait  time.Duration // through the context; an endless wait is Forever
	Delta llm.Delta
	Err   error // ends the answer
}

// Forever waits until the caller gives up.
const Forever = time.Duration(1<<63 - 1)

// Fake is a model that answers by script. It honours the contract of
// llm.Model: it stops when the caller stops, returns the context's error when
// that ends, and reports ErrIncomplete when a script ends without Finish. Safe
// for concurrent use.
type Fake struct {
	// Reply gives the script for a request; n counts calls from 0.
	Reply func(n int, r llm.Request) []Step
	// Gone, if set, is called when a caller goes away from an unfinished answer.
	Gone func()

	mu       sync.Mutex
	requests []llm.Request // in order of arrival
	running  int
}

// Says is a fake that always writes text, word by word, and finishes.
func Says(text string) *Fake {
	return &Fake{Reply: func(int, llm.Request) []Step { return Words(text) }}
}

// Fails is a fake that fails with err before the first word.
func Fails(err error) *Fake {
	return &Fake{Reply: func(int, llm.Request) []Step { return []Step{{Err: err}} }}
}

// Words is the script of a good answer: text in pieces of a word, then
// "stop" with a usage of one token a word.
func Words(text string) []Step {
	var steps []Step
	for _, w := range strings.SplitAfter(text, " ") {
		steps = append(steps, Step{Delta: llm.Delta{Text: w}})
	}
	return append(steps, Step{Delta: llm.Delta{Finish: "stop", Usage: &llm.Usage{Prompt: 7, Completion: len(steps)}}})
}

// Collect takes a whole answer of a model.
func Collect(ctx context.Context, m llm.Model, r llm.Request) (text, finish string, err error) {
	var b strings.Builder
	for d, e := range m.Stream(ctx, r) {
		b.WriteString(d.Text)
		finish, err = d.Finish, e
	}
	return b.String(), finish, err
}

// Requests returns what the fake was asked so far.
func (f *Fake) Requests() []llm.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]llm.Request(nil), f.requests...)
}

// Running returns how many answers are being written.
func (f *Fake) Running() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running
}

func (f *Fake) begin(r llm.Request) []Step {
	f.mu.Lock()
	n := len(f.requests)
	f.requests = append(f.requests, r)
	f.running++
	f.mu.Unlock()
	return f.Reply(n, r)
}

func (f *Fake) end() {
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
}

// Stream answers by script.
func (f *Fake) Stream(ctx context.Context, r llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		script := f.begin(r)
		defer f.end()
		finished := false
		defer func() {
			if !finished && f.Gone != nil {
				f.Gone()
			}
		}()
		for _, s := range script {
			if err := wait(ctx, s.Wait); err != nil {
				yield(llm.Delta{}, err)
				return
			}
			if s.Err != nil {
				yield(llm.Delta{}, s.Err)
				return
			}
			finished = finished || s.Delta.Finish != ""
			if !yield(s.Delta, nil) {
				return
			}
		}
		if !finished {
			yield(llm.Delta{}, &llm.Error{Kind: llm.ErrIncomplete, Provider: "fake"})
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
