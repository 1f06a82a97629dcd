package pipelinetest

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/ragserver/ragserver/pipeline"
)

// integral is the sum of the changes that a table has told of.
type integral[T any] struct {
	mu      sync.Mutex
	epoch   uint64 // the last one taken: it may come again after a restart
	rows    map[pipeline.Key][]T
	changed chan struct{} // closed and replaced at every change
	t       testing.TB
}

func newIntegral[T any](t testing.TB) *integral[T] {
	return &integral[T]{rows: map[pipeline.Key][]T{}, changed: make(chan struct{}), t: t}
}

func (i *integral[T]) add(epoch uint64, changes []pipeline.Change[T]) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if epoch <= i.epoch {
		return nil
	}
	i.epoch = epoch
	for _, c := range changes {
		rows := i.rows[c.Key]
		for range c.N {
			rows = append(rows, c.Row)
		}
		for range -c.N {
			at := slices.IndexFunc(rows, func(r T) bool { return reflect.DeepEqual(r, c.Row) })
			if at < 0 {
				i.t.Errorf("row %+v was retracted and is not there", c.Row)
				break
			}
			rows = slices.Delete(rows, at, at+1)
		}
		i.rows[c.Key] = rows
	}
	close(i.changed)
	i.changed = make(chan struct{})
	return nil
}

func (i *integral[T]) now() (rows []T, changed chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, rs := range i.rows {
		rows = append(rows, rs...)
	}
	return rows, i.changed
}

// graph is a graph of the source alone, whose table goes to sum.
func (w World[T]) graph(sum *integral[T], options ...pipeline.Option) *pipeline.Graph {
	g := pipeline.New(options...)
	pipeline.Subscribe(pipeline.From(g, "source", w.Source()), sum.add)
	return g
}

// testEngine is testStatic with the engine itself and its state on the disk.
func testEngine[T any](t *testing.T, w World[T]) {
	sum, state := newIntegral[T](t), filepath.Join(t.TempDir(), "state")
	for _, s := range w.Steps {
		s.Do(t)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := w.graph(sum, pipeline.State(state), pipeline.Static()).Run(ctx)
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		rows, _ := sum.now()
		if err := w.compare(rows, s.Want); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
	}
}

// testEngineLive follows the world with the engine, which is stopped and started
// again after every other step.
func testEngineLive[T any](t *testing.T, w World[T]) {
	sum, state := newIntegral[T](t), filepath.Join(t.TempDir(), "state")
	for i := 0; i < len(w.Steps); i += 2 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		done := make(chan error, 1)
		go func() { done <- w.graph(sum, pipeline.State(state)).Run(ctx) }()
		for _, s := range w.Steps[i:min(i+2, len(w.Steps))] {
			s.Do(t)
			for last := error(nil); ; {
				rows, changed := sum.now()
				if last = w.compare(rows, s.Want); last == nil {
					break
				}
				select {
				case <-changed:
				case err := <-done:
					t.Fatalf("%s: the run has ended: %v; %v", s.Name, err, last)
				case <-ctx.Done():
					t.Fatalf("%s: waited in vain: %v", s.Name, last)
				}
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
