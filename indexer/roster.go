package indexer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/internal/durable"
	"github.com/ragserver/ragserver/pipeline"
)

// The roster is a file with the names of all sources that the collection ever
// had. The engine's state holds their rows, so the plan must have them even when
// the configuration does not any more.

func (x *Indexer) rosterFile() string { return filepath.Join(x.dir, "sources.json") }

// enrol adds the names to the roster and returns those on it that are not among
// them: sources of former runs.
func (x *Indexer) enrol(names []string) (former []string, err error) {
	var roster []string
	b, err := os.ReadFile(x.rosterFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("indexer: reading which sources there were: %w", err)
	default:
		if err := json.Unmarshal(b, &roster); err != nil {
			return nil, fmt.Errorf("indexer: %w; write into it a JSON list of the names of all sources the collection ever had", &index.Damage{File: x.rosterFile(), Offset: -1, What: err.Error()})
		}
	}
	all := slices.Clone(roster)
	for _, n := range names {
		if !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	for _, n := range roster {
		if !slices.Contains(names, n) {
			former = append(former, n)
		}
	}
	if len(all) == len(roster) {
		return former, nil
	}
	if b, err = json.Marshal(all); err != nil {
		return nil, err
	}
	if err := durable.Replace(x.rosterFile(), b); err != nil {
		return nil, fmt.Errorf("indexer: noting which sources there are: %w", err)
	}
	return former, nil
}

// formerSource stands for a source that is not configured any more. If it is
// withdrawn, its documents go; else they stay as they are and answer, and what
// was under way waits for a run that has the source.
func (x *Indexer) formerSource(name string, withdraw bool) *source {
	s := &source{name: name, kind: "former", former: true, pipeline: kept{x}}
	if withdraw {
		s.pipeline = withdrawn{x, name}
	}
	s.open = func(item) (parse.File, io.Closer, error) { return parse.File{}, nil, errNotHere }
	s.standing = func() SourceStatus {
		st := SourceStatus{Scanned: true}
		if !withdraw {
			st.Trouble = errNotHere.Error()
		}
		return st
	}
	return s
}

var errNotHere = errors.New("the source is not configured in this run")

// kept is a former source whose documents stay. What of them lacks vectors gets
// them from the stored text.
type kept struct{ x *Indexer }

// Run implements pipeline.Source.
func (s kept) Run(ctx context.Context, in pipeline.Input[item]) error {
	var asked []item
	in.Rows(func(_ pipeline.Key, it item) bool {
		if again, ok := s.x.again(it, it.Settings); ok {
			asked = append(asked, again)
		}
		return true
	})
	return s.x.askAgain(ctx, in, asked)
}

// withdrawn is a former source whose documents go, and with them all that it
// knew: if it is configured again, it begins anew.
type withdrawn struct {
	x    *Indexer
	name string
}

// Run implements pipeline.Source.
func (w withdrawn) Run(ctx context.Context, in pipeline.Input[item]) error {
	var rows, state []pipeline.Key
	in.Rows(func(k pipeline.Key, _ item) bool {
		rows = append(rows, k)
		return true
	})
	in.State(func(k pipeline.Key, _ []byte) bool {
		state = append(state, k)
		return true
	})
	if len(rows) > 0 {
		w.x.log.Warn("a source is not configured any more: its documents are withdrawn", "source", w.name, "documents", len(rows))
	}
	// Positions first: whatever of the rows a crash leaves, the source would
	// bring them again.
	for _, k := range state {
		in.Drop(k)
	}
	for i, k := range rows {
		w.x.dropped(k)
		in.Delete(k)
		if (i+1)%refreshSlice == 0 {
			if err := in.Commit(ctx, nil); err != nil {
				return err
			}
		}
	}
	return in.Commit(ctx, func(uint64) {
		if err := w.x.removeSpool(w.name); err != nil {
			w.x.log.Warn("what a source had stored could not be removed", "source", w.name, "err", err)
		}
	})
}
