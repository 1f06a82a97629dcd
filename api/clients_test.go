package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var record = flag.String("record", "", "serve the fake engine at this address and record what clients send, until interrupted")

// exchange is a request of a client that others wrote, and our reply.
type exchange struct {
	Client string `json:"client"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Type   string `json:"type"`
	Body   string `json:"body"`
	Status int    `json:"status"`
	Reply  string `json:"reply"`
}

const exchanges = "testdata/clients.jsonl"

// What LangChain's and LlamaIndex's clients sent (testdata/clients.py) is
// answered as it was when they were content. To record anew:
//
//	go test -run TestRealClients -record 127.0.0.1:9876 & python testdata/clients.py http://127.0.0.1:9876
func TestRealClients(t *testing.T) {
	if *record != "" {
		recordClients(t)
		return
	}
	data, err := os.ReadFile(exchanges)
	if err != nil {
		t.Fatal(err)
	}
	_, s := newServer(t)
	n := 0
	for d := json.NewDecoder(bytes.NewReader(data)); ; n++ {
		var x exchange
		if err := d.Decode(&x); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		w := call(t, s, x.Method, x.Path, x.Body, "Content-Type", x.Type)
		if w.Code != x.Status || w.Body.String() != x.Reply {
			t.Errorf("%s %s %s: %d\n%s\nwant %d\n%s", x.Client, x.Path, x.Body, w.Code, w.Body, x.Status, x.Reply)
		}
	}
	if n < 10 {
		t.Errorf("only %d exchanges", n)
	}
}

func recordClients(t *testing.T) {
	_, s := newServer(t)
	f, err := os.Create(exchanges)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e := json.NewEncoder(f)
	e.SetEscapeHTML(false)
	var mu sync.Mutex
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		client, _, _ := strings.Cut(r.UserAgent(), "/")
		mu.Lock()
		err := e.Encode(exchange{client, r.Method, r.RequestURI, r.Header.Get("Content-Type"), string(body), rec.Code, rec.Body.String()})
		mu.Unlock()
		if err != nil {
			t.Error(err)
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
	ln, err := net.Listen("tcp", *record)
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	go func() { <-stop; hs.Close() }()
	_ = hs.Serve(ln)
}
