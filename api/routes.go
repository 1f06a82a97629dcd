package api

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/ragserver/ragserver/api/openai"
	"github.com/ragserver/ragserver/api/pathway"
)

// route is one line of the tables below.
type route struct {
	method, path string
	scope        Scope
	gate         *gate
	limit        time.Duration // of the whole request; 0 for none
	handle       func(http.ResponseWriter, *http.Request) error
	doc          *operation // native API only
}

// routes is everything that is served, by the protocol in which failures are
// told.
type routes struct{ native, openai, pathway []route }

func (s *Server) routes() routes {
	const (
		quick  = 10 * time.Second
		normal = 60 * time.Second
		long   = 10 * time.Minute
	)
	g := &s.gates
	var all routes
	all.native = []route{
		{"GET", "/health", Open, nil, quick, s.health, docHealth},
		{"GET", "/ready", Open, nil, quick, s.ready, docReady},
		{"GET", "/metrics", Read, nil, quick, s.metrics.serve, nil},
		{"GET", "/openapi.json", Open, nil, quick, s.openAPI, nil},
		{"GET", "/openapi.yaml", Open, nil, quick, s.openAPI, nil},

		{"POST", "/api/ask", Ask, g.asks, long, s.ask, docAsk},
		{"GET", "/api/search", Ask, g.searches, normal, s.search, docSearchGet},
		{"POST", "/api/search", Ask, g.searches, normal, s.search, docSearch},
		{"GET", "/api/documents", Read, g.searches, normal, s.listDocuments, docDocuments},
		{"GET", "/api/documents/{id}", Read, g.searches, normal, s.getDocument, docDocument},
		{"GET", "/api/documents/{id}/text", Read, g.searches, normal, s.documentText, docText},
		{"DELETE", "/api/documents/{id}", Write, g.writes, long, s.deleteDocument, docDeleteOwn},
		{"GET", "/api/sources", Read, nil, quick, s.listSources, docSources},
		{"POST", "/api/sources/{name}/documents", Write, g.writes, 0, s.upload, docUpload},
		{"PUT", "/api/sources/{name}/documents/*", Write, g.writes, 0, s.putDocument, docPut},
		{"DELETE", "/api/sources/{name}/documents/*", Write, g.writes, long, s.deleteKey, docDelete},
		{"GET", "/api/events", Read, g.streams, 0, s.events, docEvents},
		{"GET", "/api/stats", Read, nil, quick, s.stats, docStats},
	}
	o := s.openai
	all.openai = []route{
		{"POST", "/v1/chat/completions", Ask, g.asks, long, o.Chat, nil},
		{"POST", "/v1/embeddings", Ask, g.searches, normal, o.Embeddings, nil},
		{"POST", "/v1/rerank", Ask, nil, quick, o.Rerank, nil},
		{"GET", "/v1/models", Ask, nil, quick, o.ListModels, nil},
		{"GET", "/v1/models/*", Ask, nil, quick, o.GetModel, nil},
	}
	p := s.pathway
	all.pathway = []route{
		{"GET", "/v1/retrieve", Ask, g.searches, normal, p.Retrieve, nil},
		{"POST", "/v1/retrieve", Ask, g.searches, normal, p.Retrieve, nil},
		{"GET", "/v1/statistics", Read, nil, quick, p.Statistics, nil},
		{"POST", "/v1/statistics", Read, nil, quick, p.Statistics, nil},
		{"GET", "/v1/inputs", Read, g.searches, normal, p.Inputs, nil},
		{"POST", "/v1/inputs", Read, g.searches, normal, p.Inputs, nil},
		{"POST", "/v1/pw_list_documents", Read, g.searches, normal, p.Inputs, nil},
		{"POST", "/v2/list_documents", Read, g.searches, normal, p.Inputs, nil},
		{"POST", "/v1/pw_ai_answer", Ask, g.asks, long, p.Answer, nil},
		{"POST", "/v2/answer", Ask, g.asks, long, p.Answer, nil},
		{"POST", "/v1/pw_ai_summary", Ask, g.asks, long, p.Summarize, nil},
		{"POST", "/v2/summarize", Ask, g.asks, long, p.Summarize, nil},
		{"GET", "/_schema", Open, nil, quick, p.Schema, nil},
	}
	return all
}

// router puts the routes behind what every request passes.
func (s *Server) router(all routes) http.Handler {
	r := chi.NewRouter()
	r.Use(s.identify, s.observe, s.recoverPanics, s.secure, s.bareSlash)
	s.mount(r, all.native, failJSON)
	s.mount(r, all.openai, openai.Fail)
	s.mount(r, all.pathway, pathway.Fail)
	r.NotFound(s.page)
	r.MethodNotAllowed(s.oddMethod)
	return r
}
