// Package openai speaks OpenAI's HTTP protocol, so that anything that takes a
// base URL of OpenAI's works with this server: chat completions that answer
// from the documents, models, and embeddings.
//
// A collection is a model: "ragserver" (or "rag") is the default collection,
// "rag:NAME" the collection of that name. A language model of the
// configuration answers under its own name without looking at the documents,
// for the titles and tags that chat programs ask for.
//
// # Citations
//
// They come in every shape that clients are known to read, made of one record;
// offsets count code points of the whole text, URLs lead to the passage in this
// server's page.
//
//   - marks [n] in the text, for people
//   - message.annotations, type url_citation with the marks' places: OpenAI's
//     SDKs, LiteLLM, Open WebUI
//   - message.citations, the span of text that a group of marks supports with its
//     document_ids: programs written for Cohere
//   - citations (URLs) and search_results beside the choices: programs written for
//     Perplexity
//   - sources beside the choices, each the data of an event "source" of Open
//     WebUI, for its pipes and tools to pass on
//   - retriever_resources beside the choices: programs written for Dify
//   - ragserver.sources, our own, with everything
//
// A stream has citations, search_results and ragserver in its first chunk, before
// the first word; annotations and message citations in the last delta; and all of
// what stands beside the choices in the chunk with the finish_reason.
//
// There are no annotations of type file_citation: OpenAI's chat completions know
// none (they belong to its Responses API, which is not served), and its SDKs read
// url_citation of each annotation unasked. The file is in ragserver.sources.
//
// # Tokens
//
// /v1/embeddings takes texts, and tokens of cl100k_base: that is the vocabulary
// of OpenAI's embedding models, and the one in which LangChain's OpenAIEmbeddings
// sends every text for a model that it does not know. Numbers that are no tokens
// of it are refused; tokens of another vocabulary cannot be told from it.
//
// # What is not served
//
// /v1/rerank answers 404 and says why: what clients expect of it is a model that
// reads query and text together. This server has none, and an order by its
// embedder's cosines would be worse than the one its own search gives, which
// weighs words and vectors and is there under /api/search and /v1/retrieve.
//
// documents in a chat request (Cohere's way to bring passages along) are refused
// rather than passed over: answers come from the collection.
//
// # Ends
//
// finish_reason is "stop" for a whole answer and "length" for one that reached
// the caller's max_tokens. An answer that the model broke off is neither, and a
// client could not tell it from a whole one: it is the error cut_off, status 502,
// or in a stream that has begun an error object and the end without [DONE].
package openai

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// Asker answers questions.
type Asker interface {
	Ask(ctx context.Context, q answer.Question) iter.Seq2[answer.Event, error]
}

// Collection is a collection to be asked.
type Collection struct {
	Name  string
	Ask   Asker
	Space indexer.Space // its embedder
}

// Source is a passage as replies name it.
type Source struct {
	N               int
	Cited           bool
	Document, Chunk string // ids
	URL             string // absolute
	Title, Path     string
	Page            int // 0 if it has none
	Text            string
	Score           float64
	Date            string // RFC 3339, "" if unknown
	Full            any    // the native API's record
}

// Server answers the protocol's routes.
type Server struct {
	// Collection returns a collection by name, the default one for "".
	Collection func(name string) (Collection, error)
	Names      []string // of the collections, the default one first
	Models     map[string]llm.Model
	// Sources makes the record of passages that a collection answered from.
	Sources func(r *http.Request, collection string, in []answer.Source) ([]Source, error)
	// Used is told what a model was asked without documents.
	Used    func(model string, u llm.Usage)
	Created int64 // UNIX seconds, of the models
}

// Fail tells a client what went wrong as OpenAI does.
func Fail(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	// Strings can always be encoded.
	_ = reply.JSON(w, r, f.Status, errorOf(f))
}

// Error is the body of every failure.
type Error struct {
	Error ErrorBody `json:"error"`
}

// ErrorBody says what went wrong.
type ErrorBody struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func errorOf(f *fault.Error) Error {
	e := Error{ErrorBody{Message: f.Message, Type: "invalid_request_error", Code: &f.Code}}
	if f.Param != "" {
		e.Error.Param = &f.Param
	}
	switch {
	case f.Status == http.StatusUnauthorized:
		e.Error.Type = "authentication_error"
	case f.Status == http.StatusForbidden:
		e.Error.Type = "permission_error"
	case f.Status == http.StatusTooManyRequests:
		e.Error.Type = "rate_limit_error"
	case f.Status >= 500:
		e.Error.Type = "server_error"
	}
	return e
}

// The ids of the default collection, and how those of others begin.
const (
	defaultID    = "ragserver"
	shortID      = "rag"
	collectionID = "rag:"
)

// target is what a model id stands for: a collection, or a language model.
type target struct {
	collection *Collection
	model      llm.Model
}

func (s *Server) target(id string) (target, error) {
	if id == "" {
		return target{}, fault.Missing("model")
	}
	name, isCollection := strings.CutPrefix(id, collectionID)
	if id == defaultID || id == shortID {
		name, isCollection = "", true
	}
	if isCollection {
		if c, err := s.Collection(name); err == nil {
			return target{collection: &c}, nil
		}
	} else if m, ok := s.Models[id]; ok {
		return target{model: m}, nil
	}
	f := fault.NotFound("model", id, "there are: "+strings.Join(s.ids(), ", "))
	f.Param = "model"
	return target{}, f
}

// ids lists what can be asked: collections first, then language models.
func (s *Server) ids() []string {
	ids := []string{defaultID}
	if len(s.Names) > 1 {
		for _, n := range s.Names[1:] {
			ids = append(ids, collectionID+n)
		}
	}
	var models []string
	for m := range s.Models {
		if !slices.Contains(ids, m) && m != shortID {
			models = append(models, m)
		}
	}
	slices.Sort(models)
	return append(ids, models...)
}

// Model is an entry of the list of models.
type Model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// ModelList answers GET /v1/models.
type ModelList struct {
	Object string  `json:"object"`
	Data   []Model `json:"data"`
}

// Rerank answers POST /v1/rerank: there is no reranker.
func (s *Server) Rerank(http.ResponseWriter, *http.Request) error {
	return fault.New(http.StatusNotFound, "no_reranker",
		"this server has no reranker; its own search is ranked by words and vectors: POST /api/search or /v1/retrieve")
}

// ListModels answers GET /v1/models.
func (s *Server) ListModels(w http.ResponseWriter, r *http.Request) error {
	out := ModelList{Object: "list", Data: []Model{}}
	for _, id := range s.ids() {
		out.Data = append(out.Data, s.entry(id))
	}
	return reply.JSON(w, r, http.StatusOK, out)
}

func (s *Server) entry(id string) Model {
	return Model{ID: id, Object: "model", Created: s.Created, OwnedBy: "ragserver"}
}

// GetModel answers GET /v1/models/{id}.
func (s *Server) GetModel(w http.ResponseWriter, r *http.Request) error {
	id := chi.URLParam(r, "*")
	if _, err := s.target(id); err != nil {
		if _, e := s.space(id); e != nil {
			return err
		}
	}
	return reply.JSON(w, r, http.StatusOK, s.entry(id))
}
