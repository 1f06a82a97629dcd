package indexer

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ragserver/ragserver/indexer/embed"
	"github.com/ragserver/ragserver/indexer/index"
)

// Texts that the embedder refuses, in whatever way, keep no other document from
// its vectors, and their own documents say so.
func TestRefusedTexts(t *testing.T) {
	refusal := func(tooLong bool) error {
		return &embed.Refusal{TooLong: tooLong, Fits: .5, Err: errors.New("the server says 400 Bad Request: no lions")}
	}
	poisoned := func(texts []string) bool { return strings.Contains(strings.Join(texts, "\n"), "POISON") }
	for name, judge := range map[string]func(texts []string) ([][]float32, error){
		"refused":  func([]string) ([][]float32, error) { return nil, refusal(false) },
		"too long": func([]string) ([][]float32, error) { return nil, refusal(true) },
		"too few":  func(texts []string) ([][]float32, error) { return make([][]float32, len(texts)-1), nil },
		"NaN": func(texts []string) ([][]float32, error) {
			vs := make([][]float32, len(texts))
			for i := range vs {
				vs[i] = make([]float32, 32)
				vs[i][3] = float32(math.NaN())
			}
			return vs, nil
		},
		"out of range": func(texts []string) ([][]float32, error) {
			vs := make([][]float32, len(texts))
			for i := range vs {
				vs[i] = make([]float32, 32)
				vs[i][3] = 1e30
			}
			return vs, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var asked atomic.Int64
			r.embedder.judge = func(texts []string) ([][]float32, error) {
				asked.Add(1)
				if poisoned(texts) {
					return judge(texts)
				}
				return nil, nil
			}
			for i := range 3 {
				r.write(fmt.Sprintf("poison%d.txt", i), fmt.Sprintf("POISON number %d, about lions.", i))
			}
			for i := range 9 {
				r.write(fmt.Sprintf("good%d.txt", i), fmt.Sprintf("Good number %d, about tigers.", i))
			}
			r.start()
			for i := range 9 {
				r.until(fmt.Sprintf("good%d.txt", i), Live)
			}
			for i := range 3 {
				s := r.until(fmt.Sprintf("poison%d.txt", i), Live)
				if !strings.HasPrefix(s.Reason, "embedded in part: 1 of 1 passages") {
					t.Errorf("reason of %s: %q", s.Path, s.Reason)
				}
			}
			if hits := r.hits("lions", index.Keyword); len(hits) != 3 || !hits[0].Unembedded {
				t.Errorf("by keyword: %v", hits)
			}
			if hits := r.hits("Good number 7, about tigers.", index.Vector); len(hits) != 9 {
				t.Errorf("%d hits by vector, not all that are good", len(hits))
			}
			if _, trouble := r.x.Embedder(); trouble != "" {
				t.Errorf("the embedder is said to be in trouble: %s", trouble)
			}
			// A restart asks for nothing again; a new version does.
			r.stop()
			before := asked.Load()
			r.start()
			r.write("later.txt", "One more.")
			r.until("later.txt", Live)
			if n := asked.Load() - before; n != 1 {
				t.Errorf("%d calls after a restart, one was needed", n)
			}
			r.write("poison0.txt", "An antidote, about lions.")
			r.eventually("a version that is not refused", func() bool {
				s := r.until("poison0.txt", Live)
				return s.Reason == "" && len(r.hits("antidote", index.Keyword)) == 1
			})
		})
	}
}

// Of a text that is too long the beginning is embedded, and the document says so.
func TestShortened(t *testing.T) {
	r := newRig(t)
	long := "Apples " + strings.Repeat("é", 50)
	r.embedder.judge = func(texts []string) ([][]float32, error) {
		for _, s := range texts {
			if len(s) > 60 {
				return nil, &embed.Refusal{TooLong: true, Fits: .5, Err: errors.New("too long")}
			}
		}
		return nil, nil
	}
	r.write("long.txt", long)
	r.start()
	if s := r.until("long.txt", Live); !strings.HasPrefix(s.Reason, "embedded in part: of 1 of 1 passages only the beginning") {
		t.Errorf("reason: %q", s.Reason)
	}
	if hits := r.hits("Apples", index.Vector); len(hits) != 1 {
		t.Errorf("by vector: %v", hits)
	}
}

// An embedder that refuses everything is at fault, not the texts: it is waited
// for.
func TestRefusesAll(t *testing.T) {
	r := newRig(t)
	var healed atomic.Bool
	r.embedder.judge = func([]string) ([][]float32, error) {
		if healed.Load() {
			return nil, nil
		}
		return nil, &embed.Refusal{Err: errors.New("this model has no embeddings")}
	}
	r.write("a.txt", "Apples.")
	r.start()
	r.eventually("the embedder's trouble", func() bool { _, trouble := r.x.Embedder(); return strings.Contains(trouble, "no embeddings") })
	healed.Store(true)
	if s := r.until("a.txt", Live); s.Reason != "" {
		t.Errorf("reason: %q", s.Reason)
	}
	if hits := r.hits("Apples.", index.Vector); len(hits) != 1 {
		t.Errorf("by vector: %v", hits)
	}
}

// A large document is embedded by and by, each text once, and what is refused
// counts for every chunk that has that text.
func TestEmbedsInBatches(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	embedded := map[string]int{}
	most := 0
	r.embedder.judge = func(texts []string) ([][]float32, error) {
		mu.Lock()
		defer mu.Unlock()
		most = max(most, len(texts))
		if strings.Contains(strings.Join(texts, ""), "POISON") {
			return nil, &embed.Refusal{Err: errors.New("no")}
		}
		for _, s := range texts {
			embedded[s]++
		}
		return nil, nil
	}
	var sb strings.Builder
	section := func(heading, sentence string) {
		sb.WriteString("# " + heading + "\n\n" + strings.Repeat(sentence+" ", 30) + "\n\n")
	}
	for i := range 4 * embedBatch {
		section(fmt.Sprintf("Part %d", i), fmt.Sprintf("Lion number %d sleeps.", i))
		section("Again", "The tigers are awake.")
		if i%embedBatch == 5 {
			section("Again", "The POISON works slowly.")
		}
	}
	r.write("a.md", sb.String())
	r.start()
	s := r.until("a.md", Live)
	mu.Lock()
	defer mu.Unlock()
	delete(embedded, probeText)
	lions := 0
	for text, n := range embedded {
		if n > 1 {
			t.Errorf("%d times embedded: %.80q", n, text)
		}
		if strings.Contains(text, "Lion") {
			lions++
		}
	}
	if lions < 4*embedBatch {
		t.Errorf("%d texts of lions embedded", lions)
	}
	if most != embedBatch {
		t.Errorf("%d texts in one call, want %d", most, embedBatch)
	}
	if !strings.Contains(s.Reason, "passages are found by keyword alone") || s.Chunks < 8*embedBatch+4 {
		t.Errorf("%d chunks, reason %q", s.Chunks, s.Reason)
	}
}
