package openai

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/http"
	"slices"
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

// EmbeddingsUsage counts tokens: those sent, or of text what llm.Tokens estimates,
// since embedders do not tell theirs.
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
	in, err := req.inputs(space)
	if err != nil {
		return err
	}
	vectors, err := space.Embedder.Embed(r.Context(), in.texts)
	if err != nil {
		if r.Context().Err() != nil {
			return err
		}
		return fault.New(http.StatusBadGateway, "embedder_failed", "the embedder %q does not answer; try again", space.Name).Because(err)
	}
	if len(vectors) != len(in.texts) {
		return fault.New(http.StatusBadGateway, "embedder_failed", "the embedder %q returned %d vectors for %d texts", space.Name, len(vectors), len(in.texts))
	}
	out := EmbeddingList{Object: "list", Model: req.Model, Data: make([]Embedding, len(vectors)), Usage: EmbeddingsUsage{Prompt: in.tokens, Total: in.tokens}}
	for i, v := range vectors {
		if req.Dimensions != nil {
			v = shortened(v, *req.Dimensions)
		}
		out.Data[i] = Embedding{Object: "embedding", Index: i, Embedding: encoded(v, req.Format)}
	}
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

// inputs are the texts of a request.
type inputs struct {
	texts  []string
	tokens int
}

func (req *embeddingsRequest) inputs(space indexer.Space) (in inputs, err error) {
	if req.Format != "" && req.Format != "float" && req.Format != "base64" {
		return in, fault.Bad("encoding_format", "`encoding_format` must be float or base64, not %.40q", req.Format)
	}
	if d := req.Dimensions; d != nil && (*d < 1 || *d > space.Dims) {
		return in, fault.Bad("dimensions", "the vectors of %q have %d dimensions; `dimensions` may be 1 to %[2]d, not %d", space.Name, space.Dims, *d)
	}
	if in, err = parseInputs(req.Input); err != nil {
		return in, err
	}
	switch {
	case len(in.texts) == 0:
		return in, fault.Bad("input", "`input` is empty")
	case len(in.texts) > maxInputs:
		return in, fault.Bad("input", "`input` has %d texts; at most %d are allowed", len(in.texts), maxInputs)
	}
	for i, t := range in.texts {
		if t == "" {
			return in, fault.Bad("input", "text %d of `input` is empty", i+1)
		}
	}
	return in, nil
}

// parseInputs reads the four forms that OpenAI takes: a text, texts, a text as
// tokens, texts as tokens.
func parseInputs(data json.RawMessage) (in inputs, err error) {
	var one string
	var flat []int
	var deep [][]int
	switch text := strings.TrimSpace(string(data)); {
	case text == "" || text == "null":
		return in, fault.Missing("input")
	case json.Unmarshal(data, &one) == nil:
		in.texts = []string{one}
	case json.Unmarshal(data, &in.texts) == nil:
	case json.Unmarshal(data, &flat) == nil:
		return fromTokens([][]int{flat})
	case json.Unmarshal(data, &deep) == nil:
		return fromTokens(deep)
	default:
		return in, fault.Bad("input", "`input` must be a string, an array of strings, or token numbers in an array or an array of arrays")
	}
	for _, t := range in.texts {
		in.tokens += llm.Tokens(t)
	}
	return in, nil
}

// shortened is the first n numbers of a vector at length one: what OpenAI's
// `dimensions` does. Of an embedder that was not trained for it, it is less true
// than its share of the numbers.
func shortened(v []float32, n int) []float32 {
	if n >= len(v) {
		return v
	}
	v = slices.Clone(v[:n])
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum > 0 {
		for i := range v {
			v[i] = float32(float64(v[i]) / math.Sqrt(sum))
		}
	}
	return v
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
