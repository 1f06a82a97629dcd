package keyword

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// A written snapshot is: "RAGKWIX1", u32 number of segments, u32 0, then for
// each segment u64 bytes of the segment, the segment, zeros to a multiple of 8,
// u64 dead documents, and if there are any, a bit for each document in u64
// words. The caller keeps a checksum.
const indexMagic = "RAGKWIX1"

// WriteTo writes the snapshot for Open.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	var n int64
	write := func(b []byte) error {
		k, err := w.Write(b)
		n += int64(k)
		if err != nil {
			return fmt.Errorf("keyword: writing a snapshot: %w", err)
		}
		return nil
	}
	head := append([]byte(indexMagic), make([]byte, 8)...)
	le.PutUint32(head[8:], uint32(len(s.parts)))
	if err := write(head); err != nil {
		return n, err
	}
	for _, p := range s.parts {
		if err := write(le.AppendUint64(nil, uint64(len(p.blob)))); err != nil {
			return n, err
		}
		if err := write(p.blob); err != nil {
			return n, err
		}
		tail := make([]byte, -len(p.blob)&7)
		tail = le.AppendUint64(tail, uint64(p.docs-p.live))
		if p.live < p.docs {
			for _, word := range p.dead {
				tail = le.AppendUint64(tail, word)
			}
		}
		if err := write(tail); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Open makes an index of what WriteTo wrote, without copying it: data (a file
// read or mapped) must stay as it is while the index or a snapshot is in use.
// Everything is checked, so that damage is an error here and not a wrong step
// later.
func Open(data []byte) (*Index, error) {
	x := New()
	if len(data) < 16 || string(data[:8]) != indexMagic {
		return nil, errors.New("keyword: not a keyword index, or one of another version")
	}
	count := int(le.Uint32(data[8:]))
	data = data[16:]
	taken := map[uint32]bool{}
	for i := range count {
		p, rest, err := openPart(data)
		if err != nil {
			return nil, fmt.Errorf("keyword: segment %d of %d: %w", i, count, err)
		}
		for d := range p.docs {
			if row := p.row(uint32(d)); !p.isDead(uint32(d)) && count > 1 {
				if taken[row] {
					return nil, fmt.Errorf("keyword: row %d is in two segments", row)
				}
				taken[row] = true
			}
		}
		x.parts = append(x.parts, p)
		data = rest
	}
	if len(data) != 0 {
		return nil, fmt.Errorf("keyword: %d bytes after the last segment", len(data))
	}
	return x, nil
}

func openPart(data []byte) (p part, rest []byte, err error) {
	cut := errors.New("the data ends early")
	if len(data) < 8 {
		return p, nil, cut
	}
	size := le.Uint64(data)
	data = data[8:]
	if size > uint64(len(data)) {
		return p, nil, cut
	}
	pad := -int(size) & 7
	s, err := layout(data[:size:size])
	if err != nil {
		return p, nil, err
	}
	if err := s.check(); err != nil {
		return p, nil, err
	}
	p = newPart(s)
	if data = data[size:]; len(data) < pad+8 {
		return p, nil, cut
	}
	dead := le.Uint64(data[pad:])
	if data = data[pad+8:]; dead == 0 {
		return p, data, nil
	}
	words := (s.docs + 63) / 64
	if len(data) < 8*words {
		return p, nil, cut
	}
	n := 0
	for i := range words {
		w := le.Uint64(data[8*i:])
		n += bits.OnesCount64(w)
		for ; w != 0; w &= w - 1 {
			d := i<<6 + bits.TrailingZeros64(w)
			if d >= s.docs {
				return p, nil, fmt.Errorf("document %d of %d is marked dead", d, s.docs)
			}
			p.kill(uint32(d))
		}
	}
	if uint64(n) != dead {
		return p, nil, fmt.Errorf("%d documents are marked dead, not %d", n, dead)
	}
	return p, data[8*words:], nil
}
