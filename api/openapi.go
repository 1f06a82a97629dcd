package api

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ragserver/ragserver/api/internal/reply"
)

// operation is what the OpenAPI description says of a route beside its path.
// Types give the schemas.
type operation struct {
	id, tag, summary, about string
	query                   any // struct of parameters in the query string
	body                    any // of a JSON request
	upload                  string
	reply                   any
	stream                  string // what a reply of server-sent events holds
}

var (
	docHealth = &operation{id: "health", tag: "server", summary: "Whether the process answers", reply: Health{}}
	docReady  = &operation{id: "ready", tag: "server", summary: "Whether queries are served",
		about: "200 as soon as queries are served; pending tells how many documents are on their way into the index, troubles which parts cannot go on for the moment.", reply: Ready{}}
	docAsk = &operation{id: "ask", tag: "search", summary: "Answer a question from the documents, with citations",
		about: "With stream, or Accept: text/event-stream, the reply is a stream of the events sources, text, done and error.",
		body:  AskRequest{}, reply: AskAnswer{},
		stream: "Events: sources (AskSources), then text (AskText), then done (AskAnswer); or error (Error) at any place."}
	docSearch    = &operation{id: "search", tag: "search", summary: "Find passages", body: SearchRequest{}, reply: SearchResponse{}}
	docSearchGet = &operation{id: "searchByURL", tag: "search", summary: "Find passages", query: SearchRequest{}, reply: SearchResponse{}}
	docDocuments = &operation{id: "listDocuments", tag: "documents", summary: "Documents and their states", query: listParams{}, reply: DocumentList{}}
	docDocument  = &operation{id: "getDocument", tag: "documents", summary: "One document", query: sourceParams{}, reply: Document{}}
	docText      = &operation{id: "getDocumentText", tag: "documents", summary: "A part of a document's text",
		about: "At most 1,048,576 code points; start, end and length tell which part it is.", query: textParams{}, reply: DocumentText{}}
	docDeleteOwn = &operation{id: "deleteDocument", tag: "documents", summary: "Delete a document that was put over this API", query: writeParams{}, reply: Written{}}
	docSources   = &operation{id: "listSources", tag: "documents", summary: "Where documents come from", query: sourceParams{}, reply: []SourceInfo{}}
	docUpload    = &operation{id: "uploadDocuments", tag: "documents", summary: "Put the files of a form",
		about: "multipart/form-data: files under any field name, keyed by their names; before them, folder is put in front of their names and metadata (a JSON object) becomes their attributes.",
		query: writeParams{}, upload: "multipart/form-data", reply: Uploaded{}}
	docPut = &operation{id: "putDocument", tag: "documents", summary: "Put one document under the caller's key",
		about: "The body is the document. Content-Type and Last-Modified are kept with it; the header X-Metadata, a JSON object, becomes its attributes. 200 if it is searchable or refused when the reply is sent, 202 if it is on its way.",
		query: writeParams{}, upload: "application/octet-stream", reply: Written{}}
	docDelete = &operation{id: "deleteDocumentByKey", tag: "documents", summary: "Delete one document by its key", query: writeParams{}, reply: Written{}}
	docEvents = &operation{id: "events", tag: "documents", summary: "Changes of documents as they happen", query: eventParams{},
		stream: "Events document (FeedEvent); reset when the server does not hold what came after Last-Event-ID (too much came, or the server was restarted), so that the list must be loaded again."}
	docStats = &operation{id: "stats", tag: "server", summary: "Figures of a collection", query: statsParams{}, reply: Stats{}}
)

// spec is the OpenAPI description, made once.
type spec struct{ json, yaml []byte }

var pathParam = regexp.MustCompile(`\{([a-z]+)\}`)

