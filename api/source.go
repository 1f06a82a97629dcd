package api

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/selection"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm/answer"
)

// source is a hit as clients see it.
func (s *Server) source(c *Collection, n int, cited bool, h *index.Hit) (Source, error) {
	d := &h.Document
	start, end, err := s.span(c, h)
	if err != nil {
		return Source{}, err
	}
	out := Source{
		N: n, Cited: cited,
		Document: d.ID.String(), Chunk: h.Chunk.String(), Version: d.Version.String(),
		Source: d.Source, Path: d.Path, Title: title(h), Heading: h.Heading, Page: h.Page,
		Start: start, End: end, Text: h.Text,
		Score: finite(h.Score), BM25: finite(h.BM25),
		Modified: timeOrNil(d.Meta.Modified), Metadata: metadata(d), Unembedded: h.Unembedded,
	}
	if !math.IsNaN(h.Cosine) {
		cos := finite(h.Cosine)
		out.Cosine = &cos
	}
	out.URL = s.public.path + link(s.name(c), out.Document, out.Version, out.Page, start, end)
	return out, nil
}

// name returns what a link says of a collection: nothing of the default one.
func (s *Server) name(c *Collection) string {
	if c == &s.o.Collections[0] {
		return ""
	}
	return c.Name
}

// span converts a hit's place to code points. If its version was replaced
// since, the span is that of the passage alone, from 0: the link still names
// the version, so that a reader is told.
func (s *Server) span(c *Collection, h *index.Hit) (start, end int, err error) {
	t := c.textOf(h.Document.ID, h.Document.Version)
	m, err := s.places.of(t)
	if err == nil {
		start, err = m.runesBefore(t, h.Start)
	}
	if err != nil && !errors.Is(err, index.ErrNotFound) {
		return 0, 0, err
	}
	return start, start + utf8.RuneCountInString(h.Text), nil
}

// link is where the page shows a passage.
func link(collection, document, version string, page, start, end int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "/d/%s?v=%s&start=%d&end=%d", document, version, start, end)
	if collection != "" {
		b.WriteString("&collection=" + url.QueryEscape(collection))
	}
	if page > 0 {
		fmt.Fprintf(&b, "#page=%d", page)
	}
	return b.String()
}

func title(h *index.Hit) string {
	for _, t := range []string{h.Title, h.Document.Meta.Title} {
		if t != "" {
			return t
		}
	}
	return h.Document.Path[strings.LastIndexByte(h.Document.Path, '/')+1:]
}

// metadata returns a document's metadata under the names that filters know,
// without what stands beside it in every reply.
func metadata(d *index.Document) map[string]any {
	m := selection.Fields(d)
	for _, name := range []string{"path", "source", "title"} {
		delete(m, name)
	}
	for name, v := range m {
		if f, ok := v.(float64); ok && f != finite(f) {
			delete(m, name)
		}
	}
	return m
}

// finite keeps numbers that JSON does not know out of it.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (s *Server) sources(c *Collection, in []answer.Source) ([]Source, error) {
	out := make([]Source, len(in))
	for i := range in {
		var err error
		if out[i], err = s.source(c, in[i].N, in[i].Cited, &in[i].Hit); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) hits(c *Collection, in []index.Hit) ([]Source, error) {
	out := make([]Source, len(in))
	for i := range in {
		var err error
		if out[i], err = s.source(c, i+1, false, &in[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
