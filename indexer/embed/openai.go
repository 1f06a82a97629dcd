package embed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// Config says how to reach an embeddings server. Only BaseURL and Model must be
// set.
type Config struct {
	BaseURL string // such as http://127.0.0.1:11434/v1
	Model   string
	// Key gives the API key, "" for none. It is asked at every request, so that
	// the key is not kept here; it never stands in an error.
	Key func() string
	// Dims asks the server for vectors of this length; 0: the model's own.
	Dims    int
	Batch   int           // texts in one request; default 64
	Timeout time.Duration // of one attempt; default 60 s
	Retries int           // after the first attempt; default 4, negative: none
	Client  *http.Client  // default: a plain one
}

// OpenAIWeight is the weight in hybrid search of vectors made by a transformer,
// where both sides' scores are z-normalised.
const OpenAIWeight = 0.5

const (
	defaultBatch   = 64
	defaultTimeout = time.Minute
	defaultRetries = 4
	maxReply       = 256 << 20 // bytes of one reply
	maxShown       = 400       // bytes of a server's message in an error
)

// OpenAI is an embedder behind a server that speaks OpenAI's protocol: OpenAI,
// Azure's compatible endpoint, Ollama, vLLM, llama.cpp and others. It is safe for
// concurrent use.
type OpenAI struct {
	config Config
	client *openai.Client
	// What is learnt from replies: the length of vectors (0: not known yet), and
	// whether the server sends them as base64, which is a quarter of the size of
	// numbers in JSON.
	dims     atomic.Int64
	encoding atomic.Pointer[openai.EmbeddingEncodingFormat]
}

// NewOpenAI checks the configuration. It sends nothing.
func NewOpenAI(c Config) (*OpenAI, error) {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("embed: base_url must be an address such as http://127.0.0.1:11434/v1")
	}
	if c.Model == "" {
		return nil, errors.New("embed: a model must be named")
	}
	if c.Dims < 0 {
		return nil, fmt.Errorf("embed: %d dimensions", c.Dims)
	}
	if c.Batch <= 0 {
		c.Batch = defaultBatch
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Retries == 0 {
		c.Retries = defaultRetries
	}
	if c.Client == nil {
		c.Client = &http.Client{}
	}
	if c.Key == nil {
		c.Key = func() string { return "" }
	}
	e := &OpenAI{config: c}
	e.dims.Store(int64(c.Dims))
	oc := openai.DefaultConfig("")
	oc.BaseURL = c.BaseURL
	oc.HTTPClient = &retrier{client: c.Client, key: c.Key, timeout: c.Timeout, retries: max(c.Retries, 0)}
	e.client = openai.NewClientWithConfig(oc)
	return e, nil
}

// Dims gives the length of the vectors; if it is not known yet, it embeds one
// word to see.
func (e *OpenAI) Dims(ctx context.Context) (int, error) {
	if d := e.dims.Load(); d > 0 {
		return int(d), nil
	}
	v, err := e.batch(ctx, []string{"probe"})
	if err != nil {
		return 0, err
	}
	return len(v[0]), nil
}

// Name identifies the space of the vectors: model and, if asked for, dimensions.
func (e *OpenAI) Name() string {
	if e.config.Dims > 0 {
		return fmt.Sprintf("%s/%d", e.config.Model, e.config.Dims)
	}
	return e.config.Model
}

// Embed gives a vector of length 1 for each text, a zero vector for a blank one,
// which is not sent. What fails for a while is tried again; if the server refuses
// the texts, or replies with the wrong number of vectors, of another length than
// before, or with values that are not finite, the error is a *Refusal.
func (e *OpenAI) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	var sent []string
	var at []int
	for i, t := range texts {
		if strings.TrimSpace(t) != "" {
			sent, at = append(sent, t), append(at, i)
		}
	}
	for i := 0; i < len(sent); i += e.config.Batch {
		j := min(i+e.config.Batch, len(sent))
		vs, err := e.batch(ctx, sent[i:j])
		if err != nil {
			return nil, err
		}
		for k, v := range vs {
			out[at[i+k]] = v
		}
	}
	if len(sent) == len(texts) {
		return out, nil
	}
	dims, err := e.Dims(ctx)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if out[i] == nil {
			out[i] = make([]float32, dims)
		}
	}
	return out, nil
}

