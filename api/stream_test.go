package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragserver/ragserver/api/internal/sse"
	"github.com/ragserver/ragserver/llm"
)

// message is a server-sent event as a browser would dispatch it.
type message struct{ id, name, data string }

// nextMessage reads one event; comments counts the comment lines passed.
func nextMessage(r *bufio.Reader) (m message, comments int, err error) {
	var data []string
	seen := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return m, comments, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && seen:
			m.data = strings.Join(data, "\n")
			return m, comments, nil
		case line == "":
		case field == "":
			comments++
		default:
			seen = true
			switch field {
			case "id":
				m.id = value
			case "event":
				m.name = value
			case "data":
				data = append(data, value)
			}
		}
	}
}

func allMessages(t *testing.T, r io.Reader) []message {
	t.Helper()
	var out []message
	for b := bufio.NewReader(r); ; {
		m, _, err := nextMessage(b)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
}

func TestAsk(t *testing.T) {
	e, s := newServer(t)
	w := call(t, s, "POST", "/api/ask", `{"question":"Are gift cards refunded?","history":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}],"k":2}`)
	a := decode[AskAnswer](t, 200, w, w.Body.String())
	if a.Kind != "extractive" || len(a.Sources) != 2 || !a.Sources[0].Cited || a.Sources[0].N != 1 || !strings.Contains(a.Answer, "[1]") || a.Usage != nil || a.Epoch != 2 {
		t.Errorf("%+v", a)
	}
	if len(e.asked.History) != 2 || e.asked.History[1].Role != llm.Assistant || e.asked.Query.K != 2 {
		t.Errorf("%+v", e.asked)
	}
	w = call(t, s, "POST", "/api/ask", `{"question":"anything","filter":"team == 'nobody'"}`)
	if a := decode[AskAnswer](t, 200, w, w.Body.String()); a.Kind != "nothing_found" || a.Sources == nil {
		t.Errorf("%+v", a)
	}
}

func TestAskStream(t *testing.T) {
	e, s := newServer(t)
	e.usage = llm.Usage{Prompt: 10, Completion: 5}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"field":  call(t, s, "POST", "/api/ask", `{"question":"Are gift cards refunded?","stream":true}`),
		"header": call(t, s, "POST", "/api/ask", `{"question":"Are gift cards refunded?"}`, "Accept", "text/event-stream"),
	} {
		t.Run(name, func(t *testing.T) {
			if ct := w.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") || w.Header().Get("X-Accel-Buffering") != "no" {
				t.Fatalf("%v", w.Header())
			}
			ms := allMessages(t, w.Body)
			var names []string
			var text string
			for _, m := range ms {
				names = append(names, m.name)
				if m.name == "text" {
					var p AskText
					if err := json.Unmarshal([]byte(m.data), &p); err != nil {
						t.Fatal(err)
					}
					text += p.Text
				}
			}
			if got := strings.Join(names, " "); got != "sources text text done" {
				t.Fatalf("events: %s", got)
			}
			var done AskAnswer
			if err := json.Unmarshal([]byte(ms[3].data), &done); err != nil {
				t.Fatal(err)
			}
			if done.Answer != text || done.Usage.Completion != 5 {
				t.Errorf("the pieces %q, the whole %+v", text, done)
			}
		})
	}
}

func TestAskStreamFails(t *testing.T) {
	e, s := newServer(t)
	e.fail = errInner
	w := call(t, s, "POST", "/api/ask", `{"question":"x","stream":true}`)
	got := decode[Error](t, 500, w, w.Body.String())
	if got.Error.Code != "internal" {
		t.Errorf("before the first event a failure has a status: %+v", got)
	}
	e.fail = nil
	broken := &brokenAsker{engine: e}
	s.o.Collections[0].Ask = broken
	w = call(t, s, "POST", "/api/ask", `{"question":"gift cards","stream":true}`)
	ms := allMessages(t, w.Body)
	last := ms[len(ms)-1]
	if w.Code != 200 || last.name != "error" || !strings.Contains(last.data, `"model_unavailable"`) || strings.Contains(last.data, "hunter2") {
		t.Errorf("%d %+v", w.Code, last)
	}
}

