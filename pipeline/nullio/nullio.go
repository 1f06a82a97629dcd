// Package nullio has a sink that counts changes and throws them away: for
// measuring, and for programs whose side effects are elsewhere.
package nullio

import (
	"context"
	"sync/atomic"

	"github.com/ragserver/ragserver/pipeline"
)

// Counter counts what a table has brought. It is safe for concurrent use.
type Counter struct{ added, retracted atomic.Int64 }

// Added returns the number of rows that have appeared, updates included.
func (c *Counter) Added() int64 { return c.added.Load() }

// Retracted returns the number of rows that have gone, updates included.
func (c *Counter) Retracted() int64 { return c.retracted.Load() }

// Write counts the changes of a table. After a crash the last epochs may be
// counted twice.
func Write[T any](t *pipeline.Table[T]) *Counter {
	c := &Counter{}
	pipeline.To(t, "null", sink[T]{c})
	return c
}

type sink[T any] struct{ c *Counter }

func (s sink[T]) Apply(_ context.Context, _ uint64, changes []pipeline.Change[T]) error {
	for i := range changes {
		if n := int64(changes[i].N); n > 0 {
			s.c.added.Add(n)
		} else {
			s.c.retracted.Add(-n)
		}
	}
	return nil
}

func (sink[T]) Applied(context.Context) (uint64, error) { return pipeline.CannotTell, nil }
