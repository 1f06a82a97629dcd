package llmtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ragserver/ragserver/llm"
)

// Key is the key that a Setup gives its model; no error may show it.
const Key = "sk-test-0123456789-do-not-show"

// Scenario is what the provider behind a model does in one test.
type Scenario struct {
	Pieces []string  // written one by one
	Usage  llm.Usage // told at the end, if not zero
	Finish string    // as in llm.Delta

	Fail  error // instead of an answer: one of the sentinels of package llm, as this provider tells it (echoing the key in its words)
	Cut   bool  // the connection ends after the pieces, without a finish
	Stall bool  // after the pieces nothing comes until the caller goes away

	// Gone is called when the provider notices that the caller went away
	// from a stalled answer.
	Gone func()
}

// Setup makes a model whose provider plays the scenario, any number of times
// and at once. What it starts it stops by t.Cleanup.
type Setup func(t *testing.T, s Scenario) llm.Model

// Plays is a fake that plays the scenario itself, for models that wrap models.
func Plays(s Scenario) *Fake {
	return &Fake{Gone: s.Gone, Reply: func(int, llm.Request) []Step {
		if s.Fail != nil {
			return []Step{{Err: &llm.Error{Kind: s.Fail, Provider: "fake"}}}
		}
		var steps []Step
		for _, p := range s.Pieces {
			steps = append(steps, Step{Delta: llm.Delta{Text: p}})
		}
		switch {
		case s.Stall:
			return append(steps, Step{Wait: Forever})
		case s.Cut:
			return steps
		}
		return append(steps, Step{Delta: llm.Delta{Finish: s.Finish, Usage: &s.Usage}})
	}}
}

// patience bounds what a test waits for; it is never reached when all is well.
const patience = 20 * time.Second

// TestModel checks an implementation against the contract of llm.Model.
func TestModel(t *testing.T, setup Setup) {
	good := Scenario{Pieces: []string{"The answer", " is ", "42 ", "– да, 是 [1]."}, Usage: llm.Usage{Prompt: 11, Completion: 5}, Finish: "stop"}

	t.Run("whole answer", func(t *testing.T) { whole(t, setup(t, good), good) })
	t.Run("cut by length", func(t *testing.T) {
		s := good
		s.Finish = "length"
		whole(t, setup(t, s), s)
	})
	t.Run("several at once", func(t *testing.T) {
		m := setup(t, good)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { whole(t, m, good) })
		}
		wg.Wait()
	})
	t.Run("cut connection", func(t *testing.T) {
		s := Scenario{Pieces: good.Pieces, Cut: true}
		text, _, err := collect(t.Context(), setup(t, s))
		if !errors.Is(err, llm.ErrIncomplete) {
			t.Errorf("error %v, want ErrIncomplete", err)
		}
		if text != strings.Join(s.Pieces, "") {
			t.Errorf("text %q: what came before the cut must stand", text)
		}
	})
	t.Run("caller stops", func(t *testing.T) {
		gone := make(chan struct{}, 1)
		s := Scenario{Pieces: good.Pieces[:2], Stall: true, Gone: func() { notify(gone) }}
		for _, err := range setup(t, s).Stream(t.Context(), ask()) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		await(t, gone, "the provider still works after the caller stopped ranging")
	})
	t.Run("context ends", func(t *testing.T) {
		gone := make(chan struct{}, 1)
		s := Scenario{Pieces: good.Pieces[:2], Stall: true, Gone: func() { notify(gone) }}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var seen int
		var errs []error
		for _, err := range setup(t, s).Stream(ctx, ask()) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			seen++
			cancel()
		}
		if seen == 0 || len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
			t.Errorf("%d deltas, errors %v, want the context's error once after a delta", seen, errs)
		}
		await(t, gone, "the provider still works after the context ended")
	})
	t.Run("context already ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := collect(ctx, setup(t, good)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
	})
	for _, kind := range []error{llm.ErrUnauthorized, llm.ErrRateLimited, llm.ErrModelNotFound, llm.ErrContextTooLong, llm.ErrUnavailable, llm.ErrRequest} {
		t.Run(kind.Error(), func(t *testing.T) {
			text, errors1, err := collect(t.Context(), setup(t, Scenario{Fail: kind}))
			if !errors.Is(err, kind) || errors1 != 1 || text != "" {
				t.Errorf("text %q, %d errors, last %v; want %v once", text, errors1, err, kind)
			}
			if err != nil && strings.Contains(err.Error(), Key) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func ask() llm.Request {
	return llm.Request{Messages: []llm.Message{{Role: llm.System, Text: "Be brief."}, {Role: llm.User, Text: "What is the answer?"}}, MaxTokens: 64}
}

// whole checks that an answer comes completely and ends as it should. It may
// run in goroutines of the test, so it does not call Fatal.
func whole(t *testing.T, m llm.Model, want Scenario) {
	var text strings.Builder
	var usage *llm.Usage
	finish := ""
	for d, err := range m.Stream(t.Context(), ask()) {
		if err != nil {
			t.Errorf("error: %v", err)
			return
		}
		if finish != "" {
			t.Errorf("a delta after the last one: %+v", d)
		}
		text.WriteString(d.Text)
		finish = d.Finish
		if d.Usage != nil {
			usage = d.Usage
		}
	}
	if got := text.String(); got != strings.Join(want.Pieces, "") {
		t.Errorf("text %q, want %q", got, strings.Join(want.Pieces, ""))
	}
	if finish != want.Finish {
		t.Errorf("finish %q, want %q", finish, want.Finish)
	}
	if usage == nil || *usage != want.Usage {
		t.Errorf("usage %v, want %v", usage, want.Usage)
	}
}

func collect(ctx context.Context, m llm.Model) (text string, failures int, last error) {
	for d, err := range m.Stream(ctx, ask()) {
		if err != nil {
			failures++
			last = err
		}
		text += d.Text
	}
	return text, failures, last
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func await(t *testing.T, c <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Error(otherwise)
	}
}
