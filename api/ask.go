package api

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/api/internal/selection"
	"github.com/ragserver/ragserver/api/internal/sse"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

func (s *Server) ask(w http.ResponseWriter, r *http.Request) error {
	data, err := body.Read(w, r, maxJSON)
	if err != nil {
		return err
	}
	var req AskRequest
	if err := body.JSON(data, &req, true); err != nil {
		return err
	}
	if req.Stream || strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		return s.askStream(w, r, req)
	}
	out, err := s.Answer(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, r, out)
}

// Answer answers as POST /api/ask does, all at once: for those who have the
// server in their own process, listening or not. Errors say what is wrong with
// the request, or why there is no answer.
func (s *Server) Answer(ctx context.Context, req AskRequest) (AskAnswer, error) {
	c, q, leave, err := s.prepare(ctx, req)
	if err != nil {
		return AskAnswer{}, err
	}
	defer leave()
	for e, err := range c.Ask.Ask(ctx, q) {
		if err != nil {
			return AskAnswer{}, err
		}
		if e.Done != nil {
			return s.whole(c, e.Done)
		}
	}
	return AskAnswer{}, fault.NoEnd(ctx)
}

// prepare checks a request and waits for what it wants to be there. If there is
// no error, leave is to be called at the end.
func (s *Server) prepare(ctx context.Context, req AskRequest) (c *Collection, q answer.Question, leave func(), err error) {
	if c, err = s.collection(req.Collection); err != nil {
		return nil, q, nil, err
	}
	if err = s.knownModel(req.Model); err != nil {
		return nil, q, nil, err
	}
	if q, err = req.question(); err != nil {
		return nil, q, nil, err
	}
	leave, err = s.waitsForEpoch(ctx, q.Query.MinEpoch)
	return c, q, leave, err
}

// askStream answers as events. A stream that has begun ends with done or error.
func (s *Server) askStream(w http.ResponseWriter, r *http.Request, req AskRequest) error {
	c, q, leave, err := s.prepare(r.Context(), req)
	if err != nil {
		return err
	}
	defer leave()
	stream := sse.New(w)
	defer stream.Close()
	err = s.askEvents(r, c, q, func(name string, v any) error {
		data, err := reply.Encode(v)
		if err != nil {
			return err
		}
		return stream.Send(sse.Event{Name: name, Data: data})
	})
	if stream.Close(); err == nil || !stream.Started() {
		return err
	}
	f := fault.From(err)
	if data, e := reply.Encode(Error{ErrorBody{Code: f.Code, Message: f.Message}}); e == nil {
		_ = stream.Send(sse.Event{Name: "error", Data: data}) // the reader may be gone
	}
	return err
}

func (s *Server) askEvents(r *http.Request, c *Collection, q answer.Question, send func(string, any) error) error {
	for e, err := range c.Ask.Ask(r.Context(), q) {
		if err != nil {
			return err
		}
		switch {
		case e.Sources != nil:
			list, err := s.sources(c, e.Sources.Sources)
			if err != nil {
				return err
			}
			err = send("sources", AskSources{Epoch: e.Sources.Epoch, Query: e.Sources.Query, Sources: list, TookMS: milliseconds(e.Sources.Took)})
			if err != nil {
				return err
			}
		case e.Done != nil:
			out, err := s.whole(c, e.Done)
			if err != nil {
				return err
			}
			return send("done", out)
		case e.Text != "":
			if err := send("text", AskText{Text: e.Text}); err != nil {
				return err
			}
		}
	}
	return fault.NoEnd(r.Context())
}

func (s *Server) whole(c *Collection, a *answer.Answer) (AskAnswer, error) {
	list, err := s.sources(c, a.Sources)
	out := AskAnswer{
		Answer: a.Text, Kind: string(a.Kind), Model: a.Model, Best: a.Best, Short: a.Short, Sources: list, Epoch: a.Epoch,
		RetrievalMS: milliseconds(a.Retrieval), TotalMS: milliseconds(a.Total),
	}
	for _, n := range a.Notices {
		out.Notices = append(out.Notices, Notice(n))
	}
	if a.Usage != (llm.Usage{}) {
		out.Usage = &Usage{Prompt: a.Usage.Prompt, Completion: a.Usage.Completion}
	}
	return out, err
}

// question checks a request and makes a question of it.
func (req *AskRequest) question() (answer.Question, error) {
	q := answer.Question{
		Text:  req.Question,
		Model: req.Model,
		Query: index.Query{Filter: req.Filter, Glob: req.Glob, MinEpoch: req.MinEpoch},
	}
	if err := checkText("question", req.Question, maxText); err != nil {
		return q, err
	}
	var err error
	if q.Query.K, err = selection.K("k", req.K, defaultAsk, MaxAskK); err != nil {
		return q, err
	}
	if q.Query.Documents, err = documentIDs(req.Documents); err != nil {
		return q, err
	}
	if q.History, err = history(req.History); err != nil {
		return q, err
	}
	_, err = selection.Parse(req.Filter, req.Glob)
	return q, err
}

const maxTurns = 200

func history(in []Message) ([]llm.Message, error) {
	if len(in) > maxTurns {
		return nil, fault.Bad("history", "`history` has %d turns; at most %d are allowed", len(in), maxTurns)
	}
	out := make([]llm.Message, len(in))
	for i, m := range in {
		switch {
		case m.Role == string(llm.User) || m.Role == string(llm.Assistant):
		default:
			return nil, fault.Bad("history", "the role of turn %d must be user or assistant, not %q", i+1, m.Role)
		}
		if !utf8.ValidString(m.Content) {
			return nil, fault.Bad("history", "turn %d is not UTF-8", i+1)
		}
		out[i] = llm.Message{Role: llm.Role(m.Role), Text: m.Content}
	}
	return out, nil
}
