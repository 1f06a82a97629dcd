package kafkaio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ragserver/ragserver/pipeline"
)

// Record is a record of a topic. Its bytes are valid until Decode returns.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time
	Key       []byte // nil if it has none
	Value     []byte
	Headers   []Header
}

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Place says where a record stands, for errors.
func (r Record) Place() string { return fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset) }

// Source is a pipeline source of topics. Decode turns the value of a record
// into a row; Key, if not nil, chooses the row's key, by default that of
// (topic, record key), or of (topic, partition, offset) for a record without a
// key. Flush, if not nil, is called before each group is committed: what Decode
// stored elsewhere must be durable when it returns nil. While it fails, reading
// waits, the source's trouble says why, and it is called again.
type Source[T any] struct {
	Config Config
	Decode func(Record) (T, error)
	Key    func(Record) pipeline.Key
	Flush  func() error

	mu     sync.Mutex
	status Status
}

// Status tells how a source stands.
type Status struct {
	Lag    int64 // records not read yet, as of the last look
	Read   int64 // records read since the start
	Caught bool  // everything that was there at the start has been read
}

// Status may be called at any time, from any goroutine.
func (s *Source[T]) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Source[T]) note(f func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.status)
}

// Read reads topics into a table whose rows decode makes of records.
func Read[T any](g *pipeline.Graph, name string, c Config, decode func(Record) (T, error)) *pipeline.Table[T] {
	return pipeline.From(g, name, &Source[T]{Config: c, Decode: decode})
}

const (
	// lookEvery is how often new partitions and the lag are looked for, and a
	// silent broker is asked whether it is there.
	lookEvery = 5 * time.Second
	// waitMin and waitMax bound the pause before a broker that is down is
	// tried again.
	waitMin, waitMax = 250 * time.Millisecond, 10 * time.Second
	defaultBatch     = 4096
)

// Run reads until ctx ends; in static mode, to the ends that the partitions had
// when it began.
func (s *Source[T]) Run(ctx context.Context, in pipeline.Input[T]) error {
	if err := s.Config.validate(); err != nil {
		return err
	}
	cl, err := s.Config.client()
	if err != nil {
		return fmt.Errorf("kafkaio: %w", err)
	}
	defer cl.Close()
	r := &reader[T]{s: s, in: in, cl: cl, admin: kadm.NewClient(cl), next: map[partition]int64{}, ends: map[partition]int64{}}
	r.admin.SetTimeoutMillis(5000)
	in.State(func(_ pipeline.Key, value []byte) bool {
		if p, next, ok := decodePosition(value); ok {
			r.next[p] = next
		}
		return true
	})
	if err := r.start(ctx); err != nil {
		return stopped(ctx, err)
	}
	return stopped(ctx, r.run(ctx))
}

// stopped tells an end that was asked for from a failure.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type partition struct {
	topic string
	n     int32
}

// reader is one run of a source. It belongs to Run's goroutine.
type reader[T any] struct {
	s     *Source[T]
	in    pipeline.Input[T]
	cl    *kgo.Client
	admin *kadm.Client
	next  map[partition]int64 // offset to read next
	ends  map[partition]int64 // end at the start: there Static stops
	known map[partition]bool
	asked time.Time // last look
}

