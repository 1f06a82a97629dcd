package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/ragserver/ragserver/api/internal/selection"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// engine is a whole collection in memory that behaves: what is put is found by
// its words after its epoch, what is deleted is gone, filters hold, events are
// told. Chunks are paragraphs; a vector counts letters.
type engine struct {
	mu      sync.Mutex // guards all below
	epoch   uint64
	docs    map[index.ID]*fakeDoc
	texts   map[index.ID]string // by version
	pending map[index.ID]indexer.Status
	events  []indexer.Event // seq is position + 1
	dropped uint64          // events up to this one are no longer held
	changed chan struct{}
	// hold keeps documents from going live until it is closed.
	hold chan struct{}
	// fail, if set, is what searches, answers and writes return.
	fail error
	// block, if set, makes answers wait for it (or for the context).
	block chan struct{}
	// followers counts the readers of the feed.
	followers int
	// left counts answers whose reader went away.
	left int
	// asked and queried are the last question and query.
	asked   answer.Question
	queried index.Query
	usage   llm.Usage
	now     time.Time
}

type fakeDoc struct {
	index.Document
	text   string
	chunks []index.Chunk
}

func newEngine() *engine {
	return &engine{docs: map[index.ID]*fakeDoc{}, texts: map[index.ID]string{}, pending: map[index.ID]indexer.Status{},
		changed: make(chan struct{}), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
}

func cut(parts ...string) (id index.ID) {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	copy(id[:], h[:])
	return id
}

func (e *engine) collection(name string) Collection {
	return Collection{
		Name: name, Search: e, Ask: e, Summarize: e, View: func() View { return e }, Content: e.content, Statuses: rows{e}, Feed: e, Writer: e,
		Sources: e.Sources, Space: indexer.Space{Name: "letters", Dims: 26, Weight: .3, Embedder: e},
		Explain:  func() string { return "documents -> index" },
		Troubles: func() []indexer.Trouble { return []indexer.Trouble{{Part: "storage", Reason: "the disk is full"}} },
	}
}

// add makes a document of a source live at once.
func (e *engine) add(source, path, text string, attrs map[string]any) index.ID {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live(source, path, text, index.Meta{Attributes: attrs}).ID
}

func (e *engine) live(source, path, text string, m index.Meta) *fakeDoc {
	e.epoch++
	e.now = e.now.Add(time.Second)
	d := &fakeDoc{text: text}
	d.ID, d.Source, d.Path, d.Version, d.Epoch, d.Applied = cut(source, path), source, path, cut(text), e.epoch, e.now
	d.Meta = m
	d.Meta.Seen, d.Meta.Size, d.Embedded = e.now, int64(len(text)), true
	if d.Meta.Modified.IsZero() {
		d.Meta.Modified = e.now.Add(-time.Hour)
	}
	d.Meta.Title = path
	for at := 0; at < len(text); {
		end := len(text)
		if i := strings.Index(text[at:], "\n\n"); i >= 0 {
			end = at + i
		}
		if end > at {
			d.chunks = append(d.chunks, index.Chunk{Start: uint32(at), End: uint32(end), Hash: cut(text[at:end])})
		}
		at = end + 2
	}
	d.Chunks, d.Vectored = len(d.chunks), len(d.chunks)
	e.docs[d.ID], e.texts[d.Version] = d, text
	delete(e.pending, d.ID)
	e.tell(indexer.Event{Status: statusOf(d)})
	return d
}

// unread makes a document of which nothing could be read; the reason is all
// there is of it.
func (e *engine) unread(source, path string, state indexer.State, reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.live(source, path, "", index.Meta{})
	d.Unread = string(state) + ": " + reason
}

func statusOf(d *fakeDoc) indexer.Status {
	if state, reason, unread := strings.Cut(d.Unread, ": "); unread {
		return indexer.Status{ID: d.ID, Source: d.Source, Path: d.Path, State: indexer.State(state), Reason: reason,
			Size: d.Meta.Size, Seen: d.Meta.Seen, Updated: d.Applied, Epoch: d.Epoch}
	}
	return indexer.Status{ID: d.ID, Source: d.Source, Path: d.Path, State: indexer.Live, Version: d.Version, LiveVersion: d.Version,
		Title: d.Meta.Title, Type: d.Meta.Type, Size: d.Meta.Size, Chunks: d.Chunks, Embedded: d.Chunks, Modified: d.Meta.Modified,
		Seen: d.Meta.Seen, Updated: d.Applied, LiveAt: d.Applied, Epoch: d.Epoch}
}

func (e *engine) tell(ev indexer.Event) {
	ev.Seq, ev.Time = uint64(len(e.events)+1), e.now
	e.events = append(e.events, ev)
	close(e.changed)
	e.changed = make(chan struct{})
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func letters(s string) []float32 {
	v := make([]float32, 26)
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' {
			v[r-'a']++
		}
	}
	return v
}

