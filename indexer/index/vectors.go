package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// memo remembers which texts have a vector, and where it is. Its fields are
// guarded by Index.mu.
//
// A vector is a frame of the vector log, whose id is the hash of the text and
// whose payload the rotated vector. All frames of a log have one length, so
// that a slot (place<<shift | position in the file) says where its vector is.
type memo struct {
	space  *vector.Space // nil: the index has no embedder
	shift  uint
	stride int
	slots  map[ID]uint32
	places []*shelf // nil: free
	byFile map[uint64]int
}

// shelf is a file of the vector log with what is known of its slots.
type shelf struct {
	file     uint64
	seg      *vector.Segment
	mapped   bool
	used     int     // slots filled
	refs     []int32 // live rows, by slot
	released []int64 // when refs became 0, or when it was written
}

const floatSize = 4

func newMemo(dims int) (*memo, error) {
	m := &memo{slots: map[ID]uint32{}, byFile: map[uint64]int{}}
	if dims == 0 {
		return m, nil
	}
	var err error
	if m.space, err = vector.NewSpace(dims); err != nil {
		return nil, err
	}
	m.stride = int(disk.FrameSize(floatSize * m.space.Padded()))
	m.shift = vector.SegmentShift(m.stride)
	return m, nil
}

// fileLimit is the size of a file that is full.
func (m *memo) fileLimit() int64 { return disk.FirstFrame + int64(m.stride)<<m.shift }

func (m *memo) layout() vector.Layout {
	return vector.Layout{Head: disk.FirstFrame + disk.FrameHead, Stride: m.stride}
}

// shelfOf gives the place and the shelf of a file, making one in memory if it is
// new.
func (m *memo) shelfOf(file uint64) (int, *shelf, error) {
	if i, ok := m.byFile[file]; ok {
		return i, m.places[i], nil
	}
	mem, err := vector.Reserve(int(m.fileLimit()))
	if err != nil {
		return 0, nil, err
	}
	s, err := m.newShelf(file, mem.Bytes, mem.Release)
	if err != nil {
		return 0, nil, err
	}
	s.mapped = false
	return m.byFile[file], s, nil
}

// newShelf makes the shelf of a file that is mapped.
func (m *memo) newShelf(file uint64, data []byte, release func()) (*shelf, error) {
	slots := 1 << m.shift
	seg, err := vector.NewSegment(m.space, slots, data, m.layout(), release)
	if err != nil {
		release()
		return nil, err
	}
	s := &shelf{file: file, seg: seg, mapped: true, refs: make([]int32, slots), released: make([]int64, slots)}
	i := slices.Index(m.places, nil)
	if i < 0 {
		i = len(m.places)
		m.places = append(m.places, nil)
	}
	m.places[i], m.byFile[file] = s, i
	return s, nil
}

// fill enters the vector of a frame. If the text has one already, the new slot
// stays unused and goes with the next compaction.
func (m *memo) fill(p disk.Pos, f disk.Frame) error {
	if f.Kind != kindVector || len(f.Payload) != floatSize*m.space.Padded() || (p.At-disk.FirstFrame)%int64(m.stride) != 0 {
		return fmt.Errorf("the record at byte %d is no vector of %d dims", p.At, m.space.Dims())
	}
	i, s, err := m.shelfOf(p.File)
	if err != nil {
		return err
	}
	e := uint32((p.At - disk.FirstFrame) / int64(m.stride))
	if int(e) >= len(s.refs) {
		return fmt.Errorf("the record at byte %d is behind the end a file can have", p.At)
	}
	copy(floatBytes(s.seg.Row(e)), f.Payload)
	copy(m.head(s, e), f.ID[:])
	s.seg.Fill(e)
	s.used++
	s.released[e] = f.Time
	if _, ok := m.slots[f.ID]; !ok {
		m.slots[f.ID] = uint32(i)<<m.shift | e
	}
	return nil
}

