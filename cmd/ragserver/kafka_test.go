package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestKafka serves a topic of an in-process broker.
func TestKafka(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer fake.Close()
	serveTopic(t, fake.ListenAddrs())
}

// TestRealKafka serves a topic of a real broker (services/kafka.sh).
func TestRealKafka(t *testing.T) {
	brokers := os.Getenv("KAFKA_BROKERS")
	if brokers == "" {
		t.Skip("KAFKA_BROKERS is not set: start a broker with services/kafka.sh")
	}
	serveTopic(t, strings.Split(brokers, ","))
}

// serveTopic puts, replaces and deletes documents by records and restarts the
// server in between.
func serveTopic(t *testing.T, brokers []string) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	topic := fmt.Sprintf("articles-%d", time.Now().UnixNano())
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.CreateTopic(ctx, 2, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	defer adm.DeleteTopics(context.WithoutCancel(ctx), topic)
	put := func(key, value string, headers ...kgo.RecordHeader) {
		t.Helper()
		r := &kgo.Record{Key: []byte(key), Value: []byte(value), Headers: headers}
		if value == "" {
			r.Value = nil
		}
		if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	put("ferry", `{"title": "Ferry", "text": "The ferry to Amrum leaves at 10:15.", "line": "F1"}`, kgo.RecordHeader{Key: "region", Value: []byte("north")})
	put("train", `{"title": "Train", "text": "The train to Husum takes two hours."}`)
	put("broken", `not json`)

	data := t.TempDir()
	arg := strings.Join(brokers, ",") + "/" + topic + "?format=json&text=text&title=title"
	s := startServer(t, ctx, "--data", data, "--kafka", arg)
	s.eventually("both records", func() bool { return s.finds("ferry Amrum", "10:15") && s.finds("train Husum", "two hours") })
	if got := s.search(`{"query": "ferry", "filter": "region == 'north' && line == 'F1'"}`); !strings.Contains(got, "10:15") {
		t.Errorf("headers and fields are not metadata: %s", got)
	}
	put("ferry", `{"title": "Ferry", "text": "The ferry to Amrum leaves at 11:40."}`)
	s.eventually("the new version", func() bool { return s.finds("ferry Amrum", "11:40") && !s.finds("ferry Amrum", "10:15") })
	put("train", "")
	s.eventually("the deletion", func() bool { return !s.finds("train Husum", "two hours") })

	s.stop()
	put("bus", `{"title": "Bus", "text": "The bus to Niebüll is free on Sundays."}`)
	s = startServer(t, ctx, "--data", data, "--kafka", arg)
	if !s.finds("ferry Amrum", "11:40") {
		t.Error("the index of the former run does not answer at once")
	}
	s.eventually("the record written meanwhile", func() bool { return s.finds("bus Sundays", "Niebüll") })
	if s.finds("train Husum", "two hours") {
		t.Error("a deleted record is back after the restart")
	}
}

// inProcess is the command running in this process.
type inProcess struct {
	t    *testing.T
	ctx  context.Context
	url  string
	stop func()
}

// startServer runs the command on a free port until the test ends or stop is
// called.
func startServer(t *testing.T, ctx context.Context, args ...string) *inProcess {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	root := rootCommand()
	ctx, cancel := context.WithCancel(ctx)
	root.SetArgs(append([]string{"--listen", addr, "--log-level", "warn"}, args...))
	var log strings.Builder
	root.SetErr(&log)
	root.SetOut(io.Discard)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	stopped := false
	s := &inProcess{t: t, ctx: ctx, url: "http://" + addr}
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with: %v\n%s", err, log.String())
		}
	}
	t.Cleanup(s.stop)
	s.eventually("readiness", func() bool {
		resp, err := http.Get(s.url + "/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

func (s *inProcess) eventually(what string, yes func() bool) {
	s.t.Helper()
	for end := time.Now().Add(eventually); !yes(); {
		if time.Now().After(end) || s.ctx.Err() != nil {
			s.t.Fatalf("%s: not within %s", what, eventually)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *inProcess) search(body string) string {
	resp, err := http.Post(s.url+"/api/search", "application/json", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *inProcess) finds(query, text string) bool {
	body, err := json.Marshal(map[string]any{"query": query, "mode": "keyword"})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Contains(s.search(string(body)), text)
}
