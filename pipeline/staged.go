package pipeline

import (
	"context"
	"fmt"
)

// ToStaged gives the changes of a table to a sink that writes ahead of the
// commit and is told afterwards what counts: with State, its output is
// exactly-once.
func ToStaged[T any](t *Table[T], name string, s StagedSink[T]) {
	addSink(t, "tostaged", name, func(out *outlay[T]) sinkRun { return &staging[T]{outlay: out, sink: s} })
}

// staging is a sink that takes epochs before their commit. All of it runs in
// the coordinator's goroutine.
type staging[T any] struct {
	*outlay[T]
	sink   StagedSink[T]
	staged bool // something was staged since the last flush
}

var positionKey = []byte("position")

func (s *staging[T]) recover(ctx context.Context) error {
	var position []byte
	if s.r.log != nil {
		err := loadTable(s.r.log, s.n.tableName("position"), nil, func(_, value []byte) error {
			position = append([]byte{}, value...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := s.sink.Recover(ctx, position); err != nil {
		return fmt.Errorf("pipeline: sink %s: go back to the last commit: %w", s.n, err)
	}
	s.tells = true // by its position
	return s.loadOutbox(0)
}

// stage gives all epochs that wait to the sink.
func (s *staging[T]) stage(ctx context.Context) error {
	for b := s.next(); b != nil; b = s.next() {
		if err := s.sink.Stage(ctx, b.epoch, b.rows); err != nil {
			return fmt.Errorf("pipeline: sink %s: stage epoch %d: %w", s.n, b.epoch, err)
		}
		s.staged = true
		s.took(b)
	}
	return nil
}

func (s *staging[T]) flush(ctx context.Context) error {
	if !s.staged {
		return nil
	}
	position, err := s.sink.Flush(ctx)
	if err != nil {
		return fmt.Errorf("pipeline: sink %s: make its output durable: %w", s.n, err)
	}
	if s.r.log != nil {
		s.r.writer.Put(s.n.tableName("position"), 0, positionKey, position)
	}
	s.staged = false
	return nil
}

func (s *staging[T]) start(context.Context) {}

func (s *staging[T]) close() error {
	if err := s.sink.Close(); err != nil {
		return fmt.Errorf("pipeline: sink %s: close: %w", s.n, err)
	}
	return nil
}
