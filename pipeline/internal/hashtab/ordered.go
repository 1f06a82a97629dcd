package hashtab

import (
	"bytes"
	"encoding/binary"
)

// Ordered maps a key to a sorted multiset of byte strings: the values of a
// group for min, max and whatever else wants them in order. The values lie
// sorted in leaves of about a kilobyte; a key with more than one leaf has a
// directory of them. A change costs one leaf and a binary search. The zero
// Ordered is empty and ready.
type Ordered struct {
	t       Table[orderedCell]
	a       Arena
	entries int
}

type orderedCell struct {
	ref    Ref // the leaf, or the directory if there are several
	leaves uint32
}

const (
	fullLeaf  = 1024
	smallLeaf = 200
)

// Len returns the number of different values of all keys, Bytes the memory.
func (o *Ordered) Len() int   { return o.entries }
func (o *Ordered) Bytes() int { return o.t.Bytes() + o.a.Bytes() }

// Has reports whether k has any value.
func (o *Ordered) Has(k Key) bool { return o.t.Find(k) != nil }

// Add adds n to the weight of val under k and returns what it is now; at 0 the
// value is gone. Weights may be negative for a time.
func (o *Ordered) Add(k Key, val []byte, n int) (now int) {
	c, fresh := o.t.At(k)
	if fresh {
		c.Val = orderedCell{o.a.Put(appendValue(nil, val, n)), 1}
		o.entries++
		return n
	}
	i := o.search(c.Val, val)
	leaf := o.leaf(c.Val, i)
	b := o.a.Get(leaf)
	at, end, old := locate(b, val)
	now = old + n
	var cell []byte
	if now != 0 {
		cell = appendValue(nil, val, now)
	}
	next := make([]byte, 0, len(b)+len(cell))
	next = append(append(append(next, b[:at]...), cell...), b[end:]...)
	switch {
	case at == end:
		o.entries++
	case now == 0:
		o.entries--
	}
	switch {
	case len(next) == 0:
		o.remove(c, i)
	case len(next) > fullLeaf && middle(next) < len(next):
		m := middle(next)
		tail := o.a.Put(next[m:])
		o.setLeaf(c, i, o.a.Replace(leaf, next[:m]))
		o.insert(c, i+1, tail)
	case len(next) < smallLeaf && now == 0 && c.Val.leaves > 1:
		o.setLeaf(c, i, o.a.Replace(leaf, next))
		o.join(c, max(i, 1)-1)
	default:
		o.setLeaf(c, i, o.a.Replace(leaf, next))
	}
	return now
}

// Ascend calls yield for the values of k from the least on until it returns
// false; Descend from the greatest on. The set must not change meanwhile.
func (o *Ordered) Ascend(k Key, yield func(val []byte, n int) bool) {
	c := o.t.Find(k)
	if c == nil {
		return
	}
	for i := range int(c.Val.leaves) {
		b := o.a.Get(o.leaf(c.Val, i))
		for len(b) > 0 {
			val, n, rest := valueAt(b)
			if !yield(val, n) {
				return
			}
			b = rest
		}
	}
}

// AscendFrom is Ascend of the values that are not less than from.
func (o *Ordered) AscendFrom(k Key, from []byte, yield func(val []byte, n int) bool) {
	c := o.t.Find(k)
	if c == nil {
		return
	}
	for i := o.search(c.Val, from); i < int(c.Val.leaves); i++ {
		b := o.a.Get(o.leaf(c.Val, i))
		at, _, _ := locate(b, from)
		for b = b[at:]; len(b) > 0; {
			val, n, rest := valueAt(b)
			if !yield(val, n) {
				return
			}
			b = rest
		}
	}
}

// Descend is Ascend from the other end.
func (o *Ordered) Descend(k Key, yield func(val []byte, n int) bool) {
	if c := o.t.Find(k); c != nil {
		o.descend(c.Val, int(c.Val.leaves)-1, nil, yield)
	}
}

// DescendFrom is Descend of the values that are less than below.
func (o *Ordered) DescendFrom(k Key, below []byte, yield func(val []byte, n int) bool) {
	if c := o.t.Find(k); c != nil {
		o.descend(c.Val, o.search(c.Val, below), below, yield)
	}
}

// descend goes from leaf i down; below, if not nil, bounds what it has.
func (o *Ordered) descend(c orderedCell, i int, below []byte, yield func(val []byte, n int) bool) {
	type cell struct {
		val []byte
		n   int
	}
	var cells []cell
	for ; i >= 0; i-- {
		cells = cells[:0]
		b := o.a.Get(o.leaf(c, i))
		if below != nil {
			at, _, _ := locate(b, below)
			b = b[:at]
		}
		for len(b) > 0 {
			val, n, rest := valueAt(b)
			cells, b = append(cells, cell{val, n}), rest
		}
		for j := len(cells) - 1; j >= 0; j-- {
			if !yield(cells[j].val, cells[j].n) {
				return
			}
		}
	}
}

