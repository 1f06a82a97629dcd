package api

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
)

// rows serves Statuses, whose method names are also those of View.
type rows struct{ *engine }

func (e rows) Documents(l indexer.List) ([]indexer.Status, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []indexer.Status
	for _, d := range e.sorted() {
		if _, moving := e.pending[d.ID]; !moving {
			all = append(all, statusOf(d))
		}
	}
	for _, s := range e.pending {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b indexer.Status) int {
		return a.Place().Compare(b.Place())
	})
	total := 0
	var out []indexer.Status
	for _, s := range all {
		if l.State != "" && s.State != l.State || l.Source != "" && s.Source != l.Source ||
			!strings.Contains(strings.ToLower(s.Path+"\n"+s.Title), strings.ToLower(l.Text)) {
			continue
		}
		total++
		if l.After != (indexer.Place{}) && s.Place().Compare(l.After) <= 0 {
			continue
		}
		if l.Limit == 0 || len(out) < l.Limit {
			out = append(out, s)
		}
	}
	return out, total
}

func (e rows) Document(id index.ID) (indexer.Status, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, ok := e.pending[id]; ok {
		return s, true
	}
	if d := e.docs[id]; d != nil {
		return statusOf(d), true
	}
	return indexer.Status{}, false
}

func (e rows) Counts() (map[indexer.State]int, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := map[indexer.State]int{}
	for id, d := range e.docs {
		if _, moving := e.pending[id]; !moving {
			m[statusOf(d).State]++
		}
	}
	for _, s := range e.pending {
		m[s.State]++
	}
	return m, len(e.pending)
}

func (e *engine) Events(ctx context.Context, after uint64) iter.Seq2[indexer.Event, bool] {
	return func(yield func(indexer.Event, bool) bool) {
		e.follow(1)
		defer e.follow(-1)
		for {
			e.mu.Lock()
			newest := uint64(len(e.events))
			lost := after > newest || after < e.dropped
			if lost {
				after = newest
			}
			news := slices.Clone(e.events[after:])
			changed := e.changed
			e.mu.Unlock()
			after = newest
			if lost && !yield(indexer.Event{}, false) {
				return
			}
			for _, ev := range news {
				if !yield(ev, true) {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// follow counts the readers of the feed.
func (e *engine) follow(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.followers += n
}

func (e *engine) LastEvent() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return uint64(len(e.events))
}

func (e *engine) Sources() []indexer.SourceStatus {
	return []indexer.SourceStatus{
		{Name: "docs", Kind: "folder", Location: "/srv/docs", Documents: 2, Scanned: true},
		{Name: "uploads", Kind: "uploads", Location: "uploads", Scanned: true},
		{Name: "news", Kind: "kafka", Location: "127.0.0.1:9092/news", Lag: 7, Trouble: "the broker does not answer"},
	}
}

func (e *engine) Put(_ context.Context, source, key string, r io.Reader, m index.Meta) (indexer.Status, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return indexer.Status{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return indexer.Status{}, e.fail
	}
	st := indexer.Status{ID: cut(source, key), Source: source, Path: key, State: indexer.Found, Size: int64(len(data)), Seen: e.now, Updated: e.now}
	e.pending[st.ID] = st
	e.tell(indexer.Event{Status: st})
	arrive := func() {
		if strings.HasPrefix(string(data), "%BROKEN") {
			st.State, st.Reason, st.Updated = indexer.Failed, "the file is damaged", e.now
			e.pending[st.ID] = st
			e.tell(indexer.Event{Status: st})
			return
		}
		e.live(source, key, string(data), m)
	}
	if e.hold == nil {
		arrive()
		return st, nil
	}
	hold := e.hold
	go func() {
		<-hold
		e.mu.Lock()
		defer e.mu.Unlock()
		arrive()
	}()
	return st, nil
}

func (e *engine) Delete(_ context.Context, source, key string) (indexer.Status, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.docs[cut(source, key)]
	if d == nil {
		return indexer.Status{}, fmt.Errorf("deleting: %w", indexer.ErrNoDocument)
	}
	delete(e.docs, d.ID)
	e.epoch++
	e.tell(indexer.Event{Removed: true, Status: statusOf(d)})
	return indexer.Status{ID: d.ID, Source: source, Path: key}, nil
}

func (e *engine) Settle(ctx context.Context, st indexer.Status) (indexer.Status, error) {
	for {
		now, ok := rows{e}.Document(st.ID)
		if !ok {
			return st, nil
		}
		if settled(string(now.State)) {
			return now, nil
		}
		e.mu.Lock()
		changed := e.changed
		e.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

func (e *engine) Summarize(_ context.Context, texts []string, model string) (string, llm.Usage, error) {
	if e.fail != nil {
		return "", llm.Usage{}, e.fail
	}
	return fmt.Sprintf("%d texts by %s: %s", len(texts), cmp.Or(model, "default"), texts[0]), e.usage, nil
}
