package indexer

import (
	"context"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
)

// State is where a document stands on its way into the index.
type State string

// A document is found, is parsed, is embedded, is live; or it failed, or was
// skipped, with a reason. Stale: it is live, but its source cannot be read at
// the moment.
const (
	Found     State = "found"
	Parsing   State = "parsing"
	Embedding State = "embedding"
	Live      State = "live"
	Stale     State = "stale"
	Failed    State = "failed"
	Skipped   State = "skipped"
)

// Status is the row of one document in the status table. An older version of a
// document may be live while a newer one is parsed: LiveVersion says which.
type Status struct {
	ID          index.ID
	Source      string
	Path        string
	State       State
	Reason      string // why it failed or was skipped, what it waits for, or a warning
	Version     index.ID
	LiveVersion index.ID // zero if no version is live
	Title       string
	Type        string
	Size        int64
	Chunks      int
	Embedded    int // chunks whose vectors were computed for this version; the rest were known
	Modified    time.Time
	Seen        time.Time // when this version was first seen
	Updated     time.Time // when this row last changed
	LiveAt      time.Time
	Epoch       uint64 // in which it became live
	Attempts    int
}

// Event is a change of the status table, for feeds. Removed documents have
// Removed set and the last status they had.
type Event struct {
	Seq     uint64
	Time    time.Time
	Removed bool
	Status  Status
}

// SourceStatus describes a source of a collection.
type SourceStatus struct {
	Name      string
	Kind      string // "folder", "kafka", "uploads", "former" (not configured any more)
	Location  string // path, or brokers and topic; never a secret
	Trouble   string // why it cannot be read at the moment, "" if it can
	Documents int    // that can be found
	Scanned   bool   // the first scan or catch-up is over
	Lag       int64
}

// Embedder turns texts into vectors of one length, one a text, in order. A
// zero vector means that the text has none. An error that is an *embed.Refusal
// is about the texts: it is asked for fewer, until the text is found that it does
// not take. After any other error, and for as long as it lasts, it is asked the
// same again. It is called from several goroutines at once.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

// Space is an embedder with what the index must know of it.
type Space struct {
	Name     string  // identity: vectors of another name are not comparable
	Dims     int     // length of every vector
	Weight   float64 // of the vector side in hybrid search, 0..1
	Embedder Embedder
}
