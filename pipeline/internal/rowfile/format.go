package rowfile

import (
	"cmp"
	"time"
)

// Format is how rows of type T stand in a file.
type Format[T any] struct {
	Name string // "csv"; errors begin with it
	// New returns a parser. header is nil for the beginning of a file, else
	// what Parser.Header gave there.
	New func(header []byte) Parser[T]
}

// Parser reads the records of one file, in order. It belongs to one goroutine.
type Parser[T any] interface {
	// Parse reads the whole records that b begins with, calls yield with each,
	// and returns how many bytes and lines they took. If final is true the
	// file ends with b, and the last record need not have a line end. Rows may
	// refer to b, which is not changed afterwards. at is the record's offset in
	// b and line its line, counted from 0 in b; err is why it is not a row.
	Parse(b []byte, final bool, yield func(at, line int, row *T, err error)) (n, lines int)
	// Header returns what must be known to read on in the middle of the file
	// (nil if that is nothing), and why the file cannot be read at all.
	Header() ([]byte, error)
}

// Options of reading.
type Options struct {
	// AppendOnly promises that files only grow: their text is not kept.
	AppendOnly bool
	// Keep keeps the text of files in static mode as well, so that a later
	// run may find them rewritten or deleted.
	Keep bool
	// Settle is how long a record without line end waits to be a row (200 ms
	// if 0).
	Settle time.Duration
	// Exclude are paths that are not read, as in fsio.Options.
	Exclude []string
}

func (o *Options) settle() time.Duration { return cmp.Or(o.Settle, 200*time.Millisecond) }

const (
	blockSize  = 256 << 10 // read at once; rows refer to blocks
	maxRecord  = 16 << 20  // bytes of one record
	groupRows  = 64 << 10  // of one atomic group, about
	groupBytes = 32 << 20
)
