// Package wire stands between the provider libraries and the network. Those
// libraries decode what well-behaved providers send; Guard sees to it that
// they get only that: it turns refusals into typed errors, bounds what is
// read, and hands a stream on event by event, so that web pages, cut
// connections, errors in mid-stream and keys echoed by a provider end in an
// *llm.Error and nowhere else.
package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ragserver/ragserver/llm"
)

// Bounds on what a provider may send.
const (
	maxError = 64 << 10 // of a refusal's body
	maxEvent = 1 << 20  // of one event of a stream
	maxWhole = 16 << 20 // of an answer that comes unstreamed
)

// Guard makes one request; it is the HTTP client handed to a provider's
// library. Use one per call.
type Guard struct {
	Client   *http.Client
	Provider string // for errors
	Key      llm.Secret
	// Edit, if set, may change the request's body before it is sent.
	Edit func(body []byte) []byte
	// Event turns the data of one event into what the library gets instead:
	// nil drops the event, an error ends the stream with it.
	Event func(data []byte) ([]byte, error)
	// Whole, if set, turns an answer that came as one JSON body although a
	// stream was asked for into the events of a stream.
	Whole func(body []byte) ([][]byte, error)

	mu  sync.Mutex
	err error // how the reply failed, once it did
}

// Err returns how the reply failed, nil if it did not: the libraries report
// some failures as the end of the stream, or in words that cannot be told apart.
func (g *Guard) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

func (g *Guard) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
	return g.err
}

// Error makes an error of this provider; the words are the provider's.
func (g *Guard) Error(kind error, status int, words string) *llm.Error {
	if errors.Is(kind, llm.ErrUnauthorized) {
		words = "" // providers quote parts of the key here
	}
	return &llm.Error{Kind: kind, Provider: g.Provider, Status: status, Message: llm.Shorten(words, g.Key)}
}

// Do sends the request. A reply that is not the beginning of a stream comes
// back as an error.
func (g *Guard) Do(req *http.Request) (*http.Response, error) {
	if g.Edit != nil && req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = g.Edit(body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.ContentLength = int64(len(body))
	}
	resp, err := g.Client.Do(req)
	if err != nil {
		return nil, g.fail(g.Transport(req.Context(), err))
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, g.fail(g.refusal(resp))
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "application/json" && g.Whole != nil:
		defer resp.Body.Close()
		return g.whole(req.Context(), resp)
	case kind == "text/html":
		defer resp.Body.Close()
		return nil, g.fail(g.Error(llm.ErrGarbage, resp.StatusCode, webPage))
	}
	resp.Body = g.stream(req.Context(), resp.Body)
	return resp, nil
}

// Transport says why a request got no reply, or no whole one.
func (g *Guard) Transport(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if address, ok := errors.AsType[*url.Error](err); ok {
		err = address.Err // without the address, whose query may be a secret
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return &llm.Error{Kind: llm.ErrTimeout, Provider: g.Provider, Message: llm.Shorten(err.Error(), g.Key)}
	}
	return &llm.Error{Kind: llm.ErrUnavailable, Provider: g.Provider, Message: llm.Shorten(err.Error(), g.Key)}
}

// refusal reads a reply whose status is not 200.
func (g *Guard) refusal(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	words, code := ErrorWords(body)
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		words = webPage
	}
	e := g.Error(llm.KindOf(resp.StatusCode, code+" "+words), resp.StatusCode, words)
	e.RetryAfter = retryAfter(resp.Header, time.Now())
	return e
}

// retryAfter reads how long a provider wants us to wait: seconds or a date,
// or milliseconds in the header that some use beside it.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// ErrorWords finds the message and the code in an error object of any of the
// usual shapes; a body that is none is its own message.
func ErrorWords(body []byte) (words, code string) {
	var top map[string]any
	if json.Unmarshal(body, &top) != nil {
		return string(body), ""
	}
	at := top
	switch e := top["error"].(type) {
	case map[string]any:
		at = e
	case string:
		words = e
	}
	text := func(keys ...string) string {
		for _, k := range keys {
			if s, ok := at[k].(string); ok && s != "" {
				return s
			}
		}
		return ""
	}
	if words == "" {
		words = text("message", "detail", "error")
	}
	for _, k := range []string{"code", "type"} {
		if s, ok := at[k].(string); ok {
			code += " " + s
		}
	}
	if words == "" {
		words = string(body)
	}
	return words, strings.TrimSpace(code)
}

