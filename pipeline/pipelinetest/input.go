package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"

	"github.com/ragserver/ragserver/pipeline"
)

// ErrCrashed is returned by Commit of an Input that was told to crash.
var ErrCrashed = errors.New("pipelinetest: the engine has crashed")

// Input is the engine's side of a source, for tests of sources without an
// engine. It keeps what a source commits, checks that the source keeps its side
// of the contract, and can be restarted. Add, Upsert and the like belong to the
// source's goroutine; what tests call is safe for concurrent use.
type Input[T any] struct {
	t      testing.TB
	static bool

	mu      sync.Mutex
	durable held[T] // as of the last commit
	now     held[T]
	groups  []Group[T]
	fails   []Failure
	trouble error
	crashAt int // number of the commit that crashes; 0: none
	after   bool
	changed chan struct{} // closed and replaced whenever something happens
	open    Group[T]
	ops     []op[T] // of the open group
}

// op is what a source did.
type op[T any] struct {
	kind  byte // 'a'dd, 'u'psert, 'd'elete, 'p'ut, 'r'emove
	key   pipeline.Key
	row   T
	n     int
	value []byte
}

func (h *held[T]) apply(o op[T]) {
	switch o.kind {
	case 'a':
		h.add(o.key, o.row, o.n)
	case 'u':
		h.upserts[o.key] = o.row
	case 'd':
		delete(h.upserts, o.key)
	case 'p':
		h.state[o.key] = o.value
	case 'r':
		delete(h.state, o.key)
	}
}

func (h *held[T]) add(key pipeline.Key, row T, n int) {
	rows := h.added[key]
	for i := range rows {
		if !reflect.DeepEqual(rows[i].row, row) {
			continue
		}
		if rows[i].n += n; rows[i].n == 0 {
			rows = append(rows[:i], rows[i+1:]...)
		}
		if h.added[key] = rows; len(rows) == 0 {
			delete(h.added, key)
		}
		return
	}
	h.added[key] = append(rows, counted[T]{row, n})
}

// do applies what the source did. REQUIRES: in.mu.
func (in *Input[T]) do(o op[T]) {
	in.now.apply(o)
	in.ops = append(in.ops, o)
}

// held is the rows and the state of a source.
type held[T any] struct {
	upserts map[pipeline.Key]T
	added   map[pipeline.Key][]counted[T]
	state   map[pipeline.Key][]byte
}

type counted[T any] struct {
	row T
	n   int
}

// Group is what one Commit ended: one atomic group.
type Group[T any] struct {
	Changes []pipeline.Change[T] // Upsert is N = +1, Delete N = -1 with the row withdrawn
	Fails   []Failure
}

// Failure is what Fail was called with.
type Failure struct {
	Where string
	Err   error
}

// NewInput returns an Input with nothing in it.
func NewInput[T any](t testing.TB, static bool) *Input[T] {
	return &Input[T]{
		t: t, static: static, changed: make(chan struct{}),
		durable: held[T]{}.clone(), now: held[T]{}.clone(),
	}
}

func (h held[T]) clone() held[T] {
	c := held[T]{maps.Clone(h.upserts), map[pipeline.Key][]counted[T]{}, maps.Clone(h.state)}
	if c.upserts == nil {
		c.upserts, c.state = map[pipeline.Key]T{}, map[pipeline.Key][]byte{}
	}
	for k, rows := range h.added {
		c.added[k] = append([]counted[T]{}, rows...)
	}
	return c
}

// Restart returns an Input with what was committed, as after a crash.
func (in *Input[T]) Restart(static bool) *Input[T] {
	in.mu.Lock()
	defer in.mu.Unlock()
	r := NewInput[T](in.t, static)
	r.durable, r.now = in.durable.clone(), in.durable.clone()
	return r
}

// CrashAt makes the n-th commit (from 1) and all later ones return ErrCrashed; the n-th has
// happened if after is true.
func (in *Input[T]) CrashAt(n int, after bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.crashAt, in.after = n, after
}

// Add implements pipeline.Input.
func (in *Input[T]) Add(key pipeline.Key, row T, n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, ok := in.now.upserts[key]; ok {
		in.t.Errorf("Add and Upsert of the same key %v", key)
	}
	in.open.Changes = append(in.open.Changes, pipeline.Change[T]{Key: key, Row: row, N: n})
	in.do(op[T]{kind: 'a', key: key, row: row, n: n})
}

