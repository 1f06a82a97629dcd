// Package pathway speaks the REST contract of Pathway's document store and
// question-answering servers, so that their clients (Pathway's own, LangChain's
// PathwayVectorClient, LlamaIndex's PathwayRetriever and PathwayReader) work
// with this server unchanged.
//
// Well-formed requests are answered as Pathway answers them. Requests that
// Pathway drops or fails without a word (a broken filter, a negative k, a body
// that is not JSON) get status 400 and the reason; numbers between backquotes,
// raw strings and globs with an apostrophe mean what their author meant. An
// answer that the model broke off is status 502 and the reason, as the contract
// has no word for half an answer.
//
// Statistics count the documents that were parsed, as Pathway's do; inputs lists
// the others too, with the reason when the status is asked for.
//
// # dist
//
// Clients sort hits by dist again, and some take 1 - dist as relevance. So dist
// is 1 - cosine wherever that agrees with the ranking, as it always does for a
// pure vector search. Where the ranking rests on keywords too, dist is the
// sequence that comes closest to 1 - cosine (least squares) among those that
// never fall along the ranking; see distances.
package pathway

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/api/internal/selection"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// Searcher finds passages.
type Searcher interface {
	Search(ctx context.Context, q index.Query) (index.Result, error)
}

// Asker answers questions.
type Asker interface {
	Ask(ctx context.Context, q answer.Question) iter.Seq2[answer.Event, error]
}

// View is one state of the index.
type View interface {
	Document(id index.ID) (index.Document, bool)
	Documents() iter.Seq[index.Document]
	Stats() index.Stats
}

// Summarizer makes one text of several.
type Summarizer interface {
	Summarize(ctx context.Context, texts []string, model string) (string, llm.Usage, error)
}

// Collection is what the contract is served from.
type Collection struct {
	Search Searcher
	Ask    Asker
	View   View
	// Waiting gives the documents that are on their way into the index.
	Waiting   func() []indexer.Status
	Summarize Summarizer
	Model     string // the one that is asked when a request names none
}

// Server answers the contract's routes.
type Server struct {
	// Collection returns a collection by name, the default one for "".
	Collection func(name string) (Collection, error)
	// KnownModel refuses names of models that are not configured.
	KnownModel func(name string) error
	// Used is told what a summary cost.
	Used    func(model string, u llm.Usage)
	Version string
}

const (
	maxBody    = 1 << 20  // as Pathway
	maxTexts   = 16 << 20 // of a summary
	maxQuery   = 32768    // code points
	searchTopK = 6        // passages behind an answer, as Pathway
)

// Fail tells a client what went wrong as Pathway does: plain text.
func Fail(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	text := f.Message
	if f.Status == http.StatusMethodNotAllowed {
		text = http.StatusText(f.Status)
	}
	reply.Bytes(w, r, f.Status, "text/plain; charset=utf-8", fmt.Appendf(nil, "%d: %s", f.Status, text))
}

// read reads a request's fields and finds the collection that it names.
func (s *Server) read(w http.ResponseWriter, r *http.Request, limit int64) (*fields, Collection, error) {
	f, err := readFields(w, r, limit)
	if err != nil {
		return nil, Collection{}, err
	}
	name := f.text("collection")
	if f.err != nil {
		return nil, Collection{}, f.err
	}
	c, err := s.Collection(name)
	return f, c, err
}

// Retrieve answers /v1/retrieve.
func (s *Server) Retrieve(w http.ResponseWriter, r *http.Request) error {
	f, c, err := s.read(w, r, maxBody)
	if err != nil {
		return err
	}
	q := index.Query{Text: f.required("query", maxQuery), Filter: f.text("metadata_filter"), Glob: f.text("filepath_globpattern")}
	q.K = f.count("k", index.MaxK)
	if f.err != nil {
		return f.err
	}
	if _, err := selection.Parse(q.Filter, q.Glob); err != nil {
		return err
	}
	res, err := c.Search.Search(r.Context(), q)
	if err != nil {
		return err
	}
	return sendHits(w, r, res.Hits)
}

// Statistics answers /v1/statistics.
func (s *Server) Statistics(w http.ResponseWriter, r *http.Request) error {
	_, c, err := s.read(w, r, maxBody)
	if err != nil {
		return err
	}
	st := c.View.Stats()
	out := Statistics{FileCount: st.Documents, LastModified: unix(st.LastModified), LastIndexed: unix(st.LastSeen)}
	return reply.JSON(w, r, http.StatusOK, out)
}

// Answer answers /v1/pw_ai_answer and /v2/answer.
func (s *Server) Answer(w http.ResponseWriter, r *http.Request) error {
	f, c, err := s.read(w, r, maxBody)
	if err != nil {
		return err
	}
	filter := f.text("filters")
	if filter == "" {
		filter = f.text("metadata_filter")
	}
	q := answer.Question{Text: f.required("prompt", maxQuery), Model: f.text("model"),
		Query: index.Query{K: searchTopK, Filter: filter, Glob: f.text("filepath_globpattern")}}
	withDocs := f.truth("return_context_docs")
	if f.err != nil {
		return f.err
	}
	if _, err := selection.Parse(q.Query.Filter, q.Query.Glob); err != nil {
		return err
	}
	if err := s.KnownModel(q.Model); err != nil {
		return err
	}
	for e, err := range c.Ask.Ask(r.Context(), q) {
		if err != nil {
			return err
		}
		if e.Done != nil {
			if err := fault.Incomplete(e.Done); err != nil {
				return err
			}
			return sendAnswer(w, r, e.Done, withDocs)
		}
	}
	return fault.NoEnd(r.Context())
}

// Summarize answers /v1/pw_ai_summary and /v2/summarize: without a model with the
// texts' own sentences.
func (s *Server) Summarize(w http.ResponseWriter, r *http.Request) error {
	f, c, err := s.read(w, r, maxTexts)
	if err != nil {
		return err
	}
	texts, model := f.texts("text_list"), f.text("model")
	if f.err != nil {
		return f.err
	}
	if err := s.KnownModel(model); err != nil {
		return err
	}
	text, used, err := c.Summarize.Summarize(r.Context(), texts, model)
	if err != nil {
		return err
	}
	s.Used(cmp.Or(model, c.Model), used)
	return reply.JSON(w, r, http.StatusOK, strings.TrimSpace(text))
}
