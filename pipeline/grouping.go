package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// accumulator is what a grouping computes: working copies of the groups that
// the epoch touches, by number, and how they are kept as bytes.
type accumulator[T, R any] interface {
	reset()                                  // forget all working copies
	open(i int, g Key, row *T, saved []byte) // make working copy i, of a new group if saved is nil
	add(i int, g Key, row *T, n int)         // may panic: a failing row
	undo()                                   // the last add panicked: take it back
	save(i int, g Key, b []byte) []byte      // append working copy i
	result(saved []byte) (row R, err error)  // the row of a saved group
	same(a, b *R) bool                       // are the results equal?
	end(w *worker, name string)              // the epoch is over: persist what save does not cover
	load(w *worker, name string) error       // what end has persisted
	size() (rows, bytes int)                 // of state of its own
	drop(g Key)                              // the group is gone
}

// grouping keeps an accumulator per group and emits the group's row when it
// changes: the engine of Fold, FoldBy and GroupBy. The row's key is the
// group's. A group exists while the weights of its rows sum up to more than 0.
type grouping[T, R any] struct {
	w     *worker
	n     *node
	acc   accumulator[T, R]
	route *router[Change[T]] // Key is the group's

	tab   hashtab.Table[groupCell]
	arena hashtab.Arena
	dirty []dirtyGroup
	live  []uint32    // numbers in dirty of the groups with a working copy
	next  int         // dirty groups already emitted
	held  []Change[T] // rows waiting to be applied in slot order
	tmp   []Change[T]
	out   buffer[R]
	b     []byte
	old   R // of the group being emitted
	now   R
	warm  uint64 // see hashtab.Table.Warm
	table string // of the log
}

// groupCell is a group as it was when the epoch began.
type groupCell struct {
	acc    hashtab.Blob // the saved accumulator
	weight int64
	dirty  uint32 // 1 + number in dirty if the epoch has touched it, else 0
}

// dirtyGroup is a group that the epoch has touched, as it is now. They are in
// the order of their first touch, so whoever goes through them reads memory from
// front to back.
type dirtyGroup struct {
	key    hashtab.Key
	acc    hashtab.Blob // unless there is a working copy
	weight int64
	live   uint32 // 1 + number of the working copy, 0 if there is none
}

const (
	maxLive    = 1 << 15
	warmRows   = 64      // rows whose groups are looked up side by side
	sweepRows  = 1 << 13 // batches from this size on are applied in slot order
	sweepBytes = 2 << 20 // to tables from this size on
)

var errNegative = errors.New("more rows of this group were retracted than added")

func startGrouping[T, R any](w *worker, n *node, acc accumulator[T, R]) *grouping[T, R] {
	f := &grouping[T, R]{w: w, n: n, acc: acc, table: n.tableName("group")}
	f.out.o = newOutlet[R](w, n)
	f.route = newRouter(w, func(c *Change[T]) Key { return c.Key }, f.apply)
	w.deferred = append(w.deferred, f)
	w.ends = append(w.ends, f.end)
	w.loads = append(w.loads, f.load)
	return f
}

// apply takes rows whose Key is their group's.
func (f *grouping[T, R]) apply(b []Change[T]) {
	if f.tab.Bytes() < sweepBytes {
		f.applyNow(b)
		return
	}
	f.held = append(f.held, b...)
	if len(f.held) >= sliceRows {
		f.applyHeld()
	}
}

func (f *grouping[T, R]) applyHeld() {
	if len(f.held) >= sweepRows {
		f.held, f.tmp = sweep(f.held, f.tmp, func(c *Change[T]) hashtab.Key { return c.Key.cell() })
	}
	f.applyNow(f.held)
	f.held, f.tmp = reuse(f.held), reuse(f.tmp)
}

func (f *grouping[T, R]) applyNow(b []Change[T]) {
	for len(b) > 0 {
		some := b[:min(len(b), warmRows)]
		b = b[len(some):]
		f.warm = f.tab.Warm(len(some), func(i int) hashtab.Key { return some[i].Key.cell() })
		guard(len(some), func(i int) {
			c := &some[i]
			d := f.touch(c)
			f.acc.add(int(d.live)-1, c.Key, &c.Row, c.N)
			d.weight += int64(c.N)
		}, func(i int, err error) {
			f.acc.undo()
			f.w.fail(f.n, some[i].Key, "", err, some[i].N)
		})
	}
}

// touch returns the row's group, with a working copy.
func (f *grouping[T, R]) touch(c *Change[T]) *dirtyGroup {
	s, _ := f.tab.At(c.Key.cell())
	g := &s.Val
	saved := &g.acc
	if g.dirty == 0 {
		f.dirty = append(f.dirty, dirtyGroup{key: s.Key, weight: g.weight})
		g.dirty = uint32(len(f.dirty))
	} else if d := &f.dirty[g.dirty-1]; d.live != 0 {
		return d
	} else if !d.acc.None() {
		saved = &d.acc
	}
	if len(f.live) >= maxLive {
		f.spill()
	}
	f.acc.open(len(f.live), c.Key, &c.Row, saved.Get(&f.arena))
	f.live = append(f.live, g.dirty-1)
	d := &f.dirty[g.dirty-1]
	d.live = uint32(len(f.live))
	return d
}

