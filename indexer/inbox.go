package indexer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
)

// UploadsName is the source that callers put documents into.
const UploadsName = "uploads"

// Errors of Put and Delete.
var (
	ErrNoSource   = errors.New("there is no such source")
	ErrReadOnly   = errors.New("the source is not written to from here")
	ErrNoDocument = errors.New("there is no such document")
)

// inbox is the source of documents that callers put: their bodies are files of
// its directory, named in the order they came; rows tell which file is whose
// and, if the engine's state is lost, the files themselves.
type inbox struct {
	name     string
	dir      string
	settings string
	again    func(it item, settings string) (item, bool)
	found    func(item)         // told of a document before the engine is
	dropped  func(pipeline.Key) // told of a deletion before the engine is
	trouble  func() error       // why nothing can be committed, nil if it can
	old      []string           // bodies of former runs, in their order
	log      *slog.Logger
	requests chan request
	serial   atomic.Uint64
}

// request puts (item) or deletes (nil) the document with a key.
type request struct {
	key  pipeline.Key
	item *item
	done chan error // buffered
}

func newInbox(name, dir, settings string) (*inbox, error) {
	b := &inbox{name: name, dir: dir, settings: settings, requests: make(chan request)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("indexer: looking through the uploads: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), unfinished) {
			b.old = append(b.old, e.Name())
		} else if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return nil, fmt.Errorf("indexer: removing an upload that was broken off: %w", err)
		}
	}
	return b, nil
}

