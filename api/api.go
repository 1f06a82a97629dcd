// Package api serves the engine over HTTP: the native JSON API under /api, what
// Pathway's clients and OpenAI's clients speak (folders pathway and openai),
// health, readiness, metrics, and the page that it is handed.
//
// # Model
//
// A Server is a http.Handler made of Collections. A Collection is a set of small
// interfaces that the program fills with its parts; this package knows neither
// files nor indexes nor models, only what to ask of them. Every route stands in
// routes.go, with the scope a key needs for it, the gate that bounds how many
// run at once, its time limit, and its entry in the OpenAPI description, which
// is generated from the Go types.
//
// # What a client may count on
//
// Offsets count Unicode code points, times are RFC 3339 in UTC, numbers are
// finite. A failure has a status, a stable code and a sentence that says what to
// do; what failed inside goes to the log under the X-Request-Id of the reply and
// never to the client. A client that leaves ends the work done for it. Streams
// are server-sent events that are never silent for longer than 15 seconds. An
// absent k is the route's default; any other must be from 1 to the route's most.
// Documents are counted if they can be found; what failed, was skipped or is on
// its way stands in the counts by state. What of a foreign protocol is served, and
// what on purpose is not, its folder's comment says. A busy server answers 503
// with Retry-After instead of queueing without bound.
//
// # Who may call
//
// Without keys the server is for its own machine: requests whose Host is neither
// an address, nor localhost, nor configured are refused (DNS rebinding), as are
// requests that a page of another origin makes, images included. With keys (see
// Keys) every route but /health, /ready and descriptions wants one that has the
// route's scope. The first key that is added closes the server at once, and what
// a key has begun ends within about a second of its revocation.
package api

import (
	"context"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// Searcher finds passages; it computes the query's vector itself.
type Searcher interface {
	Search(ctx context.Context, q index.Query) (index.Result, error)
}

// Asker answers questions.
type Asker interface {
	Ask(ctx context.Context, q answer.Question) iter.Seq2[answer.Event, error]
}

// View is one immutable state of an index.
type View interface {
	Document(id index.ID) (index.Document, bool)
	Documents() iter.Seq[index.Document]
	// Text returns bytes start to end of a live document's text.
	Text(document index.ID, start, end int) (string, error)
	Stats() index.Stats
}

// Statuses is the status table.
type Statuses interface {
	// Documents returns the rows that are wanted, ordered by source and path,
	// and how many there are without After and Limit.
	Documents(indexer.List) ([]indexer.Status, int)
	Document(id index.ID) (indexer.Status, bool)
	// Counts returns the documents by state and how many are on their way.
	Counts() (states map[indexer.State]int, pending int)
}

// Feed tells the changes of the status table.
type Feed interface {
	// Events yields the changes after a sequence number and what comes, until
	// ctx ends. It yields false when the reader fell so far behind that it must
	// read the table again.
	Events(ctx context.Context, after uint64) iter.Seq2[indexer.Event, bool]
	LastEvent() uint64
}

// Writer takes documents of callers. Its errors match indexer.ErrNoSource,
// ErrReadOnly or ErrNoDocument if they are the caller's.
type Writer interface {
	// Put stores a document under the caller's key; it is durable when Put
	// returns. The status says what it is called and where it stands.
	Put(ctx context.Context, source, key string, r io.Reader, m index.Meta) (indexer.Status, error)
	// Delete removes a document that was put; nil means durably.
	Delete(ctx context.Context, source, key string) (indexer.Status, error)
	// Settle waits until what Put or Delete returned is live, failed, skipped
	// or gone, and returns how it then stands. If ctx ends first it returns the
	// status so far and ctx's error.
	Settle(ctx context.Context, s indexer.Status) (indexer.Status, error)
}

// Summarizer makes one text of several.
type Summarizer interface {
	Summarize(ctx context.Context, texts []string, model string) (string, llm.Usage, error)
}

// Collection is one collection, as parts. Search, Ask, View, Content,
// Summarize, Statuses, Feed and Sources must be there.
type Collection struct {
	Name   string
	Search Searcher
	Ask    Asker
	View   func() View
	// Content returns a stored version, live or not; the error matches
	// index.ErrNotFound if it is stored no more.
	Content   func(version index.ID) (*index.Content, error)
	Statuses  Statuses
	Feed      Feed
	Sources   func() []indexer.SourceStatus
	Troubles  func() []indexer.Trouble
	Writer    Writer // nil: documents cannot be put
	Summarize Summarizer
	Space     indexer.Space // the embedder, for /v1/embeddings
	Model     string        // name of the model that answers, "" for none
	Explain   func() string // the pipeline's plan
}

// Options is what a Server is made of.
type Options struct {
	Version     string
	Collections []Collection         // the first is the default
	Models      map[string]llm.Model // by configured name
	Page        http.Handler         // what is not the API's; nil for none
	// Keys, if not nil, are the keys without which nothing is served, as soon
	// as there is one.
	Keys *Keys
	// Hosts are further names under which the server may be called, Origins
	// the origins of pages that may call it (CORS), such as
	// https://intranet.example.
	Hosts, Origins []string
	// URL is how clients reach the server if not directly, such as
	// https://intranet.example/rag: links in answers begin with it, its host is
	// one of Hosts, and requests may come with its path in front or without,
	// whatever the proxy does. "" takes each request's Host.
	URL    string
	Limits Limits
	// Metrics are further figures for /metrics.
	Metrics []prometheus.Collector
	Log     *slog.Logger // nil: slog.Default
}

// Limits bound what clients may ask for at once. Zero fields take the default.
type Limits struct {
	Upload   int64         // bytes of one document; 512 MiB
	Searches int           // at once; 64
	Asks     int           // at once; 64
	Streams  int           // feeds of events open at once; 256
	Writes   int           // documents written at once; 16
	Queue    time.Duration // that a request waits for its turn; 5 s
}

func (l Limits) orDefault() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.Upload <= 0 {
		l.Upload = 512 << 20
	}
	if l.Queue <= 0 {
		l.Queue = 5 * time.Second
	}
	def(&l.Searches, 64)
	def(&l.Asks, 64)
	def(&l.Streams, 256)
	def(&l.Writes, 16)
	return l
}
