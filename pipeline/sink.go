package pipeline

import (
	"context"
	"math"
)

// A Sink takes the changes of a table out of the engine after they have been
// committed. To registers it.
//
// Apply is called by one goroutine, epochs ascending; changes are consolidated
// (equal changes have cancelled) with all retractions before all insertions,
// and are valid only during the call. When Apply returns nil the epoch must be
// durable: the engine then forgets it. Until then the changes are kept in the
// engine's own commit, and after a crash every epoch above the last one that
// Applied reports is sent again. So Apply must be idempotent by (epoch, key).
// An error ends the graph's Run; a sink that can get better by waiting waits
// itself until ctx ends.
type Sink[T any] interface {
	Apply(ctx context.Context, epoch uint64, changes []Change[T]) error

	// Applied returns the last epoch that is durable in the sink, 0 if there
	// is none, CannotTell if the sink does not keep it. Called once, before the
	// first Apply. With State, a sink that has less than it took, or more than
	// the state knows of, ends Run with ErrOtherState.
	Applied(ctx context.Context) (uint64, error)
}

// CannotTell is what Applied returns for a sink that does not know which epochs
// it has: after a crash it is sent everything that the engine still keeps.
const CannotTell uint64 = math.MaxUint64

// A StagedSink writes ahead of the commit and is told afterwards what counts:
// an append-only file whose committed length stands in the engine's manifest,
// a broker's transaction. With it output is exactly-once. ToStaged registers
// it.
//
// The order for each commit is: Stage for each of its epochs, Flush, then the
// engine's commit with the position that Flush returned. After a crash Recover
// gets the position of the last commit (nil if there was none) before anything
// else, and must undo whatever was written after it.
type StagedSink[T any] interface {
	// Recover cuts the output back to position.
	Recover(ctx context.Context, position []byte) error
	// Stage writes the changes of one epoch, ordered as for Sink.
	Stage(ctx context.Context, epoch uint64, changes []Change[T]) error
	// Flush makes everything staged durable and returns the position that
	// marks its end.
	Flush(ctx context.Context) (position []byte, err error)
	// Close releases the sink after the last commit.
	Close() error
}
