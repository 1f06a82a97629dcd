package filter

import (
	"strings"
)

// bitset is a set of local rows of a segment.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) set(i uint32) { b[i>>6] |= 1 << (i & 63) }

func (b bitset) has(i uint32) bool { return b[i>>6]>>(i&63)&1 == 1 }

func (b bitset) and(o bitset) {
	for i := range b {
		b[i] &= o[i]
	}
}

func (b bitset) or(o bitset) {
	for i := range b {
		b[i] |= o[i]
	}
}

// invert takes the complement in n rows.
func (b bitset) invert(n int) {
	for i := range b {
		b[i] = ^b[i]
	}
	if n&63 != 0 {
		b[len(b)-1] &= 1<<(n&63) - 1
	}
}

func (b bitset) empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

// selected gives the rows for which n is true. The set is the caller's.
//
// What reads one field is decided once for each distinct value of the field (for
// most comparisons by two binary searches), what reads several, row by row.
func (s *segment) selected(n node) bitset {
	switch n := n.(type) {
	case orNode:
		out := s.selected(n.args[0])
		for _, a := range n.args[1:] {
			out.or(s.selected(a))
		}
		return out
	case andNode:
		out := s.selected(n.args[0])
		for _, a := range n.args[1:] {
			if out.empty() {
				break
			}
			if len(fields(a, nil)) > 1 {
				s.keep(a, out)
			} else {
				out.and(s.selected(a))
			}
		}
		return out
	case notNode:
		out := s.selected(n.arg)
		out.invert(len(s.rows))
		return out
	case globNode:
		if n.whole {
			return s.globbed(n)
		}
	}
	names := fields(n, nil)
	switch len(names) {
	case 0:
		out := newBitset(len(s.rows))
		if truthy(eval(n, func(string) any { return nil })) {
			out.invert(len(s.rows))
		}
		return out
	case 1:
		return s.byValue(n, s.cols[names[0]])
	}
	out := newBitset(len(s.rows))
	out.invert(len(s.rows))
	s.keep(n, out)
	return out
}

// keep takes out of set the rows for which n is not true, one by one.
func (s *segment) keep(n node, set bitset) {
	row := 0
	get := func(name string) any { return s.cols[name].at(row) }
	for w, word := range set {
		for i := range 64 {
			if word>>i&1 == 0 {
				continue
			}
			row = w<<6 + i
			if !truthy(eval(n, get)) {
				set[w] &^= 1 << i
			}
		}
	}
}

// byValue decides n, which reads the field of column c alone, by the field's
// values. c is nil if no row has the field.
func (s *segment) byValue(n node, c *column) bitset {
	out := newBitset(len(s.rows))
	var current any
	get := func(string) any { return current }
	holds := func() bool { return truthy(eval(n, get)) }
	if holds() { // for rows without the field
		for row := range s.rows {
			if c == nil || c.ids[row] == 0 {
				out.set(uint32(row))
			}
		}
	}
	if c == nil {
		return out
	}
	take := func(from, to int) {
		for _, row := range c.rows[c.start[from]:c.start[to]] {
			out.set(row)
		}
	}
	from, to, sure := candidates(n, c)
	if sure {
		if from < to {
			take(from, to)
		}
		return out
	}
	for id := from; id < to; id++ {
		if c.start[id] == c.start[id+1] {
			continue
		}
		if current = c.value(id); holds() {
			take(id, id+1)
		}
	}
	return out
}

// candidates gives the ids among which the values are for which n holds; sure
// says that it holds for all of them.
func candidates(n node, c *column) (from, to int, sure bool) {
	switch n := n.(type) {
	case compareNode:
		op, f, l := n.op, n.left, n.right
		if _, ok := f.(literalNode); ok {
			op, f, l = mirrored[op], l, f
		}
		lit, ok := l.(literalNode)
		if field, isField := f.(fieldNode); ok && isField && len(field.steps) == 0 {
			if from, to, ok := c.span(op, lit.value); ok {
				return from, to, true
			}
		}
	case callNode:
		if field, ok := n.args[0].(fieldNode); ok && len(field.steps) == 0 && n.fn.name == "starts_with" {
			if lit, ok := n.args[1].(literalNode); ok {
				if p, ok := asText(lit.value); ok {
					from, to := c.prefixed(p)
					return from, to, true
				}
			}
		}
	case globNode:
		if field, ok := n.arg.(fieldNode); ok && len(field.steps) == 0 {
			from, to := c.prefixed(n.glob.prefix)
			return from, to, false
		}
	}
	return 0, c.values(), false
}

var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// globbed decides a pattern on path or source/path: each path once, and
// source/path for the sources that the pattern's literal start allows.
func (s *segment) globbed(n globNode) bitset {
	out := s.byValue(globNode{glob: n.glob, arg: n.arg}, s.cols["path"])
	paths, sources := s.cols["path"], s.cols["source"]
	if paths == nil || sources == nil {
		return out
	}
	for i := range sources.ends {
		source := sources.text(i)
		if source == "" {
			continue
		}
		start := source + "/"
		if p := n.glob.prefix; !strings.HasPrefix(start, p) && !strings.HasPrefix(p, start) {
			continue
		}
		id := sources.firstText() + i
		for _, row := range sources.rows[sources.start[id]:sources.start[id+1]] {
			if out.has(row) {
				continue
			}
			if path, ok := paths.at(int(row)).(string); ok && n.glob.Match(start+path) {
				out.set(row)
			}
		}
	}
	return out
}