// spill saves the working copies.
func (f *grouping[T, R]) spill() {
	for i, n := range f.live {
		d := &f.dirty[n]
		f.b = f.acc.save(i, Key(d.key), f.b[:0])
		d.acc.Set(&f.arena, f.b)
		d.live = 0
	}
	f.live = f.live[:0]
	f.acc.reset()
}

func (f *grouping[T, R]) changed() bool { return len(f.dirty) > 0 || len(f.held) > 0 }

func (f *grouping[T, R]) flush() (more bool) {
	if len(f.held) > 0 {
		f.applyHeld()
	}
	f.spill()
	for f.out.sum = 0; f.next < len(f.dirty) && f.out.sum < budgetRows; {
		some := f.dirty[f.next:min(f.next+warmRows, len(f.dirty))]
		f.next += len(some)
		f.warm = f.tab.Warm(len(some), func(i int) hashtab.Key { return some[i].key })
		for i := range some {
			f.emit(&some[i])
		}
	}
	f.out.flush()
	if f.next < len(f.dirty) {
		return true
	}
	f.dirty, f.next = reuse(f.dirty), 0
	return false
}

// emit puts out what changed of a group and makes what it is now its state.
func (f *grouping[T, R]) emit(d *dirtyGroup) {
	s := f.tab.Find(d.key)
	c, key := &s.Val, Key(d.key)
	if d.acc.None() { // its accumulator could not be opened: nothing has changed
		if c.dirty = 0; c.acc.None() {
			f.tab.Delete(d.key)
		}
		return
	}
	old, now := c.acc.Get(&f.arena), d.acc.Get(&f.arena)
	was, is := old != nil && c.weight > 0, d.weight > 0
	if !was || !is || !bytes.Equal(old, now) {
		if was {
			f.old, was = f.result(key, old, -1)
		}
		if is {
			f.now, is = f.result(key, now, 1)
		}
		if !was || !is || !f.acc.same(&f.old, &f.now) {
			if was {
				f.out.add(key, f.old, -1)
			}
			if is {
				f.out.add(key, f.now, 1)
			}
		}
	}
	if (c.weight < 0) != (d.weight < 0) {
		f.w.fail(f.n, key, "", errNegative, sign(c.weight < 0))
	}
	f.persist(key, d.weight, now)
	c.acc.Free(&f.arena)
	if d.weight == 0 {
		f.acc.drop(key)
		d.acc.Free(&f.arena)
		f.tab.Delete(d.key)
		return
	}
	*c = groupCell{acc: d.acc, weight: d.weight}
}

// sign is −1 for true, the end of a failure, else 1.
func sign(end bool) int {
	if end {
		return -1
	}
	return 1
}

// result makes the row of a saved group, or a failure.
func (f *grouping[T, R]) result(key Key, saved []byte, by int) (row R, ok bool) {
	guard(1, func(int) {
		var err error
		if row, err = f.acc.result(saved); err != nil {
			f.w.fail(f.n, key, "", err, by)
			return
		}
		ok = true
	}, func(_ int, err error) { f.w.fail(f.n, key, "", err, by) })
	return row, ok
}

func (f *grouping[T, R]) persist(key Key, weight int64, saved []byte) {
	if f.w.log == nil {
		return
	}
	k := key.Bytes()
	if weight == 0 {
		f.w.log.Delete(f.table, key.shard(), k[:])
		return
	}
	f.b = binary.AppendVarint(f.b[:0], weight)
	f.b = append(f.b, saved...)
	f.w.log.Put(f.table, key.shard(), k[:], f.b)
}

func (f *grouping[T, R]) end(uint64) {
	f.acc.end(f.w, f.n.tableName("values"))
	f.arena.Compact(func(move func(hashtab.Ref) hashtab.Ref) {
		f.tab.All(func(s *hashtab.Slot[groupCell]) bool { s.Val.acc.Move(move); return true })
	})
	rows, size := f.acc.size()
	f.n.count[f.w.id].state(f.tab.Len()+rows, f.tab.Bytes()+f.arena.Bytes()+size)
}

func (f *grouping[T, R]) load() error {
	err := f.w.load(f.table, func(key, value []byte) error {
		weight, w := binary.Varint(value)
		k, err := keyFrom(key)
		if err != nil || w <= 0 {
			return errDamagedState
		}
		s, _ := f.tab.At(k.cell())
		s.Val.weight = weight
		s.Val.acc.Set(&f.arena, value[w:])
		return nil
	})
	if err != nil {
		return err
	}
	err = f.acc.load(f.w, f.n.tableName("values"))
	f.end(0)
	return err
}
