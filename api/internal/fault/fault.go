// Package fault is what clients are told when something fails: a status, a
// stable code, and one sentence that says what was wrong and what to do.
//
// Handlers return errors; From sorts them by one table. What the table does not
// know is "internal": its text goes to the log and never to a client.
package fault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// Error is a failure as a client is told it.
type Error struct {
	Status     int    // of HTTP
	Code       string // stable, for programs
	Message    string // for people
	Param      string // the field at fault, "" if none
	RetryAfter time.Duration
	Cause      error // for the log alone
}

// New returns a failure.
func New(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Bad says that a field of the request is wrong.
func Bad(param, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "bad_request", Param: param, Message: fmt.Sprintf(format, args...)}
}

// Missing says that a required field is absent.
func Missing(param string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "missing_field", Param: param, Message: fmt.Sprintf("`%s` is required", param)}
}

// NotFound says that something named by the request does not exist.
func NotFound(what, name, more string) *Error {
	m := fmt.Sprintf("there is no %s %q", what, name)
	if more != "" {
		m += "; " + more
	}
	return &Error{Status: http.StatusNotFound, Code: what + "_not_found", Message: m}
}

// Incomplete returns the failure of an answer that its model broke off, nil for
// a whole one. It is for protocols that know no half of an answer: their clients
// would take it for the whole.
func Incomplete(a *answer.Answer) error {
	if n, cut := a.Notice(answer.CutOff); cut {
		return New(http.StatusBadGateway, answer.CutOff, "%s; ask again", n.Message)
	}
	return nil
}

// NoEnd is the failure of an answer that stopped without its end and without an
// error.
func NoEnd(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return New(http.StatusBadGateway, answer.CutOff, "the answer ended before it was complete; ask again")
}

// Because returns e with a cause for the log.
func (e *Error) Because(err error) *Error {
	f := *e
	f.Cause = err
	return &f
}

// Error returns the message and, for the log, the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// ClientGone is the status noted for a request whose client left before the
// answer; nobody receives it.
const ClientGone = 499

// table turns the errors of the parts into failures. The first match counts.
var table = []struct {
	err  error
	told Error
}{
	{context.Canceled, Error{Status: ClientGone, Code: "canceled", Message: "the request was cancelled"}},
	{indexer.ErrNoSource, Error{Status: http.StatusNotFound, Code: "source_not_found",
		Message: "there is no such source; /api/sources lists them"}},
	{indexer.ErrReadOnly, Error{Status: http.StatusConflict, Code: "read_only",
		Message: "documents of this source are not put over this API; change them where they come from"}},
	{indexer.ErrNoDocument, Error{Status: http.StatusNotFound, Code: "document_not_found",
		Message: "there is no document of this key; /api/documents lists what there is"}},
	{indexer.ErrEmbedder, Error{Status: http.StatusBadGateway, Code: "embedder_failed", RetryAfter: 5 * time.Second,
		Message: "the embedder does not answer, and without it there is no search by vector; try again, or search with mode keyword or hybrid"}},
	{answer.ErrUnknownModel, Error{Status: http.StatusNotFound, Code: "model_not_found",
		Message: "no model of that name is configured; /v1/models lists them"}},
	{answer.ErrNoQuestion, Error{Status: http.StatusBadRequest, Code: "missing_field", Message: "the question is empty"}},
	{answer.ErrNoText, Error{Status: http.StatusBadRequest, Code: "missing_field", Message: "there is nothing to summarize: all texts are empty"}},
	{llm.ErrContextTooLong, Error{Status: http.StatusBadRequest, Code: "context_length_exceeded",
		Message: "the conversation is too long for the model; shorten it, or ask for fewer passages"}},
	{llm.ErrRateLimited, Error{Status: http.StatusTooManyRequests, Code: "model_rate_limited",
		Message: "the model's provider limits the rate; try again later", RetryAfter: 5 * time.Second}},
	{llm.ErrQuota, Error{Status: http.StatusServiceUnavailable, Code: "model_quota",
		Message: "the quota for the model is used up; the operator of this server can raise it"}},
	{llm.ErrUnauthorized, Error{Status: http.StatusBadGateway, Code: "model_key",
		Message: "the model's provider refused this server's key; its operator should check the variable that `key_env` names"}},
	{llm.ErrModelNotFound, Error{Status: http.StatusBadGateway, Code: "model_unknown",
		Message: "the model's provider does not know the configured model; the operator should check `model` and `base_url`"}},
	{llm.ErrTimeout, Error{Status: http.StatusGatewayTimeout, Code: "model_timeout",
		Message: "the model took too long; try again, or shorten the question"}},
	{llm.ErrUnavailable, Error{Status: http.StatusBadGateway, Code: "model_unavailable",
		Message: "the model does not answer; try again in a moment", RetryAfter: 5 * time.Second}},
	{llm.ErrIncomplete, Error{Status: http.StatusBadGateway, Code: "cut_off",
		Message: "the model's answer was cut off; ask again"}},
	{llm.ErrGarbage, Error{Status: http.StatusBadGateway, Code: "model_garbage",
		Message: "the model's reply was not understood; the operator should check that `base_url` speaks its provider's protocol"}},
	{llm.ErrRequest, Error{Status: http.StatusBadGateway, Code: "model_refused",
		Message: "the model's provider refused the request; this server's log says why"}},
	// Last: a model's own time limit is told as the model's.
	{context.DeadlineExceeded, Error{Status: http.StatusGatewayTimeout, Code: "timeout",
		Message: "the answer took longer than this server allows; ask for less, or try again"}},
}

// From returns what a client is told about err. An error that a handler made
// for the client passes as it is; the rest goes through the table.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if diskFull(err) {
		return &Error{Status: http.StatusInsufficientStorage, Code: "disk_full", Cause: err,
			Message: "the server's disk is full, and the request was not carried out; make room and send it again"}
	}
	for i := range table {
		if errors.Is(err, table[i].err) {
			told := table[i].told
			told.Cause = err
			var m *llm.Error
			if errors.As(err, &m) && m.RetryAfter > 0 {
				told.RetryAfter = m.RetryAfter
			}
			return &told
		}
	}
	return &Error{Status: http.StatusInternalServerError, Code: "internal", Cause: err,
		Message: "something failed inside the server; its log has the cause under this request's X-Request-Id"}
}
