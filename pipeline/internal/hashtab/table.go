// Package hashtab holds the state of operators: hash tables on 128-bit keys
// whose cells hold no pointers, so that the garbage collector never looks at
// them, and arenas of bytes for what has no fixed size.
//
// Table maps keys to cells, Store keys to bytes, Multi keys to sets of rows
// (an index of a join), Ordered keys to sorted multisets (a group's values for
// min and max). None is safe for concurrent use: each belongs to one worker.
//
// A key's slot is taken from its low half mixed with its high one, while the
// shard of a row is taken from the high half alone: were both the same bits, a
// worker's tables would fill in one region only. Slots are in the order of
// SlotHash, so that a batch in that order sweeps a table from front to back.
package hashtab

import (
	"math/bits"
	"unsafe"
)

// Key is a 128-bit key; pipeline.Key converts to it.
type Key struct{ Hi, Lo uint64 }

// SlotHash orders keys as tables do. The multiplication spreads keys whose
// high bits are all the same, such as counted ones.
func SlotHash(k Key) uint64 {
	return (k.Lo ^ k.Hi*0x9E3779B97F4A7C15) * 0xD6E8FEB86659FD93
}

// Slot is a key's cell.
type Slot[V any] struct {
	Key Key
	Val V
}

// Table is an open-addressing hash table with linear probing. V must not hold
// pointers. The zero Table is empty and ready.
//
// A key's home is the place of its SlotHash among all hashes, scaled to the
// number of slots, which may be any: so slots are in the order of SlotHash, and
// a large table can grow by half, which wastes less memory than doubling.
type Table[V any] struct {
	slots []Slot[V]
	used  []uint64 // a bit a slot; the bits fit the processor's cache longer than the slots do
	n     int
}

const (
	leastSlots = 16
	longProbe  = 128
	largeTable = 4096 // slots from which on a table grows by half
)

// full reports whether n keys are too many for so many slots.
func full(n, slots int) bool { return 10*n >= 7*slots }

// Len returns the number of keys.
func (t *Table[V]) Len() int { return t.n }

// Bytes returns the memory of the slots.
func (t *Table[V]) Bytes() int { return len(t.slots)*int(unsafe.Sizeof(Slot[V]{})) + 8*len(t.used) }

func (t *Table[V]) taken(p int) bool { return t.used[p>>6]>>(p&63)&1 != 0 }
func (t *Table[V]) take(p int)       { t.used[p>>6] |= 1 << (p & 63) }
func (t *Table[V]) leave(p int)      { t.used[p>>6] &^= 1 << (p & 63) }

// home returns the number of the slot that k would have if it were alone.
func (t *Table[V]) home(k Key) int {
	h, _ := bits.Mul64(SlotHash(k), uint64(len(t.slots)))
	return int(h)
}

// after returns the number of the slot after p.
func (t *Table[V]) after(p int) int {
	if p++; p == len(t.slots) {
		return 0
	}
	return p
}

// Find returns k's slot or nil. It is valid until the next At or Delete.
func (t *Table[V]) Find(k Key) *Slot[V] {
	if t.n == 0 {
		return nil
	}
	for p := t.home(k); t.taken(p); p = t.after(p) {
		if s := &t.slots[p]; s.Key == k {
			return s
		}
	}
	return nil
}

// At returns k's slot, which it makes if there is none. It is valid until the
// next At or Delete.
func (t *Table[V]) At(k Key) (s *Slot[V], fresh bool) {
	if len(t.slots) == 0 {
		t.resize(leastSlots)
	}
	for p, probe := t.home(k), 0; ; {
		if t.taken(p) {
			if s = &t.slots[p]; s.Key == k {
				return s, false
			}
			p, probe = t.after(p), probe+1
			continue
		}
		// A batch in slot order piles up in one region of a table that is
		// still small: a long probe shows that long before the load does. A
		// table that is nearly empty has bad keys, which growing can't cure.
		if full(t.n, len(t.slots)) || probe > longProbe && 8*t.n > len(t.slots) {
			t.grow()
			p, probe = t.home(k), 0
			continue
		}
		t.n++
		t.take(p)
		s = &t.slots[p]
		s.Key = k
		return s, true
	}
}

func (t *Table[V]) grow() {
	if n := len(t.slots); n < largeTable {
		t.resize(2 * n)
	} else {
		t.resize(n + n/2)
	}
}

// Warm brings the slots of some keys into the processor's cache, for Find or At
// soon after: the accesses wait for memory side by side and not one after the
// other. It returns a number without meaning, for the compiler must think that
// the slots are wanted.
func (t *Table[V]) Warm(n int, key func(i int) Key) (sum uint64) {
	if len(t.slots) < largeTable {
		return 0
	}
	for i := range n {
		sum += t.slots[t.home(key(i))].Key.Lo
	}
	return sum
}

// Delete removes k and reports whether it was there.
func (t *Table[V]) Delete(k Key) bool {
	if t.n == 0 {
		return false
	}
	hole := t.home(k)
	for t.taken(hole) && t.slots[hole].Key != k {
		hole = t.after(hole)
	}
	if !t.taken(hole) {
		return false
	}
	// Close the gap: whoever may stand nearer to home moves into it.
	for next := t.after(hole); t.taken(next); next = t.after(next) {
		if home := t.home(t.slots[next].Key); t.distance(home, next) >= t.distance(hole, next) {
			t.slots[hole] = t.slots[next]
			hole = next
		}
	}
	t.slots[hole] = Slot[V]{}
	t.leave(hole)
	t.n--
	switch {
	case t.n == 0:
		*t = Table[V]{}
	case len(t.slots) > leastSlots && 8*t.n < len(t.slots):
		t.resize(max(len(t.slots)/2, leastSlots))
	}
	return true
}

// distance returns how many slots lie from one to another, going forward.
func (t *Table[V]) distance(from, to int) int {
	if to < from {
		to += len(t.slots)
	}
	return to - from
}

// All calls yield for every slot until it returns false. yield must not change
// the table's keys.
func (t *Table[V]) All(yield func(*Slot[V]) bool) {
	for i := range t.slots {
		if t.taken(i) && !yield(&t.slots[i]) {
			return
		}
	}
}

func (t *Table[V]) resize(n int) {
	old := *t
	t.slots, t.used = make([]Slot[V], n), make([]uint64, (n+63)/64)
	for i := range old.slots {
		if !old.taken(i) {
			continue
		}
		p := t.home(old.slots[i].Key)
		for t.taken(p) {
			p = t.after(p)
		}
		t.take(p)
		t.slots[p] = old.slots[i]
	}
}
