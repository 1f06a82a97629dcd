package index

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/ragserver/ragserver/indexer/index/filter"
	"github.com/ragserver/ragserver/indexer/index/keyword"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// View is one immutable state of the index. Its methods may be called from
// several goroutines at once, take no lock and never wait for a writer. A View
// may be kept as long as one likes, until Close: what it refers to stays.
type View struct {
	x        *Index
	epoch    uint64
	docs     trie
	byNumber pages[*entry]
	places   pages[place]
	live     bitset
	rows     int
	chunks   int
	vectored int
	vec      *vector.Flat // nil without an embedder
	words    *keyword.Snapshot
	fields   *filter.Snapshot
	next     chan struct{} // closed when a newer view is there

	latest         sync.Once // computes those below, which only Stats asks for
	unread         int
	modified, seen time.Time
}

// view takes a View of the state. Caller holds writer.
func (s *state) view(x *Index) *View {
	v := &View{
		x: x, epoch: s.epoch, docs: s.docs, byNumber: s.byNumber.snapshot(), places: s.places.snapshot(),
		rows: int(s.rows.next), chunks: s.chunks, vectored: s.vectored,
		words: s.words.Snapshot(), fields: s.fields.Snapshot(), next: make(chan struct{}),
	}
	v.live = make(bitset, (v.rows+63)/64)
	copy(v.live, s.live)
	if s.vec != nil {
		s.vec.Grow(v.rows)
		v.vec = s.vec.Snapshot()
	}
	s.owner = new(trieOwner)
	return v
}

// View gives the newest view.
func (x *Index) View() *View { return x.view.Load() }

// Epoch is the last epoch that was applied.
func (x *Index) Epoch() uint64 { return x.View().epoch }

// Wait gives a view at that epoch or a later one, as soon as there is one.
func (x *Index) Wait(ctx context.Context, epoch uint64) (*View, error) {
	for {
		v := x.View()
		if v.epoch >= epoch {
			return v, nil
		}
		select {
		case <-v.next:
		case <-x.done:
			return nil, errClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("index: waiting for epoch %d, it is at %d: %w", epoch, v.epoch, ctx.Err())
		}
	}
}

// Epoch is the last epoch that the view shows.
func (v *View) Epoch() uint64 { return v.epoch }

// Document finds a live document.
func (v *View) Document(id ID) (Document, bool) {
	if e := v.docs.get(id); e != nil {
		return e.doc, true
	}
	return Document{}, false
}

// Documents gives all live documents, by ID. Their Meta.Attributes must not be
// changed.
func (v *View) Documents() iter.Seq[Document] {
	return func(yield func(Document) bool) {
		v.docs.all(func(e *entry) bool { return yield(e.doc) })
	}
}

// Select gives the documents that a filter and a glob allow, by ID; "" allows
// all.
func (v *View) Select(filterExpr, glob string) ([]Document, error) {
	want, err := v.condition(filterExpr, glob)
	if err != nil {
		return nil, err
	}
	var set bitset
	if !want.Everything() {
		set = v.selected(want)
	}
	var out []Document
	v.docs.all(func(e *entry) bool {
		if want.Everything() || set.has(e.number) {
			out = append(out, e.doc)
		}
		return true
	})
	return out, nil
}

// condition parses a filter and a glob into one expression.
func (v *View) condition(filterExpr, glob string) (filter.Expr, error) {
	var es []filter.Expr
	if filterExpr != "" {
		e, err := filter.Parse(filterExpr)
		if err != nil {
			return filter.Expr{}, err
		}
		es = append(es, e)
	}
	if glob != "" {
		g, err := filter.ParseGlob(glob)
		if err != nil {
			return filter.Expr{}, err
		}
		es = append(es, filter.PathGlob(g))
	}
	return filter.And(es...), nil
}

// selected gives the numbers of the documents that want allows.
func (v *View) selected(want filter.Expr) bitset {
	var set bitset
	for it := v.fields.Select(want).Iterator(); it.HasNext(); {
		set.set(it.Next())
	}
	return set
}

// Content reads what a live document's version consists of. The error is
// ErrNotFound if the document is not live, or has none because it is unread.
func (v *View) Content(doc ID) (*Content, error) {
	e := v.docs.get(doc)
	if e == nil || e.content == nil {
		return nil, fmt.Errorf("index: content of document %v: %w", doc, ErrNotFound)
	}
	return e.content.whole()
}

// Text reads bytes start to end of a live document's text.
func (v *View) Text(doc ID, start, end int) (string, error) {
	e := v.docs.get(doc)
	if e == nil || e.content == nil {
		return "", fmt.Errorf("index: text of document %v: %w", doc, ErrNotFound)
	}
	if start < 0 || end < start || end > int(e.content.text) {
		return "", fmt.Errorf("index: text of document %v: bytes %d to %d do not lie in a text of %d", doc, start, end, e.content.text)
	}
	return e.content.span(uint32(start), uint32(end))
}

// Stats describes the view; the sizes are those of the index as it is now.
func (v *View) Stats() Stats {
	v.latest.Do(func() {
		v.docs.all(func(e *entry) bool {
			if e.doc.Unread != "" {
				v.unread++
				return true
			}
			if m := e.doc.Meta.Modified; m.After(v.modified) {
				v.modified = m
			}
			if s := e.doc.Meta.Seen; s.After(v.seen) {
				v.seen = s
			}
			return true
		})
	})
	s := Stats{
		Epoch: v.epoch, Documents: v.docs.n - v.unread, Unread: v.unread, Chunks: v.chunks, Embedded: v.vectored,
		LastModified: v.modified, LastSeen: v.seen, DiskBytes: v.x.diskBytes(),
	}
	// What the view holds, the vectors' 7-bit rows outside the Go heap included.
	s.HeapBytes = v.words.Stats().Bytes + int64(v.rows)*17
	if v.vec != nil {
		heap, outside := v.vec.Bytes()
		s.HeapBytes += heap + outside
	}
	return s
}
