package keyword

import (
	"fmt"
	"slices"

	"github.com/ragserver/ragserver/indexer/index/words"
)

// Index is the keyword side of an index: rows of text under BM25. One goroutine
// writes; snapshots are read by any number, without a lock.
type Index struct {
	builder builder
	parts   []part
	stats   Stats
}

// part is a segment with what has died in it. The slices are shared with
// snapshots and replaced, never changed, when owned is false.
type part struct {
	*segment
	dead    []uint64 // bit by document; nil: none
	lost    [][]uint32
	live    int
	liveLen uint64
	langs   [words.MaxStemmers]int32 // live rows by stemmer
	owned   map[int]bool             // pages of lost made since the last snapshot; nil: dead is shared as well
}

// lostPage is the number of terms whose dead postings one page of part.lost
// counts; a page without any is nil.
const lostPage = 256

// Stats are exact at every snapshot, also after rows were removed.
type Stats struct {
	Rows      int    // live rows
	Length    uint64 // words in them
	Segments  int
	Bytes     int64          // of the segments
	Languages map[string]int // live rows by the language whose stems they have, "" for none
}

// New gives an empty index.
func New() *Index {
	x := &Index{}
	x.builder.reset()
	return x
}

// Add puts a row in, instead of the one of that number. language is BCP 47
// ("en"); "" has it detected from the texts. The row is in the next snapshot.
func (x *Index) Add(row uint32, language string, f Fields) {
	x.Remove(row)
	if language == "" {
		language = words.Detect(f.Title + "\n" + f.Heading + "\n" + f.Body)
	}
	x.builder.add(row, words.StemmerOf(language), f)
}

// Remove takes a row out; a row that is not there is no error.
func (x *Index) Remove(row uint32) {
	if x.builder.remove(row) {
		return
	}
	for i := range x.parts {
		p := &x.parts[i]
		if d, ok := p.docOf(row); ok && !p.isDead(d) {
			p.kill(d)
			return
		}
	}
}

func (p *part) isDead(doc uint32) bool {
	return p.dead != nil && p.dead[doc>>6]>>(doc&63)&1 == 1
}

// kill marks a document dead and takes it out of the statistics.
func (p *part) kill(doc uint32) {
	if p.owned == nil {
		p.owned = map[int]bool{}
		dead := make([]uint64, (p.docs+63)/64)
		copy(dead, p.dead)
		p.dead = dead
		lost := make([][]uint32, (p.terms+lostPage-1)/lostPage)
		copy(lost, p.lost)
		p.lost = lost
	}
	p.dead[doc>>6] |= 1 << (doc & 63)
	p.live--
	p.liveLen -= uint64(p.len(doc))
	p.langs[p.lang(doc)]--
	p.eachTerm(int(doc), func(ord uint32) {
		page := int(ord / lostPage)
		if !p.owned[page] {
			fresh := make([]uint32, lostPage)
			copy(fresh, p.lost[page])
			p.lost[page], p.owned[page] = fresh, true
		}
		p.lost[page][ord%lostPage]++
	})
}

// liveDF is the number of live documents that have term ord.
func (p *part) liveDF(ord int) uint32 {
	df := p.df(ord)
	if p.lost != nil {
		if page := p.lost[ord/lostPage]; page != nil {
			df -= page[ord%lostPage]
		}
	}
	return df
}

func newPart(s *segment) part {
	p := part{segment: s, live: s.docs, liveLen: s.sumLen}
	for d := range s.docs {
		p.langs[s.lang(uint32(d))]++
	}
	return p
}

// Snapshot gives the state now. It costs the work on the rows added since the
// last one, and now and then a merge of segments.
func (x *Index) Snapshot() *Snapshot {
	if s := x.builder.segment(); s != nil {
		x.parts = append(x.parts, newPart(s))
	}
	if len(x.builder.rows) > 0 {
		x.builder.reset()
	}
	x.merge()
	for i := range x.parts {
		x.parts[i].owned = nil
	}
	return newSnapshot(slices.Clone(x.parts))
}

// merge drops and rewrites what is dead or mostly dead, and joins segments of
// like size, so that there are few.
func (x *Index) merge() {
	for i, p := range x.parts {
		if p.live > 0 && p.live <= p.docs/2 {
			x.parts[i] = newPart(join(x.parts[i : i+1]))
		}
	}
	x.parts = slices.DeleteFunc(x.parts, func(p part) bool { return p.live == 0 })
	slices.SortStableFunc(x.parts, func(a, b part) int { return tier(b.live) - tier(a.live) })
	for from := mergePlan(x.parts); from < len(x.parts); from = mergePlan(x.parts) {
		x.parts = append(x.parts[:from:from], newPart(join(x.parts[from:])))
	}
}

// Snapshot is one immutable state of an Index, safe for concurrent use.
type Snapshot struct {
	parts     []part
	stats     Stats
	languages []words.Stemmer // stemmers of live rows, the most frequent first
	avgLen    float64
}

func newSnapshot(parts []part) *Snapshot {
	s := &Snapshot{parts: parts}
	var count [words.MaxStemmers]int
	for _, p := range parts {
		s.stats.Rows += p.live
		s.stats.Length += p.liveLen
		s.stats.Bytes += int64(len(p.blob))
		for l, n := range p.langs {
			count[l] += int(n)
		}
	}
	s.stats.Segments = len(parts)
	s.stats.Languages = map[string]int{}
	for l, n := range count {
		if n > 0 {
			s.stats.Languages[words.Stemmer(l).Language()] = n
			s.languages = append(s.languages, words.Stemmer(l))
		}
	}
	slices.SortStableFunc(s.languages, func(a, b words.Stemmer) int { return count[b] - count[a] })
	s.avgLen = 1
	if s.stats.Length > 0 {
		s.avgLen = float64(s.stats.Length) / float64(s.stats.Rows)
	}
	return s
}

// Stats describes the snapshot.
func (s *Snapshot) Stats() Stats { return s.stats }

// String says how large the snapshot is.
func (s *Snapshot) String() string {
	return fmt.Sprintf("%d rows, %d words, %d segments, %d bytes", s.stats.Rows, s.stats.Length, s.stats.Segments, s.stats.Bytes)
}