func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	if aa == 0 || bb == 0 {
		return math.NaN()
	}
	return dot / math.Sqrt(aa*bb)
}

func (e *engine) Embed(_ context.Context, texts []string) ([][]float32, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return nil, e.fail
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = letters(t)
	}
	return out, nil
}

func (e *engine) Search(ctx context.Context, q index.Query) (index.Result, error) {
	if err := e.reach(ctx, q.MinEpoch); err != nil {
		return index.Result{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queried = q
	if e.fail != nil {
		return index.Result{}, e.fail
	}
	want, err := selection.Parse(q.Filter, q.Glob)
	if err != nil {
		return index.Result{}, err
	}
	asked := words(q.Text)
	var hits []index.Hit
	for _, d := range e.docs {
		if q.Documents != nil && !slices.Contains(q.Documents, d.ID) || !want.Match(selection.Fields(&d.Document)) {
			continue
		}
		for i, c := range d.chunks {
			h := index.Hit{Chunk: cut(d.ID.String(), c.Hash.String(), fmt.Sprint(i)), Document: d.Document, Title: d.Meta.Title,
				Start: int(c.Start), End: int(c.End), Text: d.text[c.Start:c.End], Cosine: math.NaN()}
			why := &index.Why{Terms: map[string]float64{}}
			have := words(h.Text)
			for _, w := range asked {
				if slices.Contains(have, w) {
					h.BM25 += 1 / math.Sqrt(float64(len(have)))
					why.Terms[w] = h.BM25
				}
			}
			if q.Mode != index.Keyword {
				h.Cosine = cosine(letters(q.Text), letters(h.Text))
			}
			switch q.Mode {
			case index.Vector:
				h.BM25, h.Score = 0, h.Cosine
			case index.Keyword:
				h.Score = h.BM25
			default:
				h.Score = .7*h.BM25 + .3*cmp.Or(h.Cosine, 0)
			}
			if h.BM25 == 0 && q.Mode == index.Keyword || math.IsNaN(h.Score) {
				continue
			}
			if q.Explain {
				h.Why = why
			}
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, func(a, b index.Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Chunk.String(), b.Chunk.String()))
	})
	return index.Result{Epoch: e.epoch, Hits: hits[:min(q.K, len(hits))], Took: 42 * time.Microsecond}, nil
}

func (e *engine) reach(ctx context.Context, epoch uint64) error {
	for {
		e.mu.Lock()
		now, changed := e.epoch, e.changed
		e.mu.Unlock()
		if now >= epoch {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ask answers with the first sentence of each of the two best passages.
func (e *engine) Ask(ctx context.Context, q answer.Question) iter.Seq2[answer.Event, error] {
	return func(yield func(answer.Event, error) bool) {
		e.mu.Lock()
		e.asked = q
		block, fail, usage := e.block, e.fail, e.usage
		e.mu.Unlock()
		sq := q.Query
		sq.Text = q.Text
		res, err := e.Search(ctx, sq)
		if err != nil {
			yield(answer.Event{}, err)
			return
		}
		a := &answer.Answer{Kind: answer.Extracted, Epoch: res.Epoch, Finish: "stop", Retrieval: res.Took, Total: 2 * res.Took, Usage: usage}
		for i, h := range res.Hits {
			a.Sources = append(a.Sources, answer.Source{N: i + 1, Hit: h})
		}
		gone := func() {
			e.mu.Lock()
			e.left++
			e.mu.Unlock()
		}
		if !yield(answer.Event{Sources: &answer.Sources{Epoch: res.Epoch, Query: q.Text, Sources: slices.Clone(a.Sources), Took: res.Took}}, nil) {
			gone()
			return
		}
		if block != nil {
			select {
			case <-block:
			case <-ctx.Done():
				gone()
				yield(answer.Event{}, ctx.Err())
				return
			}
		}
		for i := range a.Sources[:min(2, len(a.Sources))] {
			a.Sources[i].Cited = true
			first, _, _ := strings.Cut(a.Sources[i].Hit.Text, ".")
			piece := fmt.Sprintf("%s. [%d] ", first, i+1)
			a.Text += piece
			if !yield(answer.Event{Text: piece}, nil) {
				gone()
				return
			}
			if fail != nil {
				yield(answer.Event{}, fail)
				return
			}
		}
		if len(a.Sources) == 0 {
			a.Kind, a.Text = answer.Refused, "Nothing was found."
			if !yield(answer.Event{Text: a.Text}, nil) {
				return
			}
		}
		if usage != (llm.Usage{}) {
			a.Kind, a.Model = answer.Generated, "local"
		}
		yield(answer.Event{Done: a}, nil)
	}
}

func (e *engine) Document(id index.ID) (index.Document, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.docs[id]; d != nil {
		return d.Document, true
	}
	return index.Document{}, false
}

func (e *engine) sorted() []*fakeDoc {
	return slices.SortedFunc(maps.Values(e.docs), func(a, b *fakeDoc) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Path, b.Path))
	})
}

func (e *engine) Documents() iter.Seq[index.Document] {
	return func(yield func(index.Document) bool) {
		e.mu.Lock()
		all := e.sorted()
		e.mu.Unlock()
		for _, d := range all {
			if !yield(d.Document) {
				return
			}
		}
	}
}

func (e *engine) Stats() index.Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := index.Stats{Epoch: e.epoch, DiskBytes: 4096, HeapBytes: 1024}
	for _, d := range e.docs {
		if d.Unread != "" {
			s.Unread++
			continue
		}
		s.Documents++
		s.Chunks += d.Chunks
		s.Embedded += d.Vectored
		if d.Meta.Modified.After(s.LastModified) {
			s.LastModified = d.Meta.Modified
		}
		if d.Meta.Seen.After(s.LastSeen) {
			s.LastSeen = d.Meta.Seen
		}
	}
	return s
}

func (e *engine) content(v index.ID) (*index.Content, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, ok := e.texts[v]
	if !ok {
		return nil, fmt.Errorf("version %s: %w", v, index.ErrNotFound)
	}
	return &index.Content{Version: v, Text: t}, nil
}

func (e *engine) Text(id index.ID, start, end int) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.docs[id]
	if d == nil || start < 0 || end > len(d.text) || start > end {
		return "", fmt.Errorf("no bytes %d to %d of document %s", start, end, id)
	}
	return d.text[start:end], nil
}

// cutAsker answers as llm/answer does when the model breaks off.
type cutAsker struct{ *engine }

func (a cutAsker) Ask(ctx context.Context, q answer.Question) iter.Seq2[answer.Event, error] {
	return func(yield func(answer.Event, error) bool) {
		for e, err := range a.engine.Ask(ctx, q) {
			if e.Done != nil {
				e.Done.Kind, e.Done.Model, e.Done.Finish = answer.Generated, "local", ""
				e.Done.Notices = []answer.Notice{{Code: answer.CutOff, Message: "the answer is incomplete: the model took too long"}}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
