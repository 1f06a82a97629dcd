package indexer

import (
	"sync"
	"time"
)

// embedSilence is how long no call of the embedder may have ended before it
// counts as one that does not answer. An attempt of a call has no longer.
const embedSilence = time.Minute

// vigil watches over the calls of the embedder that are under way. The zero
// value is useful.
type vigil struct {
	mu    sync.Mutex
	open  int       // calls under way
	since time.Time // when one ended last, or the first of these began
}

// begin notes a call, end its end.
func (v *vigil) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open == 0 {
		v.since = time.Now()
	}
	v.open++
}

func (v *vigil) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open--
	v.since = time.Now()
}

// silent reports whether calls have waited in vain for as long as is enough.
func (v *vigil) silent() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open > 0 && time.Since(v.since) > embedSilence
}
