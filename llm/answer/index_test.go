package answer_test

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/indexer/embed"
	"github.com/ragserver/ragserver/indexer/index"
)

// library is the real index over a few documents, with the built-in embedder.
// A query's glob with a ! in front leaves out the document of that path.
type library struct {
	index    *index.Index
	embedder *embed.Static
}

func newLibrary(t testing.TB) *library {
	t.Helper()
	e, err := embed.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Open(index.Options{Dir: filepath.Join(t.TempDir(), "index"), Space: index.Space{Name: "builtin", Dims: e.Dims(), Weight: .3}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return &library{x, e}
}

// document is a text, already cut into chunks.
type document struct {
	path, title, language string
	chunks                []string
}

func id(s string) (id index.ID) {
	sum := sha256.Sum256([]byte(s))
	copy(id[:], sum[:])
	return id
}

// add makes the documents live, in one epoch.
func (l *library) add(t testing.TB, docs []document) {
	t.Helper()
	batch := index.Batch{Epoch: l.index.Epoch() + 1}
	for _, d := range docs {
		c := &index.Content{Title: d.title, Language: d.language, Text: strings.Join(d.chunks, "\n\n")}
		c.Version = id(d.path + c.Text)
		at := 0
		var hashes []index.ID
		var texts []string
		for i, ch := range d.chunks {
			c.Chunks = append(c.Chunks, index.Chunk{Start: uint32(at), End: uint32(at + len(ch)), Hash: id(d.title + "\n" + ch)})
			at += len(ch) + 2
			hashes, texts = append(hashes, c.Chunks[i].Hash), append(texts, c.EmbedText(i))
		}
		vectors, err := l.embedder.Embed(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.index.PutContent(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := l.index.PutVectors(t.Context(), hashes, vectors); err != nil {
			t.Fatal(err)
		}
		batch.Put = append(batch.Put, index.Document{ID: id(d.path), Source: "docs", Path: d.path, Version: c.Version, Embedded: true, Meta: index.Meta{Title: d.title, Language: d.language}})
	}
	if _, err := l.index.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

func (l *library) Search(ctx context.Context, q index.Query) (index.Result, error) {
	v, err := l.embedder.Embed(ctx, []string{q.Text})
	if err != nil {
		return index.Result{}, err
	}
	q.Vector = v[0]
	if not, ok := strings.CutPrefix(q.Glob, "!"); ok {
		q.Glob, q.Documents = "", []index.ID{}
		for d := range l.index.View().Documents() {
			if d.Path != not {
				q.Documents = append(q.Documents, d.ID)
			}
		}
	}
	return l.index.Search(ctx, q)
}
