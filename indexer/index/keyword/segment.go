package keyword

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/ragserver/ragserver/indexer/index/words"
)

// A segment is an immutable set of rows with their postings, in one stretch of
// bytes that is the same in memory and on disk (and may be a mapped file), so
// that neither loading it nor collecting garbage takes time that grows with it.
// Inside, a row is a document: its position among the segment's rows. All
// numbers are little-endian:
//
//	head, 64 bytes: "RAGKWSG1", u32 documents, u32 terms, u32 hash slots (a power
//	    of two), u32 0, u64 sum of lengths, u64 bytes of term text, of postings,
//	    of the forward lists
//	rows      documents × u32, ascending
//	lengths   documents × u32
//	languages documents × u8, a words.Stemmer each
//	term ends terms × u32, where each term's text ends
//	term text the terms, ascending
//	df        terms × u32, number of postings
//	post ends terms × u32, where each term's postings end
//	postings  see postings.go, then 8 zeros
//	slots     u32: 1 + term, 0 if free; term t is at the first slot from
//	    xxh3(t) & (slots − 1) on
//	fwd ends  documents × u32, where each document's forward list ends
//	forward   varints: the document's terms, ascending, as gaps − 1
type segment struct {
	blob             []byte
	docs, terms      int
	sumLen           uint64
	rows, lens, lngs []byte
	termEnds, text   []byte
	dfs              []byte
	postEnds, post   []byte
	slots            []byte
	fwdEnds, fwd     []byte
}

const (
	segmentMagic = "RAGKWSG1"
	headSize     = 64
	padding      = 8
	maxBytes     = 1 << 32 // of a section, whose offsets are u32
)

func u32(b []byte, i int) uint32 { return le.Uint32(b[4*i:]) }

func (s *segment) row(doc uint32) uint32 { return u32(s.rows, int(doc)) }
func (s *segment) len(doc uint32) uint32 { return u32(s.lens, int(doc)) }
func (s *segment) lang(doc uint32) uint8 { return s.lngs[doc] }
func (s *segment) df(ord int) uint32     { return u32(s.dfs, ord) }

// section gives part i of parts whose ends are listed.
func section(ends, all []byte, i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = u32(ends, i-1)
	}
	return all[from:u32(ends, i)]
}

func (s *segment) term(ord int) []byte    { return section(s.termEnds, s.text, ord) }
func (s *segment) forward(doc int) []byte { return section(s.fwdEnds, s.fwd, doc) }

// postings gives a term's bytes and the padding after them.
func (s *segment) postings(ord int) []byte {
	b := section(s.postEnds, s.post, ord)
	return b[: len(b)+padding : len(b)+padding]
}

// find gives the position of a term, −1 if the segment does not have it.
func (s *segment) find(term string, hash uint64) int {
	mask := len(s.slots)/4 - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		v := u32(s.slots, i)
		if v == 0 {
			return -1
		}
		if string(s.term(int(v-1))) == term {
			return int(v - 1)
		}
	}
}

// docOf gives the document of a row.
func (s *segment) docOf(row uint32) (uint32, bool) {
	lo, hi := 0, s.docs
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if u32(s.rows, m) < row {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return uint32(lo), lo < s.docs && u32(s.rows, lo) == row
}

// eachTerm calls f with the terms of a document.
func (s *segment) eachTerm(doc int, f func(ord uint32)) {
	ord := uint32(math.MaxUint32)
	b := s.forward(doc)
	for len(b) > 0 {
		gap, n := uvarint32(b)
		b = b[n:]
		ord += gap + 1
		f(ord)
	}
}

// uvarint32 is binary.Uvarint for what fits, 0 bytes if b ends early or it does
// not fit.
func uvarint32(b []byte) (uint32, int) {
	var v uint64
	for i := 0; i < len(b) && i < 5; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			if v > math.MaxUint32 {
				return 0, 0
			}
			return uint32(v), i + 1
		}
	}
	return 0, 0
}

// parts are the sections of a segment that is being made, in the order of terms
// and documents.
type parts struct {
	rows, lens []uint32
	langs      []byte
	termEnds   []uint32
	text       []byte
	dfs        []uint32
	postEnds   []uint32
	post       []byte
	fwdEnds    []uint32
	fwd        []byte
	hashes     []uint64 // of the terms
	docs, tfs  []uint32 // of the term being added
	sumLen     uint64
}

