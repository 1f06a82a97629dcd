package indexer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/indexer/split"
)

// MaxFile is the size in bytes above which a document is skipped unread.
const MaxFile = 512 << 20

// errMoved says that a document changed between two looks at it.
var errMoved = errors.New("it changed while it was being read")

// parse reads one document: it opens the bytes, asks the index whether it knows
// what the parser makes of them, and otherwise parses, splits and stores. What
// is wrong with the document is in the answer; an error is a reason to try
// again.
func (x *Indexer) parse(ctx context.Context, it item) (finding, error) {
	s := x.underway(it, Parsing)
	x.board.move(s)
	f, c, err := x.read(ctx, it)
	switch {
	case err != nil:
		return finding{}, err
	case f.Outcome == read:
		s = x.underway(it, Embedding)
		s.Version, s.Title, s.Type, s.Chunks = c.Version, titleOf(it, c), c.Type, len(c.Chunks)
		x.board.move(s)
	default:
		x.log.Info("document not read", "document", it.Source+"/"+it.Path, "id", s.ID, "reason", f.Reason)
	}
	return f, nil
}

// titleOf is the title that the source knows, or else that of the text.
func titleOf(it item, c *index.Content) string {
	if it.Title != "" {
		return it.Title
	}
	return c.Title
}

func (x *Indexer) underway(it item, s State) Status {
	st := Status{
		ID: docID(it.key()), Source: it.Source, Path: legible(it.Path), State: s,
		Size: it.Size, Modified: it.Modified, Seen: it.Seen,
	}
	if d, ok := x.index.View().Document(st.ID); ok && d.Unread == "" {
		st.LiveVersion, st.LiveAt = d.Version, d.Applied
	}
	return st
}

// read answers for a document; c is what the index has of the version, if the
// document was read.
func (x *Indexer) read(ctx context.Context, it item) (f finding, c *index.Content, err error) {
	switch {
	case it.Skipped != "":
		return refuse(skipped, it.Skipped)
	case it.Size > MaxFile:
		return refuse(skipped, fmt.Sprintf("it has %d MB; at most %d MB are read", it.Size>>20, MaxFile>>20))
	case it.Problem != "":
		return refuse(failed, it.Problem)
	}
	if _, err := fieldsOf(it); err != nil {
		return refuse(failed, err.Error())
	}
	file, closer, err := x.open(it)
	if errors.Is(err, errNoBody) {
		return x.keep(it)
	}
	if err != nil {
		return refuse(failed, openReason(err))
	}
	defer closer.Close()
	hash, err := hashOf(ctx, file)
	if err != nil {
		if ctx.Err() != nil {
			return f, nil, ctx.Err()
		}
		return refuse(failed, openReason(err))
	}
	version := versionOf(split.Version, hash, it.Path)
	c, err = x.index.Content(version)
	if errors.Is(err, index.ErrNotFound) {
		if f, err := x.make(ctx, file, hash, version); err != nil || f.Outcome != read {
			return f, nil, err
		}
		c, err = x.index.Content(version)
	}
	if err != nil {
		return f, nil, fmt.Errorf("indexer: reading back the text of %s/%s: %w", it.Source, it.Path, err)
	}
	return finding{Version: version}, c, nil
}

// make parses, splits and stores a version.
func (x *Indexer) make(ctx context.Context, file parse.File, hash, version index.ID) (finding, error) {
	res, err := x.parser.Parse(ctx, file)
	doc := res.Document
	if err != nil {
		if ctx.Err() != nil {
			return finding{}, ctx.Err()
		}
		var fault *parse.Error
		if errors.As(err, &fault) && fault.Fault == parse.Changed {
			return finding{}, errMoved
		}
		if skip, ok := errors.AsType[*parse.SkipError](err); ok {
			return finding{Outcome: skipped, Reason: skip.Reason, Type: skip.Type}, nil
		}
		return finding{Outcome: failed, Reason: parse.Reason(err)}, nil
	}
	if index.ID(res.Hash) != hash {
		return finding{}, errMoved
	}
	text, chunks := split.Split(doc, split.Options{})
	c := &index.Content{
		Version: version, Title: doc.Title, Language: doc.Language, Type: doc.Type,
		Text: text, Chunks: make([]index.Chunk, len(chunks)), Attributes: maps.Clone(doc.Meta),
	}
	if len(doc.Warnings) > 0 {
		if c.Attributes == nil {
			c.Attributes = map[string]any{}
		}
		c.Attributes[attrWarning] = warning(doc.Warnings)
	}
	for i, ch := range chunks {
		c.Chunks[i] = index.Chunk{Start: uint32(ch.Start), End: uint32(ch.End), Page: uint32(ch.Page), Heading: ch.Heading}
		c.Chunks[i].Hash = chunkHash(c.EmbedText(i))
	}
	return finding{Version: version}, x.index.PutContent(ctx, c)
}

