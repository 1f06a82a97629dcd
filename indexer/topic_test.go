package indexer

import (
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ragserver/ragserver/indexer/index"
)

// topics gives the rig a topic of a broker in this process, and what writes
// records to it: key and value in turn, "" for a tombstone.
func (r *rig) topic() (put func(keyValue ...string)) {
	r.t.Helper()
	const name = "articles"
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(fake.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.DefaultProduceTopic(name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.Close)
	r.topics = []Topic{{Name: name, Brokers: fake.ListenAddrs(), Topic: name, JSON: true}}
	return func(keyValue ...string) {
		r.t.Helper()
		for i := 0; i < len(keyValue); i += 2 {
			rec := &kgo.Record{Key: []byte(keyValue[i])}
			if v := keyValue[i+1]; v != "" {
				rec.Value = []byte(v)
			}
			if err := cl.ProduceSync(r.t.Context(), rec).FirstErr(); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func (r *rig) record(key string) (Status, bool) {
	return r.x.Document(DocumentID("articles", key))
}

func (r *rig) untilRecord(key string, want State) (s Status) {
	r.t.Helper()
	r.eventually(key+" "+string(want), func() bool { s, _ = r.record(key); return s.State == want })
	return s
}

// A topic that is left out of the configuration loses its documents, and has
// them all again when it is back.
func TestTopicLeftOut(t *testing.T) {
	r := newRig(t)
	put := r.topic()
	put("a", `{"text": "Apples are red."}`, "p", `{"text": "Pears are green."}`)
	r.start()
	r.untilRecord("a", Live)
	r.untilRecord("p", Live)
	r.stop()
	all := r.topics
	r.topics = nil
	r.start()
	r.eventually("no documents of the topic", func() bool { return len(r.hits("apples pears", index.Keyword)) == 0 })
	r.eventually("no spool", func() bool { _, err := os.Stat(r.x.spoolOf("articles")); return os.IsNotExist(err) })
	if rows, _ := r.x.Documents(List{}); len(rows) != 0 {
		t.Errorf("rows of a topic that is not configured: %v", rows)
	}
	r.stop()
	r.topics = all
	for range 2 { // the second time from the state
		r.start()
		r.untilRecord("a", Live)
		r.untilRecord("p", Live)
		r.stop()
	}
}

// A run that is only to ask withdraws nothing, whichever sources it names.
func TestAskingWithdrawsNothing(t *testing.T) {
	r := newRig(t)
	put := r.topic()
	put("a", `{"text": "Apples are red."}`)
	r.write("p.txt", "Pears are green.")
	r.start()
	r.untilRecord("a", Live)
	r.until("p.txt", Live)
	r.stop()
	first, topics := r.folders, r.topics
	for _, folders := range [][]Folder{nil, {{Name: "other", Path: t.TempDir()}}} {
		r.folders, r.topics, r.keep = folders, nil, true
		r.start()
		r.eventually("scanned", r.scanned)
		for _, what := range []string{"apples", "pears"} {
			if hits := r.hits(what, index.Keyword); len(hits) != 1 {
				t.Errorf("%s, asked with sources %v: %v", what, folders, hits)
			}
		}
		if s, _ := r.record("a"); s.State != Stale {
			t.Errorf("state of a document whose source is not configured: %s", s.State)
		}
		r.stop()
	}
	r.folders, r.topics, r.keep = first, topics, false
	put("a", `{"text": "Apricots."}`)
	r.start()
	r.eventually("what came meanwhile", func() bool { return len(r.hits("apricots", index.Keyword)) == 1 })
	r.until("p.txt", Live)
}

// What a source had under way when it was left out is neither lost nor in the
// way of others, if the run is only to ask.
func TestUnderWayWhileAsking(t *testing.T) {
	r := newRig(t)
	put := r.topic()
	gate := make(chan struct{})
	r.parser.gate = gate
	put("a", `{"text": "Apples are red."}`)
	r.start()
	r.untilRecord("a", Parsing)
	r.stop()
	r.parser.gate = nil
	topics := r.topics
	r.topics, r.keep = nil, true
	r.write("p.txt", "Pears are green.")
	r.start()
	r.until("p.txt", Live)
	if s, ok := r.record("a"); ok && s.State == Failed {
		t.Errorf("what cannot be read in this run: %s %s", s.State, s.Reason)
	}
	r.stop()
	r.topics, r.keep = topics, false
	r.start()
	r.untilRecord("a", Live)
}

// A record that is no document has a row that says why, in place of what was
// there under its key, and a later one takes the place of that.
func TestUndecodable(t *testing.T) {
	r := newRig(t)
	put := r.topic()
	put("a", `{"text": "Apples are red."}`, "bad", "not JSON", "none", `{"title": "Without text"}`)
	r.start()
	r.untilRecord("a", Live)
	for key, why := range map[string]string{"bad": "JSON", "none": "text"} {
		if s := r.untilRecord(key, Failed); !strings.Contains(s.Reason, why) {
			t.Errorf("%s: %q does not say %q", key, s.Reason, why)
		}
	}
	put("a", "broken now")
	if s := r.untilRecord("a", Failed); !strings.Contains(s.Reason, "JSON") || s.LiveVersion != (index.ID{}) {
		t.Errorf("a broken update: %+v", s)
	}
	if hits := r.hits("apples", index.Keyword); len(hits) != 0 {
		t.Errorf("the old version answers: %v", hits)
	}
	r.stop()
	r.start()
	r.untilRecord("a", Failed)
	put("a", `{"text": "Apricots."}`, "bad", "")
	r.untilRecord("a", Live)
	r.eventually("bad gone", func() bool { _, ok := r.record("bad"); return !ok })
}