// Run takes requests until ctx ends.
func (b *inbox) Run(ctx context.Context, in pipeline.Input[item]) error {
	held, err := b.takeUp(ctx, in)
	if err != nil {
		return err
	}
	for {
		select {
		case r := <-b.requests:
			if err := b.group(ctx, in, held, r); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// known is what an inbox keeps in the engine's state: that it has a state.
var known = pipeline.KeyOf("the bodies are known")

// takeUp asks for every document again that needs it (see again), and removes
// bodies that no row names: those of requests that were never answered, and of
// documents that were replaced. In a new state there
// are no rows yet: then it takes up the last body of each document.
func (b *inbox) takeUp(ctx context.Context, in pipeline.Input[item]) (held map[pipeline.Key]string, err error) {
	held = map[pipeline.Key]string{}
	var asked []item
	in.Rows(func(k pipeline.Key, it item) bool {
		held[k] = it.Body
		if again, ok := b.again(it, b.settings); ok {
			asked = append(asked, again)
		}
		return true
	})
	begun := false
	in.State(func(pipeline.Key, []byte) bool { begun = true; return false })
	if !begun {
		in.Put(known, nil)
		if len(held) == 0 {
			asked = b.orphans()
		}
	}
	for _, it := range asked {
		it.Backlog = true
		held[it.key()] = it.Body
		b.found(it)
		in.Upsert(it.key(), it)
	}
	if len(asked) > 0 || !begun {
		if err := in.Commit(ctx, nil); err != nil {
			return nil, err
		}
	}
	named := map[string]bool{}
	for _, body := range held {
		named[body] = true
	}
	for _, name := range b.old {
		if named[name] {
			continue
		}
		path := filepath.Join(b.dir, name)
		if _, _, err := describeBody(path); err != nil {
			b.log.Warn("a file among the uploads is none; it stays where it is", "err", err)
		} else if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("indexer: removing a forgotten upload: %w", err)
		}
	}
	return held, nil
}

// orphans are the documents whose bodies are here without a state.
func (b *inbox) orphans() []item {
	last := map[pipeline.Key]item{}
	for _, name := range b.old {
		d, size, err := describeBody(filepath.Join(b.dir, name))
		if err == nil {
			it := b.item(d, size, name)
			last[it.key()] = it
		}
	}
	if len(last) > 0 {
		b.log.Warn("uploads are taken up from their files, for the engine has no state of them", "documents", len(last))
	}
	return slices.Collect(maps.Values(last))
}

func (b *inbox) item(d description, size int64, body string) item {
	return item{
		File: fsio.File{Source: b.name, Path: d.Path, Size: size, Created: d.Created, Modified: d.Modified, Seen: d.Seen, Owner: d.Owner},
		Body: body, Settings: b.settings, Title: d.Title, Fields: d.Fields,
	}
}

// group commits first and whatever else is waiting as one group. A body that is
// no longer named goes once that is durable.
func (b *inbox) group(ctx context.Context, in pipeline.Input[item], held map[pipeline.Key]string, first request) error {
	const most = 256
	rs, gone := []request{first}, []string(nil)
	for more := true; more && len(rs) < most; {
		select {
		case r := <-b.requests:
			rs = append(rs, r)
		default:
			more = false
		}
	}
	var taken []request
	for _, r := range rs {
		old, have := held[r.key]
		switch {
		case r.item != nil:
			b.found(*r.item)
			in.Upsert(r.key, *r.item)
			held[r.key] = r.item.Body
		case have:
			b.dropped(r.key)
			in.Delete(r.key)
			delete(held, r.key)
		default:
			r.done <- ErrNoDocument
			continue
		}
		if have {
			gone = append(gone, old)
		}
		taken = append(taken, r)
	}
	return in.Commit(ctx, func(uint64) {
		for _, name := range gone {
			// One that cannot be removed now goes at the next start.
			_ = os.Remove(filepath.Join(b.dir, name))
		}
		for _, r := range taken {
			r.done <- nil
		}
	})
}

// watchTrouble is how often a request that waits looks whether it waits in vain.
const watchTrouble = 50 * time.Millisecond

// ask has a request done; taken reports whether it may be, sooner or later,
// also if there is an error. One that cannot be committed for the moment is
// not waited for: its caller is told why.
func (b *inbox) ask(ctx context.Context, r request) (taken bool, err error) {
	r.done = make(chan error, 1)
	look := time.NewTicker(watchTrouble)
	defer look.Stop()
	if err := b.trouble(); err != nil {
		return false, err
	}
	for requests := b.requests; ; {
		select {
		case requests <- r:
			requests, taken = nil, true
		case err := <-r.done:
			return true, err
		case <-look.C:
			if err := b.trouble(); err != nil {
				if taken {
					err = fmt.Errorf("it is done as soon as that works again, unless the server ends before: %w", err)
				}
				return taken, err
			}
		case <-ctx.Done():
			return taken, ctx.Err()
		}
	}
}

// store makes a body durable and returns the document.
func (b *inbox) store(d description, r io.Reader) (item, error) {
	name := fmt.Sprintf("%016x-%016x", time.Now().UnixNano(), b.serial.Add(1))
	size, err := writeBody(filepath.Join(b.dir, name), d, r)
	return b.item(d, size, name), err
}

// Put stores a document under the caller's key in a source that callers write
// to; it replaces the one with that key. When Put returns the document is
// durable; Settle waits until it is searchable. Of m, what is not zero is kept.
func (x *Indexer) Put(ctx context.Context, source, key string, r io.Reader, m index.Meta) (Status, error) {
	b, err := x.writable(source)
	if err != nil {
		return Status{}, err
	}
	fields := ""
	if len(m.Attributes) > 0 {
		j, err := json.Marshal(m.Attributes)
		if err != nil {
			return Status{}, fmt.Errorf("indexer: metadata of %s/%s: %w", source, key, err)
		}
		fields = string(j)
	}
	now := time.Now().UTC()
	d := description{Path: key, Title: m.Title, Fields: fields, Owner: m.Owner, Created: m.Created, Modified: m.Modified, Seen: now}
	if d.Modified.IsZero() {
		d.Modified = now
	}
	it, err := b.store(d, r)
	if err != nil {
		return Status{}, fmt.Errorf("indexer: storing %s/%s: %w", source, key, err)
	}
	if taken, err := b.ask(ctx, request{key: it.key(), item: &it}); err != nil {
		if !taken {
			err = errors.Join(err, os.Remove(filepath.Join(b.dir, it.Body)))
		}
		return Status{}, fmt.Errorf("indexer: storing %s/%s: %w", source, key, err)
	}
	if s, ok := x.Document(docID(it.key())); ok && !s.Seen.Before(now) {
		return s, nil
	}
	return x.underway(it, Found), nil
}

// Delete removes a document that was put. When it returns that is durable;
// Settle waits until no search finds it any more.
func (x *Indexer) Delete(ctx context.Context, source, key string) (Status, error) {
	b, err := x.writable(source)
	if err != nil {
		return Status{}, err
	}
	k := pipeline.KeyOf(source, key)
	if _, err := b.ask(ctx, request{key: k}); err != nil {
		return Status{}, fmt.Errorf("indexer: deleting %s/%s: %w", source, key, err)
	}
	return Status{ID: docID(k), Source: source, Path: key}, nil
}

// Settle waits until what Put or Delete returned is live, failed, skipped or
// gone, and returns how it then stands. If ctx ends first, it returns the
// status so far and ctx's error.
func (x *Indexer) Settle(ctx context.Context, s Status) (Status, error) {
	deleted := s.State == ""
	settled := func() (Status, bool) {
		now, ok := x.Document(s.ID)
		switch {
		case !ok:
			return s, deleted
		case deleted:
			return s, false
		case now.Seen.Before(s.Seen):
			return s, false
		}
		return now, now.State == Live || now.State == Stale || now.State == Failed || now.State == Skipped
	}
	from := x.LastEvent()
	now, ok := settled()
	if ok {
		return now, nil
	}
	for e, whole := range x.Events(ctx, from) {
		if whole && e.Status.ID != s.ID {
			continue
		}
		if whole && e.Removed && !deleted {
			return e.Status, nil // deleted by another call since
		}
		if now, ok = settled(); ok {
			return now, nil
		}
	}
	return now, ctx.Err()
}

func (x *Indexer) writable(source string) (*inbox, error) {
	for _, s := range x.sources {
		if s.name == source {
			if s.inbox == nil {
				return nil, fmt.Errorf("source %q: %w", source, ErrReadOnly)
			}
			return s.inbox, nil
		}
	}
	names := make([]string, len(x.sources))
	for i, s := range x.sources {
		names[i] = s.name
	}
	return nil, fmt.Errorf("source %q: %w; there are: %s", source, ErrNoSource, strings.Join(names, ", "))
}