// addTerm adds the next term with the postings in docs and tfs.
func (p *parts) addTerm(term []byte) {
	p.text = append(p.text, term...)
	p.termEnds = append(p.termEnds, uint32(len(p.text)))
	p.hashes = append(p.hashes, xxh3.Hash(term))
	p.dfs = append(p.dfs, uint32(len(p.docs)))
	p.post = appendPostings(p.post, p.docs, p.tfs, func(d uint32) uint32 { return p.lens[d] })
	p.postEnds = append(p.postEnds, uint32(len(p.post)))
}

// slotCount gives a power of two that leaves at least a third of the slots free.
func slotCount(terms int) int {
	n := 4
	for n*2 < terms*3 {
		n *= 2
	}
	return n
}

// segment lays the parts out.
func (p *parts) segment() *segment {
	docs, terms, slots := len(p.rows), len(p.dfs), slotCount(len(p.dfs))
	size := headSize + 13*docs + 12*terms + len(p.text) + len(p.post) + padding + 4*slots + len(p.fwd)
	b := make([]byte, headSize, size)
	copy(b, segmentMagic)
	le.PutUint32(b[8:], uint32(docs))
	le.PutUint32(b[12:], uint32(terms))
	le.PutUint32(b[16:], uint32(slots))
	le.PutUint64(b[24:], p.sumLen)
	le.PutUint64(b[32:], uint64(len(p.text)))
	le.PutUint64(b[40:], uint64(len(p.post)))
	le.PutUint64(b[48:], uint64(len(p.fwd)))
	u32s := func(vs []uint32) {
		for _, v := range vs {
			b = le.AppendUint32(b, v)
		}
	}
	u32s(p.rows)
	u32s(p.lens)
	b = append(b, p.langs...)
	u32s(p.termEnds)
	b = append(b, p.text...)
	u32s(p.dfs)
	u32s(p.postEnds)
	b = append(b, p.post...)
	b = append(b, make([]byte, padding)...)
	table := make([]uint32, slots)
	for ord, h := range p.hashes {
		i := int(h) & (slots - 1)
		for table[i] != 0 {
			i = (i + 1) & (slots - 1)
		}
		table[i] = uint32(ord + 1)
	}
	u32s(table)
	u32s(p.fwdEnds)
	b = append(b, p.fwd...)
	s, err := layout(b)
	if err != nil {
		panic("keyword: a segment just made is wrong: " + err.Error())
	}
	return s
}

// layout finds the sections in a blob and checks that they fit. check looks
// inside.
func layout(b []byte) (*segment, error) {
	if len(b) < headSize || string(b[:8]) != segmentMagic {
		return nil, errors.New("no segment head")
	}
	s := &segment{blob: b, docs: int(le.Uint32(b[8:])), terms: int(le.Uint32(b[12:])), sumLen: le.Uint64(b[24:])}
	slots := int(le.Uint32(b[16:]))
	if slots == 0 || slots&(slots-1) != 0 || slots <= s.terms {
		return nil, fmt.Errorf("%d hash slots for %d terms", slots, s.terms)
	}
	text, post, fwd := le.Uint64(b[32:]), le.Uint64(b[40:]), le.Uint64(b[48:])
	if text >= maxBytes || post >= maxBytes || fwd >= maxBytes {
		return nil, errors.New("a section is larger than 4 GiB")
	}
	rest := b[headSize:]
	short := false
	take := func(n int) []byte {
		if n > len(rest) {
			short = true
			return nil
		}
		out := rest[:n:n]
		rest = rest[n:]
		return out
	}
	s.rows, s.lens, s.lngs = take(4*s.docs), take(4*s.docs), take(s.docs)
	s.termEnds, s.text = take(4*s.terms), take(int(text))
	s.dfs, s.postEnds = take(4*s.terms), take(4*s.terms)
	s.post = take(int(post) + padding)
	s.slots = take(4 * slots)
	s.fwdEnds, s.fwd = take(4*s.docs), take(int(fwd))
	if short || len(rest) != 0 {
		return nil, fmt.Errorf("%d bytes are too few or too many for what the head says", len(b))
	}
	return s, nil
}

