package indexer

import (
	"crypto/sha256"
	"encoding/binary"
	"path"
	"strings"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
)

// item is a row of the table that all sources feed: that a document exists,
// what is known of it without reading it, and where its bytes are to be had.
type item struct {
	// File is the file of a folder; of a document that is none, what a file
	// would have: source, path, size, times, owner, and whether it may wait.
	fsio.File
	// Title is a title that the source knows (a field of a record), "" if
	// none.
	Title string
	// Fields is metadata from the source, as JSON.
	Fields string
	// Body names the stored bytes of a document that is no file of a folder.
	Body string
	// Settings stands for the parser and the embedder whose results are
	// wanted. Changing either asks every document again; what did not really
	// change is answered from the index.
	Settings string
	// Again counts how often it was asked again because vectors were lost: an
	// equal row would be answered from what was made before.
	Again int
}

func (i item) key() pipeline.Key { return i.File.Key() }

// slow reports whether reading the document takes a worker process or long, as
// far as name and size tell.
func (i item) slow() bool {
	switch strings.ToLower(path.Ext(i.Path)) {
	case ".pdf", ".docx", ".html", ".htm", ".xhtml":
		return true
	}
	return i.Size > 1<<20
}

// heavy reports whether the document may take so long, or its text so much
// memory, that few of its kind are read at once.
func (i item) heavy() bool { return i.Size >= parse.Large }

// urgency orders what waits: changes before the backlog of a first scan. Of the
// heavy it is negative (pipeline.AsyncOptions.Spare).
func (i item) urgency() int {
	u := 1
	if i.Backlog {
		u = 0
	}
	if i.heavy() {
		u -= 2
	}
	return u
}

// leastUrgent is behind all of them.
const leastUrgent = -3

// docID is a document's identity: its key.
func docID(k pipeline.Key) index.ID { return index.ID(k.Bytes()) }

// DocumentID returns the identity of the document with this path in this
// source.
func DocumentID(source, path string) index.ID { return docID(pipeline.KeyOf(source, path)) }

// versionOf identifies what a parser makes of some bytes under a title that the
// source gives, "" for none: it is searched and embedded with each chunk. The
// bytes may be chosen by strangers, so it is a cryptographic hash, cut.
func versionOf(parser string, content index.ID, name, title string) index.ID {
	h := sha256.New()
	h.Write(binary.AppendUvarint(nil, uint64(len(parser))))
	h.Write([]byte(parser))
	h.Write(content[:])
	// The name breaks ties where content alone does not tell the format.
	h.Write([]byte(strings.ToLower(path.Ext(name))))
	if title != "" {
		h.Write([]byte{0xff}) // ToLower leaves none
		h.Write([]byte(title))
	}
	return index.ID(h.Sum(nil)[:16])
}

// chunkHash identifies what is embedded of a chunk.
func chunkHash(text string) index.ID {
	h := sha256.Sum256([]byte(text))
	return index.ID(h[:16])
}

// outcome is what became of reading a document.
type outcome uint8

const (
	read outcome = iota
	skipped
	failed
)

// finding is what the parse stage answers: which version of the index holds
// the document's text, or why there is none.
type finding struct {
	Version index.ID
	Outcome outcome
	Reason  string // why not
	Type    string // of what was not read, if it was recognised
}

// parsed is a row of the table behind the parse stage. There is no text in it,
// and nothing that the index can tell of the version.
type parsed struct {
	Item    item
	Finding finding
}

// ready is a row of the table behind the embed stage: what the index is to
// show of a document.
type ready struct {
	Item    item
	Finding finding
	Vectors vectored
}
