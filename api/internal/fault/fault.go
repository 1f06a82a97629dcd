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
	for i := range table {
		if errors.Is(err, table[i].err) {
			told := table[i].told
			told.Cause = err
			return &told
		}
	}
	return &Error{Status: http.StatusInternalServerError, Code: "internal", Cause: err,
		Message: "something failed inside the server; its log has the cause under this request's X-Request-Id"}
}