// An answer that the model broke off is told as such by every protocol: the
// native one gives what there is with a notice, the others, which have no word
// for it, fail.
func TestBrokenOff(t *testing.T) {
	e, s := newServer(t)
	s.o.Collections[0].Ask = cutAsker{e}
	const chat = `{"model":"rag","messages":[{"role":"user","content":"gift cards"}]`
	t.Run("ask", func(t *testing.T) {
		w := call(t, s, "POST", "/api/ask", `{"question":"gift cards"}`)
		a := decode[AskAnswer](t, 200, w, w.Body.String())
		if len(a.Notices) != 1 || a.Notices[0].Code != "cut_off" || !strings.Contains(a.Notices[0].Message, "took too long") || a.Answer == "" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("ask, stream", func(t *testing.T) {
		w := call(t, s, "POST", "/api/ask", `{"question":"gift cards","stream":true}`)
		ms := allMessages(t, w.Body)
		if last := ms[len(ms)-1]; last.name != "done" || !strings.Contains(last.data, `"code":"cut_off"`) {
			t.Errorf("%+v", last)
		}
	})
	t.Run("chat", func(t *testing.T) {
		w := call(t, s, "POST", "/v1/chat/completions", chat+"}")
		if w.Code != 502 || !strings.Contains(w.Body.String(), `"code":"cut_off"`) || !strings.Contains(w.Body.String(), "took too long; ask again") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		checkShape(t, "ErrorResponse", w.Body.Bytes())
	})
	t.Run("chat, stream", func(t *testing.T) {
		w := call(t, s, "POST", "/v1/chat/completions", chat+`,"stream":true}`)
		ms := allMessages(t, w.Body)
		if last := ms[len(ms)-1]; !strings.HasPrefix(last.data, `{"error":{`) || !strings.Contains(last.data, `"code":"cut_off"`) {
			t.Errorf("%+v", last)
		}
		for _, m := range ms {
			if strings.Contains(m.data, `"finish_reason":"`) {
				t.Errorf("it looks finished: %s", m.data)
			}
		}
	})
	t.Run("pathway", func(t *testing.T) {
		w := call(t, s, "POST", "/v2/answer", `{"prompt":"gift cards"}`)
		if w.Code != 502 || !strings.Contains(w.Body.String(), "took too long; ask again") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A reader that leaves ends the work.
func TestClientLeaves(t *testing.T) {
	e, s := newServer(t)
	e.block = make(chan struct{})
	ts := httptest.NewServer(s)
	defer ts.Close()
	for _, tc := range []struct{ path, body string }{
		{"/api/ask", `{"question":"gift cards","stream":true}`},
		{"/v1/chat/completions", `{"model":"rag","stream":true,"messages":[{"role":"user","content":"gift cards"}]}`},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "POST", ts.URL+tc.path, strings.NewReader(tc.body))
		res, err := ts.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := nextMessage(bufio.NewReader(res.Body)); err != nil {
			t.Fatal(err)
		}
		cancel()
		res.Body.Close()
	}
	eventually(t, "both answers were given up", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.left == 2
	})
}

// eventually waits for something that happens in another goroutine.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// Serve ends feeds at once, lets answers finish, and returns.
func TestServeStops(t *testing.T) {
	e, s := newServer(t)
	e.block = make(chan struct{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln, 10*time.Second) }()
	url := "http://" + ln.Addr().String()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	feed, err := client.Get(url + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	ask, err := client.Post(url+"/api/ask", "application/json", strings.NewReader(`{"question":"gift cards","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := io.Copy(io.Discard, feed.Body); err != nil {
		t.Errorf("the feed: %v", err)
	}
	close(e.block)
	ms := allMessages(t, ask.Body)
	if last := ms[len(ms)-1]; last.name != "done" {
		t.Errorf("the answer ended with %q", last.name)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// When grace is over, what still runs is cancelled.
func TestServeGrace(t *testing.T) {
	e, s := newServer(t)
	e.block = make(chan struct{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln, time.Millisecond) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	res, err := client.Post("http://"+ln.Addr().String()+"/api/ask", "application/json", strings.NewReader(`{"question":"gift cards","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	eventually(t, "the answer was cancelled", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.left == 1
	})
}

// A stream that has nothing to say stays alive, and starts before its first
// event if that is long in coming.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		s := sse.New(w)
		if s.Started() {
			t.Error("the stream has started by itself")
		}
		time.Sleep(3*sse.KeepAlive + time.Second) // by the bubble's clock
		synctest.Wait()
		if !s.Started() {
			t.Error("the stream has not started")
		}
		if err := s.Send(sse.Event{ID: "1", Name: "a", Data: []byte("x\ny\r\nz")}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s.Close()
		if got := strings.Count(w.Body.String(), ": keep-alive\n\n"); got != 3 {
			t.Errorf("%d comments in %q", got, w.Body)
		}
		if !bytes.HasSuffix(w.Body.Bytes(), []byte("id: 1\nevent: a\ndata: x\ndata: y\ndata: z\n\n")) {
			t.Errorf("%q", w.Body)
		}
	})
}