// batch sends one request.
func (e *OpenAI) batch(ctx context.Context, texts []string) ([][]float32, error) {
	res, err := e.request(ctx, texts)
	switch s := status(err); {
	case err == nil:
	case ctx.Err() == nil && (refuses(s) || s == 0 && misfit(err)):
		no := refusal(err)
		no.Err = e.explain(ctx, err)
		return nil, no
	default:
		return nil, e.explain(ctx, err)
	}
	vs, err := e.unpack(res.Data, len(texts))
	if err != nil {
		return nil, refusal(err)
	}
	return vs, nil
}

// unpack puts vectors in the order of their n texts.
func (e *OpenAI) unpack(data []openai.Embedding, n int) ([][]float32, error) {
	if len(data) != n {
		return nil, e.problem("%d vectors came back for %d texts", len(data), n)
	}
	out := make([][]float32, n)
	for _, d := range data {
		if d.Index < 0 || d.Index >= len(out) || out[d.Index] != nil {
			return nil, e.problem("index %d of a vector is out of range or there twice", d.Index)
		}
		v := d.Embedding
		if len(v) == 0 {
			return nil, e.problem("vector %d is empty", d.Index)
		}
		if e.dims.CompareAndSwap(0, int64(len(v))); int64(len(v)) != e.dims.Load() {
			return nil, e.problem("vector %d has %d dimensions, not %d", d.Index, len(v), e.dims.Load())
		}
		for _, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return nil, e.problem("vector %d has a value that is not finite", d.Index)
			}
		}
		scaleTo(v, 1)
		out[d.Index] = v
	}
	return out, nil
}

// request asks for base64 unless the server has shown that it does not know it;
// until it has shown that it does, a refusal may be due to that.
func (e *OpenAI) request(ctx context.Context, texts []string) (openai.EmbeddingResponse, error) {
	r := openai.EmbeddingRequest{Input: texts, Model: openai.EmbeddingModel(e.config.Model), Dimensions: e.config.Dims}
	if known := e.encoding.Load(); known != nil {
		r.EncodingFormat = *known
		return e.client.CreateEmbeddings(ctx, r)
	}
	r.EncodingFormat = openai.EmbeddingEncodingFormatBase64
	res, err := e.client.CreateEmbeddings(ctx, r)
	if s := status(err); err != nil && (errors.As(err, new(*json.UnmarshalTypeError)) || s == http.StatusBadRequest || s == http.StatusUnprocessableEntity) {
		r.EncodingFormat = openai.EmbeddingEncodingFormatFloat
		res, err = e.client.CreateEmbeddings(ctx, r)
	}
	if err == nil {
		e.encoding.Store(&r.EncodingFormat)
	}
	return res, err
}

// status gives the HTTP status that an error of go-openai reports, 0 for none.
func status(err error) int {
	var api *openai.APIError
	var req *openai.RequestError
	switch {
	case errors.As(err, &api):
		return api.HTTPStatusCode
	case errors.As(err, &req):
		return req.HTTPStatusCode
	}
	return 0
}

func (e *OpenAI) problem(format string, args ...any) error {
	return fmt.Errorf("embed: model %s at %s: %s", e.config.Model, e.place(), fmt.Sprintf(format, args...))
}

// place is the server's address without user, password and query.
func (e *OpenAI) place() string {
	u, err := url.Parse(e.config.BaseURL)
	if err != nil {
		return "?"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// explain says what went wrong, without the key, which servers like to repeat.
func (e *OpenAI) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("embed: model %s at %s: %w", e.config.Model, e.place(), ctx.Err())
	}
	what := err.Error()
	var api *openai.APIError
	var req *openai.RequestError
	var address *url.Error
	var malformed *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &api):
		what = fmt.Sprintf("the server says %s: %s", api.HTTPStatus, api.Message)
	case errors.As(err, &req):
		what = fmt.Sprintf("the server says %s: %s", req.HTTPStatus, req.Body)
	case errors.As(err, &malformed), errors.As(err, &wrongType):
		what = "the reply is not what an embeddings server sends: " + what
	case errors.As(err, &address):
		what = "no reply: " + address.Err.Error()
	}
	switch status(err) {
	case http.StatusUnauthorized, http.StatusForbidden:
		what += " (is the key right?)"
	case http.StatusNotFound:
		what += " (are base_url and model right?)"
	}
	if key := e.config.Key(); key != "" {
		what = strings.ReplaceAll(what, key, "[key]")
	}
	if what = strings.ToValidUTF8(what, "?"); len(what) > maxShown {
		what = strings.ToValidUTF8(what[:maxShown], "") + "…"
	}
	return e.problem("%s", what)
}
