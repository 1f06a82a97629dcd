package indexer

import (
	"context"
	"iter"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
)

// board is the status table. Documents that have arrived (live, failed or
// skipped) have their row in the index, where it survives a restart; the board
// holds only those on their way, the counts, and a window of past events.
type board struct {
	now func() time.Time

	mu      sync.Mutex // guards all below
	pending map[index.ID]*Status
	arrived map[State]int // documents in the index by state
	events  []Event       // ring: event with sequence s is at s % len
	seq     uint64        // of the newest event
	changed chan struct{} // closed and replaced at each event
}

// feedWindow is how many events a reader may fall behind before it must load
// the whole list again.
const feedWindow = 4096

// feedBatch is how many events are taken out of the table at once for a reader.
const feedBatch = 64

func newBoard() *board {
	return &board{
		now:     time.Now,
		pending: map[index.ID]*Status{},
		arrived: map[State]int{},
		events:  make([]Event, feedWindow),
		changed: make(chan struct{}),
	}
}

// recover counts what the index already holds.
func (b *board) recover(documents iter.Seq[index.Document]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for d := range documents {
		b.arrived[arrivedState(d)]++
	}
}

// find puts a document on its way: a source has told of it, or of a new version.
func (b *board) find(s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.State, s.Updated = Found, b.now().UTC()
	b.pending[s.ID] = &s
	b.publish(Event{Status: s})
}

// move notes how far a document that is on its way has come. One that was
// dropped meanwhile, or found anew, stays as it is.
func (b *board) move(s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.pending[s.ID]
	if old == nil || !old.Seen.Equal(s.Seen) || old.State == s.State && old.Version == s.Version && old.Reason == s.Reason {
		return
	}
	s.Updated = b.now().UTC()
	b.pending[s.ID] = &s
	b.publish(Event{Status: s})
}

// arrive records that a document's row in the index changed from old to now;
// either may be absent.
func (b *board) arrive(old, now *index.Document) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old != nil {
		b.arrived[arrivedState(*old)]--
	}
	if now == nil {
		if p := b.pending[old.ID]; p != nil && !p.Seen.After(old.Meta.Seen) {
			delete(b.pending, old.ID)
		}
		s := arrivedStatus(*old)
		s.Updated = b.now().UTC()
		b.publish(Event{Removed: true, Status: s})
		return
	}
	b.arrived[arrivedState(*now)]++
	s := arrivedStatus(*now)
	if p := b.pending[now.ID]; p != nil {
		if p.Seen.After(now.Meta.Seen) {
			return // a newer version is on its way already
		}
		s.Embedded = p.Embedded
		delete(b.pending, now.ID)
	}
	b.publish(Event{Status: s})
}

// computed notes how many chunks of a document on its way had to be embedded.
func (b *board) computed(id index.ID, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pending[id]; p != nil {
		p.Embedded = n
	}
}

// drop forgets a document on its way that its source has taken back. What the
// index has of it, the index will tell.
func (b *board) drop(id index.ID, inIndex bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pending[id]; p != nil {
		delete(b.pending, id)
		if !inIndex {
			b.publish(Event{Removed: true, Status: *p})
		}
	}
}

// onWay returns the row of a document that is on its way.
func (b *board) onWay(id index.ID) (Status, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pending[id]; p != nil {
		return *p, true
	}
	return Status{}, false
}

// allOnWay returns a copy of the rows on their way.
func (b *board) allOnWay() map[index.ID]Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := make(map[index.ID]Status, len(b.pending))
	for id, s := range b.pending {
		m[id] = *s
	}
	return m
}

// counts returns documents by state: a document on its way counts there and
// not where its older version stands, and how many are on their way.
func (b *board) counts(live func(index.ID) (index.Document, bool)) (states map[State]int, pending int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	states = maps.Clone(b.arrived)
	for id, s := range b.pending {
		states[s.State]++
		if d, ok := live(id); ok {
			states[arrivedState(d)]--
		}
	}
	for s, n := range states {
		if n <= 0 {
			delete(states, s)
		}
	}
	return states, states[Found] + states[Parsing] + states[Embedding]
}

// unfound returns how many documents on their way are not in the index as they
// are now.
func (b *board) unfound() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending)
}

func (b *board) publish(e Event) {
	b.seq++
	e.Seq, e.Time = b.seq, b.now().UTC()
	b.events[b.seq%feedWindow] = e
	close(b.changed)
	b.changed = make(chan struct{})
}

// follow yields the events after seq and then waits for more, until ctx ends or
// the loop is left. It yields false once, with no event, when events after seq
// are no longer held: the reader must load the list again; it then goes on with
// what comes.
func (b *board) follow(ctx context.Context, after uint64) iter.Seq2[Event, bool] {
	return func(yield func(Event, bool) bool) {
		for {
			b.mu.Lock()
			lost := after > b.seq || b.seq-after > feedWindow
			if lost {
				after = b.seq
			}
			// A few at a time: a reader that is slow to take them holds no more.
			last := min(b.seq, after+feedBatch)
			news := make([]Event, 0, last-after)
			for s := after + 1; s <= last; s++ {
				news = append(news, b.events[s%feedWindow])
			}
			after = last
			wake, more := b.changed, last < b.seq
			b.mu.Unlock()
			if lost && !yield(Event{}, false) {
				return
			}
			for _, e := range news {
				if !yield(e, true) {
					return
				}
			}
			if more && ctx.Err() == nil {
				continue
			}
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
		}
	}
}

// newest returns the sequence number of the newest event.
func (b *board) newest() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seq
}

// How the index keeps that a document has no text, and why.
const (
	unreadSkipped = "skipped: "
	unreadFailed  = "failed: "
)

func arrivedState(d index.Document) State {
	switch {
	case strings.HasPrefix(d.Unread, unreadSkipped):
		return Skipped
	case d.Unread != "":
		return Failed
	case lacking(d):
		return Embedding // it answers by keyword while its vectors are being made
	}
	return Live
}

// lacking reports whether vectors of a document that was read are still to be
// made.
func lacking(d index.Document) bool {
	never, _ := d.Meta.Attributes[attrUnembedded].(float64)
	return d.Unread == "" && (!d.Embedded || d.Missing > int(never))
}

// arrivedStatus is the row of a document that is in the index.
func arrivedStatus(d index.Document) Status {
	s := Status{
		ID: d.ID, Source: d.Source, Path: d.Path, State: arrivedState(d), Version: d.Version,
		Title: d.Meta.Title, Type: d.Meta.Type, Size: d.Meta.Size, Chunks: d.Chunks,
		Modified: d.Meta.Modified, Seen: d.Meta.Seen, Updated: d.Applied, Epoch: d.Epoch,
	}
	switch s.State {
	case Live, Embedding:
		s.LiveVersion, s.LiveAt = d.Version, d.Applied
		if w, ok := d.Meta.Attributes[attrWarning].(string); ok {
			s.Reason = w
		}
	case Skipped:
		s.Reason = strings.TrimPrefix(d.Unread, unreadSkipped)
	case Failed:
		s.Reason = strings.TrimPrefix(d.Unread, unreadFailed)
	}
	return s
}

// Attributes of documents that are here in part: what could not be read or
// embedded of one, and how many of its chunks its embedder gave no vector for.
const (
	attrWarning    = "warning"
	attrUnembedded = "unembedded"
)
