package indexer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
)

// ErrEmbedder is what a search by vector alone ends with when the question
// cannot be embedded.
var ErrEmbedder = errors.New("the embedder does not answer")

// queryEmbedTime is how long a question waits for its vector before it is
// answered by keyword alone, troubledEmbedTime if the embedder did not answer
// the last time.
const (
	queryEmbedTime    = 5 * time.Second
	troubledEmbedTime = time.Second
)

// Search embeds the question if it has no vector yet and asks the live view. An
// embedder that fails costs only its side: the result says so.
func (x *Indexer) Search(ctx context.Context, q index.Query) (index.Result, error) {
	degraded := ""
	if q.Vector == nil && q.Mode != index.Keyword && q.Text != "" {
		v, err := x.embedQuery(ctx, q.Text)
		switch {
		case err == nil:
			q.Vector = v
		case ctx.Err() != nil:
			return index.Result{}, ctx.Err()
		case q.Mode == index.Vector:
			return index.Result{}, fmt.Errorf("indexer: embedding the question: %w: %w", ErrEmbedder, err)
		default:
			degraded = "by keyword alone: the embedder does not answer"
			q.Mode = index.Keyword
		}
	}
	r, err := x.index.Search(ctx, q)
	if r.Degraded == "" {
		r.Degraded = degraded
	}
	return r, err
}

func (x *Indexer) embedQuery(ctx context.Context, text string) ([]float32, error) {
	patience := queryEmbedTime
	if _, trouble := x.Embedder(); trouble != "" {
		patience = troubledEmbedTime
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	vs, err := x.space.Embedder.Embed(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	if len(vs) != 1 {
		return nil, fmt.Errorf("the embedder returned %d vectors for one text", len(vs))
	}
	return vs[0], nil
}
