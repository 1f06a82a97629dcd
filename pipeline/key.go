package pipeline

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/zeebo/xxh3"
)

// Key is the identity of a row: 128 bits that stay the same across epochs,
// restarts and machines. The high half picks the shard, the low half the slot
// in a shard's table; the same bits never do both.
type Key struct{ Hi, Lo uint64 }

// KeyOf hashes parts, in order and length-prefixed, to a key with unseeded
// xxh3-128. It is not a cryptographic hash: where strangers choose the content
// that is hashed, use a key cut from SHA-256 (see KeyFromBytes) instead.
func KeyOf(parts ...string) Key {
	var h xxh3.Hasher
	var n [binary.MaxVarintLen64]byte
	for _, p := range parts {
		h.Write(binary.AppendUvarint(n[:0], uint64(len(p))))
		h.WriteString(p)
	}
	s := h.Sum128()
	return Key{s.Hi, s.Lo}
}

// KeyFromBytes reads a key from its 16 big-endian bytes, as Bytes gives them.
func KeyFromBytes(b [16]byte) Key {
	return Key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Bytes returns the key as 16 big-endian bytes, so that byte order is key order.
func (k Key) Bytes() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], k.Hi)
	binary.BigEndian.PutUint64(b[8:], k.Lo)
	return b
}

// String returns the key as 32 lower-case hexadecimal digits.
func (k Key) String() string {
	b := k.Bytes()
	return hex.EncodeToString(b[:])
}

// ParseKey reads what String wrote.
func ParseKey(s string) (Key, error) {
	var b [16]byte
	if len(s) != 32 {
		return Key{}, fmt.Errorf("pipeline: key %q has %d digits, not 32", s, len(s))
	}
	if _, err := hex.Decode(b[:], []byte(s)); err != nil {
		return Key{}, fmt.Errorf("pipeline: key %q: %w", s, err)
	}
	return KeyFromBytes(b), nil
}

// Compare orders keys by their bytes: -1, 0 or +1.
func (k Key) Compare(o Key) int {
	switch {
	case k.Hi < o.Hi:
		return -1
	case k.Hi > o.Hi:
		return 1
	case k.Lo < o.Lo:
		return -1
	case k.Lo > o.Lo:
		return 1
	}
	return 0
}

// Change is one change of a table: the row with this key appears (N > 0) or
// disappears (N < 0). An update is a change of the old row with N = -1 and one
// of the new row with N = +1 in the same epoch.
type Change[T any] struct {
	Key Key
	Row T
	N   int
}