// All calls yield for every value of every key.
func (o *Ordered) All(yield func(k Key, val []byte, n int)) {
	o.t.All(func(c *Slot[orderedCell]) bool {
		o.Ascend(c.Key, func(val []byte, n int) bool { yield(c.Key, val, n); return true })
		return true
	})
}

func appendValue(b, val []byte, n int) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(val))), val...)
	return binary.AppendVarint(b, int64(n))
}

func valueAt(b []byte) (val []byte, n int, rest []byte) {
	size, w := binary.Uvarint(b)
	val = b[w : w+int(size)]
	b = b[w+int(size):]
	m, w := binary.Varint(b)
	return val, int(m), b[w:]
}

// locate finds val in a leaf: its bytes [at, end) and weight, or where it
// would stand (at == end).
func locate(b, val []byte) (at, end, n int) {
	for rest := b; len(rest) > 0; {
		v, m, next := valueAt(rest)
		at = len(b) - len(rest)
		switch bytes.Compare(v, val) {
		case 0:
			return at, len(b) - len(next), m
		case 1:
			return at, at, 0
		}
		rest = next
	}
	return len(b), len(b), 0
}

// middle is the first boundary between values in the second half of a leaf.
func middle(b []byte) int {
	for rest := b; ; {
		_, _, next := valueAt(rest)
		if at := len(b) - len(next); 2*at >= len(b) {
			if at == len(b) && len(rest) < len(b) { // a last value that is half of it
				return len(b) - len(rest)
			}
			return at
		}
		rest = next
	}
}

func (o *Ordered) leaf(c orderedCell, i int) Ref {
	if c.leaves == 1 {
		return c.ref
	}
	return Ref(binary.LittleEndian.Uint64(o.a.Get(c.ref)[8*i:]))
}

func (o *Ordered) setLeaf(c *Slot[orderedCell], i int, r Ref) {
	if c.Val.leaves == 1 {
		c.Val.ref = r
		return
	}
	binary.LittleEndian.PutUint64(o.a.Get(c.Val.ref)[8*i:], uint64(r))
}

// search returns the leaf in which val stands or would stand.
func (o *Ordered) search(c orderedCell, val []byte) int {
	lo, hi := 0, int(c.leaves)
	for hi-lo > 1 {
		m := (lo + hi) / 2
		first, _, _ := valueAt(o.a.Get(o.leaf(c, m)))
		if bytes.Compare(first, val) <= 0 {
			lo = m
		} else {
			hi = m
		}
	}
	return lo
}

func (o *Ordered) insert(c *Slot[orderedCell], i int, r Ref) {
	var dir []byte
	if c.Val.leaves == 1 {
		dir = binary.LittleEndian.AppendUint64(nil, uint64(c.Val.ref))
		c.Val.ref = 0
	} else {
		dir = bytes.Clone(o.a.Get(c.Val.ref))
	}
	dir = binary.LittleEndian.AppendUint64(dir, 0)
	copy(dir[8*i+8:], dir[8*i:])
	binary.LittleEndian.PutUint64(dir[8*i:], uint64(r))
	c.Val.ref = o.a.Replace(c.Val.ref, dir)
	c.Val.leaves++
}

// remove takes leaf i, which has lost its last value, away.
func (o *Ordered) remove(c *Slot[orderedCell], i int) {
	o.a.Free(o.leaf(c.Val, i))
	o.cut(c, i)
}

// cut takes leaf i out of the directory; with the last leaf goes the key.
func (o *Ordered) cut(c *Slot[orderedCell], i int) {
	switch c.Val.leaves {
	case 1:
		o.t.Delete(c.Key)
		return
	case 2:
		dir, other := c.Val.ref, o.leaf(c.Val, 1-i)
		o.a.Free(dir)
		c.Val = orderedCell{other, 1}
		return
	}
	dir := bytes.Clone(o.a.Get(c.Val.ref))
	dir = append(dir[:8*i], dir[8*i+8:]...)
	c.Val.ref = o.a.Replace(c.Val.ref, dir)
	c.Val.leaves--
}

// join makes one leaf of leaves i and i+1 if they are small together.
func (o *Ordered) join(c *Slot[orderedCell], i int) {
	l, r := o.leaf(c.Val, i), o.leaf(c.Val, i+1)
	a, b := o.a.Get(l), o.a.Get(r)
	if len(a)+len(b) > fullLeaf/2 {
		return
	}
	both := append(bytes.Clone(a), b...)
	o.setLeaf(c, i, o.a.Replace(l, both))
	o.remove(c, i+1)
}
