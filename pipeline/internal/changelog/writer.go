package changelog

import (
	"fmt"
	"math"
	"sync"
)

// Writer buffers the changes of one worker until the next commit. It must not
// be used by two goroutines at once; different writers may be, also while
// Commit runs: a change put before Commit was called is in that commit, one
// put during it is in that one or the next.
type Writer struct {
	pool   *sync.Pool // of *frameBuf
	mu     sync.Mutex
	open   map[string]*frameBuf // the unfinished frame of each table
	last   *frameBuf            // the one used last
	frames []*frameBuf          // all, in the order they were begun
	err    error
}

// frameBuf is a frame being filled.
type frameBuf struct {
	table    string
	min, max uint8
	b        []byte
}

// Put makes value the record of table under shard and key. Both are copied.
func (w *Writer) Put(table string, shard uint8, key, value []byte) {
	w.add(table, change{shard: shard, key: key, value: value})
}

// Delete withdraws the record under shard and key; there need not be one.
func (w *Writer) Delete(table string, shard uint8, key []byte) {
	w.add(table, change{shard: shard, key: key, deleted: true})
}

func (w *Writer) add(table string, c change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(c.key) + len(c.value); n > maxFrame-2*maxTableName || len(table) > maxTableName {
		w.err = fmt.Errorf("changelog: a record of table %.100q has %d bytes: more than can be stored (%d)", table, n, maxFrame-2*maxTableName)
		return
	}
	f := w.last
	if f == nil || f.table != table {
		f = w.open[table]
	}
	if f == nil {
		f = w.begin(table)
	}
	f.min, f.max = min(f.min, c.shard), max(f.max, c.shard)
	f.b = appendChange(f.b, c)
	w.last = f
	if len(f.b) >= frameTarget {
		w.last = nil
		delete(w.open, table)
	}
}

func (w *Writer) begin(table string) *frameBuf {
	f, _ := w.pool.Get().(*frameBuf)
	if f == nil {
		f = new(frameBuf)
	}
	f.table, f.min, f.max = table, math.MaxUint8, 0
	f.b = beginFrame(f.b[:0], kindChanges, table)
	if w.open == nil {
		w.open = map[string]*frameBuf{}
	}
	w.open[table] = f
	w.frames = append(w.frames, f)
	return f
}

// take empties the writer.
func (w *Writer) take() ([]*frameBuf, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fs := w.frames
	w.frames, w.last = nil, nil
	clear(w.open)
	return fs, w.err
}

func recycle(pool *sync.Pool, fs []*frameBuf) {
	for _, f := range fs {
		if cap(f.b) <= 2*frameTarget {
			pool.Put(f)
		}
	}
}
