package vector

import (
	"math"
	"math/bits"
	"slices"
)

// NoSlot is the slot of a row without a vector.
const NoSlot = math.MaxUint32

const (
	blockRows = 512 // rows that are copied together when one of them changes
	scanRows  = 32  // rows that are scanned together
)

// block holds the codes of blockRows rows.
type block struct {
	codes  []byte // for each 32 rows 4·padded bytes, as kern.Tables.Scan reads them
	f1, f2 [blockRows]float32
	slot   [blockRows]uint32
}

// Flat is an immutable state: for each row, which vector it has. Methods may be
// called from several goroutines at once.
type Flat struct {
	space  *Space
	shift  uint
	rows   int
	blocks []*block
	segs   []*Segment
}

// Writer changes rows, one goroutine at a time, and makes a Flat of them.
type Writer struct {
	f     Flat
	owned []bool // blocks no Flat shares
	segs  bool   // f.segs is shared
}

// NewWriter starts without rows. shift is the SegmentShift of the segments.
func NewWriter(s *Space, shift uint) *Writer {
	return &Writer{f: Flat{space: s, shift: shift}}
}

// Grow makes room for rows up to n; new ones have no vector.
func (w *Writer) Grow(n int) {
	w.f.rows = max(w.f.rows, n)
	for len(w.f.blocks)*blockRows < n {
		b := &block{codes: make([]byte, blockRows/2*w.f.space.padded/4)}
		for i := range b.slot {
			b.slot[i] = NoSlot
		}
		w.f.blocks = append(w.f.blocks, b)
		w.owned = append(w.owned, true)
	}
}

// SetSegment puts g at place i. A nil frees the place: no row may point there.
func (w *Writer) SetSegment(i int, g *Segment) {
	if w.segs {
		w.f.segs, w.segs = slices.Clone(w.f.segs), false
	}
	for len(w.f.segs) <= i {
		w.f.segs = append(w.f.segs, nil)
	}
	w.f.segs[i] = g
}

// Segment returns the segment at place i, nil if it is free.
func (w *Writer) Segment(i int) *Segment {
	if i >= len(w.f.segs) {
		return nil
	}
	return w.f.segs[i]
}

// Slot is the slot of a row, or NoSlot.
func (w *Writer) Slot(row uint32) uint32 { return w.f.Slot(row) }

func (w *Writer) own(row uint32) (*block, int) {
	i := int(row / blockRows)
	if !w.owned[i] {
		b := *w.f.blocks[i]
		b.codes = slices.Clone(b.codes)
		w.f.blocks[i], w.owned[i] = &b, true
	}
	return w.f.blocks[i], int(row % blockRows)
}

// Clear takes the vector from row.
func (w *Writer) Clear(row uint32) {
	if w.f.Slot(row) == NoSlot {
		return
	}
	b, j := w.own(row)
	b.slot[j], b.f1[j], b.f2[j] = NoSlot, 0, 0
}

// Move says that row's vector, unchanged, is in another slot now.
func (w *Writer) Move(row, slot uint32) {
	b, j := w.own(row)
	b.slot[j] = slot
}

// Set gives row the vector in slot. A zero vector is none.
func (w *Writer) Set(row, slot uint32) {
	if w.f.Slot(row) == slot {
		return
	}
	g, e := w.f.at(slot)
	if g.Zero(e) {
		w.Clear(row)
		return
	}
	b, j := w.own(row)
	b.slot[j] = slot
	b.encode(j, g.Row(e))
}

// encode writes the one-bit code of v as entry j: the signs, with f1 = |v|²/|v|₁
// that makes the estimate unbiased, and f2 = 2·f1·(number of ones).
func (b *block) encode(j int, v []float32) {
	d := len(v)
	codes := b.codes[j/scanRows*4*d:]
	j32 := j % scanRows
	var nn, l1 float32
	ones := 0
	for g := range d / 8 {
		x := (*[8]float32)(v[g*8:])
		var c uint32
		for k, y := range x {
			u := math.Float32bits(y)
			c |= (^u >> 31) << k
			nn += y * y
			l1 += math.Float32frombits(u &^ (1 << 31))
		}
		codes[g*32+j32] = byte(c)
		ones += bits.OnesCount32(c)
	}
	f := float32(0)
	if l1 > 0 {
		f = nn / l1
	}
	b.f1[j], b.f2[j] = f, 2*f*float32(ones)
}

// Snapshot is the state now. It shares all that later changes do not touch.
func (w *Writer) Snapshot() *Flat {
	f := w.f
	f.blocks = slices.Clone(f.blocks)
	clear(w.owned)
	w.segs = true
	return &f
}

// Rows is the number of rows, with and without a vector.
func (f *Flat) Rows() int { return f.rows }

// Slot is the slot of a row, or NoSlot.
func (f *Flat) Slot(row uint32) uint32 {
	return f.blocks[row/blockRows].slot[row%blockRows]
}

func (f *Flat) at(slot uint32) (*Segment, uint32) {
	return f.segs[slot>>f.shift], slot & (1<<f.shift - 1)
}

// Bytes is what the state holds on the Go heap and outside of it.
func (f *Flat) Bytes() (heap, outside int64) {
	for _, b := range f.blocks {
		heap += int64(len(b.codes)) + 12*blockRows
	}
	for _, g := range f.segs {
		if g != nil {
			heap += 4 * int64(len(g.scale))
			outside += int64(len(g.rows8))
		}
	}
	return heap, outside
}

// Segments are the segments that rows may point to, nil where a place is free.
func (f *Flat) Segments() []*Segment { return f.segs }
