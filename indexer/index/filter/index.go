package filter

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Index holds the fields of all documents in columns. One goroutine writes;
// snapshots are read by any number, without a lock.
//
// Inside, every snapshot takes what was put since the last one into a new
// immutable segment; segments of like size are merged, so that there are few,
// and a row lives in one of them. A row that is replaced or removed is marked
// dead in a bitmap beside its segment.
type Index struct {
	segs    []liveSegment
	pending map[uint32]Fields
}

type liveSegment struct {
	*segment
	dead *roaring.Bitmap // global rows; shared with snapshots, so never changed
}

// segment is an immutable set of rows with their columns.
type segment struct {
	rows []uint32 // ascending
	cols map[string]*column
}

// origin says where a row of a merged segment comes from.
type origin struct {
	seg, row int
}

const mergeWidth = 8 // segments of one tier that are merged into one

// New gives an empty index.
func New() *Index { return &Index{pending: map[uint32]Fields{}} }

// Put sets the fields of a row, instead of those it had. The index keeps what is
// in fields; the caller must not change it before the next Snapshot.
func (x *Index) Put(row uint32, fields Fields) {
	x.Remove(row)
	x.pending[row] = fields
}

// Remove forgets a row; a row that is not there is no error.
func (x *Index) Remove(row uint32) {
	delete(x.pending, row)
	for i := range x.segs {
		s := &x.segs[i]
		if _, ok := slices.BinarySearch(s.rows, row); ok && !s.dead.Contains(row) {
			s.dead = s.dead.Clone()
			s.dead.Add(row)
			return
		}
	}
}

// Snapshot gives the state now. It costs the work on the rows put since the
// last one, and now and then a merge.
func (x *Index) Snapshot() *Snapshot {
	if len(x.pending) > 0 {
		x.segs = append(x.segs, liveSegment{build(x.pending), roaring.New()})
		x.pending = map[uint32]Fields{}
	}
	x.merge()
	return &Snapshot{segs: slices.Clone(x.segs)}
}

// tier is the order of magnitude of a number of rows.
func tier(n int) int { return bits.Len(uint(max(n, 1)/64)) / 3 }

func (s liveSegment) live() int { return len(s.rows) - int(s.dead.GetCardinality()) }

// merge drops segments without live rows, rewrites those of which half is dead,
// and joins mergeWidth segments of a tier.
func (x *Index) merge() {
	x.segs = slices.DeleteFunc(x.segs, func(s liveSegment) bool { return s.live() == 0 })
	for i, s := range x.segs {
		if s.live() <= len(s.rows)/2 {
			x.segs[i] = join(x.segs[i : i+1])
		}
	}
	slices.SortStableFunc(x.segs, func(a, b liveSegment) int { return tier(b.live()) - tier(a.live()) })
	for {
		n := len(x.segs)
		k := n
		for k > 0 && tier(x.segs[k-1].live()) == tier(x.segs[n-1].live()) {
			k--
		}
		if n-k < mergeWidth {
			return
		}
		x.segs = append(x.segs[:k:k], join(x.segs[k:]))
	}
}

// build makes a segment of rows.
func build(pending map[uint32]Fields) *segment {
	s := &segment{rows: slices.Sorted(maps.Keys(pending)), cols: map[string]*column{}}
	type cell struct {
		row   int
		value any
	}
	cells := map[string][]cell{}
	for i, row := range s.rows {
		for name, v := range pending[row] {
			if v = normal(v); v != nil {
				cells[name] = append(cells[name], cell{i, v})
			}
		}
	}
	for name, cs := range cells {
		var b columnBuilder
		for _, c := range cs {
			b.add(c.value)
		}
		col := b.seal()
		col.ids = make([]uint32, len(s.rows))
		for _, c := range cs {
			col.ids[c.row] = b.id(c.value) + 1
		}
		col.invert()
		s.cols[name] = col
	}
	return s
}

// join makes one segment of the live rows of several.
func join(segs []liveSegment) liveSegment {
	out := &segment{cols: map[string]*column{}}
	var keep []origin
	for i, s := range segs {
		for j, row := range s.rows {
			if !s.dead.Contains(row) {
				keep = append(keep, origin{i, j})
			}
		}
	}
	slices.SortFunc(keep, func(a, b origin) int {
		return int(int64(segs[a.seg].rows[a.row]) - int64(segs[b.seg].rows[b.row]))
	})
	out.rows = make([]uint32, len(keep))
	for i, o := range keep {
		out.rows[i] = segs[o.seg].rows[o.row]
	}
	for _, s := range segs {
		for name := range s.cols {
			if out.cols[name] != nil {
				continue
			}
			cols := make([]*column, len(segs))
			for i := range segs {
				cols[i] = segs[i].cols[name]
			}
			out.cols[name] = mergeColumns(cols, keep)
		}
	}
	return liveSegment{out, roaring.New()}
}

// Snapshot is one immutable state of an Index, safe for concurrent use.
type Snapshot struct {
	segs []liveSegment
}

// Len gives the number of rows.
func (s *Snapshot) Len() int {
	n := 0
	for _, seg := range s.segs {
		n += seg.live()
	}
	return n
}

// Select gives the rows for which the filter holds: exactly those whose fields
// e.Match is true for. The bitmap is the caller's.
func (s *Snapshot) Select(e Expr) *roaring.Bitmap {
	out := roaring.New()
	for _, seg := range s.segs {
		part := roaring.New()
		if e.Everything() {
			part.AddMany(seg.rows)
		} else {
			part.AddMany(seg.collect(seg.selected(e.root)))
		}
		if !seg.dead.IsEmpty() {
			part.AndNot(seg.dead)
		}
		out.Or(part)
	}
	return out
}

// collect turns a set of local rows into global ones.
func (s *segment) collect(set bitset) []uint32 {
	var rows []uint32
	for w, m := range set {
		for ; m != 0; m &= m - 1 {
			rows = append(rows, s.rows[w<<6+bits.TrailingZeros64(m)])
		}
	}
	return rows
}
