package indexer

import (
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
)

// A reader gets every event while they are held, however many, and is told once
// when some are not; a slow one is told as well, and holds few in the meantime.
func TestFollow(t *testing.T) {
	b := newBoard()
	publish := func(n int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for range n {
			b.publish(Event{Status: Status{ID: index.ID{1}}})
		}
	}
	// read takes events until the newest, and returns the numbers of those it
	// got and how often it was told that some are lost. After the first, act
	// happens.
	read := func(after uint64, act func()) (got []uint64, lost int) {
		for e, whole := range b.follow(t.Context(), after) {
			if act != nil {
				act()
				act = nil
			}
			if !whole {
				lost++
				publish(1) // so that something follows
				continue
			}
			got = append(got, e.Seq)
			if e.Seq == b.newest() {
				break
			}
		}
		return got, lost
	}
	publish(feedWindow + 10)
	newest := b.newest()
	if got, lost := read(newest-feedWindow, nil); lost != 0 || len(got) != feedWindow || got[0] != 11 || got[len(got)-1] != newest {
		t.Errorf("all that is held: %d events, %d times lost", len(got), lost)
	}
	if got, lost := read(newest-feedWindow-1, nil); lost != 1 || len(got) != 1 || got[0] != newest+1 {
		t.Errorf("one too far behind: %v, %d times lost", got, lost)
	}
	newest = b.newest()
	got, lost := read(newest-10, func() { publish(2 * feedWindow) })
	if lost != 1 || len(got) < 10 || len(got) > 10+feedBatch+1 {
		t.Errorf("slow: %d events, %d times lost", len(got), lost)
	}
}
