package indexer

import (
	"log/slog"
	"sync"

	"github.com/ragserver/ragserver/indexer/index"
)

// shortage is what the machine lacks to read documents with: processes,
// handles, memory. They wait for it; it is no fault of theirs. It is safe for
// concurrent use.
type shortage struct {
	log *slog.Logger

	mu      sync.Mutex
	waiting map[index.ID]error // documents, and for what
	last    error
}

// note takes the result of an attempt to read a document that waits, or is to
// wait, and tells the log when the first does and when none does any more.
func (s *shortage) note(doc index.ID, err error) {
	s.mu.Lock()
	before := len(s.waiting)
	if err != nil {
		s.waiting[doc], s.last = err, err
	} else {
		delete(s.waiting, doc)
	}
	after := len(s.waiting)
	s.mu.Unlock()
	switch {
	case before == 0 && after > 0:
		s.log.Error("cannot read documents, trying again until it works", "err", err)
	case before > 0 && after == 0:
		s.log.Info("all documents can be read again that waited")
	}
}

func (s *shortage) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return nil
	}
	return s.last
}
