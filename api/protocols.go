package api

import (
	"net/http"
	"time"

	"github.com/ragserver/ragserver/api/openai"
	"github.com/ragserver/ragserver/api/pathway"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/llm/answer"
)

// newPathway hands the collections to Pathway's contract.
func (s *Server) newPathway() *pathway.Server {
	return &pathway.Server{
		Version:    s.o.Version,
		KnownModel: s.knownModel,
		Used:       s.metrics.used,
		Collection: func(name string) (pathway.Collection, error) {
			c, err := s.collection(name)
			if err != nil {
				return pathway.Collection{}, err
			}
			return pathway.Collection{Search: c.Search, Ask: c.Ask, Summarize: c.Summarize, View: c.View(), Waiting: c.waiting, Model: c.Model}, nil
		},
	}
}

// waiting returns the documents on their way into the index.
func (c *Collection) waiting() []indexer.Status {
	var out []indexer.Status
	if _, pending := c.Statuses.Counts(); pending == 0 {
		return nil
	}
	for _, state := range []indexer.State{indexer.Found, indexer.Parsing, indexer.Embedding} {
		rows, _ := c.Statuses.Documents(indexer.List{State: state})
		out = append(out, rows...)
	}
	return out
}

// newOpenAI hands the collections to OpenAI's protocol.
func (s *Server) newOpenAI() *openai.Server {
	return &openai.Server{
		Names:   s.collectionNames(),
		Models:  s.o.Models,
		Created: s.started.Unix(),
		Used:    s.metrics.used,
		Collection: func(name string) (openai.Collection, error) {
			c, err := s.collection(name)
			if err != nil {
				return openai.Collection{}, err
			}
			return openai.Collection{Name: c.Name, Ask: c.Ask, Space: c.Space}, nil
		},
		Sources: s.openAISources,
	}
}

func (s *Server) openAISources(r *http.Request, collection string, in []answer.Source) ([]openai.Source, error) {
	c, err := s.collection(collection)
	if err != nil {
		return nil, err
	}
	list, err := s.sources(c, in)
	if err != nil {
		return nil, err
	}
	base := s.base(r)
	out := make([]openai.Source, len(list))
	for i := range list {
		src := &list[i]
		src.URL = base + src.URL
		out[i] = openai.Source{N: src.N, Cited: src.Cited, Document: src.Document, Chunk: src.Chunk, URL: src.URL, Title: src.Title,
			Path: src.Path, Page: src.Page, Text: src.Text, Score: src.Score, Full: src}
		if src.Modified != nil {
			out[i].Date = src.Modified.Format(time.RFC3339)
		}
	}
	return out, nil
}
