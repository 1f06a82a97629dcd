package indexer

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	// embedCalls is how many calls for the same documents run at once: one
	// waits for the disk, or for a server, while another one computes.
	embedCalls = 2
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
	outlines := make([]*index.Outline, len(rows))
	b := embedding{x: x, refused: map[index.ID]*passage{}}
	for i, p := range rows {
		if b.failed != nil {
			break
		}
		o, err := x.index.Outline(p.Finding.Version)
		if err == nil {
			b.computed = 0
			err = b.add(ctx, o)
		}
		if err != nil {
			errs[i] = fmt.Errorf("indexer: the text of %s/%s: %w", p.Item.Source, p.Item.Path, err)
			continue
		}
		outlines[i] = o
		x.board.computed(docID(p.Item.key()), b.computed)
	}
	b.flush(ctx, 1)
	b.collect(0)
	for i, p := range rows {
		if errs[i] == nil {
			errs[i] = b.failed
		}
		if errs[i] == nil {
			done[i], errs[i] = b.judge(outlines[i])
		}
		if done[i].Note != "" {
			x.log.Warn("document not embedded as a whole", "document", p.Item.Source+"/"+legible(p.Item.Path), "reason", done[i].Note)
		}
	}
	return done, errs
}

// embedding is one call of the embed stage. It holds the texts of few calls
// of the embedder, however large the documents are.
type embedding struct {
	x        *Indexer
	waiting  []*passage
	running  []call
	refused  map[index.ID]*passage // in whole or in part
	computed int                   // texts that had no vector
	failed   error                 // why nothing more is embedded
}

// call is one of the embedder, with its texts.
type call struct {
	texts []*passage
	done  chan error
}

// add embeds what of a document has no vector; the last texts wait for others.
// The error is one of reading the document.
func (b *embedding) add(ctx context.Context, o *index.Outline) error {
	hashes := make([]index.ID, 0, embedBatch)
	for first := 0; first < o.Len(); first += len(hashes) {
		hashes = hashes[:0]
		for i := first; i < min(first+embedBatch, o.Len()); i++ {
			ch, err := o.Chunk(i)
			if err != nil {
				return err
			}
			hashes = append(hashes, ch.Hash)
		}
		for i, known := range b.x.index.Known(hashes) {
			if known || b.asked(hashes[i]) {
				continue
			}
			text, err := o.EmbedText(first + i)
			if err != nil {
				return err
			}
			b.computed++
			b.waiting = append(b.waiting, &passage{hash: hashes[i], text: text})
		}
		if b.flush(ctx, embedBatch); b.failed != nil {
			return nil
		}
	}
	return nil
}

// asked says that a text waits, is being embedded, or was refused.
func (b *embedding) asked(hash index.ID) bool {
	is := func(t *passage) bool { return t.hash == hash }
	return b.refused[hash] != nil || slices.ContainsFunc(b.waiting, is) ||
		slices.ContainsFunc(b.running, func(c call) bool { return slices.ContainsFunc(c.texts, is) })
}

// flush begins to embed the texts that wait until fewer than least do.
func (b *embedding) flush(ctx context.Context, least int) {
	for len(b.waiting) >= least {
		b.collect(embedCalls - 1)
		if b.failed != nil {
			return
		}
		c := call{b.waiting[:min(embedBatch, len(b.waiting))], make(chan error, 1)}
		b.waiting = b.waiting[len(c.texts):]
		b.running = append(b.running, c)
		go func() { c.done <- b.x.vectors(ctx, c.texts) }()
	}
}

// collect waits for calls until no more than most are running.
func (b *embedding) collect(most int) {
	for len(b.running) > most {
		c := b.running[0]
		b.running = b.running[1:]
		if err := <-c.done; err != nil && b.failed == nil {
			b.failed = err
		}
		for _, t := range c.texts {
			if t.refused != nil {
				t.text = ""
				b.refused[t.hash] = t
			}
		}
	}
}

// judge says what became of the vectors that a document needed.
func (b *embedding) judge(o *index.Outline) (vectored, error) {
	v := vectored{Done: true}
	if len(b.refused) == 0 {
		return v, nil
	}
	cut, what := 0, ""
	for i := range o.Len() {
		ch, err := o.Chunk(i)
		if err != nil {
			return vectored{}, err
		}
		t := b.refused[ch.Hash]
		if t == nil {
			continue
		}
		what = t.refused.Error()
		if t.cut {
			cut++
		} else {
			v.Lacking++
		}
	}
	switch n := o.Len(); {
	case v.Lacking > 0:
		v.Note = fmt.Sprintf("embedded in part: %d of %d passages are found by keyword alone, for the embedder refused them: %s", v.Lacking, n, what)
	case cut > 0:
		v.Note = fmt.Sprintf("embedded in part: of %d of %d passages only the beginning, for the embedder found them too long: %s", cut, n, what)
	}
	v.Note = brief(v.Note)
	return v, nil
}

// vectors embeds texts and stores the vectors.
func (x *Indexer) vectors(ctx context.Context, ts []*passage) error {
	vs, err := x.ask(ctx, ts)
	switch {
	case err == nil:
		return x.storeVectors(ctx, ts, vs)
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

func (x *Indexer) storeVectors(ctx context.Context, ts []*passage, vs [][]float32) error {
	hashes := make([]index.ID, len(ts))
	for i, t := range ts {
		hashes[i] = t.hash
	}
	return x.store(ctx, func() error { return x.index.PutVectors(ctx, hashes, vs) }, nil)
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
			return x.storeVectors(ctx, []*passage{t}, vs)
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
		x.vigil.begin()
		vs, err := x.space.Embedder.Embed(ctx, texts)
		x.vigil.end()
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
