package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ragserver/ragserver/api"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
)

// forAPI presents a collection in the parts that the API asks for.
func (col *collection) forAPI() api.Collection {
	x := col.indexer
	return api.Collection{
		Name: col.name, Search: x, Ask: col.answers,
		View:     func() api.View { return x.View() },
		Content:  x.Content,
		Statuses: statuses{x}, Feed: x, Sources: x.Sources, Writer: writer{x},
		Space: col.space, Model: col.model, Explain: x.Explain,
	}
}

// counts of a collection, for the line that is printed.
type standingCounts struct{ live, unread, chunks int }

func (col *collection) stats() standingCounts {
	states, _ := col.indexer.Counts()
	return standingCounts{
		live:   states[indexer.Live] + states[indexer.Stale],
		unread: states[indexer.Failed] + states[indexer.Skipped],
		chunks: col.indexer.View().Stats().Chunks,
	}
}

type statuses struct{ *indexer.Indexer }

func (s statuses) Documents(l api.List) ([]indexer.Status, int) {
	return s.Indexer.Documents(indexer.List{
		Text: l.Text, State: l.State, Source: l.Source, Limit: l.Limit,
		After: indexer.Place{Source: l.AfterSource, Path: l.AfterPath},
	})
}

// writer tells the API's errors for the indexer's.
type writer struct{ *indexer.Indexer }

func (w writer) Put(ctx context.Context, source, key string, r io.Reader, m index.Meta) (indexer.Status, error) {
	s, err := w.Indexer.Put(ctx, source, key, r, m)
	return s, forCaller(err)
}

func (w writer) Delete(ctx context.Context, source, key string) (indexer.Status, error) {
	s, err := w.Indexer.Delete(ctx, source, key)
	return s, forCaller(err)
}

func forCaller(err error) error {
	for ours, theirs := range map[error]error{
		indexer.ErrNoSource: api.ErrNoSource, indexer.ErrReadOnly: api.ErrReadOnly, indexer.ErrNoDocument: api.ErrNoDocument,
	} {
		if errors.Is(err, ours) {
			return fmt.Errorf("%w: %w", theirs, err)
		}
	}
	return err
}
