package filter

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// column holds one field of the rows of a segment, as a dictionary of its
// distinct values in order (booleans, numbers, texts, others) and, both ways,
// which row has which. Rows are local: positions in the segment. Only values of
// type rankOther are kept as pointers, so that the collector has next to nothing
// to trace however many documents there are. It is immutable.
type column struct {
	nums   []float64 // distinct, ascending
	arena  string    // distinct texts, ascending, end to end
	ends   []uint32  // where each text ends
	others []any     // distinct arrays and objects
	keys   []string  // their canonical texts, ascending

	ids   []uint32 // by row: 1 + value id, 0 if the row has no such field
	start []uint32 // by value id, and one more: its rows in rows
	rows  []uint32 // by value id, ascending
}

// Value ids: 0 is false, 1 is true, then numbers, texts and others.
const firstNumber = 2

func (c *column) firstText() int  { return firstNumber + len(c.nums) }
func (c *column) firstOther() int { return c.firstText() + len(c.ends) }
func (c *column) values() int     { return c.firstOther() + len(c.others) }

func (c *column) text(i int) string {
	from := uint32(0)
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.arena[from:c.ends[i]]
}

// value gives the value of an id.
func (c *column) value(id int) any {
	switch {
	case id < firstNumber:
		return id == 1
	case id < c.firstText():
		return c.nums[id-firstNumber]
	case id < c.firstOther():
		return c.text(id - c.firstText())
	}
	return c.others[id-c.firstOther()]
}

// at gives the value of a row, nil if it has none.
func (c *column) at(row int) any {
	if c == nil || c.ids[row] == 0 {
		return nil
	}
	return c.value(int(c.ids[row] - 1))
}

// columnBuilder collects the distinct values of a field. Sets of values come
// first, then seal, then a row each by set.
type columnBuilder struct {
	nums   map[float64]uint32
	texts  map[string]uint32
	others map[string]any
	keys   map[string]uint32
}

func (b *columnBuilder) add(v any) {
	switch v := v.(type) {
	case float64:
		if b.nums == nil {
			b.nums = map[float64]uint32{}
		}
		b.nums[v] = 0
	case string:
		if b.texts == nil {
			b.texts = map[string]uint32{}
		}
		b.texts[v] = 0
	case []any, map[string]any:
		if b.others == nil {
			b.others, b.keys = map[string]any{}, map[string]uint32{}
		}
		k := canonical(v)
		b.others[k], b.keys[k] = v, 0
	}
}

// seal orders the values and gives a column without rows.
func (b *columnBuilder) seal() *column {
	c := &column{}
	for v := range b.nums {
		c.nums = append(c.nums, v)
	}
	slices.Sort(c.nums)
	for i, v := range c.nums {
		b.nums[v] = uint32(firstNumber + i)
	}
	texts := make([]string, 0, len(b.texts))
	size := 0
	for v := range b.texts {
		texts = append(texts, v)
		size += len(v)
	}
	slices.Sort(texts)
	var arena strings.Builder
	arena.Grow(size)
	first := firstNumber + len(c.nums)
	for i, v := range texts {
		arena.WriteString(v)
		c.ends = append(c.ends, uint32(arena.Len()))
		b.texts[v] = uint32(first + i)
	}
	c.arena = arena.String()
	first += len(texts)
	for k := range b.keys {
		c.keys = append(c.keys, k)
	}
	slices.Sort(c.keys)
	for i, k := range c.keys {
		c.others = append(c.others, b.others[k])
		b.keys[k] = uint32(first + i)
	}
	return c
}

// id gives the id of a value that was added.
func (b *columnBuilder) id(v any) uint32 {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		return b.nums[v]
	case string:
		return b.texts[v]
	}
	return b.keys[canonical(v)]
}

// invert fills start and rows from ids.
func (c *column) invert() {
	c.start = make([]uint32, c.values()+1)
	n := uint32(0)
	for _, id := range c.ids {
		if id > 0 {
			c.start[id-1]++
			n++
		}
	}
	sum := uint32(0)
	for i, k := range c.start {
		c.start[i] = sum
		sum += k
	}
	c.rows = make([]uint32, n)
	at := slices.Clone(c.start)
	for row, id := range c.ids {
		if id > 0 {
			c.rows[at[id-1]] = uint32(row)
			at[id-1]++
		}
	}
}