func warning(ws []string) string {
	const most = 3
	s := ""
	for i, w := range ws {
		if i == most {
			return s + fmt.Sprintf("; and %d more", len(ws)-most)
		}
		if i > 0 {
			s += "; "
		}
		s += w
	}
	return s
}

// fieldsOf is the metadata that the source knows.
func fieldsOf(it item) (fields map[string]any, err error) {
	if it.Fields != "" {
		if err := json.Unmarshal([]byte(it.Fields), &fields); err != nil {
			return nil, fmt.Errorf("its metadata is not JSON: %w", err)
		}
	}
	return fields, nil
}

func refuse(o outcome, reason string) (finding, *index.Content, error) {
	return finding{Outcome: o, Reason: reason}, nil, nil
}

func openReason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "it vanished before it could be read"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied; make it readable for the user the server runs as"
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// keep answers for a document whose bytes are gone: what the index has of it
// stays as it is.
func (x *Indexer) keep(it item) (finding, *index.Content, error) {
	d, ok := x.index.View().Document(docID(it.key()))
	if !ok || d.Unread != "" {
		return refuse(failed, errNoBody.Error())
	}
	c, err := x.index.Content(d.Version)
	if err != nil {
		return finding{}, nil, fmt.Errorf("indexer: reading back the text of %s/%s: %w", it.Source, it.Path, err)
	}
	return finding{Version: d.Version}, c, nil
}

// hashOf returns the identity of a document's bytes.
func hashOf(ctx context.Context, f parse.File) (index.ID, error) {
	h := sha256.New()
	if _, err := io.Copy(h, readerContext{ctx, io.NewSectionReader(f.Data, 0, f.Size)}); err != nil {
		return index.ID{}, err
	}
	return index.ID(h.Sum(nil)[:16]), nil
}

// readerContext ends reading when its context does.
type readerContext struct {
	ctx context.Context
	r   io.Reader
}

func (r readerContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// embedRetry is how long the embed stage waits before it asks an embedder that
// failed again; it doubles up to embedRetryMax.
const (
	embedRetry    = 500 * time.Millisecond
	embedRetryMax = 30 * time.Second
	// embedBatch is how many texts go to the embedder in one call.
	embedBatch = 64
)

// embed gives the chunks of some documents their vectors. It returns when the
// index holds them all, however long the embedder takes to come back: until
// then the documents answer by keyword.
func (x *Indexer) embed(ctx context.Context, rows []parsed) (embedded []bool, errs []error) {
	embedded, errs = make([]bool, len(rows)), make([]error, len(rows))
	computed := make([]int, len(rows))
	jobs := map[index.ID]string{} // what must be embedded, by hash
	for i, p := range rows {
		embedded[i] = true
		c, err := x.index.Content(p.Finding.Version)
		if err != nil {
			errs[i] = fmt.Errorf("indexer: the text of %s/%s: %w", p.Item.Source, p.Item.Path, err)
			continue
		}
		hashes := make([]index.ID, len(c.Chunks))
		for k := range c.Chunks {
			hashes[k] = c.Chunks[k].Hash
		}
		for k, known := range x.index.Known(hashes) {
			if _, queued := jobs[hashes[k]]; known || queued {
				continue
			}
			jobs[hashes[k]] = c.EmbedText(k)
			computed[i]++
		}
	}
	hashes, texts := make([]index.ID, 0, embedBatch), make([]string, 0, embedBatch)
	flush := func() error {
		err := x.vectors(ctx, hashes, texts)
		hashes, texts = hashes[:0], texts[:0]
		return err
	}
	var err error
	for h, text := range jobs {
		hashes, texts = append(hashes, h), append(texts, text)
		if len(texts) == embedBatch {
			if err = flush(); err != nil {
				break
			}
		}
	}
	if err == nil && len(texts) > 0 {
		err = flush()
	}
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
		if err == nil {
			x.board.computed(docID(rows[i].Item.key()), computed[i])
		}
	}
	return embedded, errs
}

// vectors embeds texts and stores the vectors, trying again until ctx ends.
func (x *Indexer) vectors(ctx context.Context, hashes []index.ID, texts []string) error {
	for wait := embedRetry; ; wait = min(2*wait, embedRetryMax) {
		vs, err := x.space.Embedder.Embed(ctx, texts)
		if err == nil && len(vs) != len(texts) {
			err = fmt.Errorf("it returned %d vectors for %d texts", len(vs), len(texts))
		}
		if err == nil {
			x.embedTrouble(nil)
			return x.index.PutVectors(ctx, hashes, vs)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		x.embedTrouble(err)
		x.log.Warn("embedder failed; documents answer by keyword until it is back", "embedder", x.space.Name, "err", err, "retry", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
