package rowfile

import (
	"context"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
)

// watch is the engine's side of the folder that finds the files: it hands what
// the folder commits to the reader, and waits until that has taken it.
type watch struct {
	in    interface{ Static() bool }
	rows  map[pipeline.Key]fsio.File
	state map[pipeline.Key][]byte
	open  found
	done  chan error // the reader's answer to the group it was given
	out   chan found

	trouble func(error)
}

// found is one group of what the folder found.
type found struct {
	files []fsio.File    // new or changed
	gone  []pipeline.Key // deleted
	state []entry        // of the folder's own
	fails []failure
}

type entry struct {
	key   pipeline.Key
	value []byte
	drop  bool
}

type failure struct {
	where string
	err   error
}

var _ pipeline.Input[fsio.File] = (*watch)(nil)

func newWatch() *watch {
	return &watch{rows: map[pipeline.Key]fsio.File{}, state: map[pipeline.Key][]byte{},
		done: make(chan error), out: make(chan found)}
}

func (w *watch) Add(pipeline.Key, fsio.File, int) { panic("rowfile: a folder upserts") }

func (w *watch) Upsert(_ pipeline.Key, f fsio.File) { w.open.files = append(w.open.files, f) }

func (w *watch) Delete(k pipeline.Key) { w.open.gone = append(w.open.gone, k) }

func (w *watch) Rows(yield func(pipeline.Key, fsio.File) bool) {
	for k, f := range w.rows {
		if !yield(k, f) {
			return
		}
	}
	w.rows = nil // asked for once, at the beginning
}

func (w *watch) Put(k pipeline.Key, v []byte) {
	w.open.state = append(w.open.state, entry{key: k, value: append([]byte{}, v...)})
}

func (w *watch) Drop(k pipeline.Key) { w.open.state = append(w.open.state, entry{key: k, drop: true}) }

func (w *watch) State(yield func(pipeline.Key, []byte) bool) {
	for k, v := range w.state {
		if !yield(k, v) {
			return
		}
	}
	w.state = nil
}

func (w *watch) Fail(where string, err error) {
	w.open.fails = append(w.open.fails, failure{where, err})
}

func (w *watch) Commit(ctx context.Context, _ func(uint64)) error {
	f := w.open
	w.open = found{}
	select {
	case w.out <- f:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *watch) Static() bool { return w.in.Static() }

func (w *watch) Trouble(err error) { w.trouble(err) }