// head is where the hash of entry e is kept: in the head of its frame.
func (m *memo) head(s *shelf, e uint32) []byte {
	return s.seg.Full()[disk.FirstFrame+int(e)*m.stride+disk.FrameID:][:16]
}

func (m *memo) hash(s *shelf, e uint32) ID { return ID(m.head(s, e)) }

// at gives the shelf and the entry of a slot.
func (m *memo) at(slot uint32) (*shelf, uint32) {
	return m.places[slot>>m.shift], slot & (1<<m.shift - 1)
}

// slot gives the slot of a text, or vector.NoSlot.
func (m *memo) slot(hash ID) uint32 {
	if s, ok := m.slots[hash]; ok {
		return s
	}
	return vector.NoSlot
}

func (m *memo) retain(slot uint32) {
	s, e := m.at(slot)
	s.refs[e]++
}

func (m *memo) release(slot uint32, now int64) {
	s, e := m.at(slot)
	if s.refs[e]--; s.refs[e] == 0 {
		s.released[e] = now
	}
}

// floatBytes is v as it is stored; all processors we build for are
// little-endian.
func floatBytes(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), floatSize*len(v))
}

// Known tells for each hash whether its text has a vector (be it zero), from a
// live chunk or from one that was live within the last ten minutes.
func (x *Index) Known(hashes []ID) []bool {
	out := make([]bool, len(hashes))
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, h := range hashes {
		_, out[i] = x.memo.slots[h]
	}
	return out
}

// CheckVector says what makes a vector unfit for PutVectors: another length than
// Space.Dims, values that are not finite or out of range.
func (x *Index) CheckVector(v []float32) error {
	if x.memo.space == nil {
		return errors.New("index: it was opened without an embedder (Space.Dims is 0)")
	}
	_, err := x.memo.space.Check(v)
	return err
}

// PutVectors stores the vectors of texts durably, ahead of the batch that uses
// them: vectors[i] for the chunks whose Hash is hashes[i]. A zero vector says
// that the text has none. What is known already is left as it is. If one vector
// is unfit (wrong length, NaN, infinite), none is stored and the error is ErrUnfit.
func (x *Index) PutVectors(ctx context.Context, hashes []ID, vectors [][]float32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m := x.memo
	if len(hashes) != len(vectors) {
		return fmt.Errorf("index: storing vectors: %w: %d hashes and %d vectors", ErrUnfit, len(hashes), len(vectors))
	}
	if m.space == nil {
		return fmt.Errorf("index: storing vectors: %w: it was opened without an embedder (Space.Dims is 0)", ErrUnfit)
	}
	known := x.Known(hashes)
	var frames []disk.Frame
	now := time.Now().UnixNano()
	in := map[ID]bool{}
	for i, v := range vectors {
		if _, err := m.space.Check(v); err != nil {
			return fmt.Errorf("index: storing the vector of text %v (number %d of %d): %w: %w", hashes[i], i, len(vectors), ErrUnfit, err)
		}
		if known[i] || in[hashes[i]] {
			continue
		}
		in[hashes[i]] = true
		r := make([]float32, m.space.Padded())
		if zero, _ := m.space.Check(v); !zero {
			m.space.Rotate(r, v)
		}
		frames = append(frames, disk.Frame{Kind: kindVector, ID: hashes[i], Time: now, Payload: floatBytes(r)})
	}
	if len(frames) == 0 {
		return nil
	}
	x.inflight.RLock()
	defer x.inflight.RUnlock()
	pos, err := x.vectors.Append(frames...)
	if err != nil {
		return fmt.Errorf("index: storing %d vectors: %w", len(frames), explain(err))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range frames {
		if err := m.fill(pos[i], frames[i]); err != nil {
			return fmt.Errorf("index: storing %d vectors: %w", len(frames), err)
		}
	}
	if m.unmapped() > 1 {
		x.wake()
	}
	return nil
}

// unmapped is how many files have their vectors in memory.
func (m *memo) unmapped() (n int) {
	for _, s := range m.places {
		if s != nil && !s.mapped {
			n++
		}
	}
	return n
}
