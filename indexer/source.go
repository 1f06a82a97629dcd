package indexer

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
)

// source is a source of a collection.
type source struct {
	name, kind, location string
	pipeline             pipeline.Source[item]
	// open gives the bytes of a document.
	open func(item) (parse.File, io.Closer, error)
	// standing tells how far reading has come; the rest of the status is
	// filled in.
	standing func() SourceStatus
	inbox    *inbox // nil if callers do not write to it
	spool    *spool // nil if its documents are not spooled
	former   bool   // not configured in this run

	mu      sync.Mutex
	trouble error // as the source reported it
}

func (s *source) setTrouble(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = err
}

func (s *source) status() SourceStatus {
	st := s.standing()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Name, st.Kind, st.Location = s.name, s.kind, s.location
	if s.trouble != nil {
		st.Trouble = s.trouble.Error()
	}
	return st
}

func (x *Indexer) uploadsDir() string { return filepath.Join(x.dir, "uploads") }
func (x *Indexer) spoolDir() string   { return filepath.Join(x.dir, "spool") }

// spoolOf is where the bodies of a source's documents wait. A name may be
// anything; a directory's may not.
func (x *Indexer) spoolOf(source string) string {
	dir := url.PathEscape(source)
	if strings.Trim(dir, ".") == "" {
		dir = "_" + dir
	}
	return filepath.Join(x.spoolDir(), dir)
}

func (x *Indexer) removeSpool(source string) error { return os.RemoveAll(x.spoolOf(source)) }

// addSources makes the sources that o names, and the uploads.
func (x *Indexer) addSources(o Options) error {
	for _, f := range o.Folders {
		s, err := x.folder(f)
		if err != nil {
			return err
		}
		x.sources = append(x.sources, s)
	}
	for _, t := range o.Topics {
		s, err := x.topic(t)
		if err != nil {
			return err
		}
		x.sources = append(x.sources, s)
	}
	up, err := x.uploaded()
	if err != nil {
		return err
	}
	x.sources = append(x.sources, up)
	names := make([]string, len(x.sources))
	for i, s := range x.sources {
		names[i] = s.name
	}
	former, err := x.enrol(names)
	if err != nil {
		return err
	}
	for _, name := range former {
		x.sources = append(x.sources, x.formerSource(name, o.Withdraw))
	}
	x.byName = map[string]*source{}
	for _, s := range x.sources {
		if x.byName[s.name] != nil {
			return fmt.Errorf("indexer: two sources are called %q; name one of them otherwise", s.name)
		}
		x.byName[s.name] = s
	}
	return nil
}

func (x *Indexer) folder(f Folder) (*source, error) {
	abs, err := filepath.Abs(f.Path)
	if err != nil {
		return nil, fmt.Errorf("indexer: folder %s: %w", f.Path, err)
	}
	src := fsio.New(f.Name, abs, fsio.Options{Ignore: f.Exclude, Exclude: f.Never, Mark: f.Mark, Others: true, Logger: x.log})
	s := &source{name: f.Name, kind: "folder", location: abs}
	s.pipeline = settled[fsio.File]{x: x, s: s, settings: x.settings(), of: src, wrap: wrapFile, unwrap: func(it item) fsio.File { return it.File }}
	s.open = func(it item) (parse.File, io.Closer, error) {
		file, err := src.Open(it.Path)
		if err != nil {
			return parse.File{}, nil, err
		}
		return parse.File{Name: it.Path, Data: file, Size: it.Size}, file, nil
	}
	s.standing = func() SourceStatus {
		st := src.Status()
		return SourceStatus{Scanned: st.Scanned, Trouble: st.Trouble}
	}
	return s, nil
}

func wrapFile(f fsio.File) item { return item{File: f} }

func (x *Indexer) topic(t Topic) (*source, error) {
	dir := x.spoolOf(t.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("indexer: creating the spool of topic %s: %w", t.Topic, err)
	}
	sp, err := openSpool(dir)
	if err != nil {
		return nil, err
	}
	src := t.source(sp, x.settings())
	s := &source{name: t.Name, kind: "kafka", location: t.location(), spool: sp}
	s.pipeline = settled[item]{x: x, s: s, settings: x.settings(), of: src, wrap: same, unwrap: same, recovered: x.recoverSpool(sp)}
	s.open = func(it item) (parse.File, io.Closer, error) {
		r, c, err := sp.open(it.Body)
		if err != nil {
			return parse.File{}, nil, err
		}
		return parse.File{Name: it.Path, Data: r, Size: it.Size}, c, nil
	}
	s.standing = func() SourceStatus {
		st := src.Status()
		return SourceStatus{Scanned: st.Caught, Lag: st.Lag}
	}
	return s, nil
}

func same(it item) item { return it }

// recoverSpool holds the bodies of documents that have not arrived and lets go
// of all others.
func (x *Indexer) recoverSpool(sp *spool) func([]item) error {
	return func(rows []item) error {
		for _, it := range rows {
			if !x.here(it) {
				sp.hold(it.key(), it.Body)
			}
		}
		return sp.sweep()
	}
}

