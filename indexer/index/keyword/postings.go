package keyword

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// A term's postings are its documents, ascending, each with how often the term
// stands in it (tf). Every 128 make a block:
//
//	blocks × 12 bytes: u32 last document, u32 end of the block's bytes counted
//	    from the end of these descriptors, u16 largest tf (capped), u16 smallest
//	    document length (capped)
//	blocks: u8 width of the gaps, u8 width of the tfs, 128 gaps − 1, 128 tfs − 1,
//	    packed with the lowest bits first
//	the rest: varints of gap − 1, doubled, plus 1 if the varint of tf − 2 follows
//
// The gap of the very first document is counted from −1.
const (
	blockSize  = 128
	descriptor = 12
	noDoc      = math.MaxUint32 // beyond every document
)

var le = binary.LittleEndian

// packed is the number of bytes of a block of values of a width.
func packed(width int) int { return blockSize / 8 * width }

// appendPostings writes the postings of one term. length gives a document's
// length.
func appendPostings(out []byte, docs, tfs []uint32, length func(doc uint32) uint32) []byte {
	blocks := len(docs) / blockSize
	at := len(out)
	out = append(out, make([]byte, blocks*descriptor)...)
	base := len(out)
	prev := uint32(math.MaxUint32) // −1
	var gaps, tf1 [blockSize]uint32
	for b := range blocks {
		maxTF, minLen := uint32(0), uint32(math.MaxUint32)
		var anyGap, anyTF uint32
		for i := range blockSize {
			d, tf := docs[b*blockSize+i], tfs[b*blockSize+i]
			gaps[i], tf1[i] = d-prev-1, tf-1
			prev = d
			anyGap, anyTF = anyGap|gaps[i], anyTF|tf1[i]
			maxTF, minLen = max(maxTF, tf), min(minLen, length(d))
		}
		wg, wt := bits.Len32(anyGap), bits.Len32(anyTF)
		out = append(out, byte(wg), byte(wt))
		out = pack(out, &gaps, wg)
		out = pack(out, &tf1, wt)
		desc := out[at+b*descriptor:]
		le.PutUint32(desc, prev)
		le.PutUint32(desc[4:], uint32(len(out)-base))
		le.PutUint16(desc[8:], uint16(min(maxTF, math.MaxUint16)))
		le.PutUint16(desc[10:], uint16(min(minLen, math.MaxUint16)))
	}
	for i := blocks * blockSize; i < len(docs); i++ {
		gap := uint64(docs[i]-prev-1) << 1
		prev = docs[i]
		if tfs[i] == 1 {
			out = binary.AppendUvarint(out, gap)
		} else {
			out = binary.AppendUvarint(out, gap|1)
			out = binary.AppendUvarint(out, uint64(tfs[i]-2))
		}
	}
	return out
}

func pack(out []byte, v *[blockSize]uint32, width int) []byte {
	if width == 0 {
		return out
	}
	var acc uint64
	n := 0
	for _, x := range v {
		acc |= uint64(x) << n
		for n += width; n >= 8; n -= 8 {
			out = append(out, byte(acc))
			acc >>= 8
		}
	}
	return out
}

// unpack reads a block; b must go on for 8 bytes after it.
func unpack(v *[blockSize]uint32, b []byte, width int) {
	if width == 0 {
		*v = [blockSize]uint32{}
		return
	}
	mask := uint64(1)<<width - 1
	b = b[:packed(width)+8]
	for i := range v {
		bit := i * width
		v[i] = uint32(le.Uint64(b[bit>>3:]) >> (bit & 7) & mask)
	}
}

// cursor walks the postings of a term in one segment.
type cursor struct {
	seg    *segment
	desc   []byte // descriptors of the blocks
	data   []byte // blocks, then the rest
	blocks int
	count  int

	block int // the block that docs holds; blocks: the rest
	i, n  int // position in docs, and how many there are
	tfs   bool
	docs  [blockSize]uint32
	tf    [blockSize]uint32
	last  uint32 // last document of the block before

	weight float64 // idf × occurrences in the query, in score units
	bound  uint64  // no contribution is larger
}

// open sets the cursor on the first posting of term ord.
func (c *cursor) open(seg *segment, ord int) {
	c.seg = seg
	c.count = int(seg.df(ord))
	c.blocks = c.count / blockSize
	b := seg.postings(ord)
	c.desc, c.data = b[:c.blocks*descriptor], b[c.blocks*descriptor:]
	c.load(0)
}

func (c *cursor) lastOf(block int) uint32 { return le.Uint32(c.desc[block*descriptor:]) }

func (c *cursor) startOf(block int) int {
	if block == 0 {
		return 0
	}
	return int(le.Uint32(c.desc[(block-1)*descriptor+4:]))
}

// load decodes a block's documents; a block past the end leaves none.
func (c *cursor) load(block int) {
	c.block, c.i, c.n, c.tfs = block, 0, 0, false
	if block > c.blocks {
		return
	}
	prev := uint32(math.MaxUint32)
	if block > 0 {
		prev = c.lastOf(block - 1)
	}
	b := c.data[c.startOf(block):]
	if block < c.blocks {
		unpack(&c.docs, b[2:], int(b[0]))
		for i, gap := range c.docs {
			prev += gap + 1
			c.docs[i] = prev
		}
		c.n = blockSize
		return
	}
	c.n = c.count - c.blocks*blockSize
	c.tfs = true
	for i := range c.n {
		v, k := binary.Uvarint(b)
		b = b[k:]
		prev += uint32(v>>1) + 1
		c.docs[i], c.tf[i] = prev, 1
		if v&1 == 1 {
			v, k = binary.Uvarint(b)
			b = b[k:]
			c.tf[i] = uint32(v) + 2
		}
	}
}

// loadTFs decodes the tfs of the block.
func (c *cursor) loadTFs() {
	if c.tfs {
		return
	}
	c.tfs = true
	b := c.data[c.startOf(c.block):]
	unpack(&c.tf, b[2+packed(int(b[0])):], int(b[1]))
	for i := range c.tf {
		c.tf[i]++
	}
}

// doc gives the current document, noDoc at the end.
func (c *cursor) doc() uint32 {
	if c.i < c.n {
		return c.docs[c.i]
	}
	return noDoc
}

// next goes on to the next posting.
func (c *cursor) next() {
	if c.i++; c.i >= c.n && c.block < c.blocks {
		c.load(c.block + 1)
	}
}

// seek goes on to the first document at or after target.
func (c *cursor) seek(target uint32) {
	if c.block < c.blocks && c.lastOf(c.block) < target {
		// gallop over the blocks
		lo, step := c.block+1, 1
		for lo+step <= c.blocks && c.lastOf(lo+step-1) < target {
			lo += step
			step *= 2
		}
		hi := min(lo+step, c.blocks)
		for lo < hi {
			m := int(uint(lo+hi) >> 1)
			if c.lastOf(m) < target {
				lo = m + 1
			} else {
				hi = m
			}
		}
		c.load(lo)
	}
	if c.i < c.n && c.docs[c.i] < target {
		k, _ := slices.BinarySearch(c.docs[c.i:c.n], target)
		c.i += k
	}
}
