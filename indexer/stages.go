package indexer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"

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
	waiting := func(err error) {
		s.Reason = "waiting, it will be tried again: " + brief(parse.Reason(err))
		x.board.move(s)
	}
	f, c, err := x.read(ctx, it, waiting)
	if err != nil {
		if ctx.Err() == nil {
			waiting(err)
			if parse.Passing(err) {
				x.lack.note(s.ID, err)
			}
		}
		return finding{}, err
	}
	x.lack.note(s.ID, nil)
	if f.Outcome == read {
		s = x.underway(it, Embedding)
		s.Version, s.Title, s.Type, s.Chunks = c.Version, titleOf(it, c), c.Type, c.Len()
		x.board.move(s)
	} else {
		x.log.Info("document not read", "document", it.Source+"/"+it.Path, "id", s.ID, "reason", f.Reason)
	}
	return f, nil
}

// titleOf is the title that the source knows, or else that of the text.
func titleOf(it item, c *index.Outline) string {
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
// document was read. waiting is told what it waits for.
func (x *Indexer) read(ctx context.Context, it item, waiting func(error)) (f finding, c *index.Outline, err error) {
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
	if err != nil && it.Again > 0 && x.here(it) {
		return x.keep(it) // it was read, and all that it lacks is vectors
	}
	if errors.Is(err, errNotHere) || parse.Passing(err) {
		return f, nil, err // a run that has the source will read it, or a later attempt
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
		if parse.Passing(err) {
			return f, nil, err
		}
		return refuse(failed, openReason(err))
	}
	version := versionOf(split.Version, hash, it.Path, it.Title)
	c, err = x.index.Outline(version)
	if errors.Is(err, index.ErrNotFound) {
		file.Backlog = it.Backlog
		if f, err := x.make(ctx, file, it.Title, hash, version, waiting); err != nil || f.Outcome != read {
			return f, nil, err
		}
		c, err = x.index.Outline(version)
	}
	if err != nil {
		return f, nil, fmt.Errorf("indexer: reading back the text of %s/%s: %w", it.Source, it.Path, err)
	}
	return finding{Version: version}, c, nil
}

// make parses, splits and stores a version. title, if there is one, stands in
// place of the text's own.
func (x *Indexer) make(ctx context.Context, file parse.File, title string, hash, version index.ID, waiting func(error)) (finding, error) {
	if file.Size >= parse.Large {
		n := min(file.Size, heavyBytes)
		if err := x.heavies.Acquire(ctx, n); err != nil {
			return finding{}, err
		}
		defer x.heavies.Release(n)
	}
	res, err := x.parser.Parse(ctx, file)
	doc := res.Document
	if err != nil {
		if ctx.Err() != nil {
			return finding{}, ctx.Err()
		}
		if parse.Passing(err) || errors.Is(err, parse.ErrClosed) {
			return finding{}, err
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
	chunks := split.Chunks(doc.Blocks, res.Text, res.Spans, split.Options{})
	c := &index.Content{
		Version: version, Title: cmp.Or(title, doc.Title), Language: Language(doc.Blocks), Type: doc.Type,
		Text: res.Text, Chunks: make([]index.Chunk, len(chunks)), Attributes: maps.Clone(doc.Meta),
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
	err = x.store(ctx, func() error { return x.index.PutContent(ctx, c) }, waiting)
	if errors.Is(err, index.ErrUnfit) {
		return finding{Outcome: failed, Reason: brief(err.Error()), Type: doc.Type}, nil
	}
	return finding{Version: version}, err
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

func refuse(o outcome, reason string) (finding, *index.Outline, error) {
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
func (x *Indexer) keep(it item) (finding, *index.Outline, error) {
	d, ok := x.index.View().Document(docID(it.key()))
	if !ok || d.Unread != "" {
		return refuse(failed, errNoBody.Error())
	}
	c, err := x.index.Outline(d.Version)
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
