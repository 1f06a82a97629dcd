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

// formerSource stands for a source that is not configured any more. If others
// are, its documents go; if none is, the collection is only being asked, and
// they stay as they are.
func formerSource(name string, keep bool) *source {
	s := &source{name: name, kind: "former", pipeline: retired{keep}}
	s.open = func(item) (parse.File, io.Closer, error) {
		return parse.File{}, nil, errors.New("its source is not configured")
	}
	s.standing = func() SourceStatus {
		st := SourceStatus{Scanned: true}
		if keep {
			st.Trouble = "the source is not configured in this run"
		}
		return st
	}
	return s
}

type retired struct{ keep bool }

// Run implements pipeline.Source.
func (r retired) Run(ctx context.Context, in pipeline.Input[item]) error {
	if r.keep {
		return nil
	}
	var keys []pipeline.Key
	in.Rows(func(k pipeline.Key, _ item) bool {
		keys = append(keys, k)
		return true
	})
	for i, k := range keys {
		in.Delete(k)
		if (i+1)%refreshSlice == 0 || i+1 == len(keys) {
			if err := in.Commit(ctx, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
