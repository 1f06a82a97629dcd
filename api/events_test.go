package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader reads a feed over a connection.
type reader struct {
	t    *testing.T
	body *bufio.Reader
	end  func()
}

// follow opens the feed of a running server.
func follow(t *testing.T, ts *httptest.Server, target string, headers ...string) *reader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", ts.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := ts.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	end := func() { cancel(); res.Body.Close() }
	t.Cleanup(end)
	if res.StatusCode != 200 {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	return &reader{t, bufio.NewReader(res.Body), end}
}

// next returns the next message that has an id.
func (r *reader) next() message {
	r.t.Helper()
	for {
		m, _, err := nextMessage(r.body)
		if err != nil {
			r.t.Fatal(err)
		}
		if m.id != "" {
			return m
		}
	}
}

func TestEvents(t *testing.T) {
	e, s := newServer(t)
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	feed := follow(t, ts, "/api/events")
	if m := feed.next(); m.id != s.eventID(2) || m.data != "" || m.name != "" {
		t.Fatalf("the feed should begin with its place: %+v", m)
	}
	e.add("docs", "new.md", "something new", nil)
	m := feed.next()
	var ev FeedEvent
	if err := json.Unmarshal([]byte(m.data), &ev); err != nil || m.id != s.eventID(3) || m.name != "document" || ev.Document.Path != "new.md" || ev.Seq != 3 {
		t.Fatalf("%+v %v", m, err)
	}
	feed.end()
	e.add("docs", "newer.md", "something newer", nil)
	for name, again := range map[string]*reader{
		"header":    follow(t, ts, "/api/events", "Last-Event-ID", m.id),
		"parameter": follow(t, ts, "/api/events?after="+m.id),
		"both":      follow(t, ts, "/api/events?after=x-9", "Last-Event-ID", m.id),
	} {
		if m := again.next(); m.id != s.eventID(3) || m.name != "" {
			t.Errorf("%s: resumed at %+v", name, m)
		}
		if m := again.next(); m.id != s.eventID(4) || !strings.Contains(m.data, "newer.md") {
			t.Errorf("%s: resumed with %+v", name, m)
		}
	}
}

// A client that cannot be told what it missed is told to load the list again,
// and goes on from there.
func TestEventsReset(t *testing.T) {
	e, s := newServer(t)
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	old := follow(t, ts, "/api/events").next().id

	// The server is started again, and more happens than before: an event of
	// the number that the client saw last is there again, but is another.
	restarted, after := newServer(t)
	for i := range 5 {
		restarted.add("docs", fmt.Sprintf("%d.md", i), "text", nil)
	}
	again := httptest.NewServer(after)
	t.Cleanup(again.Close)

	e.add("docs", "more.md", "text", nil)
	e.mu.Lock()
	e.dropped = 3
	e.mu.Unlock()
	for _, tc := range []struct {
		name   string
		server *Server
		at     *httptest.Server
		engine *engine
		id     string
	}{
		{"after a restart", after, again, restarted, old},
		{"after more than is kept", s, ts, e, s.eventID(1)},
		{"from the future", s, ts, e, s.eventID(99)},
		{"a bare number", s, ts, e, "2"},
		{"negative", s, ts, e, s.life + "--1"},
		{"no number", s, ts, e, s.life + "-x"},
		{"too large a number", s, ts, e, s.life + "-99999999999999999999"},
		{"words", s, ts, e, "'; drop table events"},
		{"long", s, ts, e, strings.Repeat("9", 10_000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := follow(t, tc.at, "/api/events", "Last-Event-ID", tc.id)
			m := r.next()
			if m.name == "" {
				m = r.next()
			}
			if m.name != "reset" || m.id != tc.server.eventID(tc.engine.LastEvent()) {
				t.Fatalf("not told to load the list again: %+v", m)
			}
			tc.engine.add("docs", tc.name+".md", "text", nil)
			if m := r.next(); m.name != "document" || !strings.Contains(m.data, tc.name+".md") || m.id != tc.server.eventID(tc.engine.LastEvent()) {
				t.Errorf("it does not go on: %+v", m)
			}
		})
	}
}

// A client that connects and never reads is given up, with all that it holds,
// and in the meantime it holds one event.
func TestEventsSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newServer(t, func(o *Options) { o.Limits.Streams = 1 })
		server, client := net.Pipe() // which holds nothing: a write waits for its reader
		ln := &oneConn{conn: server, done: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, ln, time.Second) }()
		fmt.Fprint(client, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		feed := bufio.NewReader(client)
		for line := ""; line != ": 1\r\n" && !strings.HasPrefix(line, "id: "); {
			var err error
			if line, err = feed.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if e.followers != 1 {
			t.Fatalf("%d readers of the feed", e.followers)
		}
		for i := range 1000 {
			e.add("docs", fmt.Sprintf("%d.md", i), "text", nil)
		}
		synctest.Wait()
		if w := call(t, s, "GET", "/api/events", ""); w.Code != 503 {
			t.Fatalf("the client has left already: %d", w.Code)
		}
		time.Sleep(31 * time.Second) // by the bubble's clock: longer than one event may take
		synctest.Wait()
		if e.followers != 0 || len(s.gates.streams.slots) != 0 {
			t.Errorf("%d readers of the feed, %d open feeds", e.followers, len(s.gates.streams.slots))
		}
		client.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// Many clients at once all get everything; one more than allowed is told to
// come back; those that leave make room.
func TestEventsManyClients(t *testing.T) {
	const clients, events = 64, 100
	e, s := newServer(t, func(o *Options) { o.Limits.Streams = clients })
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	all := make([]*reader, clients)
	for i := range all {
		all[i] = follow(t, ts, "/api/events")
		all[i].next()
	}
	res, err := ts.Client().Get(ts.URL + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d %v", res.StatusCode, res.Header)
	}
	var wg sync.WaitGroup
	for _, r := range all {
		wg.Go(func() {
			for i := range events {
				m, _, err := nextMessage(r.body)
				if err != nil || m.id != s.eventID(uint64(3+i)) {
					t.Errorf("event %d: %+v, %v", i, m, err)
					return
				}
			}
		})
	}
	for i := range events {
		e.add("docs", fmt.Sprintf("%d.md", i), "text", nil)
	}
	wg.Wait()
	for _, r := range all {
		r.end()
	}
	eventually(t, "the feeds of those who left have ended", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.followers == 0 && len(s.gates.streams.slots) == 0
	})
	follow(t, ts, "/api/events").next()
}
