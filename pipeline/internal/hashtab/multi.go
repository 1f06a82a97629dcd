package hashtab

import (
	"bytes"
	"encoding/binary"
)

// Multi maps a key to a weighted set of entries (id, row): the index of one
// side of a join, whose ids are the keys of the rows. The entries of a key lie
// side by side in blocks of at most a few dozen, found by linear hashing on the
// id: a key with a million rows costs no more per change than one with ten,
// and its rows are still read block by block. The zero Multi is empty and
// ready.
type Multi struct {
	t       Table[multiCell]
	a       Arena
	entries int
	owed    int // of them, those of a weight below 0
}

// multiCell is a block. The block of the key itself is bucket 0 and counts
// all; bucket i > 0 stands under a key of its own.
type multiCell struct {
	ref     Ref
	buckets uint32 // of this key, in bucket 0 only
	total   uint32 // entries of this key, in bucket 0 only
}

// Entry is a row of an index and how often it is there, which is negative
// while a retraction has come before its insertion.
type Entry struct {
	ID  Key
	N   int
	Row []byte
}

const (
	fullBucket   = 16 // mean entries of a bucket before one more is made
	sparseBucket = 6  // and before one is taken away
)

// Len returns the number of entries, Bytes the memory held.
func (m *Multi) Len() int   { return m.entries }
func (m *Multi) Bytes() int { return m.t.Bytes() + m.a.Bytes() }

func bucketKey(k Key, i uint32) Key {
	if i == 0 {
		return k
	}
	x := uint64(i) * 0xA24BAED4963EE407
	return Key{k.Hi ^ x, (k.Lo^x>>29)*0x9FB21C651E98DF25 + uint64(i)}
}

// bucketOf is linear hashing: with n buckets, those from n - 2^l on are not
// split yet.
func bucketOf(id Key, n uint32) uint32 {
	if n <= 1 {
		return 0
	}
	h := uint32(SlotHash(id) >> 17)
	mask := uint32(1)
	for mask < n {
		mask <<= 1
	}
	if i := h & (mask - 1); i < n {
		return i
	}
	return h & (mask>>1 - 1)
}

// Warm brings the first blocks of some keys into the processor's cache, for Add or
// Block soon after: see Table.Warm.
func (m *Multi) Warm(n int, key func(i int) Key) (sum uint64) {
	if len(m.t.slots) < largeTable {
		return 0
	}
	sum = m.t.Warm(n, key)
	for i := range n {
		if c := m.t.Find(key(i)); c != nil && c.Val.ref != 0 {
			sum += uint64(m.a.Get(c.Val.ref)[0])
		}
	}
	return sum
}

// Insert is Add of n > 0 for who need not know what the weight is now: it does not
// look for an entry that is equal, which costs a walk through a block, so that there
// may be several afterwards, whose weights count together.
func (m *Multi) Insert(k, id Key, row []byte, n int) {
	if m.owed > 0 { // one that is equal may wait for it
		m.Add(k, id, row, n)
		return
	}
	head, fresh := m.t.At(k)
	if fresh {
		head.Val.buckets = 1
	}
	c := head
	if i := bucketOf(id, head.Val.buckets); i > 0 {
		c, _ = m.t.At(bucketKey(k, i))
	}
	var block []byte
	if c.Val.ref != 0 {
		block = m.a.Get(c.Val.ref)
	}
	m.append(c, block, id, row, n)
	m.grown(k, 1)
}

// Add adds n to the weight of the entry (id, row) of k and returns what it is
// now; at 0 the entry is gone.
func (m *Multi) Add(k, id Key, row []byte, n int) int {
	if n == 0 {
		panic("hashtab: Multi.Add of nothing")
	}
	head, fresh := m.t.At(k)
	if fresh {
		head.Val.buckets = 1
	}
	c := head
	if i := bucketOf(id, head.Val.buckets); i > 0 {
		c, _ = m.t.At(bucketKey(k, i))
	}
	now, grew := m.addTo(c, id, row, n)
	if grew == 0 {
		return now
	}
	m.grown(k, grew)
	return now
}

// grown counts entries that k has got or lost, and keeps its blocks to their size.
func (m *Multi) grown(k Key, by int) {
	m.entries += by
	head := m.t.Find(k)
	head.Val.total += uint32(by)
	c := head.Val
	switch {
	case c.total == 0:
		for i := range c.buckets {
			m.dropBucket(bucketKey(k, i))
		}
	case c.total > c.buckets*fullBucket:
		m.split(k, c.buckets)
	case c.buckets > 1 && c.total < c.buckets*sparseBucket:
		m.merge(k, c.buckets-1)
	}
}

// addTo changes one block and returns the entry's weight and by how many
// entries the block grew. Of equal entries it takes one after the other away.
func (m *Multi) addTo(c *Slot[multiCell], id Key, row []byte, n int) (now, grew int) {
	if c.Val.ref == 0 {
		m.owe(0, n)
		return n, m.append(c, nil, id, row, n)
	}
	block := m.a.Get(c.Val.ref)
	for at := 0; at < len(block); {
		e, next := entryAt(block, at)
		if e.ID != id || !bytes.Equal(e.Row, row) {
			at = next
			continue
		}
		now = e.N + n
		left := 0
		if e.N > 0 && now < 0 {
			now, left = 0, now
		}
		m.owe(e.N, now)
		rest := block[:at+copy(block[at:], block[next:])]
		if now != 0 {
			m.append(c, rest, id, row, now)
			return now, 0
		}
		if len(rest) == 0 {
			m.a.Free(c.Val.ref)
			c.Val.ref = 0
		} else {
			c.Val.ref = m.a.Replace(c.Val.ref, rest)
		}
		if left != 0 {
			now, grew = m.addTo(c, id, row, left)
		}
		return now, grew - 1
	}
	m.owe(0, n)
	return n, m.append(c, block, id, row, n)
}

