package api

import (
	"context"
	"net/http"
	"time"

	"github.com/ragserver/ragserver/api/internal/fault"
)

// gate bounds how many requests of a kind run at once. Those that find no slot
// wait a little for one.
type gate struct {
	what  string
	slots chan struct{}
	wait  time.Duration
}

type gates struct {
	searches, asks, streams, writes *gate
	waiting                         *gate // requests that wait for an epoch
}

func newGates(l Limits) gates {
	g := func(what string, n int, wait time.Duration) *gate {
		return &gate{what: what, slots: make(chan struct{}, n), wait: wait}
	}
	return gates{
		searches: g("searches", l.Searches, l.Queue),
		asks:     g("questions", l.Asks, l.Queue),
		writes:   g("writes", l.Writes, l.Queue),
		streams:  g("open feeds", l.Streams, 0),
		waiting:  g("requests that wait for an epoch", max(1, l.Searches/2), 0),
	}
}

// enter takes a slot; leave gives it back.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return g.leave, nil
	default:
	}
	if g.wait > 0 {
		t := time.NewTimer(g.wait)
		defer t.Stop()
		select {
		case g.slots <- struct{}{}:
			return g.leave, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-t.C:
		}
	}
	f := fault.New(http.StatusServiceUnavailable, "busy", "too many %s at once (%d); try again in a moment", g.what, cap(g.slots))
	f.RetryAfter = max(time.Second, g.wait)
	return nil, f
}

func (g *gate) leave() { <-g.slots }