// span gives the ids whose values compare as op says with the literal, when
// they lie together; ok is false if they don't.
func (c *column) span(op string, lit any) (from, to int, ok bool) {
	var lo, hi int // ids of equal values are [lo, hi)
	switch lit := lit.(type) {
	case bool:
		if op != "==" {
			return 0, 0, op != "!="
		}
		if lit {
			return 1, 2, true
		}
		return 0, 1, true
	case float64:
		if op == "!=" {
			return 0, 0, false
		}
		i, found := slices.BinarySearch(c.nums, lit)
		lo = firstNumber + i
		if hi = lo; found {
			hi++
		}
		return spanOf(op, lo, hi, firstNumber, c.firstText())
	case text:
		// Only what is text and nothing else is looked up; literals that
		// also stand for numbers are compared value by value.
		if op == "!=" || lit.isNum || lit.json != nil || !lit.raw && (lit.s == "true" || lit.s == "false" || lit.s == "null") {
			return 0, 0, false
		}
		i := sort.Search(len(c.ends), func(i int) bool { return c.text(i) >= lit.s })
		lo = c.firstText() + i
		if hi = lo; i < len(c.ends) && c.text(i) == lit.s {
			hi++
		}
		return spanOf(op, lo, hi, c.firstText(), c.firstOther())
	}
	return 0, 0, false
}

func spanOf(op string, lo, hi, first, end int) (int, int, bool) {
	switch op {
	case "==":
		return lo, hi, true
	case "<":
		return first, lo, true
	case "<=":
		return first, hi, true
	case ">":
		return hi, end, true
	}
	return lo, end, true
}

// prefixed gives the ids of the texts that start with p.
func (c *column) prefixed(p string) (from, to int) {
	n := len(c.ends)
	lo := sort.Search(n, func(i int) bool { return c.text(i) >= p })
	hi := lo + sort.Search(n-lo, func(i int) bool { return !strings.HasPrefix(c.text(lo+i), p) })
	return c.firstText() + lo, c.firstText() + hi
}

// mergeColumns joins the columns of several segments (nil where a segment lacks
// the field) for the rows that are kept: keep gives the segment and the local
// row of each new row.
func mergeColumns(cols []*column, keep []origin) *column {
	maps := make([][]uint32, len(cols)) // old id -> new id
	for i, c := range cols {
		if c != nil {
			maps[i] = make([]uint32, c.values())
			maps[i][1] = 1
		}
	}
	out := &column{}
	mergeOrdered(cols, maps, func(c *column) (int, int) { return firstNumber, len(c.nums) },
		func(a *column, i int, b *column, j int) int { return cmp.Compare(a.nums[i], b.nums[j]) },
		func(c *column, i int) uint32 {
			out.nums = append(out.nums, c.nums[i])
			return uint32(firstNumber + len(out.nums) - 1)
		})
	var arena strings.Builder
	mergeOrdered(cols, maps, func(c *column) (int, int) { return c.firstText(), len(c.ends) },
		func(a *column, i int, b *column, j int) int { return strings.Compare(a.text(i), b.text(j)) },
		func(c *column, i int) uint32 {
			arena.WriteString(c.text(i))
			out.ends = append(out.ends, uint32(arena.Len()))
			return uint32(out.firstText() + len(out.ends) - 1)
		})
	out.arena = arena.String()
	mergeOrdered(cols, maps, func(c *column) (int, int) { return c.firstOther(), len(c.others) },
		func(a *column, i int, b *column, j int) int { return strings.Compare(a.keys[i], b.keys[j]) },
		func(c *column, i int) uint32 {
			out.others, out.keys = append(out.others, c.others[i]), append(out.keys, c.keys[i])
			return uint32(out.firstOther() + len(out.others) - 1)
		})
	out.ids = make([]uint32, len(keep))
	for row, o := range keep {
		if c := cols[o.seg]; c != nil && c.ids[o.row] > 0 {
			out.ids[row] = maps[o.seg][c.ids[o.row]-1] + 1
		}
	}
	out.invert()
	return out
}

// mergeOrdered merges one kind of values: span gives the first id and the
// number of them in a column, emit takes each distinct value once and gives its
// new id.
func mergeOrdered(cols []*column, maps [][]uint32, span func(*column) (first, n int),
	compare func(a *column, i int, b *column, j int) int, emit func(c *column, i int) uint32) {
	at := make([]int, len(cols))
	for {
		least := -1
		for k, c := range cols {
			if c == nil {
				continue
			}
			if _, n := span(c); at[k] < n && (least < 0 || compare(c, at[k], cols[least], at[least]) < 0) {
				least = k
			}
		}
		if least < 0 {
			return
		}
		value := at[least]
		id := emit(cols[least], value)
		for k, c := range cols {
			if c == nil {
				continue
			}
			if first, n := span(c); at[k] < n && compare(c, at[k], cols[least], value) == 0 {
				maps[k][first+at[k]] = id
				at[k]++
			}
		}
	}
}
