package pathway

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
)

// The types below are the contract's requests and replies; the schema is made
// of them. Requests are read by fields, which is more tolerant.

// RetrieveRequest is the body of /v1/retrieve.
type RetrieveRequest struct {
	_      struct{} `json:"-" additionalProperties:"true"`
	Query  string   `json:"query" doc:"What to look for." example:"refund policy"`
	K      int      `json:"k" minimum:"1" maximum:"1000" doc:"Passages wanted." example:"3"`
	Filter *string  `json:"metadata_filter,omitempty" doc:"Which documents, by their metadata." example:"owner == 'legal'"`
	Glob   *string  `json:"filepath_globpattern,omitempty" doc:"Which documents, by their path." example:"**/*.pdf"`
}

// Hit is a passage that was found.
type Hit struct {
	Text     string         `json:"text"`
	Metadata map[string]any `json:"metadata"`
	Dist     float64        `json:"dist" doc:"1 - cosine where that agrees with the ranking; never falls along the list."`
}

// StatisticsRequest is the body of /v1/statistics.
type StatisticsRequest struct {
	_ struct{} `json:"-" additionalProperties:"true"`
}

// Statistics answers /v1/statistics. Times are UNIX seconds.
type Statistics struct {
	FileCount    int    `json:"file_count"`
	LastModified *int64 `json:"last_modified"`
	LastIndexed  *int64 `json:"last_indexed"`
}

// InputsRequest is the body of /v1/inputs and of the lists of documents.
type InputsRequest struct {
	_            struct{} `json:"-" additionalProperties:"true"`
	Filter       *string  `json:"metadata_filter,omitempty"`
	Glob         *string  `json:"filepath_globpattern,omitempty"`
	ReturnStatus bool     `json:"return_status,omitempty" doc:"Adds _indexing_status: INGESTED or INDEXED."`
}

// AnswerRequest is the body of /v2/answer.
type AnswerRequest struct {
	_           struct{} `json:"-" additionalProperties:"true"`
	Prompt      string   `json:"prompt" example:"What is the start date?"`
	Filters     *string  `json:"filters,omitempty"`
	Model       *string  `json:"model,omitempty"`
	ContextDocs bool     `json:"return_context_docs,omitempty"`
}

// AnswerReply answers /v2/answer.
type AnswerReply struct {
	Response string `json:"response"`
	Docs     []Hit  `json:"context_docs,omitempty"`
}

// SummarizeRequest is the body of /v2/summarize.
type SummarizeRequest struct {
	_     struct{} `json:"-" additionalProperties:"true"`
	Texts []string `json:"text_list" doc:"What to make one text of." example:"[\"The lease begins in July.\",\"It runs for ten years.\"]"`
	Model *string  `json:"model,omitempty"`
}

// Schema answers /_schema: OpenAPI 3.0.3, as YAML or with ?format=json as JSON.
func (s *Server) Schema(w http.ResponseWriter, r *http.Request) error {
	doc := s.schema(serverURL(r))
	switch format := strings.ToLower(r.URL.Query().Get("format")); format {
	case "json":
		data, err := doc.Downgrade()
		if err != nil {
			return fmt.Errorf("pathway: writing the schema: %w", err)
		}
		reply.Bytes(w, r, http.StatusOK, "application/json; charset=utf-8", data)
	case "", "yaml":
		data, err := doc.DowngradeYAML()
		if err != nil {
			return fmt.Errorf("pathway: writing the schema: %w", err)
		}
		reply.Bytes(w, r, http.StatusOK, "text/x-yaml; charset=utf-8", data)
	default:
		return fault.Bad("format", "there is no format %q; there are json and yaml", format)
	}
	return nil
}

func serverURL(r *http.Request) string {
	scheme := "http"
	for _, h := range []string{"X-Forwarded-Proto", "X-Scheme"} {
		if v := r.Header.Get(h); v == "https" || v == "http" {
			scheme = v
		}
	}
	return scheme + "://" + r.Host
}

func (s *Server) schema(url string) *huma.OpenAPI {
	reg := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI:    "3.1.0", // Downgrade makes 3.0.3 of it
		Info:       &huma.Info{Title: "ragserver: Pathway's contract", Version: s.Version},
		Servers:    []*huma.Server{{URL: url}},
		Components: &huma.Components{Schemas: reg},
	}
	add := func(method, path, summary string, in, out reflect.Type) {
		id := strings.ToLower(method) + strings.NewReplacer("/", "_").Replace(path)
		op := &huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Responses: map[string]*huma.Response{
			"200": {Description: "What was asked for", Content: content("application/json", reg.Schema(out, true, id+"_reply"))},
			"400": {Description: "The reason", Content: content("text/plain", &huma.Schema{Type: huma.TypeString})},
		}}
		schema := reg.Schema(in, true, id)
		if method == http.MethodPost {
			op.RequestBody = &huma.RequestBody{Required: true, Content: content("application/json", schema)}
		} else {
			resolved := reg.SchemaFromRef(schema.Ref)
			for _, name := range slices.Sorted(maps.Keys(resolved.Properties)) {
				p := resolved.Properties[name]
				op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: p, Description: p.Description,
					Required: slices.Contains(resolved.Required, name)})
			}
		}
		doc.AddOperation(op)
	}
	retrieve, hits := reflect.TypeFor[RetrieveRequest](), reflect.TypeFor[[]Hit]()
	inputs, list := reflect.TypeFor[InputsRequest](), reflect.TypeFor[[]map[string]any]()
	stat, figures := reflect.TypeFor[StatisticsRequest](), reflect.TypeFor[Statistics]()
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		add(m, "/v1/retrieve", "Passages for a query", retrieve, hits)
		add(m, "/v1/statistics", "Figures of the index", stat, figures)
		add(m, "/v1/inputs", "The indexed documents", inputs, list)
	}
	for _, p := range []string{"/v1/pw_list_documents", "/v2/list_documents"} {
		add(http.MethodPost, p, "The indexed documents", inputs, list)
	}
	for _, p := range []string{"/v1/pw_ai_answer", "/v2/answer"} {
		add(http.MethodPost, p, "An answer from the documents", reflect.TypeFor[AnswerRequest](), reflect.TypeFor[AnswerReply]())
	}
	for _, p := range []string{"/v1/pw_ai_summary", "/v2/summarize"} {
		add(http.MethodPost, p, "A summary of texts", reflect.TypeFor[SummarizeRequest](), reflect.TypeFor[string]())
	}
	return doc
}

func content(mediaType string, s *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{mediaType: {Schema: s}}
}
