package pipelinetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/ragserver/ragserver/pipeline"
)

// Collect is a sink that adds up what it is given and checks the engine's side
// of the contract: epochs ascend, no change is of zero rows, retractions come
// before insertions, nothing is retracted that is not there. It survives
// restarts of the graph, as a database would, so it must get every epoch once;
// only if it is Forgetful may it get the last ones again.
type Collect[T any] struct {
	// Forgetful makes Applied return pipeline.CannotTell.
	Forgetful bool
	// OneRowAKey demands that no key ever has two rows.
	OneRowAKey bool

	mu      sync.Mutex
	rows    map[Cell]int
	keys    map[pipeline.Key]int
	epoch   uint64
	applies int
	err     error
}

// Cell is a row as text, under its key.
type Cell struct {
	Key pipeline.Key
	Row string
}

// Applied implements pipeline.Sink.
func (c *Collect[T]) Applied(context.Context) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Forgetful {
		return pipeline.CannotTell, nil
	}
	return c.epoch, nil
}

// Apply implements pipeline.Sink. What breaks the contract is an error, and
// stays one.
func (c *Collect[T]) Apply(_ context.Context, epoch uint64, changes []pipeline.Change[T]) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = c.apply(epoch, changes)
	}
	return c.err
}

func (c *Collect[T]) apply(epoch uint64, changes []pipeline.Change[T]) error {
	if c.rows == nil {
		c.rows, c.keys = map[Cell]int{}, map[pipeline.Key]int{}
	}
	if epoch <= c.epoch {
		if c.Forgetful {
			return nil // idempotent by epoch
		}
		return fmt.Errorf("epoch %d comes after epoch %d", epoch, c.epoch)
	}
	if len(changes) == 0 {
		return fmt.Errorf("epoch %d has no changes", epoch)
	}
	c.epoch = epoch
	c.applies++
	inserting := false
	seen := map[Cell]bool{}
	for _, ch := range changes {
		cell := Cell{ch.Key, fmt.Sprintf("%+v", ch.Row)}
		switch {
		case ch.N == 0:
			return fmt.Errorf("epoch %d: %v ×0", epoch, cell)
		case seen[cell]:
			return fmt.Errorf("epoch %d: %v twice", epoch, cell)
		case ch.N < 0 && inserting:
			return fmt.Errorf("epoch %d: %v is retracted after an insertion", epoch, cell)
		}
		seen[cell] = true
		inserting = ch.N > 0
		c.keys[ch.Key] += ch.N
		switch c.rows[cell] += ch.N; {
		case c.rows[cell] < 0:
			return fmt.Errorf("epoch %d: %v is retracted but not there", epoch, cell)
		case c.rows[cell] == 0:
			delete(c.rows, cell)
		}
	}
	for k, n := range c.keys {
		if n == 0 {
			delete(c.keys, k)
		}
		if n > 1 && c.OneRowAKey {
			return fmt.Errorf("epoch %d: key %v has %d rows", epoch, k, n)
		}
	}
	return nil
}

// Rows returns the rows that are there, as text with their number.
func (c *Collect[T]) Rows() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := map[string]int{}
	for cell, n := range c.rows {
		rows[cell.Row] += n
	}
	return rows
}

// Cells returns the rows that are there under their keys.
func (c *Collect[T]) Cells() map[Cell]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	cells := map[Cell]int{}
	for cell, n := range c.rows {
		cells[cell] = n
	}
	return cells
}

// Applies returns how many epochs the sink has taken.
func (c *Collect[T]) Applies() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.applies
}

// Err returns what has broken the contract, if anything has.
func (c *Collect[T]) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
