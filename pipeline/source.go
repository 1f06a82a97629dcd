package pipeline

import "context"

// A Source brings the outside world into a table. From registers it.
//
// Run is called once, in a goroutine of the engine. It reads until ctx ends
// (then it returns nil or ctx's error) or, when in.Static() reports true or the
// input is finite, until everything present has been read (then it returns
// nil). Any other error ends the graph's Run with that error: a source that can
// get better by waiting, such as a broker that is down, waits and retries
// inside Run and reports the trouble by in.Trouble.
type Source[T any] interface {
	Run(ctx context.Context, in Input[T]) error
}

// Input is the engine's side of a source. It belongs to the goroutine that Run
// was called in; only Trouble may be called from others.
//
// What a source adds, puts and drops between two calls of Commit is one atomic
// group: it enters one epoch whole, and after a crash either all of it has
// happened, source state included, or nothing.
type Input[T any] interface {
	// Add adds n rows (n < 0: retracts them) with this key. The engine keeps
	// nothing for it: a source that retracts must give the very row it added.
	Add(key Key, row T, n int)

	// Upsert makes row the only row with this key; the engine keeps the last
	// row of each key and retracts it itself. A source uses Add or Upsert,
	// not both for the same keys. An equal row is no change.
	Upsert(key Key, row T)

	// Delete withdraws the row that Upsert gave this key; an unknown key is
	// no error.
	Delete(key Key)

	// Rows calls yield for every row held by Upsert, those recovered from a
	// former run included, in no particular order, until yield is false.
	// yield must not call Upsert or Delete.
	Rows(yield func(Key, T) bool)

	// Put keeps value in the source's own durable state, Drop removes it,
	// State yields all of it: positions, offsets, what was read of a file.
	// value is copied.
	Put(key Key, value []byte)
	Drop(key Key)
	State(yield func(Key, []byte) bool)

	// Fail puts a row that could not be read into the graph's error table:
	// where is the place a person would look (file and line, topic and
	// offset).
	Fail(where string, err error)

	// Commit ends the atomic group. It waits while the engine's buffer is
	// full and returns ctx's error when that wait is cut short. seen, if not
	// nil, is called once the group is durable and its sinks have taken it.
	Commit(ctx context.Context, seen func(epoch uint64)) error

	// Static reports whether the graph ends when its input does.
	Static() bool

	// Trouble tells the graph's status that the source cannot go on for the
	// moment and why; nil says that it can again. Safe for concurrent use.
	Trouble(err error)
}
