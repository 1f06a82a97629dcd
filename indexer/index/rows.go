package index

import (
	"math/bits"
	"slices"
)

// entry is a live document in one of its states. It is immutable.
type entry struct {
	doc     Document
	number  uint32 // its row in the filter's columns
	content *content
	rows    []uint32 // by chunk
}

// place says what a row is: a chunk of a document. ordinal counts the chunks of
// the same hash before it in the document; slot is the vector that is kept for
// it, be it searched or not.
type place struct{ document, chunk, ordinal, slot uint32 }

const pageSize = 512

// pages is a growing array of which snapshots share what did not change.
type pages[T any] struct {
	pages []*[pageSize]T
	owned []bool
}

func (p *pages[T]) at(i uint32) *T { return &p.pages[i/pageSize][i%pageSize] }

// set changes element i, which may be one more than there are.
func (p *pages[T]) set(i uint32, v T) {
	for len(p.pages) <= int(i/pageSize) {
		p.pages = append(p.pages, new([pageSize]T))
		p.owned = append(p.owned, true)
	}
	if k := i / pageSize; !p.owned[k] {
		c := *p.pages[k]
		p.pages[k], p.owned[k] = &c, true
	}
	p.pages[i/pageSize][i%pageSize] = v
}

func (p *pages[T]) snapshot() pages[T] {
	clear(p.owned)
	return pages[T]{pages: slices.Clone(p.pages)}
}

// numbers hands out small numbers and takes them back.
type numbers struct {
	next uint32
	free []uint32
}

func (n *numbers) take() uint32 {
	if k := len(n.free); k > 0 {
		v := n.free[k-1]
		n.free = n.free[:k-1]
		return v
	}
	n.next++
	return n.next - 1
}

func (n *numbers) put(v uint32) { n.free = append(n.free, v) }

// bitset is a set of small numbers.
type bitset []uint64

func (b bitset) has(i uint32) bool { return int(i>>6) < len(b) && b[i>>6]>>(i&63)&1 == 1 }

func (b *bitset) set(i uint32) {
	for len(*b) <= int(i>>6) {
		*b = append(*b, 0)
	}
	(*b)[i>>6] |= 1 << (i & 63)
}

func (b bitset) clear(i uint32) { b[i>>6] &^= 1 << (i & 63) }

func (b bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// end is one more than the largest member, 0 if there is none.
func (b bitset) end() uint32 {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return uint32(i<<6 + bits.Len64(b[i]))
		}
	}
	return 0
}

// all visits the members, ascending.
func (b bitset) all(yield func(uint32) bool) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			if !yield(uint32(i<<6 + bits.TrailingZeros64(w))) {
				return
			}
		}
	}
}
