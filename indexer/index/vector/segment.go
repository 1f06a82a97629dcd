package vector

import (
	"math"
	"runtime"
	"unsafe"
)

// segmentBytes bounds the size of a segment's full vectors.
const segmentBytes = 16 << 20

// Layout says where the 4-byte vectors of a segment lie in its bytes: slot i at
// Head + i*Stride, bytes. Both are multiples of 4.
type Layout struct{ Head, Stride int }

// SegmentShift is the base-2 logarithm of the number of slots a segment has:
// slot s is entry s mod 1<<shift of segment s >> shift.
func SegmentShift(stride int) uint {
	shift := uint(6)
	for 2<<shift*stride <= segmentBytes && shift < 16 {
		shift++
	}
	return shift
}

// Segment holds a run of slots. The writer fills entries in order; an entry is
// immutable once a Flat points to it. Its memory lies outside the Go heap and
// is released when nothing refers to the Segment any more.
type Segment struct {
	*slab
	layout Layout
	full   []byte // 4-byte vectors, mapped file or memory
}

// slab is the 7-bit side of a Segment, which survives Remap.
type slab struct {
	padded int
	rows8  []byte
	scale  []float32 // 0 for a zero vector
}

// NewSegment makes room for the given number of slots. full holds the vectors
// themselves, see Layout; release is called once when the Segment is garbage.
func NewSegment(s *Space, slots int, full []byte, l Layout, release func()) (*Segment, error) {
	mem, err := Reserve(slots * s.padded)
	if err != nil {
		return nil, err
	}
	b := &slab{padded: s.padded, rows8: mem.Bytes, scale: make([]float32, slots)}
	runtime.AddCleanup(b, Memory.Release, mem)
	return newSegment(b, full, l, release), nil
}

func newSegment(b *slab, full []byte, l Layout, release func()) *Segment {
	g := &Segment{slab: b, full: full, layout: l}
	if release != nil {
		runtime.AddCleanup(g, func(release func()) { release() }, release)
	}
	return g
}

// Remap gives a Segment of the same slots whose 4-byte vectors lie in full. The
// old one may still be in use by older states.
func (g *Segment) Remap(full []byte, l Layout, release func()) *Segment {
	return newSegment(g.slab, full, l, release)
}

// Full is the memory of the 4-byte vectors, to be filled before they are used.
func (g *Segment) Full() []byte { return g.full }

// Row is the rotated vector in entry i. It must not be used after the Segment.
func (g *Segment) Row(i uint32) []float32 {
	b := g.full[g.layout.Head+int(i)*g.layout.Stride:][:4*g.padded]
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), g.padded)
}

func (g *Segment) row8(i uint32) []uint8 {
	o := int(i) * g.padded
	return g.rows8[o : o+g.padded : o+g.padded]
}

// Zero tells whether entry i is the zero vector.
func (g *Segment) Zero(i uint32) bool { return g.scale[i] == 0 }

// Fill computes the 7-bit row of entry i from its 4-byte row.
func (g *Segment) Fill(i uint32) {
	v, u := g.Row(i), g.row8(i)
	// Without their sign, floats compare as integers do.
	var largest uint32
	for _, y := range v {
		largest = max(largest, math.Float32bits(y)&^(1<<31))
	}
	mx := math.Float32frombits(largest)
	g.scale[i] = mx / 63
	if mx == 0 {
		clear(u)
		return
	}
	inv := 63 / mx
	for len(v) >= 8 && len(u) >= 8 {
		x, y := (*[8]float32)(v), (*[8]uint8)(u)
		for j := range x {
			y[j] = uint8(int32(x[j]*inv + 64.5))
		}
		v, u = v[8:], u[8:]
	}
}
