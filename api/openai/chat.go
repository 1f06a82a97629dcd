package openai

import (
	"context"
	"crypto/rand"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/api/internal/sse"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// Chat answers POST /v1/chat/completions.
func (s *Server) Chat(w http.ResponseWriter, r *http.Request) error {
	req, err := readChat(w, r)
	if err != nil {
		return err
	}
	to, err := s.target(req.Model)
	if err != nil {
		return err
	}
	events, err := s.events(r, req, to)
	if err != nil {
		return err
	}
	c := chat{id: "chatcmpl-" + rand.Text(), created: time.Now().Unix(), req: req}
	if req.Stream {
		return c.stream(w, r, events)
	}
	return c.whole(w, r, events)
}

// event is a step of an answer, of a collection or of a language model alone.
type event struct {
	sources *Cited // before the first text
	text    string
	done    *end
}

// end is how an answer ends.
type end struct {
	text   string // whole
	finish string
	usage  llm.Usage
	list   []Source
	cited  *Cited
}

func (s *Server) events(r *http.Request, req *chatRequest, to target) (iter.Seq2[event, error], error) {
	if to.model != nil {
		return s.directly(r.Context(), to.model, req), nil
	}
	q, err := req.question()
	if err != nil {
		return nil, err
	}
	if _, ok := s.Models[q.Model]; q.Model != "" && !ok {
		f := fault.NotFound("model", q.Model, "")
		f.Param = "ragserver.model"
		return nil, f
	}
	return s.fromDocuments(r, to.collection, q), nil
}

func (s *Server) fromDocuments(r *http.Request, c *Collection, q answer.Question) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		for e, err := range c.Ask.Ask(r.Context(), q) {
			var out event
			switch {
			case err != nil:
			case e.Sources != nil:
				var list []Source
				if list, err = s.Sources(r, c.Name, e.Sources.Sources); err == nil {
					out.sources = brief(list, Details{Epoch: e.Sources.Epoch, Query: e.Sources.Query})
				}
			case e.Done != nil:
				a := e.Done
				if err = fault.Incomplete(a); err == nil {
					out.done, err = s.end(r, c, a)
				}
			default:
				out.text = e.Text
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// end makes the record of a whole answer.
func (s *Server) end(r *http.Request, c *Collection, a *answer.Answer) (*end, error) {
	list, err := s.Sources(r, c.Name, a.Sources)
	d := Details{Kind: string(a.Kind), Model: a.Model, Epoch: a.Epoch}
	for _, n := range a.Notices {
		d.Notices = append(d.Notices, Notice(n))
	}
	return &end{text: a.Text, finish: a.Finish, usage: a.Usage, list: list, cited: inFull(c.Name, list, d)}, err
}

func (s *Server) directly(ctx context.Context, m llm.Model, req *chatRequest) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		var text strings.Builder
		done := &end{}
		for d, err := range m.Stream(ctx, req.direct()) {
			if err != nil {
				yield(event{}, err)
				return
			}
			text.WriteString(d.Text)
			if d.Usage != nil {
				done.usage = *d.Usage
			}
			if d.Finish != "" {
				done.finish = d.Finish
			}
			if d.Text != "" && !yield(event{text: d.Text}, nil) {
				return
			}
		}
		s.Used(req.Model, done.usage)
		done.text = text.String()
		yield(event{done: done}, nil)
	}
}

// maxSnippet is how much of a passage a search result shows, in code points.
const maxSnippet = 300

// brief is what can be said of an answer before it is written.
func brief(list []Source, d Details) *Cited {
	c := &Cited{Ragserver: &d}
	d.Sources = make([]any, len(list))
	for i, src := range list {
		d.Sources[i] = src.Full
		c.Citations = append(c.Citations, src.URL)
		snippet := src.Text
		if utf8.RuneCountInString(snippet) > maxSnippet {
			snippet = string([]rune(snippet)[:maxSnippet]) + "…"
		}
		c.Results = append(c.Results, SearchResult{Title: src.Title, URL: src.URL, Date: src.Date, Snippet: snippet})
	}
	return c
}

// inFull is what stands beside a whole answer.
func inFull(collection string, list []Source, d Details) *Cited {
	c := brief(list, d)
	for _, src := range list {
		c.Sources = append(c.Sources, SourceEvent{
			Source:    EventSource{ID: src.Document, Name: src.Title, URL: src.URL},
			Document:  []string{src.Text},
			Metadata:  []EventMetadata{{Source: src.URL, Name: src.Title, Page: src.Page}},
			Distances: []float64{src.Score},
		})
		c.Resources = append(c.Resources, Resource{Position: src.N, DatasetID: collection, DatasetName: collection,
			DocumentID: src.Document, DocumentName: src.Title, SegmentID: src.Chunk, Score: src.Score, Content: src.Text})
	}
	return c
}

// annotations are the places of an answer's citations.
func annotations(text string, list []Source) []Annotation {
	out := []Annotation{}
	at, runes := 0, 0
	for _, m := range answer.Marks(text, len(list)) {
		src := list[m.N-1]
		runes += utf8.RuneCountInString(text[at:m.Start])
		at = m.Start
		out = append(out, Annotation{Type: "url_citation",
			URL: URLCitation{URL: src.URL, Title: src.Title, Start: runes, End: runes + m.End - m.Start}})
	}
	return out
}

// spans are the parts of an answer with the documents that support them: what
// stands before marks, back to the marks before or the beginning of the line.
func spans(text string, list []Source) []Span {
	var out []Span
	at, runes := 0, 0 // of what is behind the last mark
	for _, m := range answer.Marks(text, len(list)) {
		document := list[m.N-1].Document
		between := text[at:m.Start]
		said := between[strings.LastIndexByte(between, '\n')+1:]
		said = strings.TrimLeft(said, " \t.,;:!?。，；：！？#>*-")
		start := runes + utf8.RuneCountInString(between) - utf8.RuneCountInString(said)
		said = strings.TrimRight(said, " \t")
		switch {
		case said != "":
			out = append(out, Span{Start: start, End: start + utf8.RuneCountInString(said), Text: said, Documents: []string{document}})
		case len(out) > 0:
			if last := &out[len(out)-1]; !slices.Contains(last.Documents, document) {
				last.Documents = append(last.Documents, document)
			}
		}
		runes += utf8.RuneCountInString(text[at:m.End])
		at = m.End
	}
	return out
}

// finish returns a reason that clients know.
func finish(reason string) string {
	switch reason {
	case "length", "content_filter":
		return reason
	}
	return "stop"
}

// chat is one answer being given.
type chat struct {
	id      string
	created int64
	req     *chatRequest
}

func (c *chat) whole(w http.ResponseWriter, r *http.Request, events iter.Seq2[event, error]) error {
	for e, err := range events {
		if err != nil {
			return err
		}
		if e.done == nil {
			continue
		}
		return reply.JSON(w, r, http.StatusOK, Completion{
			ID: c.id, Object: "chat.completion", Created: c.created, Model: c.req.Model,
			Choices: []Choice{{FinishReason: finish(e.done.finish),
				Message: Message{Role: "assistant", Content: e.done.text, Annotations: annotations(e.done.text, e.done.list), Citations: spans(e.done.text, e.done.list)}}},
			Usage: usage(e.done.usage), Cited: e.done.cited,
		})
	}
	return fault.NoEnd(r.Context())
}

// stream sends chunks. Once it has begun, a failure is an error object and the
// end without [DONE].
func (c *chat) stream(w http.ResponseWriter, r *http.Request, events iter.Seq2[event, error]) error {
	stream := sse.New(w)
	defer stream.Close()
	err := c.chunks(r.Context(), stream, events)
	if stream.Close(); err == nil || !stream.Started() {
		return err
	}
	if data, e := reply.Encode(errorOf(fault.From(err))); e == nil {
		_ = stream.Send(sse.Event{Data: data}) // the reader may be gone
	}
	return err
}

func (c *chat) chunks(ctx context.Context, stream *sse.Stream, events iter.Seq2[event, error]) error {
	begun := false
	var sent strings.Builder
	begin := func(cited *Cited) error {
		if begun {
			return nil
		}
		begun = true
		empty := ""
		return c.send(stream, Delta{Role: "assistant", Content: &empty}, nil, cited)
	}
	text := func(t string) error {
		if err := begin(nil); err != nil || t == "" {
			return err
		}
		sent.WriteString(t)
		return c.send(stream, Delta{Content: &t}, nil, nil)
	}
	for e, err := range events {
		switch {
		case err != nil:
			return err
		case e.sources != nil:
			err = begin(e.sources)
		case e.done != nil:
			if sent.Len() == 0 {
				if err := text(e.done.text); err != nil {
					return err
				}
			}
			return c.end(stream, sent.String(), e.done)
		default:
			err = text(e.text)
		}
		if err != nil {
			return err
		}
	}
	return fault.NoEnd(ctx)
}

func (c *chat) end(stream *sse.Stream, text string, e *end) error {
	if a := annotations(text, e.list); len(a) > 0 {
		if err := c.send(stream, Delta{Annotations: a, Citations: spans(text, e.list)}, nil, nil); err != nil {
			return err
		}
	}
	reason := finish(e.finish)
	if err := c.send(stream, Delta{}, &reason, e.cited); err != nil {
		return err
	}
	if c.wantsUsage() {
		u := usage(e.usage)
		last := c.chunk()
		last.Choices, last.Usage = []ChunkChoice{}, &u
		data, err := reply.Encode(last)
		if err != nil {
			return err
		}
		if err := stream.Send(sse.Event{Data: data}); err != nil {
			return err
		}
	}
	return stream.Send(sse.Event{Data: []byte("[DONE]")})
}

func (c *chat) wantsUsage() bool {
	return c.req.StreamOptions != nil && c.req.StreamOptions.IncludeUsage
}

func (c *chat) chunk() Chunk {
	return Chunk{ID: c.id, Object: "chat.completion.chunk", Created: c.created, Model: c.req.Model}
}

func (c *chat) send(stream *sse.Stream, d Delta, reason *string, cited *Cited) error {
	k := c.chunk()
	k.Choices, k.Cited = []ChunkChoice{{Delta: d, FinishReason: reason}}, cited
	var v any = k
	if c.wantsUsage() {
		v = chunkNoUsage{Chunk: k}
	}
	data, err := reply.Encode(v)
	if err != nil {
		return err
	}
	return stream.Send(sse.Event{Data: data})
}
