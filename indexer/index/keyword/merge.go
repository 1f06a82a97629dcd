package keyword

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
)

// mergeWidth segments of one order of magnitude become one.
const mergeWidth = 8

// tier is the order of magnitude, to the base 8, of a number of rows.
func tier(rows int) int { return bits.Len(uint(rows)/64) / 3 }

// mergePlan says which segments, next to each other at the end of the list, are
// to be joined; from = len(segs) if none are. The list is ordered by falling
// tier.
func mergePlan(segs []part) (from int) {
	n := len(segs)
	if n == 0 {
		return n
	}
	t := tier(segs[n-1].live)
	k := n
	var size uint64
	for k > 0 && tier(segs[k-1].live) == t {
		k--
		size += uint64(len(segs[k].post) + len(segs[k].fwd) + len(segs[k].text))
	}
	if n-k < mergeWidth || size >= maxBytes/2 {
		return n
	}
	return k
}

// origin says where a document of a merged segment comes from.
type origin struct {
	seg int
	doc uint32
}

// join makes one segment of the live rows of several, nil if there are none.
func join(segs []part) *segment {
	p := &parts{}
	var keep []origin
	maps := make([][]uint32, len(segs)) // old document -> new, noDoc if dead
	for i, s := range segs {
		maps[i] = make([]uint32, s.docs)
		for d := range s.docs {
			maps[i][d] = noDoc
			if !s.isDead(uint32(d)) {
				keep = append(keep, origin{i, uint32(d)})
			}
		}
	}
	if len(keep) == 0 {
		return nil
	}
	row := func(o origin) uint32 { return segs[o.seg].row(o.doc) }
	slices.SortFunc(keep, func(a, b origin) int { return cmp.Compare(row(a), row(b)) })
	for i, o := range keep {
		s := segs[o.seg]
		maps[o.seg][o.doc] = uint32(i)
		p.rows, p.lens, p.langs = append(p.rows, row(o)), append(p.lens, s.len(o.doc)), append(p.langs, s.lang(o.doc))
		p.sumLen += uint64(s.len(o.doc))
	}
	ords := joinTerms(p, segs, maps)
	var list []uint32
	for _, o := range keep {
		list = list[:0]
		segs[o.seg].eachTerm(int(o.doc), func(ord uint32) { list = append(list, ords[o.seg][ord]) })
		p.addForward(list)
	}
	return p.segment()
}

// joinTerms merges the terms in order, and the postings of each, and says what
// position each old term has now.
func joinTerms(p *parts, segs []part, maps [][]uint32) (ords [][]uint32) {
	ords = make([][]uint32, len(segs))
	at := make([]int, len(segs))
	for i, s := range segs {
		ords[i] = make([]uint32, s.terms)
	}
	c := new(cursor)
	for {
		var least []byte
		for i, s := range segs {
			if at[i] < s.terms {
				if t := s.term(at[i]); least == nil || bytes.Compare(t, least) < 0 {
					least = t
				}
			}
		}
		if least == nil {
			return ords
		}
		p.docs, p.tfs = p.docs[:0], p.tfs[:0]
		for i, s := range segs {
			if at[i] == s.terms || !bytes.Equal(s.term(at[i]), least) {
				continue
			}
			ords[i][at[i]] = uint32(len(p.dfs))
			for c.open(s.segment, at[i]); c.doc() != noDoc; c.next() {
				if d := maps[i][c.doc()]; d != noDoc {
					c.loadTFs()
					p.docs, p.tfs = append(p.docs, d), append(p.tfs, c.tf[c.i])
				}
			}
			at[i]++
		}
		if len(p.docs) == 0 {
			continue
		}
		if !slices.IsSorted(p.docs) {
			sortPostings(p.docs, p.tfs)
		}
		p.addTerm(least)
	}
}

// sortPostings orders both lists by document.
func sortPostings(docs, tfs []uint32) {
	both := make([]uint64, len(docs))
	for i := range docs {
		both[i] = uint64(docs[i])<<32 | uint64(tfs[i])
	}
	slices.Sort(both)
	for i, v := range both {
		docs[i], tfs[i] = uint32(v>>32), uint32(v)
	}
}
