package indexer

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ragserver/ragserver/indexer/embed"
	"github.com/ragserver/ragserver/indexer/index"
)

// An embedder that does not answer is waited for, however long it takes:
// meanwhile documents answer by keyword. One that refuses a text is not: the
// texts of the call are halved until the refused one is alone, which is then
// left without a vector, and its document says so.
const (
	// embedRetry is how long the embed stage waits before it asks an embedder
	// that failed again; it doubles up to embedRetryMax.
	embedRetry    = 500 * time.Millisecond
	embedRetryMax = 30 * time.Second
	// embedBatch is how many texts go to the embedder in one call.
	embedBatch = 64
	// probeText is what every embedder takes: one that refuses it refuses all.
	probeText = "probe"
)

// vectored is what the embed stage answers for a document.
type vectored struct {
	// Done says that its chunks have the vectors that they will have; until
	// then it answers by keyword.
	Done bool
	// Lacking is how many chunks the embedder gives no vector for, and Note
	// says why, or what else is wrong with its vectors.
	Lacking int
	Note    string
}

// passage is a text to be embedded, for all chunks that have it.
type passage struct {
	hash    index.ID
	text    string
	cut     bool  // only its beginning was embedded
	refused error // why it has no vector, or only one of its beginning
}

// embed gives the chunks of some documents their vectors. It returns when the
// index holds all that the embedder gives.
func (x *Indexer) embed(ctx context.Context, rows []parsed) ([]vectored, []error) {
	done, errs := make([]vectored, len(rows)), make([]error, len(rows))
	needs := make([][]*passage, len(rows)) // by document, one for each chunk
	computed := make([]int, len(rows))
	chunks := make([]int, len(rows))
	queued := map[index.ID]*passage{}
	var all []*passage
	for i, p := range rows {
		c, err := x.index.Content(p.Finding.Version)
		if err != nil {
			errs[i] = fmt.Errorf("indexer: the text of %s/%s: %w", p.Item.Source, p.Item.Path, err)
			continue
		}
		chunks[i] = len(c.Chunks)
		hashes := make([]index.ID, len(c.Chunks))
		for k := range c.Chunks {
			hashes[k] = c.Chunks[k].Hash
		}
		for k, known := range x.index.Known(hashes) {
			if known {
				continue
			}
			t := queued[hashes[k]]
			if t == nil {
				t = &passage{hash: hashes[k], text: c.EmbedText(k)}
				queued[t.hash] = t
				all = append(all, t)
				computed[i]++
			}
			needs[i] = append(needs[i], t)
		}
	}
	var err error
	for from := 0; from < len(all) && err == nil; from += embedBatch {
		err = x.vectors(ctx, all[from:min(from+embedBatch, len(all))])
	}
	for i, p := range rows {
		if errs[i] == nil {
			errs[i] = err
		}
		if errs[i] != nil {
			continue
		}
		done[i] = judge(needs[i], chunks[i])
		if done[i].Note != "" {
			x.log.Warn("document not embedded as a whole", "document", p.Item.Source+"/"+legible(p.Item.Path), "reason", done[i].Note)
		}
		x.board.computed(docID(p.Item.key()), computed[i])
	}
	return done, errs
}

// judge says what became of the vectors that a document of n chunks needed.
func judge(needed []*passage, n int) vectored {
	v := vectored{Done: true}
	cut, what := 0, ""
	for _, t := range needed {
		if t.refused == nil {
			continue
		}
		what = t.refused.Error()
		if t.cut {
			cut++
		} else {
			v.Lacking++
		}
	}
	switch {
	case v.Lacking > 0:
		v.Note = fmt.Sprintf("embedded in part: %d of %d passages are found by keyword alone, for the embedder refused them: %s", v.Lacking, n, what)
	case cut > 0:
		v.Note = fmt.Sprintf("embedded in part: of %d of %d passages only the beginning, for the embedder found them too long: %s", cut, n, what)
	}
	v.Note = brief(v.Note)
	return v
}

// vectors embeds texts and stores the vectors.
func (x *Indexer) vectors(ctx context.Context, ts []*passage) error {
	vs, err := x.ask(ctx, ts)
	switch {
	case err == nil:
		return x.store(ctx, ts, vs)
	case !errors.As(err, new(*embed.Refusal)):
		return err
	case len(ts) == 1:
		return x.alone(ctx, ts[0])
	}
	half := len(ts) / 2
	if err := x.vectors(ctx, ts[:half]); err != nil {
		return err
	}
	return x.vectors(ctx, ts[half:])
}

func (x *Indexer) store(ctx context.Context, ts []*passage, vs [][]float32) error {
	hashes := make([]index.ID, len(ts))
	for i, t := range ts {
		hashes[i] = t.hash
	}
	return x.index.PutVectors(ctx, hashes, vs)
}

// alone embeds a text that was refused. If the embedder takes others it is the
// text that is at fault: if it is too long it is shortened, once.
func (x *Indexer) alone(ctx context.Context, t *passage) error {
	if err := x.answering(ctx); err != nil {
		return err
	}
	for {
		vs, err := x.ask(ctx, []*passage{t})
		if err == nil {
			return x.store(ctx, []*passage{t}, vs)
		}
		no, ok := errors.AsType[*embed.Refusal](err)
		if !ok {
			return err
		}
		if t.refused == nil {
			t.refused = no
		}
		if t.cut || !no.TooLong {
			t.cut = false
			return nil
		}
		t.cut, t.text = true, beginning(t.text, no.Fits)
	}
}

// beginning is that share of a text.
func beginning(text string, share float64) string {
	n := int(share * float64(len(text)))
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// answering waits until the embedder embeds what any embedder can.
func (x *Indexer) answering(ctx context.Context) error {
	for wait := embedRetry; ; wait = min(2*wait, embedRetryMax) {
		_, err := x.ask(ctx, []*passage{{text: probeText}})
		if err == nil || !errors.As(err, new(*embed.Refusal)) {
			return err
		}
		x.embedTrouble(fmt.Errorf("it refuses whatever it is asked: %w", err))
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// ask embeds texts, trying again until ctx ends or the embedder refuses them:
// then the error is an *embed.Refusal.
func (x *Indexer) ask(ctx context.Context, ts []*passage) ([][]float32, error) {
	texts := make([]string, len(ts))
	for i, t := range ts {
		texts[i] = t.text
	}
	for wait := embedRetry; ; wait = min(2*wait, embedRetryMax) {
		vs, err := x.space.Embedder.Embed(ctx, texts)
		if err == nil {
			if err = x.checkVectors(vs, len(texts)); err != nil {
				err = &embed.Refusal{Err: err}
			}
		}
		switch {
		case err == nil:
			x.embedTrouble(nil)
			return vs, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, new(*embed.Refusal)):
			return nil, err
		}
		x.embedTrouble(err)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (x *Indexer) checkVectors(vs [][]float32, n int) error {
	if len(vs) != n {
		return fmt.Errorf("it returned %d vectors for %d texts", len(vs), n)
	}
	for _, v := range vs {
		if err := x.index.CheckVector(v); err != nil {
			return err
		}
	}
	return nil
}

// embedTrouble notes why the embedder does not answer, nil if it does, and says
// it once.
func (x *Indexer) embedTrouble(err error) {
	what := ""
	if err != nil {
		what = err.Error()
	}
	x.mu.Lock()
	news := what != x.embedderError
	x.embedderError = what
	x.mu.Unlock()
	if news && err != nil {
		x.log.Warn("embedder failed; documents answer by keyword until it is back", "embedder", x.space.Name, "err", err)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