func (x *Indexer) uploaded() (*source, error) {
	b, err := newInbox(UploadsName, x.uploadsDir(), x.settings())
	if err != nil {
		return nil, err
	}
	b.again, b.found, b.dropped, b.log = x.again, x.found, x.dropped, x.log
	b.trouble = func() error { return x.graph.Stats().Trouble }
	s := &source{name: UploadsName, kind: "uploads", location: b.dir, pipeline: b, inbox: b}
	s.open = func(it item) (parse.File, io.Closer, error) {
		file, _, body, err := openBody(filepath.Join(b.dir, it.Body))
		if err != nil {
			return parse.File{}, nil, err
		}
		return parse.File{Name: it.Path, Data: body, Size: it.Size}, file, nil
	}
	s.standing = func() SourceStatus { return SourceStatus{Scanned: true} }
	return s, nil
}

// open gives the bytes of a document.
func (x *Indexer) open(it item) (parse.File, io.Closer, error) {
	s := x.byName[it.Source]
	if s == nil {
		return parse.File{}, nil, errNotHere
	}
	return s.open(it)
}

// found puts a document on the board before the engine hears of it, so that no
// later step can come first.
func (x *Indexer) found(it item) { x.board.find(x.underway(it, Found)) }

// dropped takes it off.
func (x *Indexer) dropped(k pipeline.Key) {
	id := docID(k)
	_, inIndex := x.index.View().Document(id)
	x.board.drop(id, inIndex)
	x.lack.note(id, nil)
}

// arrived lets go of what was kept only until a document was in the index.
func (x *Indexer) arrived(it item) {
	if s := x.byName[it.Source]; s != nil && s.spool != nil {
		s.spool.release(it.key(), it.Body)
	}
}

// Sources describes the sources.
func (x *Indexer) Sources() []SourceStatus {
	kept, read := map[string]int{}, map[string]int{}
	for d := range x.index.View().Documents() {
		kept[d.Source]++
		if d.Unread == "" {
			read[d.Source]++
		}
	}
	out := make([]SourceStatus, 0, len(x.sources))
	for _, s := range x.sources {
		st := s.status()
		st.Documents = read[s.name]
		if s.kind != "former" || kept[s.name] > 0 {
			out = append(out, st)
		}
	}
	return out
}

// staleSources are the sources that cannot be read at the moment: their
// documents stay, and may be older than their origin.
func (x *Indexer) staleSources() map[string]bool {
	stale := map[string]bool{}
	for _, s := range x.sources {
		if s.status().Trouble != "" {
			stale[s.name] = true
		}
	}
	return stale
}

// settled runs a source of rows T as a source of items: it carries the settings
// into every row, asks again for rows of other settings when it starts, and
// notes the source's trouble.
type settled[T any] struct {
	x         *Indexer
	s         *source
	settings  string
	of        pipeline.Source[T]
	wrap      func(T) item
	unwrap    func(item) T
	recovered func([]item) error // told all rows of the former run; may be nil
}

// Run implements pipeline.Source.
func (d settled[T]) Run(ctx context.Context, in pipeline.Input[item]) error {
	var asked, all []item
	in.Rows(func(_ pipeline.Key, it item) bool {
		if again, ok := d.x.again(it, d.settings); ok {
			asked = append(asked, again)
		} else if !d.x.here(it) {
			d.x.found(it) // it had not arrived when the former run ended
		}
		if d.recovered != nil {
			all = append(all, it)
		}
		return true
	})
	if d.recovered != nil {
		if err := d.recovered(all); err != nil {
			return err
		}
	}
	if err := d.x.askAgain(ctx, in, asked); err != nil {
		return err
	}
	return d.of.Run(ctx, settledInput[T]{in, d})
}

// settledInput is the engine's input as the wrapped source sees it.
type settledInput[T any] struct {
	in pipeline.Input[item]
	d  settled[T]
}

func (s settledInput[T]) item(row T) item {
	it := s.d.wrap(row)
	it.Settings = s.d.settings
	return it
}

func (s settledInput[T]) Add(k pipeline.Key, row T, n int) { s.in.Add(k, s.item(row), n) }
func (s settledInput[T]) Upsert(k pipeline.Key, row T) {
	it := s.item(row)
	s.d.x.found(it)
	s.in.Upsert(k, it)
}
func (s settledInput[T]) Delete(k pipeline.Key) {
	s.d.x.dropped(k)
	if s.d.s.spool != nil {
		s.d.s.spool.release(k, "")
	}
	s.in.Delete(k)
}
func (s settledInput[T]) Rows(yield func(pipeline.Key, T) bool) {
	s.in.Rows(func(k pipeline.Key, it item) bool { return yield(k, s.d.unwrap(it)) })
}
func (s settledInput[T]) Put(k pipeline.Key, value []byte)            { s.in.Put(k, value) }
func (s settledInput[T]) Drop(k pipeline.Key)                         { s.in.Drop(k) }
func (s settledInput[T]) State(yield func(pipeline.Key, []byte) bool) { s.in.State(yield) }
func (s settledInput[T]) Fail(where string, err error)                { s.in.Fail(where, err) }
func (s settledInput[T]) Commit(ctx context.Context, f func(uint64)) error {
	return s.in.Commit(ctx, f)
}
func (s settledInput[T]) Static() bool { return s.in.Static() }
func (s settledInput[T]) Trouble(err error) {
	s.d.s.setTrouble(err)
	s.in.Trouble(err)
}
