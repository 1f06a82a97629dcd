package indexer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/pipeline"
)

// indexSink applies what the embed stage made, and what could not be read, to
// the index: one epoch, one view.
type indexSink struct{ x *Indexer }

// Applied returns the index's epoch: it never leads the engine, so everything
// above it is sent again after a crash.
func (s indexSink) Applied(context.Context) (uint64, error) { return s.x.index.Epoch(), nil }

// Apply is idempotent: the index ignores an epoch that it has.
func (s indexSink) Apply(ctx context.Context, epoch uint64, changes []pipeline.Change[ready]) error {
	x := s.x
	before := x.index.View()
	b := index.Batch{Epoch: epoch}
	put := map[index.ID]bool{}
	for _, c := range changes {
		if c.N > 0 {
			d, err := x.document(docID(c.Key), c.Row)
			if err != nil {
				return err
			}
			if old := find(before, d.ID); old != nil && old.Version == d.Version {
				d.Embedded = d.Embedded || old.Embedded // those it has stay while others are made
			}
			b.Put = append(b.Put, d)
			put[d.ID] = true
		}
	}
	for _, c := range changes {
		id := docID(c.Key)
		if c.N < 0 && !put[id] {
			b.Delete = append(b.Delete, id)
		}
	}
	apply := func() error {
		_, err := x.index.Apply(ctx, b)
		return err
	}
	if err := x.store(ctx, apply, nil); err != nil {
		// The engine remembers that a text was read and stored; if the index has
		// not got it, it is not the index that the text was stored in.
		if errors.As(err, new(*index.MissingError)) {
			err = fmt.Errorf("%w: %w", err, pipeline.ErrOtherState)
		}
		return fmt.Errorf("indexer: bringing epoch %d into the index: %w", epoch, err)
	}
	after := x.index.View()
	for id := range put {
		x.board.arrive(find(before, id), find(after, id))
	}
	for _, c := range changes {
		if c.N > 0 && c.Row.Vectors.Done {
			x.arrived(c.Row.Item)
		}
	}
	for _, id := range b.Delete {
		if old := find(before, id); old != nil {
			x.board.arrive(old, nil)
		}
	}
	return nil
}

func find(v *index.View, id index.ID) *index.Document {
	if d, ok := v.Document(id); ok {
		return &d
	}
	return nil
}

// brief shortens what is only shown.
func brief(s string) string {
	const most = 1000
	if len(s) > most {
		s = s[:most] + "…"
	}
	return legible(s)
}

// legible is a name of a file, which may be any bytes, as text.
func legible(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// document is what the index is to hold for a row or, if it cannot hold that, a
// row that says why: one strange document must not keep all others out.
func (x *Indexer) document(id index.ID, r ready) (index.Document, error) {
	it := r.Item
	d := index.Document{
		ID: id, Source: it.Source, Path: legible(it.Path), Version: r.Finding.Version, Embedded: r.Vectors.Done,
		Meta: index.Meta{
			Created: it.Created, Modified: it.Modified, Seen: it.Seen,
			Size: it.Size, Owner: legible(it.Owner), Type: r.Finding.Type,
		},
	}
	switch r.Finding.Outcome {
	case skipped:
		d.Unread, d.Version = unreadSkipped+brief(r.Finding.Reason), index.ID{}
	case failed:
		d.Unread, d.Version = unreadFailed+brief(r.Finding.Reason), index.ID{}
	default:
		if err := x.describe(&d, r); err != nil {
			return d, err
		}
	}
	if err := d.Check(); err != nil {
		d.Unread, d.Version, d.Embedded = unreadFailed+brief(err.Error()), index.ID{}, true
		d.Path, d.Meta.Title, d.Meta.Attributes = brief(d.Path), brief(d.Meta.Title), nil
		d.Meta.Owner, d.Meta.Language, d.Meta.Type = brief(d.Meta.Owner), brief(d.Meta.Language), brief(d.Meta.Type)
	}
	return d, nil
}

// describe adds what the index knows of the document's version, and what its
// source does, which counts more.
func (x *Indexer) describe(d *index.Document, r ready) error {
	it := r.Item
	c, err := x.index.Outline(d.Version)
	if errors.Is(err, index.ErrNotFound) {
		return nil // the index will say so itself
	}
	if err != nil {
		return fmt.Errorf("indexer: metadata of %s/%s: %w", it.Source, it.Path, err)
	}
	fields, err := fieldsOf(it)
	if err != nil {
		return fmt.Errorf("indexer: metadata of %s/%s: %w", it.Source, it.Path, err)
	}
	m := &d.Meta
	m.Title, m.Language, m.Type = legible(titleOf(it, c)), c.Language, c.Type
	m.Attributes = map[string]any{}
	maps.Copy(m.Attributes, c.Attributes)
	maps.Copy(m.Attributes, fields)
	if v := r.Vectors; v.Note != "" {
		ws := []string{v.Note}
		if w, ok := c.Attributes[attrWarning].(string); ok {
			ws = append(ws, w)
		}
		m.Attributes[attrWarning] = warning(ws)
		if v.Lacking > 0 {
			m.Attributes[attrUnembedded] = float64(v.Lacking)
		}
	}
	return nil
}