// owe counts entries of a weight below 0: one has had the weight was and has now.
func (m *Multi) owe(was, now int) {
	if was < 0 {
		m.owed--
	}
	if now < 0 {
		m.owed++
	}
}

// append writes block and one entry more. block may be a part of what c holds
// now.
func (m *Multi) append(c *Slot[multiCell], block []byte, id Key, row []byte, n int) int {
	var head [16 + 2*binary.MaxVarintLen64]byte
	binary.LittleEndian.PutUint64(head[:], id.Hi)
	binary.LittleEndian.PutUint64(head[8:], id.Lo)
	h := binary.AppendVarint(head[:16], int64(n))
	h = binary.AppendUvarint(h, uint64(len(row)))
	size := len(block) + len(h) + len(row)
	ref := c.Val.ref
	if ref != 0 {
		// In place, if the class of the block stays the same.
		cur := m.a.Get(ref)
		if r, ok := m.a.resize(ref, size); ok {
			b := m.a.Get(r)
			if len(block) > 0 && &block[0] != &cur[0] {
				copy(b, block)
			}
			copy(b[len(block)+copy(b[len(block):], h):], row)
			return 1
		}
	}
	fresh := m.a.New(size)
	b := m.a.Get(fresh)
	p := copy(b, block)
	p += copy(b[p:], h)
	copy(b[p:], row)
	m.a.Free(ref)
	c.Val.ref = fresh
	return 1
}

func entryAt(block []byte, at int) (e Entry, next int) {
	e.ID.Hi = binary.LittleEndian.Uint64(block[at:])
	e.ID.Lo = binary.LittleEndian.Uint64(block[at+8:])
	at += 16
	n, w := binary.Varint(block[at:])
	at += w
	size, w := binary.Uvarint(block[at:])
	at += w
	e.N = int(n)
	next = at + int(size)
	e.Row = block[at:next:next]
	return e, next
}

// Buckets returns in how many blocks the entries of k are; 0 if there are none.
func (m *Multi) Buckets(k Key) int {
	if c := m.t.Find(k); c != nil {
		return int(c.Val.buckets)
	}
	return 0
}

// Count returns the number of entries of k.
func (m *Multi) Count(k Key) int {
	if c := m.t.Find(k); c != nil {
		return int(c.Val.total)
	}
	return 0
}

// Block calls yield for the entries of k's block i, which are valid until the
// index changes.
func (m *Multi) Block(k Key, i int, yield func(Entry)) {
	c := m.t.Find(bucketKey(k, uint32(i)))
	if c == nil || c.Val.ref == 0 {
		return
	}
	block := m.a.Get(c.Val.ref)
	for at := 0; at < len(block); {
		var e Entry
		e, at = entryAt(block, at)
		yield(e)
	}
}

// split makes bucket n out of the one that shares its low bits.
func (m *Multi) split(k Key, n uint32) {
	half := uint32(1)
	for half*2 <= n {
		half *= 2
	}
	from := bucketKey(k, n-half)
	m.t.Find(k).Val.buckets = n + 1
	c := m.t.Find(from)
	if c == nil || c.Val.ref == 0 {
		return
	}
	var stay, move []byte
	block := m.a.Get(c.Val.ref)
	for at := 0; at < len(block); {
		e, next := entryAt(block, at)
		if bucketOf(e.ID, n+1) == n {
			move = append(move, block[at:next]...)
		} else {
			stay = append(stay, block[at:next]...)
		}
		at = next
	}
	if len(move) == 0 {
		return
	}
	m.setBlock(from, stay)
	m.setBlock(bucketKey(k, n), move)
}

// merge gives the last bucket's entries back to the one they were split from.
func (m *Multi) merge(k Key, last uint32) {
	m.t.Find(k).Val.buckets = last
	c := m.t.Find(bucketKey(k, last))
	if c == nil {
		return
	}
	var moved []byte
	if c.Val.ref != 0 {
		moved = bytes.Clone(m.a.Get(c.Val.ref))
	}
	m.dropBucket(bucketKey(k, last))
	if len(moved) == 0 {
		return
	}
	e, _ := entryAt(moved, 0)
	to := bucketKey(k, bucketOf(e.ID, last))
	if c := m.t.Find(to); c != nil && c.Val.ref != 0 {
		moved = append(bytes.Clone(m.a.Get(c.Val.ref)), moved...)
	}
	m.setBlock(to, moved)
}

func (m *Multi) setBlock(bk Key, b []byte) {
	c, _ := m.t.At(bk)
	if len(b) == 0 {
		m.a.Free(c.Val.ref)
		c.Val.ref = 0
		return
	}
	c.Val.ref = m.a.Replace(c.Val.ref, b)
}

func (m *Multi) dropBucket(bk Key) {
	if c := m.t.Find(bk); c != nil {
		m.a.Free(c.Val.ref)
		m.t.Delete(bk)
	}
}
