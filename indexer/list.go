package indexer

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"iter"
	"strings"

	"github.com/ragserver/ragserver/indexer/index"
)

// List says which rows of the status table are wanted.
type List struct {
	Text   string // part of the path or title, any case
	State  State  // "" for all
	Source string // "" for all
	After  Place  // rows behind this place
	Limit  int    // at most this many; 0 for all
}

// Place is where a row stands in the order of the table. Names of files that
// are not UTF-8 may be shown alike: the document's identity tells them apart.
type Place struct {
	Source, Path string
	ID           index.ID
}

// Compare orders places by source, then path, then identity.
func (p Place) Compare(o Place) int {
	return cmp.Or(strings.Compare(p.Source, o.Source), strings.Compare(p.Path, o.Path), bytes.Compare(p.ID[:], o.ID[:]))
}

// Place is where the row stands in the table.
func (s *Status) Place() Place { return Place{s.Source, s.Path, s.ID} }

func (l *List) wants(s *Status) bool {
	if l.State != "" && s.State != l.State || l.Source != "" && s.Source != l.Source {
		return false
	}
	if l.Text == "" {
		return true
	}
	text := strings.ToLower(l.Text)
	return strings.Contains(strings.ToLower(s.Path), text) || strings.Contains(strings.ToLower(s.Title), text)
}

// Documents returns the rows that l wants, ordered by source and path, and how
// many there are without After and Limit.
func (x *Indexer) Documents(l List) (rows []Status, total int) {
	stale := x.staleSources()
	var first lastFirst
	take := func(s Status) {
		if s.State == Live && stale[s.Source] {
			s.State = Stale
		}
		if !l.wants(&s) {
			return
		}
		total++
		if l.After != (Place{}) && s.Place().Compare(l.After) <= 0 {
			return
		}
		switch {
		case l.Limit <= 0 || len(first) < l.Limit:
			heap.Push(&first, s)
		case s.Place().Compare(first[0].Place()) < 0:
			first[0] = s
			heap.Fix(&first, 0)
		}
	}
	onWay := x.board.allOnWay()
	for _, s := range onWay {
		take(s)
	}
	for d := range x.index.View().Documents() {
		if _, moving := onWay[d.ID]; !moving {
			take(arrivedStatus(d))
		}
	}
	rows = make([]Status, len(first))
	for i := len(rows) - 1; i >= 0; i-- {
		rows[i] = heap.Pop(&first).(Status)
	}
	return rows, total
}

// lastFirst is a heap whose top is the row that comes last in order.
type lastFirst []Status

func (h lastFirst) Len() int           { return len(h) }
func (h lastFirst) Less(i, j int) bool { return h[i].Place().Compare(h[j].Place()) > 0 }
func (h lastFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lastFirst) Push(s any)        { *h = append(*h, s.(Status)) }
func (h *lastFirst) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}

// Document returns the row of one document.
func (x *Indexer) Document(id index.ID) (Status, bool) {
	if s, ok := x.board.onWay(id); ok {
		return s, true
	}
	d, ok := x.index.View().Document(id)
	if !ok {
		return Status{}, false
	}
	s := arrivedStatus(d)
	if s.State == Live && x.staleSources()[s.Source] {
		s.State = Stale
	}
	return s, true
}

// Counts returns the documents by state and how many are on their way.
func (x *Indexer) Counts() (states map[State]int, pending int) {
	return x.board.counts(x.index.View().Document)
}

// Unfound returns how many documents have a version that cannot be found yet,
// be it by keyword. The others of those on their way lack vectors alone.
func (x *Indexer) Unfound() int { return x.board.unfound() }

// Events yields the changes of the status table after sequence number after,
// then what comes, until ctx ends. It yields false when the reader has fallen
// so far behind that it must read the table again.
func (x *Indexer) Events(ctx context.Context, after uint64) iter.Seq2[Event, bool] {
	return x.board.follow(ctx, after)
}

// LastEvent returns the sequence number of the newest event.
func (x *Indexer) LastEvent() uint64 { return x.board.newest() }
