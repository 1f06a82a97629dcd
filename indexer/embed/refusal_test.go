package embed

import (
	"errors"
	"io"
	"math"
	"net/http"
	"testing"

	openai "github.com/sashabaranov/go-openai"
)

// What the texts are to blame for is told from what the server or the
// configuration is.
func TestRefusal(t *testing.T) {
	says := func(status int, body string) roundTrip {
		return func(w http.ResponseWriter, _ request, _ http.Header) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	message := func(status int, m string) roundTrip { return says(status, `{"error":{"message":"`+m+`"}}`) }
	none, short := (*Refusal)(nil), func(fits float64) *Refusal { return &Refusal{TooLong: true, Fits: fits} }
	other := &Refusal{Fits: .5}
	for name, c := range map[string]struct {
		f    roundTrip
		want *Refusal
	}{
		"OpenAI":       {message(400, "This model's maximum context length is 8192 tokens, however you requested 16384 tokens (16384 in your prompt; 0 for the completion)."), short(.45)},
		"llama.cpp":    {message(400, "input (1024 tokens) is too large to process. increase the physical batch size (current batch size: 512)"), short(.45)},
		"TEI":          {message(413, "Input validation error: inputs must have less than 512 tokens. Given: 1024"), short(.45)},
		"Ollama":       {message(400, "the input length exceeds the context length"), short(.5)},
		"small":        {message(422, "input is too long: 600 tokens, maximum 512"), short(.9 * 512 / 600)},
		"body":         {says(413, "no"), short(.5)},
		"nonsense":     {message(400, "maximum 1, given 1000000000"), short(.5)},
		"filter":       {message(400, "content policy"), other},
		"NaN":          {says(200, `{"data":[{"index":0,"embedding":[NaN,1]}]}`), other},
		"out of range": {says(200, `{"data":[{"index":0,"embedding":[1e39,1]}]}`), other},
		"none":         {says(200, `{"data":[]}`), other},
		"key":          {message(401, "no"), none},
		"forbidden":    {message(403, "no"), none},
		"model":        {message(404, "no"), none},
		"busy":         {message(429, "no"), none},
		"down":         {message(500, "maximum 5 of 6"), none},
		"cut":          {says(200, `{"data":[`), none},
	} {
		e := newFake(t, Config{Dims: 2, Retries: -1}, c.f)
		_, err := e.Embed(t.Context(), []string{"x"})
		got, is := errors.AsType[*Refusal](err)
		switch {
		case err == nil:
			t.Errorf("%s: no error", name)
		case is != (c.want != nil):
			t.Errorf("%s: a refusal: %v; %v", name, is, err)
		case is && (got.TooLong != c.want.TooLong || math.Abs(got.Fits-c.want.Fits) > 1e-9):
			t.Errorf("%s: too long %v, fits %g, want %v, %g", name, got.TooLong, got.Fits, c.want.TooLong, c.want.Fits)
		}
	}
}

// A server that is known to send base64 is asked once for what it refuses.
func TestRefusedOnce(t *testing.T) {
	n := 0
	e := newFake(t, Config{}, func(w http.ResponseWriter, r request, _ http.Header) {
		n++
		if r.Input[0] == "bad" {
			w.WriteHeader(400)
			return
		}
		answer(w, r, 2, true)
	})
	for text, want := range map[string]int{"good": 1, "bad": 1} {
		if text == "bad" && e.encoding.Load() == nil {
			want = 2
		}
		n = 0
		_, err := e.Embed(t.Context(), []string{text})
		if (err == nil) != (text == "good") || n != want {
			t.Errorf("%s: %d requests, %v", text, n, err)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add("input is too long: 600 tokens, maximum 512")
	f.Add("99999999999999999999999 0 1")
	f.Fuzz(func(t *testing.T, what string) {
		if r := refusal(&openai.APIError{HTTPStatusCode: 400, Message: what}); !(r.Fits > 0 && r.Fits < 1) {
			t.Fatalf("%g of the text fit", r.Fits)
		}
	})
}
