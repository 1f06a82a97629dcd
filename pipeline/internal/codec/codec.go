// Package codec turns rows into bytes and back. A codec is built once per row
// type by reflection into closures over field offsets; after that no row
// touches package reflect, except for maps and types that marshal themselves.
//
// The encoding is deterministic: equal rows give equal bytes, so that state can
// compare and hash rows by their encoding. It is little-endian: numbers in
// their own width (int and uint in eight bytes), strings and slices behind
// their length, maps in the order of their encoded keys, pointers behind a
// byte that says whether they are nil, times behind one that says whether they
// are zero, UTC (8 bytes) or of a zone. The type itself is not written; whoever keeps encoded
// rows keeps the codec's Fingerprint with them.
package codec

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/zeebo/xxh3"
)

// ErrDamaged is returned when bytes do not hold a row of the codec's type.
var ErrDamaged = errors.New("codec: bytes are not an encoded row of this type")

// Codec encodes, decodes, compares and hashes values of type T. It is
// immutable and safe for concurrent use.
type Codec[T any] struct {
	o           *ops
	fingerprint string
}

// For builds the codec of T. The error names the field that cannot be encoded
// and why: channels, functions, interfaces, unsafe pointers and recursive
// types are refused.
func For[T any]() (*Codec[T], error) { return build[T](false) }

// ForKey builds a codec whose encoding is canonical for grouping: values that
// Go's == calls equal have one encoding (0 and −0), as have all NaNs, nil and
// empty slices, and times of the same instant in different zones. What it
// encodes is meant to be hashed; it decodes to the canonical value.
func ForKey[T any]() (*Codec[T], error) { return build[T](true) }

func build[T any](canonical bool) (*Codec[T], error) {
	t := reflect.TypeFor[T]()
	b := builder{canonical: canonical, open: map[reflect.Type]bool{}}
	o, err := b.ops(t, t.String())
	if err != nil {
		return nil, err
	}
	return &Codec[T]{o: o, fingerprint: describe(t)}, nil
}

// Append appends the encoding of *v to b.
func (c *Codec[T]) Append(b []byte, v *T) []byte {
	return c.o.enc(b, unsafe.Pointer(v))
}

// Decode reads one value from the front of b into *v, which must be zero, and
// returns the bytes after it. Strings and byte slices of *v share memory with
// b when Aliases reports true: b must then never change again.
func (c *Codec[T]) Decode(b []byte, v *T) (rest []byte, err error) {
	rest, ok := c.o.dec(b, unsafe.Pointer(v))
	if !ok {
		return nil, fmt.Errorf("%w (%s, %d bytes)", ErrDamaged, reflect.TypeFor[T](), len(b))
	}
	return rest, nil
}

// Equal reports whether a and b have the same encoding.
func (c *Codec[T]) Equal(a, b *T) bool {
	return c.o.eq(unsafe.Pointer(a), unsafe.Pointer(b))
}

// Hash returns the unseeded xxh3-128 of the value's encoding; a lone string is
// hashed without its length. scratch is reused and returned.
func (c *Codec[T]) Hash(v *T, scratch []byte) (hi, lo uint64, _ []byte) {
	var h xxh3.Uint128
	if c.o.str {
		h = xxh3.HashString128(*(*string)(unsafe.Pointer(v)))
	} else {
		scratch = c.o.enc(scratch[:0], unsafe.Pointer(v))
		h = xxh3.Hash128(scratch)
	}
	return h.Hi, h.Lo, scratch
}

// Size estimates the memory of *v in bytes: its own and that of the strings,
// slices and maps it holds.
func (c *Codec[T]) Size(v *T) int { return c.o.mem(unsafe.Pointer(v)) }

// Aliases reports whether decoded values share memory with their bytes.
func (c *Codec[T]) Aliases() bool { return c.o.alias }

// Fingerprint describes the structure of T: names, order and kinds of fields.
// Two types with one fingerprint have the same encoding.
func (c *Codec[T]) Fingerprint() string { return c.fingerprint }

// Arena hands out stable copies of bytes, many to an allocation, for decoding
// rows whose strings share memory with what they were decoded from. It belongs
// to one goroutine.
type Arena struct{ free []byte }

const arenaChunk = 16 << 10

// Copy returns a copy of b that is never written again.
func (a *Arena) Copy(b []byte) []byte {
	if len(b) > arenaChunk/4 {
		return append([]byte(nil), b...)
	}
	if len(b) > len(a.free) {
		a.free = make([]byte, arenaChunk)
	}
	n := copy(a.free, b)
	c := a.free[:n:n]
	a.free = a.free[n:]
	return c
}

// DecodeCopy decodes all of b, which may change afterwards.
func (c *Codec[T]) DecodeCopy(b []byte, v *T, a *Arena) error {
	if c.o.alias {
		b = a.Copy(b)
	}
	rest, err := c.Decode(b, v)
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%w (%s, %d bytes too many)", ErrDamaged, reflect.TypeFor[T](), len(rest))
	}
	return err
}
