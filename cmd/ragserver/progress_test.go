package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/llm/answer"
)

// indexing is a collection as progress sees it.
type indexing struct {
	mu       sync.Mutex
	scanned  bool
	states   map[indexer.State]int
	unfound  int
	embedder string
	trouble  error

	sourceTrouble string
}

func (x *indexing) set(f func(*indexing)) { x.mu.Lock(); defer x.mu.Unlock(); f(x) }

func (x *indexing) Counts() (map[indexer.State]int, int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.states, x.states[indexer.Found] + x.states[indexer.Parsing] + x.states[indexer.Embedding]
}
func (x *indexing) Sources() []indexer.SourceStatus {
	x.mu.Lock()
	defer x.mu.Unlock()
	return []indexer.SourceStatus{{Scanned: x.scanned, Trouble: x.sourceTrouble}}
}
func (x *indexing) Unfound() int { x.mu.Lock(); defer x.mu.Unlock(); return x.unfound }
func (x *indexing) Embedder() (string, string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return "nomic", x.embedder
}
func (x *indexing) Trouble() error { x.mu.Lock(); defer x.mu.Unlock(); return x.trouble }

// TestWatch takes a collection through what may happen, and sees at which step
// the waiting ends.
func TestWatch(t *testing.T) {
	reading := func(x *indexing) { x.scanned, x.states, x.unfound = true, map[indexer.State]int{indexer.Parsing: 2}, 2 }
	embedding := func(x *indexing) {
		x.states, x.unfound = map[indexer.State]int{indexer.Embedding: 2, indexer.Live: 1}, 1
	}
	byWord := func(x *indexing) { x.unfound = 0 }
	down := func(x *indexing) { x.embedder = "connection refused" }
	live := func(x *indexing) { x.states, x.unfound = map[indexer.State]int{indexer.Live: 3}, 0 }
	full := func(x *indexing) { x.trouble = errors.New("no space") }
	for name, tc := range map[string]struct {
		steps   []func(*indexing) // it ends after the last
		lacking string
		err     string
	}{
		"all goes well":        {[]func(*indexing){reading, embedding, byWord, live}, "", ""},
		"the embedder is down": {[]func(*indexing){reading, down, embedding, byWord}, "2 documents are found by keyword alone, for the embedder nomic does not answer: connection refused", ""},
		"it goes down later":   {[]func(*indexing){reading, embedding, byWord, down}, "2 documents are found by keyword alone, for the embedder nomic does not answer: connection refused", ""},
		"it was down before":   {[]func(*indexing){down, reading, live}, "", ""},
		"nothing is stored":    {[]func(*indexing){reading, full}, "", "no space"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := &indexing{}
				var lacking string
				var err error
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					lacking, err = (*progress)(nil).watch(t.Context(), x)
				}()
				for i, step := range tc.steps {
					time.Sleep(time.Hour)
					select {
					case <-ended:
						t.Fatalf("it did not wait for step %d", i)
					default:
					}
					x.set(step)
				}
				<-ended
				if lacking != tc.lacking || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
					t.Errorf("it ended with %q, %v", lacking, err)
				}
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (*progress)(nil).watch(ctx, &indexing{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// What an answer is told of the backlog: documents that no search finds yet, and
// sources that nobody has looked through; not those that cannot be read, nor
// documents that lack vectors alone.
func TestBacklogOf(t *testing.T) {
	x := &indexing{}
	if b := backlogOf(x); b != (answer.Backlog{Listing: true}) {
		t.Errorf("at the start: %+v", b)
	}
	x.set(func(x *indexing) {
		x.scanned, x.unfound = true, 2
		x.states = map[indexer.State]int{indexer.Parsing: 2, indexer.Embedding: 3, indexer.Live: 4}
	})
	if b := backlogOf(x); b != (answer.Backlog{Documents: 2, Found: 4}) {
		t.Errorf("while reading: %+v", b)
	}
	x.set(func(x *indexing) { x.scanned, x.sourceTrouble, x.unfound = false, "it is not there", 0 })
	if b := backlogOf(x); b.Listing || b.Documents != 0 {
		t.Errorf("a source that is not there: %+v", b)
	}
}
