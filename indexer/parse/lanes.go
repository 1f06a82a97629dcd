package parse

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// lanes share out the places in which files are read: as many as there may be
// workers, at least two. Slow files, which are the large ones and those that
// have taken longer than a moment, may have all places but one, so that a quick
// file never waits for a slow one. A file that turns out to be slow keeps its
// place if slow files may have one more; otherwise it gives it up as soon as
// one that is urgent waits, and is read again in its turn.
type lanes struct {
	mu     sync.Mutex
	places int
	used   int
	slow   int // places that slow files have
	quickQ queue
	slowQ  queue
	late   []*turn // quick files that took longer than a moment, oldest first
}

// turn is a file's place, or its wait for one.
type turn struct {
	urgent, slow bool
	granted      chan struct{}
	patience     *time.Timer
	ctx          context.Context // ends when the place must be given up
	end          context.CancelCauseFunc
	ousted       bool
}

// moment is how long a file may take to be a quick one.
const moment = 500 * time.Millisecond

// errOusted is the cause for which a turn's context ends when the file has to
// make room.
var errOusted = errors.New("the file makes room for one that is urgent")

func newLanes(places int) *lanes { return &lanes{places: max(places, 2)} }

// enter waits for a place.
func (l *lanes) enter(ctx context.Context, urgent, slow bool) (*turn, error) {
	t := &turn{urgent: urgent, slow: slow, granted: make(chan struct{})}
	t.ctx, t.end = context.WithCancelCause(ctx)
	l.mu.Lock()
	l.queue(t).add(t)
	l.grant()
	l.mu.Unlock()
	select {
	case <-t.granted:
		return t, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue(t).remove(t) {
		t.end(nil)
	} else {
		l.release(t)
	}
	return nil, ctx.Err()
}

// leave gives the place back.
func (l *lanes) leave(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(t)
}

func (l *lanes) queue(t *turn) *queue {
	if t.slow {
		return &l.slowQ
	}
	return &l.quickQ
}

// release is leave. REQUIRES: l.mu.
func (l *lanes) release(t *turn) {
	t.end(nil)
	if t.patience != nil {
		t.patience.Stop()
	}
	l.used--
	if t.slow {
		l.slow--
	}
	if i := slices.Index(l.late, t); i >= 0 {
		l.late = slices.Delete(l.late, i, i+1)
	}
	for len(l.late) > 0 && l.slow < l.places-1 && !l.late[0].ousted {
		l.late[0].slow = true
		l.slow++
		l.late = l.late[1:]
	}
	l.grant()
}

// grant gives the free places away. REQUIRES: l.mu.
func (l *lanes) grant() {
	for l.used < l.places {
		q := &l.quickQ
		// Slow files always have a place, if they want one, and what quick ones leave.
		if len(l.slowQ) > 0 && (l.slow == 0 || len(l.quickQ) == 0 && l.slow < l.places-1) {
			q = &l.slowQ
		}
		t := q.take()
		if t == nil {
			break
		}
		l.used++
		if t.slow {
			l.slow++
		} else {
			t.patience = time.AfterFunc(moment, func() { l.overdue(t) })
		}
		close(t.granted)
	}
	l.oust()
}

// overdue is called when a quick file has taken a moment.
func (l *lanes) overdue(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case t.ctx.Err() != nil:
	case l.slow < l.places-1:
		t.slow = true
		l.slow++
	default:
		l.late = append(l.late, t)
		l.oust()
	}
}

// oust makes room for those that are urgent. REQUIRES: l.mu.
func (l *lanes) oust() {
	waiting := 0
	for _, t := range l.quickQ {
		if t.urgent {
			waiting++
		}
	}
	for _, t := range l.late {
		if waiting--; waiting < 0 {
			break
		}
		if !t.ousted {
			t.ousted = true
			t.end(errOusted)
		}
	}
}

// queue is who waits, in order: the urgent first, then by age.
type queue []*turn

func (q *queue) add(t *turn) {
	i := len(*q)
	for i > 0 && t.urgent && !(*q)[i-1].urgent {
		i--
	}
	*q = slices.Insert(*q, i, t)
}

func (q *queue) take() *turn {
	if len(*q) == 0 {
		return nil
	}
	t := (*q)[0]
	*q = slices.Delete(*q, 0, 1)
	return t
}

func (q *queue) remove(t *turn) bool {
	i := slices.Index(*q, t)
	if i >= 0 {
		*q = slices.Delete(*q, i, i+1)
	}
	return i >= 0
}
