// Package index is a live hybrid index: documents go in by epochs, a view of
// all of them answers vector, keyword and hybrid searches under metadata
// filters. It is usable alone; it knows nothing of pipelines, parsers, models
// or HTTP.
//
// # Model
//
// A document (ID) has one live version (a Content: text, once, and the chunks
// it is cut into) and metadata. A chunk is (version, start, end) into that
// text; its vector belongs to its Hash, so that equal texts share one. PutContent
// and PutVectors store what a version consists of, durably and ahead of its
// turn; Apply makes a batch of documents live or gone, as one epoch: durable
// first, then visible by the swap of one pointer. Within a document, chunks
// whose Hash and ordinal among equals did not change keep their rows.
//
// # What a reader may count on
//
// A View is immutable: vector search, keyword search, filters, metadata and
// texts all show the same epoch, take no lock and never wait for a writer. The
// same query of the same view gives the same hits in the same order.
//
// A hybrid search asks both sides for 1,000 candidates and adds their
// z-normalised scores (Space.Weight says how much the vectors count). Filters
// choose the documents first: a search gives K hits whenever so many chunks
// match. A chunk without a vector is found by its words, and competes by these.
//
// Keyword scores are exact. Vector candidates are exact while 2,048 chunks or
// fewer are allowed; beyond, all one-bit codes are scanned and about one in a
// thousand of the true best may be missed (package vector).
//
// # What a crash can lose
//
// Nothing that PutContent, PutVectors or Apply returned nil for. After Open,
// Epoch is the last epoch applied; applying an epoch at or below it again is a
// no-op. Half an epoch is never served.
//
// # What stays on disk, and how long
//
// Contents and vectors that no live document refers to any more are kept for ten
// minutes (so that what comes back is neither stored nor embedded again),
// contents that were never applied for a day. Then they are taken off the disk in
// the background, an hour later at most. The files are described in manifest.go;
// Check verifies them.
//
// # Errors
//
// Errors say what was refused and why. Those to be told apart: ErrNotFound,
// ErrUnfit, *MissingError, disk.ErrLocked, and *disk.Damage, which names a damaged file. If
// the disk is full, writing fails and can be repeated, reading goes on.
package index

import (
	"encoding/hex"
	"fmt"
	"time"
)

// ID is a 128-bit identity: of a document (hash of source and path), a version
// or a chunk's content (SHA-256 cut to 128 bits).
type ID [16]byte

// String returns the id as 32 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads what String wrote.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 32 {
		return id, fmt.Errorf("index: id %q has %d digits, not 32", s, len(s))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return id, fmt.Errorf("index: id %q: %w", s, err)
	}
	return id, nil
}

// Content is one version of a document as it was read: its text and the chunks
// the text is cut into. It is immutable.
type Content struct {
	Version  ID
	Title    string
	Language string // BCP 47 base language such as "en", "" if unknown
	Type     string // media type, "" if unknown
	Text     string // UTF-8, Markdown-like; stored once
	Chunks   []Chunk
	// Attributes is what the parser found besides the text (author, pages …),
	// as Meta.Attributes; a document's own Meta is given with the document.
	Attributes map[string]any
}

// Chunk is a part of a version's text.
type Chunk struct {
	Start, End uint32 // bytes into Content.Text
	Page       uint32 // 1-based page, slide or sheet; 0 if the format has none
	Heading    string // heading path, outermost first, joined by " > "
	Hash       ID     // of title, heading path and text: what is embedded
}

// EmbedText returns what is embedded and searched by keyword for chunk i: the
// title and the heading path in front of the chunk's text.
func (c *Content) EmbedText(i int) string {
	ch := c.Chunks[i]
	return embedText(c.Title, ch.Heading, c.Text[ch.Start:ch.End])
}

func embedText(title, heading, text string) string {
	if heading != "" {
		text = heading + "\n" + text
	}
	if title != "" {
		text = title + "\n" + text
	}
	return text
}

// Document is a live document.
type Document struct {
	ID       ID
	Source   string // name of the source, e.g. the folder's name
	Path     string // relative to the source, slash-separated
	Version  ID     // of a Content stored by PutContent
	Meta     Meta
	Embedded bool // its chunks' vectors are to be searched; false: keyword only
	// Unread says why nothing could be read of the document ("" if it was
	// read): such a document is kept with an empty Content and no chunks, so
	// that it is never silently missing.
	Unread string
	// Set by Apply: the epoch and time in which the document became what it
	// is, how many chunks it has, how many of them have a vector, and of how
	// many it is not known what theirs is, be it none.
	Epoch                     uint64
	Applied                   time.Time
	Chunks, Vectored, Missing int
}

// Meta is a document's metadata. Times are UTC; a zero time is unknown.
// Attributes hold whatever the source or the parser adds: strings, float64,
// bool, or slices and maps of these, as encoding/json decodes them.
type Meta struct {
	Created, Modified, Seen time.Time
	Size                    int64
	Owner                   string
	Title, Language, Type   string // Type: media type such as "application/pdf"
	Attributes              map[string]any
}

// Batch is what one epoch changes. A document is in Put or in Delete, not in
// both, and once.
type Batch struct {
	Epoch  uint64
	Put    []Document
	Delete []ID
}

// Mode says which sides of the index answer.
type Mode uint8

// The zero Mode is Hybrid.
const (
	Hybrid Mode = iota
	Keyword
	Vector
)

// Query is a search.
type Query struct {
	Text   string    // for the keyword side
	Vector []float32 // for the vector side; nil or zero: keyword alone
	K      int       // hits wanted; at most MaxK
	Mode   Mode
	// Filter is a metadata filter in Pathway's dialect (package filter), ""
	// for none; Glob a path pattern that matches a path or source/path, "".
	Filter, Glob string
	// Documents, if not nil, restricts the search to these documents.
	Documents []ID
	// MinEpoch makes the search wait until the view is at that epoch.
	MinEpoch uint64
	// Explain fills Hit.Why.
	Explain bool
}

// MaxK is the largest number of hits one search gives.
const MaxK = 1000

// Result is what a search found: hits by falling score, ties by chunk id.
type Result struct {
	Epoch    uint64 // of the view that answered
	Hits     []Hit
	Took     time.Duration
	Degraded string // why a side did not answer, "" if all did
}

// Hit is a chunk that was found, with everything needed to cite it. Offsets
// are bytes into the version's text.
type Hit struct {
	Chunk      ID // identity of the chunk: document, content hash and ordinal
	Document   Document
	Title      string
	Heading    string
	Page       int
	Start, End int
	Text       string
	Score      float64 // fused; comparable within one result
	Cosine     float64 // similarity of the vectors, NaN if not computed
	BM25       float64 // keyword score, 0 if no term matched
	Unembedded bool    // found by keyword: its vector is still being made, or the embedder gives none
	Why        *Why
}

// Why explains a hit.
type Why struct {
	Terms                   map[string]float64 // BM25 by term
	KeywordRank, VectorRank int                // 1-based, 0 if not among the candidates
	KeywordZ, VectorZ       float64            // normalised scores that were fused
}

// Stats describes the live state.
type Stats struct {
	Epoch                       uint64
	Documents, Chunks, Embedded int       // documents that were read, and what can be found of them
	Unread                      int       // documents that are kept without text, for the reason in their Unread
	LastModified, LastSeen      time.Time // largest over the documents that were read
	DiskBytes, HeapBytes        int64
}
