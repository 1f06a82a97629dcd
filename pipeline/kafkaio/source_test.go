package kafkaio

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "words"

// broker is a Kafka broker in this process with one topic of two partitions.
type broker struct {
	t     *testing.T
	addrs []string
	cl    *kgo.Client
}

func newBroker(t *testing.T) *broker {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	b := &broker{t: t, addrs: fake.ListenAddrs()}
	b.cl = b.client()
	return b
}

func (b *broker) client(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.addrs...), kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(cl.Close)
	return cl
}

// put writes records: "key=value", "key" for a tombstone, "=value" without key.
func put(t *testing.T, cl *kgo.Client, records ...string) {
	t.Helper()
	for _, s := range records {
		key, value, hasValue := strings.Cut(s, "=")
		r := &kgo.Record{}
		if key != "" {
			r.Key = []byte(key)
		}
		if hasValue {
			r.Value = []byte(value)
		}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func word(r Record) (string, error) {
	if string(r.Value) == "poison" {
		return "", errors.New("poisoned")
	}
	return string(r.Value), nil
}

// readAll runs a source in static mode: to the ends that the topic has now.
func (b *broker) readAll(in *pipelinetest.Input[string]) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	s := &Source[string]{Config: Config{Brokers: b.addrs, Topics: []string{topic}, Batch: 2}, Decode: word}
	err := s.Run(ctx, in)
	if ctx.Err() != nil {
		b.t.Fatal("the source did not come to the end of the topic")
	}
	return err
}

func (b *broker) expect(in *pipelinetest.Input[string], want ...string) {
	b.t.Helper()
	got := in.Table()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		b.t.Errorf("rows %q, want %q", got, want)
	}
}

func TestReplaceDeleteRestart(t *testing.T) {
	b := newBroker(t)
	put(t, b.cl, "a=apple", "b=bread", "a=apricot", "=nokey", "=nokey", "c=poison", "d=", "b")
	in := pipelinetest.NewInput[string](t, true)
	if err := b.readAll(in); err != nil {
		t.Fatal(err)
	}
	b.expect(in, "", "apricot", "nokey", "nokey")
	fails := in.Fails()
	if len(fails) != 1 || !strings.HasPrefix(fails[0].Where, topic+"/") || !strings.Contains(fails[0].Err.Error(), "poisoned") {
		t.Errorf("the record that cannot be decoded: %+v", fails)
	}

	in = in.Restart(true)
	put(t, b.cl, "a", "e=egg")
	if err := b.readAll(in); err != nil {
		t.Fatal(err)
	}
	b.expect(in, "", "egg", "nokey", "nokey")
	if n := len(in.Fails()); n != 0 {
		t.Errorf("%d records were read a second time", n)
	}
}

// Whichever commit a crash prevents or follows, the next run ends with the same
// rows.
func TestCrashes(t *testing.T) {
	b := newBroker(t)
	put(t, b.cl, "a=1", "b=2", "a=3", "=4", "c=5", "b", "=6", "d=7", "a=8")
	want := []string{"4", "5", "6", "7", "8"}
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			in := pipelinetest.NewInput[string](t, true)
			in.CrashAt(n, after)
			err := b.readAll(in)
			if err == nil {
				b.expect(in, want...)
				break // fewer commits than n
			}
			if !errors.Is(err, pipelinetest.ErrCrashed) {
				t.Fatal(err)
			}
			in = in.Restart(true)
			if err := b.readAll(in); err != nil {
				t.Fatal(err)
			}
			b.expect(in, want...)
		}
	}
}

// A broker that is not there is told as trouble, and is no end.
func TestBrokerDown(t *testing.T) {
	in := pipelinetest.NewInput[string](t, false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := &Source[string]{Config: Config{Brokers: []string{"127.0.0.1:1"}, Topics: []string{topic}}, Decode: word}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, in) }()
	if err := in.Wait(ctx, func() bool { return in.TroubleNow() != nil }); err != nil {
		t.Fatalf("no trouble was told: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped while waiting for a broker: %v", err)
	}
}

func TestWrongConfig(t *testing.T) {
	for _, c := range []Config{{Topics: []string{"x"}}, {Brokers: []string{"x:1"}}, {Brokers: []string{"x:1"}, Topics: []string{"x"}, SASL: "magic"}} {
		s := &Source[string]{Config: c, Decode: word}
		if err := s.Run(t.Context(), pipelinetest.NewInput[string](t, true)); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// Records of an aborted transaction are not seen, and a topic that ends with
// one is read to its end.
func TestTransactions(t *testing.T) {
	b := newBroker(t)
	tx := b.client(kgo.TransactionalID("t"))
	for _, end := range []struct {
		record string
		how    kgo.TransactionEndTry
	}{{"a=kept", kgo.TryCommit}, {"b=dropped", kgo.TryAbort}} {
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		put(t, tx, end.record)
		if err := tx.EndTransaction(t.Context(), end.how); err != nil {
			t.Fatal(err)
		}
	}
	in := pipelinetest.NewInput[string](t, true)
	if err := b.readAll(in); err != nil {
		t.Fatal(err)
	}
	b.expect(in, "kept")
}

// While what Decode stored elsewhere cannot be made durable, nothing is
// committed; then reading goes on where it was.
func TestFlushFails(t *testing.T) {
	b := newBroker(t)
	put(t, b.cl, "a=apple", "b=bread")
	in := pipelinetest.NewInput[string](t, true)
	full, calls := errors.New("no space left"), 0
	s := &Source[string]{
		Config: Config{Brokers: b.addrs, Topics: []string{topic}}, Decode: word,
		Flush: func() error {
			if len(in.Table()) > 0 && calls < 3 {
				t.Error("rows are committed before the flush")
			}
			if calls++; calls < 3 {
				return full
			}
			return nil
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Run(ctx, in); err != nil || ctx.Err() != nil {
		t.Fatal(err, ctx.Err())
	}
	b.expect(in, "apple", "bread")
	if calls < 3 {
		t.Errorf("flushed %d times", calls)
	}
}
