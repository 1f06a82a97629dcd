package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/api/internal/sse"
)

// eventParams are the parameters of GET /api/events.
type eventParams struct {
	After      uint64 `json:"after,omitempty" doc:"Begin behind this sequence number; the header Last-Event-ID goes before it. Without either, the feed begins now."`
	Collection string `json:"collection,omitempty"`
}

// events feeds the changes of the status table. The first message has the
// sequence number at which the feed begins and no data: a client that connects,
// then loads the list, misses nothing.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	c, err := s.collection(v.Get("collection"))
	if err != nil {
		return err
	}
	after, err := feedStart(r, c.Feed.LastEvent())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer s.whenStopping(ctx, cancel)()
	stream := sse.New(w)
	defer stream.Close()
	if err := stream.Retry(2 * time.Second); err != nil {
		return nil
	}
	if err := stream.Send(sse.Event{ID: strconv.FormatUint(after, 10)}); err != nil {
		return nil
	}
	for e, ok := range c.Feed.Events(ctx, after) {
		var msg sse.Event
		if !ok {
			msg = sse.Event{ID: strconv.FormatUint(c.Feed.LastEvent(), 10), Name: "reset", Data: []byte("{}")}
		} else {
			data, err := reply.Encode(FeedEvent{Seq: e.Seq, Time: e.Time.UTC(), Removed: e.Removed, Document: s.document(c, &e.Status)})
			if err != nil {
				return err
			}
			msg = sse.Event{ID: strconv.FormatUint(e.Seq, 10), Name: "document", Data: data}
		}
		if err := stream.Send(msg); err != nil {
			return nil // the reader left
		}
	}
	return nil
}

func feedStart(r *http.Request, now uint64) (uint64, error) {
	text := firstOf(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after"))
	if text == "" {
		return now, nil
	}
	after, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fault.Bad("after", "Last-Event-ID and `after` are sequence numbers, not %q", text)
	}
	return after, nil
}

// whenStopping calls f when the server begins to stop. The function it returns
// waits until that is over.
func (s *Server) whenStopping(ctx context.Context, f func()) (release func()) {
	left, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-s.stopping:
			f()
		case <-ctx.Done():
		case <-left:
		}
	}()
	return func() {
		close(left)
		<-done
	}
}
