package embed

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"

	openai "github.com/sashabaranov/go-openai"
)

// Refusal is an error that is about the texts: the server is there and does not
// take one of them, or what it sends for it is no vector. Asking the same again
// ends the same; asking for fewer texts tells which one is meant, unless the
// server refuses whatever it is asked.
type Refusal struct {
	// TooLong says that a text has more tokens or bytes than the server takes.
	TooLong bool
	// Fits is the share of the longest text that would not be too long, as far
	// as the message tells; else one half.
	Fits float64
	Err  error
}

func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns what the server said.
func (r *Refusal) Unwrap() error { return r.Err }

// refuses reports whether a status is about what was sent: not about who sent it
// where, and not about the server or the moment.
func refuses(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// misfit reports whether an error of decoding a reply may be due to one vector
// in it: JSON has no NaN, and a number may be too large for a float32.
func misfit(err error) bool {
	return errors.As(err, new(*json.SyntaxError)) || errors.As(err, new(*json.UnmarshalTypeError)) || errors.As(err, new(base64.CorruptInputError))
}

var (
	tooLong = regexp.MustCompile(`(?i)too (long|large|many)|maximum|at most|less than|exceed|truncat`)
	number  = regexp.MustCompile(`\d+`)
)

// margin is left free when a text is shortened: its tokens are not all of one
// length.
const margin = 0.9

// refusal is what err, of go-openai or our own, says of the texts. Servers tell how
// long a text may be in words only, such as "input is too long: 600 tokens,
// maximum 512": of the numbers in it the largest is what was sent, the next one
// what is possible.
func refusal(err error) *Refusal {
	r := &Refusal{Fits: .5, Err: err}
	what := ""
	if api, ok := errors.AsType[*openai.APIError](err); ok {
		what = api.Message
	}
	r.TooLong = status(err) == http.StatusRequestEntityTooLarge || tooLong.MatchString(what)
	sent, limit := 0, 0
	for _, s := range number.FindAllString(what, -1) {
		n, err := strconv.Atoi(s)
		if err != nil || n == sent {
			continue
		}
		sent, limit = max(sent, n), max(min(sent, n), limit)
	}
	if limit > 0 && sent/limit < 64 {
		r.Fits = margin * float64(limit) / float64(sent)
	}
	return r
}
