package fsio

import (
	"container/heap"
	"sync"
	"time"
)

// maxHints bounds the paths that wait to be looked at; beyond, everything is.
const maxHints = 200_000

// hints are paths that something has happened to, in the order in which they
// are due. Any goroutine may add, one takes.
type hints struct {
	quiet, patience time.Duration
	wake            chan struct{} // has something when there is something new

	mu       sync.Mutex
	byPath   map[string]*hint
	order    hintHeap
	overflow string // why single paths are not enough
}

type hint struct {
	path  string
	due   time.Time
	until time.Time // when patience ends
	poked bool      // do not wait for it to settle
	at    int       // in the heap
}

// final reports that the path has been waited for long enough.
func (h *hint) final(now time.Time) bool { return h.poked || !now.Before(h.until) }

func newHints(quiet, patience time.Duration) *hints {
	return &hints{quiet: quiet, patience: patience, wake: make(chan struct{}, 1), byPath: map[string]*hint{}}
}

// add has path looked at when nothing has happened to it for a moment.
func (h *hints) add(path string, now time.Time) { h.put(path, now, now.Add(h.quiet), false) }

// later has path looked at in due time.
func (h *hints) later(path string, now, due time.Time) { h.put(path, now, due, false) }

// poke has path looked at as soon as possible.
func (h *hints) poke(path string, now time.Time) { h.put(path, now, now, true) }

func (h *hints) put(path string, now, due time.Time, poked bool) {
	h.mu.Lock()
	x := h.byPath[path]
	switch {
	case x != nil && x.poked:
	case x != nil:
		if x.due, x.poked = due, poked; !poked && due.After(x.until) {
			x.due = x.until
		}
		heap.Fix(&h.order, x.at)
	case len(h.order) >= maxHints:
		h.overflow = "more changes at once than can be noted one by one"
	default:
		x = &hint{path: path, due: due, until: now.Add(max(h.patience, due.Sub(now))), poked: poked}
		h.byPath[path] = x
		heap.Push(&h.order, x)
	}
	h.mu.Unlock()
	h.signal()
}

// everything has the whole folder looked at.
func (h *hints) everything(why string) {
	h.mu.Lock()
	h.overflow = why
	h.mu.Unlock()
	h.signal()
}

func (h *hints) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// take returns the paths that are due, at most n, the time at which the next
// one will be (zero if there is none), and whether everything is to be looked at.
func (h *hints) take(now time.Time, n int) (due []*hint, next time.Time, overflow string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.order) > 0 && len(due) < n && !h.order[0].due.After(now) {
		x := heap.Pop(&h.order).(*hint)
		delete(h.byPath, x.path)
		due = append(due, x)
	}
	if len(h.order) > 0 {
		next = h.order[0].due
	}
	overflow, h.overflow = h.overflow, ""
	return due, next, overflow
}

// waiting reports whether a path is waiting to be looked at.
func (h *hints) waiting(path string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byPath[path] != nil
}

type hintHeap []*hint

func (h hintHeap) Len() int           { return len(h) }
func (h hintHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h hintHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}
func (h *hintHeap) Push(x any) {
	x.(*hint).at = len(*h)
	*h = append(*h, x.(*hint))
}
func (h *hintHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return x
}
