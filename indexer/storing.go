package indexer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
)

// What cannot be written now, because the disk is full for example, is written
// later: meanwhile the index goes on answering with what it has, and nothing
// that was found is forgotten.
const (
	storeRetry    = 100 * time.Millisecond
	storeRetryMax = 5 * time.Second
)

// storing is how writing to the index goes. It is safe for concurrent use.
type storing struct {
	log *slog.Logger

	mu      sync.Mutex
	trouble error // why the last write failed, nil if it did not
}

// note takes the result of a write, and tells the log when that changes.
func (s *storing) note(err error) {
	s.mu.Lock()
	before := s.trouble
	s.trouble = err
	s.mu.Unlock()
	switch {
	case err != nil && before == nil:
		s.log.Error("cannot store, trying again until it works; searches go on", "err", err)
	case err == nil && before != nil:
		s.log.Info("storing works again")
	}
}

func (s *storing) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// store writes to the index until it works, for as long as an error may pass.
// waiting, if not nil, is told of each that it waits out.
func (x *Indexer) store(ctx context.Context, write func() error, waiting func(error)) error {
	for wait := storeRetry; ; wait = min(2*wait, storeRetryMax) {
		err := write()
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if lasting(err) {
			return err
		}
		x.storing.note(err)
		if err == nil {
			return nil
		}
		if waiting != nil {
			waiting(err)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// lasting reports whether an error of the index will be the same next time.
func lasting(err error) bool {
	return errors.Is(err, index.ErrUnfit) || errors.As(err, new(*index.MissingError)) || errors.As(err, new(*index.Damage))
}
