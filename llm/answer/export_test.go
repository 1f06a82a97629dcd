package answer

import (
	"context"

	"github.com/ragserver/ragserver/indexer/index"
)

// Points at which the gate opens.
const (
	EnoughToAsk   = enoughToAsk
	EnoughToQuote = enoughToQuote
)

// Relevance is the gate's measure of what was found for a question.
func Relevance(ctx context.Context, o Options, question string, hits []index.Hit) (float64, error) {
	e, err := gather(ctx, analyse(question, ""), hits, o.Meaning)
	if err != nil {
		return 0, err
	}
	return e.relevance(o.Closeness), nil
}