// check reads the whole segment, so that nothing after it can go out of bounds.
func (s *segment) check() error {
	for i := 1; i < s.docs; i++ {
		if u32(s.rows, i) <= u32(s.rows, i-1) {
			return fmt.Errorf("rows are not ascending at %d", i)
		}
	}
	sum := uint64(0)
	for i := range s.docs {
		sum += uint64(u32(s.lens, i))
		if !words.Stemmer(s.lang(uint32(i))).Valid() {
			return fmt.Errorf("document %d: unknown language %d", i, s.lang(uint32(i)))
		}
	}
	if sum != s.sumLen {
		return fmt.Errorf("lengths add up to %d, not %d", sum, s.sumLen)
	}
	for _, e := range []struct {
		name      string
		ends, all []byte
		slack     int
	}{{"terms", s.termEnds, s.text, 0}, {"postings", s.postEnds, s.post, padding}, {"forward lists", s.fwdEnds, s.fwd, 0}} {
		at := uint32(0)
		for i := range len(e.ends) / 4 {
			if end := u32(e.ends, i); end < at || int(end) > len(e.all)-e.slack {
				return fmt.Errorf("%s: end %d is out of place", e.name, i)
			} else {
				at = end
			}
		}
		if int(at) != len(e.all)-e.slack {
			return fmt.Errorf("%s: the last end is %d, not %d", e.name, at, len(e.all)-e.slack)
		}
	}
	used := 0
	for i := range len(s.slots) / 4 {
		if v := u32(s.slots, i); v > 0 {
			used++
			if int(v) > s.terms {
				return fmt.Errorf("hash slot %d names term %d of %d", i, v, s.terms)
			}
		}
	}
	if used != s.terms {
		return fmt.Errorf("%d hash slots are used for %d terms", used, s.terms)
	}
	postings := 0
	for ord := range s.terms {
		if ord > 0 && bytes.Compare(s.term(ord-1), s.term(ord)) >= 0 {
			return fmt.Errorf("terms are not ascending at %d", ord)
		}
		if err := s.checkPostings(ord); err != nil {
			return fmt.Errorf("postings of term %d: %w", ord, err)
		}
		postings += int(s.df(ord))
		if s.find(string(s.term(ord)), xxh3.Hash(s.term(ord))) != ord {
			return fmt.Errorf("term %d is not where its hash says", ord)
		}
	}
	return s.checkForward(postings)
}

// checkForward reads the forward lists, which have as many entries as there are
// postings.
func (s *segment) checkForward(postings int) error {
	for doc := range s.docs {
		ord := int64(-1)
		for b := s.forward(doc); len(b) > 0; postings-- {
			gap, n := uvarint32(b)
			if n == 0 {
				return fmt.Errorf("forward list of document %d is cut", doc)
			}
			b = b[n:]
			if ord += int64(gap) + 1; ord >= int64(s.terms) {
				return fmt.Errorf("forward list of document %d names term %d of %d", doc, ord, s.terms)
			}
		}
	}
	if postings != 0 {
		return errors.New("forward lists and postings differ")
	}
	return nil
}

func (s *segment) checkPostings(ord int) error {
	df := int(s.df(ord))
	b := section(s.postEnds, s.post, ord)
	if df == 0 || df > s.docs {
		return fmt.Errorf("%d of %d documents", df, s.docs)
	}
	blocks := df / blockSize
	if len(b) < blocks*descriptor {
		return errors.New("cut")
	}
	desc, data := b[:blocks*descriptor], b[blocks*descriptor:]
	at, prev := 0, int64(-1)
	var gaps [blockSize]uint32
	for k := range blocks {
		end := int(le.Uint32(desc[k*descriptor+4:]))
		if end < at+2 || end > len(data) || data[at] > 32 || data[at+1] > 32 || end-at != 2+packed(int(data[at]))+packed(int(data[at+1])) {
			return fmt.Errorf("block %d is out of place", k)
		}
		unpack(&gaps, data[at+2:len(data)+padding], int(data[at]))
		for _, g := range gaps {
			prev += int64(g) + 1
		}
		if prev >= int64(s.docs) || prev != int64(le.Uint32(desc[k*descriptor:])) {
			return fmt.Errorf("block %d ends with document %d of %d", k, prev, s.docs)
		}
		at = end
	}
	rest := data[at:]
	for range df - blocks*blockSize {
		v, n := uvarint64(rest)
		if n == 0 {
			return errors.New("the rest is cut")
		}
		rest = rest[n:]
		if prev += int64(v>>1) + 1; prev >= int64(s.docs) {
			return fmt.Errorf("document %d of %d", prev, s.docs)
		}
		if v&1 == 1 {
			w, n := uvarint32(rest)
			if n == 0 || w > math.MaxUint32-2 {
				return errors.New("the rest is cut")
			}
			rest = rest[n:]
		}
	}
	if len(rest) != 0 {
		return errors.New("bytes are left over")
	}
	return nil
}

// uvarint64 reads a varint of at most 33 bits.
func uvarint64(b []byte) (uint64, int) {
	var v uint64
	for i := 0; i < len(b) && i < 5; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
