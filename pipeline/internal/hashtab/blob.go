package hashtab

import "encoding/binary"

// Blob is a byte string as a cell: in the cell itself if it is short, or else in
// an arena. The state of most groups is short, and in the cell it comes with the
// same access to memory as its key. The zero Blob is no string, which is not the
// same as an empty one.
type Blob struct{ b [blobSize]byte }

const (
	blobSize = 24
	short    = blobSize - 1 // longest string in a cell
	inArena  = 0xff         // as last byte; else that is 1 + the length, 0 for none
)

// None reports whether there is no string.
func (b *Blob) None() bool { return b.b[short] == 0 }

// Get returns the string, nil if there is none. It is valid until the arena or
// the cell change or move.
func (b *Blob) Get(a *Arena) []byte {
	switch n := b.b[short]; n {
	case 0:
		return nil
	case inArena:
		return a.Get(b.ref())
	default:
		return b.b[: n-1 : n-1]
	}
}

// Set makes a copy of v the string.
func (b *Blob) Set(a *Arena, v []byte) {
	if len(v) <= short {
		b.Free(a)
		copy(b.b[:], v)
		b.b[short] = byte(len(v) + 1)
		return
	}
	var r Ref
	if b.b[short] == inArena {
		r = b.ref()
	}
	b.setRef(a.Replace(r, v))
	b.b[short] = inArena
}

// Free gives the string's space back; there is none afterwards.
func (b *Blob) Free(a *Arena) {
	if b.b[short] == inArena {
		a.Free(b.ref())
	}
	b.b[short] = 0
}

// Move is for Arena.Compact.
func (b *Blob) Move(move func(Ref) Ref) {
	if b.b[short] == inArena {
		b.setRef(move(b.ref()))
	}
}

func (b *Blob) ref() Ref     { return Ref(binary.LittleEndian.Uint64(b.b[:])) }
func (b *Blob) setRef(r Ref) { binary.LittleEndian.PutUint64(b.b[:], uint64(r)) }
