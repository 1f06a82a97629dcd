package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"strings"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/llm"
)

// maxInputs is the most texts of one request, as OpenAI's.
const maxInputs = 2048

type embeddingsRequest struct {
	Model      string          `json:"model"`
	Input      json.RawMessage `json:"input"`
	Format     string          `json:"encoding_format"`
	Dimensions *int            `json:"dimensions"`
}

// EmbeddingList answers POST /v1/embeddings.
type EmbeddingList struct {
	Object string          `json:"object"`
	Data   []Embedding     `json:"data"`
	Model  string          `json:"model"`
	Usage  EmbeddingsUsage `json:"usage"`
}

// Embedding is one vector: numbers, or the base64 of little-endian float32.
type Embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

// EmbeddingsUsage counts tokens, as llm.Tokens estimates them: embedders do not
// tell theirs.
type EmbeddingsUsage struct {
	Prompt int `json:"prompt_tokens"`
	Total  int `json:"total_tokens"`
}

// Embeddings answers POST /v1/embeddings.
func (s *Server) Embeddings(w http.ResponseWriter, r *http.Request) error {
	data, err := body.Read(w, r, maxBody)
	if err != nil {
		return err
	}
	var req embeddingsRequest
	if err := body.JSON(data, &req, false); err != nil {
		return err
	}
	space, err := s.space(req.Model)
	if err != nil {
		return err
	}
	in, err := req.texts(space)
	if err != nil {
		return err
	}
	vectors, err := space.Embedder.Embed(r.Context(), in)
	if err != nil {
		if r.Context().Err() != nil {
			return err
		}
		return fault.New(http.StatusBadGateway, "embedder_failed", "the embedder %q does not answer; try again", space.Name).Because(err)
	}
	if len(vectors) != len(in) {
		return fault.New(http.StatusBadGateway, "embedder_failed", "the embedder %q returned %d vectors for %d texts", space.Name, len(vectors), len(in))
	}
	out := EmbeddingList{Object: "list", Model: req.Model, Data: make([]Embedding, len(in))}
	for i, v := range vectors {
		out.Data[i] = Embedding{Object: "embedding", Index: i, Embedding: encoded(v, req.Format)}
		out.Usage.Prompt += llm.Tokens(in[i])
	}
	out.Usage.Total = out.Usage.Prompt
	return reply.JSON(w, r, http.StatusOK, out)
}

// space returns the embedder that a model id stands for: its own name, or a
// collection's.
func (s *Server) space(id string) (indexer.Space, error) {
	var names []string
	for _, n := range s.Names {
		c, err := s.Collection(n)
		if err != nil {
			return indexer.Space{}, err
		}
		if c.Space.Embedder != nil && c.Space.Name == id {
			return c.Space, nil
		}
		names = append(names, c.Space.Name)
	}
	t, err := s.target(id)
	if err == nil && t.collection != nil && t.collection.Space.Embedder != nil {
		return t.collection.Space, nil
	}
	if id == "" {
		return indexer.Space{}, fault.Missing("model")
	}
	f := fault.NotFound("model", id, "the embedders are: "+strings.Join(names, ", "))
	f.Param = "model"
	return indexer.Space{}, f
}

func (req *embeddingsRequest) texts(space indexer.Space) ([]string, error) {
	if req.Format != "" && req.Format != "float" && req.Format != "base64" {
		return nil, fault.Bad("encoding_format", "`encoding_format` must be float or base64, not %.40q", req.Format)
	}
	if req.Dimensions != nil && *req.Dimensions != space.Dims {
		return nil, fault.Bad("dimensions", "the vectors of %q have %d dimensions; leave `dimensions` out or give that", space.Name, space.Dims)
	}
	var list []string
	switch in := strings.TrimSpace(string(req.Input)); {
	case in == "" || in == "null":
		return nil, fault.Missing("input")
	case in[0] == '"':
		list = []string{""}
		if err := json.Unmarshal(req.Input, &list[0]); err != nil {
			return nil, fault.Bad("input", "`input` must be a string or an array of strings")
		}
	default:
		if err := json.Unmarshal(req.Input, &list); err != nil {
			if tokens(req.Input) {
				return nil, fault.Bad("input", "`input` has token numbers, which are no text without the tokenizer that made them; send the text itself. With LangChain: OpenAIEmbeddings(..., check_embedding_ctx_length=False)")
			}
			return nil, fault.Bad("input", "`input` must be a string or an array of strings")
		}
	}
	switch {
	case len(list) == 0:
		return nil, fault.Bad("input", "`input` is empty")
	case len(list) > maxInputs:
		return nil, fault.Bad("input", "`input` has %d texts; at most %d are allowed", len(list), maxInputs)
	}
	for i, t := range list {
		if t == "" {
			return nil, fault.Bad("input", "text %d of `input` is empty", i+1)
		}
	}
	return list, nil
}

func tokens(in json.RawMessage) bool {
	var flat []float64
	var deep [][]float64
	return json.Unmarshal(in, &flat) == nil || json.Unmarshal(in, &deep) == nil
}

// encoded returns a vector as it is sent. What JSON cannot say becomes 0.
func encoded(v []float32, format string) any {
	out := make([]float32, len(v))
	for i, x := range v {
		if f := float64(x); !math.IsNaN(f) && !math.IsInf(f, 0) {
			out[i] = x
		}
	}
	if format != "base64" {
		return out
	}
	b := make([]byte, 0, 4*len(out))
	for _, x := range out {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}
