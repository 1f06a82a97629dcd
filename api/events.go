package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/api/internal/sse"
)

// eventParams are the parameters of GET /api/events.
type eventParams struct {
	After      string `json:"after,omitempty" doc:"Begin behind the event of this id; the header Last-Event-ID goes before it. Without either, the feed begins now."`
	Collection string `json:"collection,omitempty"`
}

// events feeds the changes of the status table. The first message has the id at
// which the feed begins and no data: a client that connects, then loads the
// list, misses nothing.
//
// An id is the run of the server and a sequence number. Sequence numbers begin
// anew with each run, so the number alone would let a client that outlives a
// restart resume at an event of the same number and miss what came before it.
// A client with an id of another run, or with one that is none (proxies and
// storages garble things, and a browser's EventSource gives up for good at a
// refusal), is told to load the list again.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	c, err := s.collection(v.Get("collection"))
	if err != nil {
		return err
	}
	after, known := s.feedStart(r, c.Feed.LastEvent())
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer s.whenStopping(ctx, cancel)()
	stream := sse.New(w)
	defer stream.Close()
	if err := stream.Retry(2 * time.Second); err != nil {
		return nil
	}
	if err := stream.Send(sse.Event{ID: s.eventID(after)}); err != nil {
		return nil
	}
	reset := func(at uint64) sse.Event {
		return sse.Event{ID: s.eventID(at), Name: "reset", Data: []byte("{}")}
	}
	if !known {
		if err := stream.Send(reset(after)); err != nil {
			return nil
		}
	}
	for e, ok := range c.Feed.Events(ctx, after) {
		var msg sse.Event
		if !ok {
			msg = reset(c.Feed.LastEvent())
		} else {
			data, err := reply.Encode(FeedEvent{Seq: e.Seq, Time: e.Time.UTC(), Removed: e.Removed, Document: s.document(c, &e.Status)})
			if err != nil {
				return err
			}
			msg = sse.Event{ID: s.eventID(e.Seq), Name: "document", Data: data}
		}
		if err := stream.Send(msg); err != nil {
			return nil // the reader left
		}
	}
	return nil
}

// feedStart returns where a feed begins: behind the event that the client names,
// else now. It is not known if the client names one that this run of the server
// did not send.
func (s *Server) feedStart(r *http.Request, now uint64) (after uint64, known bool) {
	id := cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after"))
	if id == "" {
		return now, true
	}
	life, number, _ := strings.Cut(id, "-")
	after, err := strconv.ParseUint(number, 10, 64)
	if err != nil || life != s.life || after > now {
		return now, false
	}
	return after, true
}

func (s *Server) eventID(seq uint64) string { return s.life + "-" + strconv.FormatUint(seq, 10) }

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
