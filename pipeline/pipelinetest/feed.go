package pipelinetest

import (
	"context"

	"github.com/ragserver/ragserver/pipeline"
)

// Feed is a source that a test drives by hand. One Feed serves one run; Send
// may be called before it begins.
type Feed[T any] struct {
	groups chan feedGroup[T]
	end    chan struct{}
}

type feedGroup[T any] struct {
	changes []pipeline.Change[T]
	upsert  bool
	seen    chan uint64
}

// NewFeed returns a Feed that nothing has been sent to.
func NewFeed[T any]() *Feed[T] {
	return &Feed[T]{make(chan feedGroup[T], 1024), make(chan struct{})}
}

// Run implements pipeline.Source: it commits one group after the other until
// ctx ends or End was called.
func (f *Feed[T]) Run(ctx context.Context, in pipeline.Input[T]) error {
	for {
		select {
		case g := <-f.groups:
			if err := g.apply(ctx, in); err != nil {
				return err
			}
			continue
		default:
		}
		select {
		case g := <-f.groups:
			if err := g.apply(ctx, in); err != nil {
				return err
			}
		case <-f.end:
			if len(f.groups) == 0 {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g feedGroup[T]) apply(ctx context.Context, in pipeline.Input[T]) error {
	for _, c := range g.changes {
		switch {
		case !g.upsert:
			in.Add(c.Key, c.Row, c.N)
		case c.N > 0:
			in.Upsert(c.Key, c.Row)
		default:
			in.Delete(c.Key)
		}
	}
	return in.Commit(ctx, func(epoch uint64) { g.seen <- epoch })
}

// Send adds changes as one group. The channel gets the epoch that they entered
// when that is durable and every sink has it.
func (f *Feed[T]) Send(changes ...pipeline.Change[T]) <-chan uint64 {
	return f.send(changes, false)
}

// Upsert sends changes by Upsert (N > 0) and Delete (N < 0).
func (f *Feed[T]) Upsert(changes ...pipeline.Change[T]) <-chan uint64 {
	return f.send(changes, true)
}

func (f *Feed[T]) send(changes []pipeline.Change[T], upsert bool) <-chan uint64 {
	seen := make(chan uint64, 1)
	f.groups <- feedGroup[T]{changes, upsert, seen}
	return seen
}

// End makes the source come to its end when what was sent has been committed.
func (f *Feed[T]) End() { close(f.end) }
