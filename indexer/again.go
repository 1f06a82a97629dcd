package indexer

import (
	"context"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/pipeline"
)

// Results of a former run are asked for again when they are not what this run
// would make: when the parser or the embedder is another one, and when the index
// lacks vectors of a document, which were lost with a file or with an embedder
// that was tried in between.

// again returns the row that asks for a document again, if that is needed. If
// the former run was still at it, little is lost: it is answered from what is
// stored.
func (x *Indexer) again(it item, settings string) (item, bool) {
	d, ok := x.present(it)
	lost := ok && lacking(d)
	if it.Settings == settings && !lost {
		return it, false
	}
	if lost {
		it.Again++
	}
	it.Settings, it.Backlog = settings, true
	return it, true
}

// present returns the document in the index, if it is the version that the row
// tells of.
func (x *Indexer) present(it item) (index.Document, bool) {
	d, ok := x.index.View().Document(docID(it.key()))
	return d, ok && d.Meta.Seen.Equal(it.Seen)
}

// here reports whether the version that a row tells of is in the index.
func (x *Indexer) here(it item) bool {
	_, ok := x.present(it)
	return ok
}

// refreshSlice is how many rows are asked again in one group.
const refreshSlice = 4096

// askAgain puts rows of a former run in again.
func (x *Indexer) askAgain(ctx context.Context, in pipeline.Input[item], asked []item) error {
	for i, it := range asked {
		x.found(it)
		in.Upsert(it.key(), it)
		if (i+1)%refreshSlice == 0 || i+1 == len(asked) {
			if err := in.Commit(ctx, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