// Upsert implements pipeline.Input.
func (in *Input[T]) Upsert(key pipeline.Key, row T) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.now.added[key]) > 0 {
		in.t.Errorf("Add and Upsert of the same key %v", key)
	}
	in.do(op[T]{kind: 'u', key: key, row: row})
	in.open.Changes = append(in.open.Changes, pipeline.Change[T]{Key: key, Row: row, N: 1})
}

// Delete implements pipeline.Input.
func (in *Input[T]) Delete(key pipeline.Key) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if row, ok := in.now.upserts[key]; ok {
		in.open.Changes = append(in.open.Changes, pipeline.Change[T]{Key: key, Row: row, N: -1})
		in.do(op[T]{kind: 'd', key: key})
	}
}

// Rows implements pipeline.Input.
func (in *Input[T]) Rows(yield func(pipeline.Key, T) bool) {
	in.mu.Lock()
	rows := maps.Clone(in.now.upserts)
	in.mu.Unlock()
	for k, r := range rows {
		if !yield(k, r) {
			return
		}
	}
}

// Put implements pipeline.Input.
func (in *Input[T]) Put(key pipeline.Key, value []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.do(op[T]{kind: 'p', key: key, value: append([]byte{}, value...)})
}

// Drop implements pipeline.Input.
func (in *Input[T]) Drop(key pipeline.Key) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.do(op[T]{kind: 'r', key: key})
}

// State implements pipeline.Input.
func (in *Input[T]) State(yield func(pipeline.Key, []byte) bool) {
	in.mu.Lock()
	state := maps.Clone(in.now.state)
	in.mu.Unlock()
	for k, v := range state {
		if !yield(k, v) {
			return
		}
	}
}

// Fail implements pipeline.Input.
func (in *Input[T]) Fail(where string, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open.Fails = append(in.open.Fails, Failure{where, err})
}

// Commit implements pipeline.Input.
func (in *Input[T]) Commit(ctx context.Context, seen func(uint64)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in.mu.Lock()
	in.checkWeights()
	epoch := len(in.groups) + 1
	if in.crashAt > 0 && epoch >= in.crashAt && !(in.after && epoch == in.crashAt) {
		in.mu.Unlock()
		return ErrCrashed
	}
	for _, o := range in.ops {
		in.durable.apply(o)
	}
	in.ops = nil
	in.fails = append(in.fails, in.open.Fails...)
	in.groups = append(in.groups, in.open)
	in.open = Group[T]{}
	in.happened()
	crash := epoch == in.crashAt
	in.mu.Unlock()
	if crash {
		return ErrCrashed
	}
	if seen != nil {
		seen(uint64(epoch))
	}
	return nil
}

// checkWeights complains of rows retracted more often than added. REQUIRES: in.mu.
func (in *Input[T]) checkWeights() {
	for _, c := range in.open.Changes {
		for _, r := range in.now.added[c.Key] {
			if r.n < 0 {
				in.t.Errorf("row %+v of key %v was retracted and had not been added", r.row, c.Key)
			}
		}
	}
}

// Static implements pipeline.Input.
func (in *Input[T]) Static() bool { return in.static }

// Trouble implements pipeline.Input.
func (in *Input[T]) Trouble(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.trouble = err
	in.happened()
}

// happened wakes who waits. REQUIRES: in.mu.
func (in *Input[T]) happened() {
	close(in.changed)
	in.changed = make(chan struct{})
}

// Table returns the committed rows, each as often as it was added.
func (in *Input[T]) Table() []T {
	in.mu.Lock()
	defer in.mu.Unlock()
	rows := []T{}
	for _, r := range in.durable.upserts {
		rows = append(rows, r)
	}
	for _, rs := range in.durable.added {
		for _, r := range rs {
			for range r.n {
				rows = append(rows, r.row)
			}
		}
	}
	return rows
}

// Groups returns the committed groups so far.
func (in *Input[T]) Groups() []Group[T] {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]Group[T]{}, in.groups...)
}

// Fails returns the committed failures so far.
func (in *Input[T]) Fails() []Failure {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]Failure{}, in.fails...)
}

// StateSize returns the number of entries in the source's committed state.
func (in *Input[T]) StateSize() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.durable.state)
}

// TroubleNow returns what Trouble was last called with.
func (in *Input[T]) TroubleNow() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.trouble
}

// Wait returns nil as soon as ok, called after every commit and every trouble,
// is true; it gives up when ctx ends.
func (in *Input[T]) Wait(ctx context.Context, ok func() bool) error {
	for {
		in.mu.Lock()
		changed := in.changed
		in.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %w", ctx.Err())
		}
	}
}