// start waits for the cluster and the topics and begins to read every
// partition.
func (r *reader[T]) start(ctx context.Context) error {
	r.known = map[partition]bool{}
	for wait := waitMin; ; wait = min(2*wait, waitMax) {
		err := r.look(ctx)
		if err == nil {
			r.in.Trouble(nil)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fatal(err) {
			return fmt.Errorf("kafkaio: reading %s: %w", strings.Join(r.s.Config.Topics, ", "), err)
		}
		r.in.Trouble(fmt.Errorf("waiting for %s: %w", strings.Join(r.s.Config.Brokers, ", "), err))
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// fatal reports whether waiting cannot help.
func fatal(err error) bool {
	for _, e := range []error{kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.TopicAuthorizationFailed, kerr.InvalidTopicException} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// look finds the partitions and their ends, begins to read new ones, and notes
// the lag.
func (r *reader[T]) look(ctx context.Context) error {
	r.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	ends, err := r.admin.ListCommittedOffsets(ctx, r.s.Config.Topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	starts, err := r.admin.ListStartOffsets(ctx, r.s.Config.Topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return err
	}
	add := map[string]map[int32]kgo.Offset{}
	var lag int64
	for topic, ps := range ends {
		for n, end := range ps {
			p := partition{topic, n}
			start, _ := starts.Lookup(topic, n)
			from := max(r.next[p], start.Offset)
			lag += max(0, end.Offset-from)
			if r.known[p] {
				continue
			}
			r.known[p], r.ends[p] = true, end.Offset
			r.next[p] = from
			if add[topic] == nil {
				add[topic] = map[int32]kgo.Offset{}
			}
			add[topic][n] = kgo.NewOffset().At(from)
		}
	}
	if len(add) > 0 {
		r.cl.AddConsumePartitions(add)
	}
	r.s.note(func(s *Status) { s.Lag, s.Caught = lag, s.Caught || r.caught() })
	return nil
}

// caught reports whether everything that was there at the start has been read.
func (r *reader[T]) caught() bool {
	for p, end := range r.ends {
		if r.next[p] < end {
			return false
		}
	}
	return true
}

func (r *reader[T]) run(ctx context.Context) error {
	batch := r.s.Config.Batch
	if batch <= 0 {
		batch = defaultBatch
	}
	for {
		if r.in.Static() && r.caught() {
			return nil
		}
		poll, cancel := context.WithTimeout(ctx, lookEvery)
		fetches := r.cl.PollRecords(poll, batch)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.take(ctx, fetches); err != nil {
			return err
		}
		if time.Since(r.asked) < lookEvery {
			continue
		}
		err := r.look(ctx)
		if err != nil && fatal(err) {
			return fmt.Errorf("kafkaio: reading %s: %w", strings.Join(r.s.Config.Topics, ", "), err)
		}
		if ctx.Err() == nil {
			r.in.Trouble(err)
		}
	}
}

// take adds what was fetched as one group.
func (r *reader[T]) take(ctx context.Context, fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, context.Canceled):
		case fatal(e.Err):
			return fmt.Errorf("kafkaio: reading %s/%d: %w", e.Topic, e.Partition, e.Err)
		default:
			r.in.Trouble(fmt.Errorf("reading %s/%d: %w", e.Topic, e.Partition, e.Err))
		}
	}
	if fetches.NumRecords() == 0 {
		return nil
	}
	moved := map[partition]int64{}
	fetches.EachRecord(func(kr *kgo.Record) {
		moved[partition{kr.Topic, kr.Partition}] = kr.Offset + 1
		if !kr.Attrs.IsControl() {
			r.add(record(kr))
		}
	})
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.in.Trouble(nil)
	for p, next := range moved {
		r.next[p] = next
		r.in.Put(pipeline.KeyOf(p.topic, fmt.Sprint(p.n)), encodePosition(p, next))
	}
	r.s.note(func(s *Status) {
		s.Read += int64(fetches.NumRecords())
		s.Lag = max(0, s.Lag-int64(fetches.NumRecords()))
		s.Caught = s.Caught || r.caught()
	})
	return r.in.Commit(ctx, nil)
}

// flush has made durable what Decode stored, or the run is over.
func (r *reader[T]) flush(ctx context.Context) error {
	if r.s.Flush == nil {
		return nil
	}
	for wait := waitMin; ; wait = min(2*wait, waitMax) {
		err := r.s.Flush()
		if err == nil {
			return nil
		}
		r.in.Trouble(fmt.Errorf("storing records of %s: %w", strings.Join(r.s.Config.Topics, ", "), err))
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *reader[T]) add(rec Record) {
	key := keyOf(rec)
	if r.s.Key != nil {
		key = r.s.Key(rec)
	}
	if rec.Key != nil && rec.Value == nil {
		r.in.Delete(key)
		return
	}
	row, err := r.s.Decode(rec)
	if err != nil {
		r.in.Fail(rec.Place(), err)
		return
	}
	r.in.Upsert(key, row)
}

func keyOf(r Record) pipeline.Key {
	if r.Key == nil {
		return pipeline.KeyOf(r.Topic, fmt.Sprint(r.Partition), fmt.Sprint(r.Offset))
	}
	return pipeline.KeyOf(r.Topic, string(r.Key))
}

func record(k *kgo.Record) Record {
	rec := Record{Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Time: k.Timestamp, Key: k.Key, Value: k.Value}
	for _, h := range k.Headers {
		rec.Headers = append(rec.Headers, Header(h))
	}
	return rec
}

// A position is (partition, offset to read next, topic) in the source's state.
func encodePosition(p partition, next int64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(p.n))
	b = binary.LittleEndian.AppendUint64(b, uint64(next))
	return append(b, p.topic...)
}

func decodePosition(b []byte) (partition, int64, bool) {
	if len(b) <= 12 {
		return partition{}, 0, false
	}
	p := partition{string(b[12:]), int32(binary.LittleEndian.Uint32(b))}
	return p, int64(binary.LittleEndian.Uint64(b[4:])), true
}