// describe makes the description of some routes.
func describe(version string, routes []route, keys bool) (*huma.OpenAPI, error) {
	reg := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "ragserver", Version: version,
			Description: "Search and cited answers over documents that are kept live. Offsets count Unicode code points; times are RFC 3339 in UTC."},
		Components: &huma.Components{Schemas: reg},
		Tags: []*huma.Tag{{Name: "search", Description: "Questions and searches"},
			{Name: "documents", Description: "What is indexed, and putting documents"}, {Name: "server", Description: "The server itself"}},
	}
	if keys {
		doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer",
			Description: "A key made by `ragserver key add`."}}
	}
	for _, rt := range routes {
		if rt.doc == nil {
			continue
		}
		op, err := rt.doc.describe(rt, reg)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", rt.method, rt.path, err)
		}
		if keys && rt.scope != Open {
			op.Security = []map[string][]string{{"key": {}}}
		}
		doc.AddOperation(op)
	}
	// Types that only events carry.
	for _, t := range []reflect.Type{reflect.TypeFor[AskSources](), reflect.TypeFor[AskText](), reflect.TypeFor[FeedEvent]()} {
		reg.Schema(t, true, t.Name())
	}
	return doc, nil
}

func (o *operation) describe(rt route, reg huma.Registry) (*huma.Operation, error) {
	path := strings.Replace(rt.path, "/*", "/{key}", 1)
	op := &huma.Operation{OperationID: o.id, Method: rt.method, Path: path, Summary: o.summary, Description: o.about,
		Tags: []string{o.tag}, Responses: map[string]*huma.Response{}}
	for _, m := range pathParam.FindAllStringSubmatch(path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: m[1], In: "path", Required: true,
			Description: map[string]string{"id": "Document id.", "name": "Name of the source.", "key": "The caller's name of the document, a relative path; it may contain slashes."}[m[1]],
			Schema:      &huma.Schema{Type: huma.TypeString}})
	}
	if o.query != nil {
		params, err := queryParams(reflect.TypeOf(o.query), reg)
		if err != nil {
			return nil, err
		}
		op.Parameters = append(op.Parameters, params...)
	}
	schema := func(v any) map[string]*huma.MediaType {
		t := reflect.TypeOf(v)
		return map[string]*huma.MediaType{"application/json": {Schema: reg.Schema(t, true, t.Name())}}
	}
	if o.body != nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: schema(o.body)}
	}
	if o.upload != "" {
		body := &huma.Schema{Type: huma.TypeString, Format: "binary"}
		if o.upload == "multipart/form-data" {
			body = &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
				"folder": {Type: huma.TypeString}, "metadata": {Type: huma.TypeString},
				"file": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
			}}
		}
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{o.upload: {Schema: body}}}
	}
	ok := &huma.Response{Description: "Done", Content: map[string]*huma.MediaType{}}
	if o.reply != nil {
		ok.Content = schema(o.reply)
	}
	if o.stream != "" {
		ok.Content["text/event-stream"] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: o.stream}}
	}
	op.Responses["200"] = ok
	op.Responses["default"] = &huma.Response{Description: "What went wrong", Content: schema(Error{})}
	return op, nil
}

// queryParams describes the fields of a struct as parameters.
func queryParams(t reflect.Type, reg huma.Registry) ([]*huma.Param, error) {
	s := huma.SchemaFromType(reg, t)
	if s == nil || s.Type != huma.TypeObject {
		return nil, fmt.Errorf("%s is no struct", t)
	}
	var out []*huma.Param
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		out = append(out, &huma.Param{Name: name, In: "query", Description: p.Description, Schema: p, Required: slices.Contains(s.Required, name)})
	}
	return out, nil
}

func (s *spec) build(version string, routes []route, keys bool) error {
	doc, err := describe(version, routes, keys)
	if err != nil {
		return err
	}
	if s.json, err = doc.MarshalJSON(); err != nil {
		return err
	}
	s.yaml, err = doc.YAML()
	return err
}

func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) error {
	spec := &s.spec
	if s.wantsKeys() {
		spec = &s.keyedSpec
	}
	if strings.HasSuffix(r.URL.Path, ".yaml") {
		reply.Bytes(w, r, http.StatusOK, "application/yaml; charset=utf-8", spec.yaml)
		return nil
	}
	reply.Bytes(w, r, http.StatusOK, "application/json; charset=utf-8", spec.json)
	return nil
}
