package hashtab

import (
	"encoding/binary"
	"math/bits"
)

// Arena keeps byte strings of changing size without pointers. Space that is
// freed is reused by strings of about the same size; when nothing is left in
// the arena it gives all memory back. What else lies free it gives back when its
// owner, who knows all references, calls Compact. The zero Arena is empty and
// ready.
type Arena struct {
	chunks [][]byte
	cur    uint32 // 1 + number of the chunk that is being filled, 0 if none
	off    uint32 // next free byte in it
	free   [classes]Ref
	holes  []uint32 // numbers of chunks given back
	live   int      // strings in use
	bytes  int      // memory of the chunks
	used   int      // of these in use
}

// Ref names a string of an arena; 0 is none.
type Ref uint64

const (
	headerLen  = 4
	classes    = 96
	largest    = 32 << 10 // longer strings get a chunk of their own
	firstChunk = 1 << 10
	maxChunk   = 1 << 20
	sparse     = 1 << 20 // free bytes from which on compacting is worth it
)

// class gives the size class of n bytes and what it holds: steps of 8 up to
// 64, then eight to a doubling.
func class(n int) (c, room int) {
	if n <= 64 {
		c = (n + 7) / 8
		return c, 8 * c
	}
	top := bits.Len(uint(n - 1)) // n is in (2^(top-1), 2^top]
	step := 1 << (top - 4)
	q := (n - 1<<(top-1) + step - 1) / step // 1 … 8
	return 8 + (top-7)*8 + q, 1<<(top-1) + q*step
}

// Bytes returns the memory that the arena holds.
func (a *Arena) Bytes() int { return a.bytes }

// Len returns the number of strings.
func (a *Arena) Len() int { return a.live }

// Get returns the string of ref. It is valid until the arena changes; writing
// into it changes the string.
func (a *Arena) Get(r Ref) []byte {
	c := a.chunks[uint32(r>>32)-1]
	off := uint32(r)
	n := binary.LittleEndian.Uint32(c[off:])
	off += headerLen
	return c[off : off+n : off+n]
}

// New makes a string of n bytes, whose content is whatever was there before.
func (a *Arena) New(n int) Ref {
	a.live++
	r := a.room(n + headerLen)
	binary.LittleEndian.PutUint32(a.chunks[uint32(r>>32)-1][uint32(r):], uint32(n))
	return r
}

// Put makes a copy of b.
func (a *Arena) Put(b []byte) Ref {
	r := a.New(len(b))
	copy(a.Get(r), b)
	return r
}

// Replace makes ref's string b, in place if its room allows, and returns where
// it is now. ref may be 0.
func (a *Arena) Replace(r Ref, b []byte) Ref {
	if r != 0 {
		s := a.chunks[uint32(r>>32)-1][uint32(r):]
		old := int(binary.LittleEndian.Uint32(s)) + headerLen
		now := len(b) + headerLen
		if old <= largest && now <= largest {
			co, _ := class(old)
			cn, _ := class(now)
			if co == cn {
				binary.LittleEndian.PutUint32(s, uint32(len(b)))
				copy(s[headerLen:], b)
				return r
			}
		}
	}
	fresh := a.Put(b)
	a.Free(r)
	return fresh
}

// Free gives back the string's space; 0 is allowed.
func (a *Arena) Free(r Ref) {
	if r == 0 {
		return
	}
	if a.live--; a.live == 0 {
		*a = Arena{}
		return
	}
	i := uint32(r>>32) - 1
	s := a.chunks[i][uint32(r):]
	n := int(binary.LittleEndian.Uint32(s)) + headerLen
	if n > largest {
		a.used -= n
		a.bytes -= len(a.chunks[i])
		a.chunks[i] = nil
		a.holes = append(a.holes, i)
		return
	}
	c, room := class(n)
	a.used -= room
	binary.LittleEndian.PutUint64(s, uint64(a.free[c]))
	a.free[c] = r
}

// Compact moves the strings together if much of the memory lies free, more than
// is in use: so it costs no more than what has been freed did. each must hand
// every reference to move and put what that returns in its place.
func (a *Arena) Compact(each func(move func(Ref) Ref)) {
	if free := a.bytes - a.used; free < sparse || free < a.used {
		return
	}
	var to Arena
	each(func(r Ref) Ref { return to.Put(a.Get(r)) })
	*a = to
}

func (a *Arena) room(n int) Ref {
	if n > largest {
		a.used += n
		return Ref(a.chunk(n)+1) << 32
	}
	c, room := class(n)
	a.used += room
	if r := a.free[c]; r != 0 {
		a.free[c] = Ref(binary.LittleEndian.Uint64(a.chunks[uint32(r>>32)-1][uint32(r):]))
		return r
	}
	if a.cur == 0 || int(a.off)+room > len(a.chunks[a.cur-1]) {
		// Many arenas stay small: chunks grow with the arena.
		a.cur, a.off = a.chunk(max(room, min(maxChunk, max(firstChunk, a.bytes))))+1, 0
	}
	r := Ref(a.cur)<<32 | Ref(a.off)
	a.off += uint32(room)
	return r
}

func (a *Arena) chunk(n int) uint32 {
	a.bytes += n
	if h := len(a.holes); h > 0 {
		i := a.holes[h-1]
		a.holes = a.holes[:h-1]
		a.chunks[i] = make([]byte, n)
		return i
	}
	a.chunks = append(a.chunks, make([]byte, n))
	return uint32(len(a.chunks) - 1)
}

// resize changes the length of ref's string in place and reports whether its
// room allows it.
func (a *Arena) resize(r Ref, n int) (Ref, bool) {
	s := a.chunks[uint32(r>>32)-1][uint32(r):]
	old, now := int(binary.LittleEndian.Uint32(s))+headerLen, n+headerLen
	if old > largest || now > largest {
		return 0, false
	}
	co, _ := class(old)
	cn, _ := class(now)
	if co != cn {
		return 0, false
	}
	binary.LittleEndian.PutUint32(s, uint32(n))
	return r, true
}