// whole hands an unstreamed answer on as a stream.
func (g *Guard) whole(ctx context.Context, resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxWhole))
	if err != nil {
		return nil, g.fail(g.Transport(ctx, err))
	}
	events, err := g.Whole(body)
	if err != nil {
		return nil, g.fail(err)
	}
	var b bytes.Buffer
	for _, e := range events {
		b.WriteString("data: ")
		b.Write(e)
		b.WriteString("\n\n")
	}
	resp.Body = io.NopCloser(&b)
	return resp, nil
}

// stream returns the body as the library is to see it: only data lines, each
// one passed by g.Event. It ends like a stream that was closed in good order
// whatever happened; Err tells.
func (g *Guard) stream(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 4096), maxEvent)
	return &events{guard: g, ctx: ctx, body: body, lines: lines}
}

type events struct {
	guard *Guard
	ctx   context.Context // of the request, like the body it belongs to
	body  io.ReadCloser
	lines *bufio.Scanner
	ready []byte // passed on but not yet read
	done  bool

	any   bool   // an event came
	alien string // how what is no stream of events began, "" while it may be one
}

func (e *events) Close() error { return e.body.Close() }

func (e *events) Read(p []byte) (int, error) {
	for len(e.ready) == 0 {
		if e.done || !e.next() {
			e.done = true
			return 0, io.EOF
		}
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

// next reads one line and reports whether the stream goes on.
func (e *events) next() bool {
	if !e.lines.Scan() {
		switch err := e.lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			_ = e.guard.fail(e.guard.Error(llm.ErrGarbage, 0, "an event of more than a megabyte"))
		case err != nil:
			e.cut(err)
		case !e.any && e.alien != "":
			_ = e.guard.fail(e.guard.Error(llm.ErrGarbage, 0, noAnswer(e.alien)))
		}
		return false
	}
	line := bytes.TrimSpace(e.lines.Bytes())
	field, data, found := bytes.Cut(line, []byte(":"))
	if e.alien == "" && len(line) > 0 && !fields[string(bytes.TrimSpace(field))] {
		e.alien = string(line[:min(len(line), maxAlien)])
	}
	data = bytes.TrimSpace(data)
	if !found || len(data) == 0 {
		return true
	}
	switch string(field) {
	case "error": // as some servers write it, outside the protocol
		words, code := ErrorWords(data)
		_ = e.guard.fail(e.guard.Error(llm.KindOf(http.StatusInternalServerError, code+" "+words), 0, words))
		return false
	case "data":
		e.any = true
	default:
		return true
	}
	out, err := e.guard.Event(data)
	if err != nil {
		_ = e.guard.fail(err)
		return false
	}
	if out != nil {
		e.ready = append(append(append(e.ready[:0], "data: "...), out...), "\n\n"...)
	}
	return true
}

// fields are those of an event, and of a comment; with the one that some servers
// write outside the protocol.
var fields = map[string]bool{"data": true, "event": true, "id": true, "retry": true, "error": true, "": true}

// maxAlien bounds what is repeated of a reply that is no stream.
const maxAlien = 200

const webPage = "a web page came instead of an answer; is the base URL right?"

// noAnswer says what came in place of a stream that was promised.
func noAnswer(begin string) string {
	if strings.HasPrefix(begin, "<") {
		return webPage
	}
	return "what came is no stream of events; it begins: " + begin
}

// cut notes that the connection broke inside the stream.
func (e *events) cut(err error) {
	if e.ctx.Err() != nil {
		err = e.ctx.Err()
	} else {
		err = &llm.Error{Kind: llm.ErrIncomplete, Provider: e.guard.Provider, Message: llm.Shorten(err.Error(), e.guard.Key)}
	}
	_ = e.guard.fail(err)
}
