package llm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The kinds of failure that callers tell apart. Errors of a Model match one of
// them with errors.Is, or are the context's error when the caller gave up.
var (
	// ErrIncomplete: the answer was cut off. The deltas before it stand.
	ErrIncomplete = errors.New("the answer was cut off")
	// ErrUnavailable: the provider could not be reached, or failed inside.
	ErrUnavailable = errors.New("the model is unavailable")
	// ErrUnauthorized: the key is missing, wrong or not allowed to do this.
	ErrUnauthorized = errors.New("the provider refused the key")
	// ErrRateLimited: too many requests or tokens; Error.RetryAfter may say how long to wait.
	ErrRateLimited = errors.New("the provider limits the rate")
	// ErrQuota: the account has nothing left; waiting does not help.
	ErrQuota = errors.New("the provider's quota is used up")
	// ErrContextTooLong: the messages do not fit the model's window.
	ErrContextTooLong = errors.New("the messages are too long for the model")
	// ErrModelNotFound: the provider does not know the model, or the address.
	ErrModelNotFound = errors.New("the provider does not know the model")
	// ErrTimeout: a time limit of ours or of the provider passed.
	ErrTimeout = errors.New("the model took too long")
	// ErrRequest: the provider refused the request as malformed or not allowed.
	ErrRequest = errors.New("the provider refused the request")
	// ErrGarbage: what came back is not an answer in the provider's protocol.
	ErrGarbage = errors.New("the provider's reply was not understood")
)

// Error is a failure of a provider.
type Error struct {
	Kind       error         // one of the sentinels above
	Provider   string        // which model at which address, never with a key
	Status     int           // HTTP status, 0 if there was no reply
	RetryAfter time.Duration // as the provider asked, 0 if it did not
	Message    string        // the provider's own words, shortened, without the key
	Cause      error         // the underlying error, nil if none
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Provider != "" {
		b.WriteString(e.Provider + ": ")
	}
	b.WriteString(e.Kind.Error())
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	switch {
	case e.Message != "":
		b.WriteString(": " + e.Message)
	case e.Cause != nil:
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// KindOf sorts an HTTP status and what came with it (the provider's error code
// or words) into the kinds of failure.
func KindOf(status int, words string) error {
	w := strings.ToLower(words)
	has := func(any ...string) bool {
		for _, s := range any {
			if strings.Contains(w, s) {
				return true
			}
		}
		return false
	}
	switch {
	case has("insufficient_quota", "exceeded your current quota", "credit balance is too low"):
		return ErrQuota
	case status == http.StatusUnauthorized, status == http.StatusForbidden,
		has("invalid_api_key", "authentication_error", "permission_error"):
		return ErrUnauthorized
	case status == http.StatusTooManyRequests, has("rate_limit"):
		return ErrRateLimited
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout, has("timeout_error"):
		return ErrTimeout
	case status == http.StatusRequestEntityTooLarge,
		has("context_length", "context length", "context size", "context window", "maximum context", "prompt is too long", "too many tokens", "exceed_context_size", "request_too_large"):
		return ErrContextTooLong
	case status == http.StatusNotFound, has("model_not_found", "not_found_error"):
		return ErrModelNotFound
	case status >= 500, status == http.StatusConflict, has("overloaded", "server_error", "api_error", "unavailable"):
		return ErrUnavailable
	default:
		return ErrRequest
	}
}

// Retryable reports whether the same request may succeed a little later: the
// provider was not reached, was overloaded or failed inside, or said so (HTTP
// 408, 409, 429, 5xx). Wrong keys, unknown models, long prompts and used-up
// quotas stay as they are.
func Retryable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch {
	case errors.Is(e.Kind, ErrUnavailable), errors.Is(e.Kind, ErrRateLimited):
		return true
	case errors.Is(e.Kind, ErrTimeout):
		return e.Status != 0 // the provider's; a limit of ours has already been waited for
	}
	return false
}

// Shorten makes a provider's words fit an error or a log line: one line, at
// most 300 bytes, with the secret blotted out should the provider echo it.
func Shorten(words string, secret Secret) string {
	words = secret.Blot(strings.Join(strings.Fields(strings.ToValidUTF8(words, "\uFFFD")), " "))
	const most = 300
	if len(words) <= most {
		return words
	}
	cut := most
	for cut > 0 && words[cut]&0xC0 == 0x80 {
		cut--
	}
	return words[:cut] + "…"
}
