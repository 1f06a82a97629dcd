// Package split cuts a document's text into chunks: what is embedded, searched
// and cited.
//
// A chunk follows the document's structure first. It ends before a heading
// unless its section is too small to stand alone, does not part a paragraph,
// list item, table row or line of code that fits, and falls back to sentences,
// then words, then characters. Chunks are in order, do not overlap, lie in the
// text, never part a rune, and together hold everything but white space and what
// pages repeat at their edges (parse.Running). Each knows its page and the
// headings above it. The result depends on the document and the options alone.
package split

import (
	"strings"

	"github.com/ragserver/ragserver/indexer/parse"
)

// Version names what parser and splitter make of a file. It changes whenever
// the same file could yield another text or other chunks.
const Version = "parse" + parse.Version + ".split3"

// Chunk is a part of a document's text.
type Chunk struct {
	Start, End int    // bytes into the text
	Page       int    // on which it stands, 1-based; 0 if the format has none
	Heading    string // the headings that all of its text stands under, outermost first, joined by " > "
}

// Options are the sizes of chunks.
type Options struct {
	Tokens int // a chunk has at most about so many; 0 means DefaultTokens
}

// DefaultTokens is a size at which passages are found well and cost little; the
// scores are printed by this package's tests.
const DefaultTokens = 250

// Split writes a document as text, as parse.Render does, and cuts it into
// chunks.
func Split(doc parse.Document, opt Options) (text string, chunks []Chunk) {
	text, spans := parse.Render(doc)
	return text, Chunks(doc.Blocks, text, spans, opt)
}

// Chunks cuts the text that parse.Render wrote of a document's blocks.
func Chunks(blocks []parse.Block, text string, spans []parse.Span, opt Options) []Chunk {
	if opt.Tokens <= 0 {
		opt.Tokens = DefaultTokens
	}
	p := packer{text: text, max: opt.Tokens, min: max(opt.Tokens/4, 1)}
	for i, b := range blocks {
		p.block(b, spans[i])
	}
	p.close()
	return p.chunks
}

// piece is a part of the text that is not cut further, and the headings above
// it, itself included if it is one.
type piece struct {
	start, end, tokens, page int
	path                     []string
}

// packer gathers pieces into chunks.
type packer struct {
	text     string
	max, min int
	chunks   []Chunk

	levels  []int    // of the open headings
	path    []string // their texts; never written to, so that pieces share it
	pending []piece  // headings that wait for what stands under them
	waiting int      // tokens in pending

	cur    Chunk    // the chunk being filled
	common []string // headings that all of it stands under, but for headings themselves
	tokens int      // in it; 0 if it is empty
	own    int      // of these, beyond headings
}

// tableShare is how many times larger than usual a chunk may be that is one
// table: the parser slices tables with their header, which a cut would lose.
const tableShare = 2

// block adds a block, whole if it fits.
func (p *packer) block(b parse.Block, s parse.Span) {
	text := p.text[s.Start:s.End]
	if strings.TrimSpace(text) == "" {
		return
	}
	size := tokens(text)
	if b.Kind == parse.Running {
		p.running(size)
		return
	}
	if b.Kind == parse.Heading && size <= p.max/2 {
		p.heading(b, piece{start: s.Start, end: s.End, tokens: size, page: b.Page})
		return
	}
	room := p.max - p.waiting
	if p.tokens+size > room && size <= room && p.own >= p.max/2 {
		p.flush()
	}
	if p.tokens+size <= room || b.Kind == parse.Table && p.waiting+size <= tableShare*p.max {
		p.add(piece{s.Start, s.End, size, b.Page, p.path})
		return
	}
	cut(p.text, s, b.Kind, p.max/2, func(start, end, n int) {
		p.add(piece{start, end, n, b.Page, p.path})
	})
}

// running passes over what a page repeats. It ends a chunk; but headings go on
// to the text below them, and with them what lies in between, if it is small.
func (p *packer) running(size int) {
	if p.own > 0 {
		p.flush()
	}
	if len(p.pending) == 0 {
		return
	}
	if p.waiting+size > p.max/2 {
		p.open()
		p.flush()
		return
	}
	p.pending[len(p.pending)-1].tokens += size
	p.waiting += size
}

// heading opens a section.
func (p *packer) heading(b parse.Block, x piece) {
	if p.own >= p.min || p.own > 0 && p.cur.Page != x.page {
		p.flush()
	}
	n := len(p.levels)
	for n > 0 && p.levels[n-1] >= b.Level {
		n--
	}
	p.levels = append(p.levels[:n:n], b.Level)
	p.path = append(p.path[:n:n], headText(b.Text))
	x.path = p.path
	if p.waiting+x.tokens > p.max/2 { // headings upon headings: a list of contents
		p.flush()
		p.open()
		p.flush()
	}
	p.pending = append(p.pending, x)
	p.waiting += x.tokens
}

// add puts a piece into the chunk, behind the headings that wait for it; a
// chunk without room, or of another page, ends first: a citation names a page,
// and what it quotes must stand there.
func (p *packer) add(x piece) {
	if p.tokens > 0 && p.tokens+p.waiting+x.tokens > p.max || p.own > 0 && p.cur.Page != x.page {
		p.flush()
	}
	p.open()
	p.put(x, p.own == 0)
	p.own += max(x.tokens, 1)
}

// open puts the waiting headings into the chunk.
func (p *packer) open() {
	for _, h := range p.pending {
		p.put(h, p.own == 0)
	}
	p.pending, p.waiting = p.pending[:0], 0
}

// put lengthens the chunk by a piece. first says that nothing but headings is
// in it: then the piece stands under all of them that matter.
func (p *packer) put(x piece, first bool) {
	if p.tokens == 0 {
		p.cur = Chunk{Start: x.start, Page: x.page}
	}
	if first {
		p.common = x.path
	}
	n := 0
	for n < len(p.common) && n < len(x.path) && p.common[n] == x.path[n] {
		n++
	}
	p.common = p.common[:n]
	p.cur.End = x.end
	p.tokens += max(x.tokens, 1)
}

// flush ends the chunk; waiting headings are left to the next.
func (p *packer) flush() {
	if p.tokens == 0 {
		return
	}
	c := p.cur
	for c.Start < c.End && space(p.text[c.Start]) {
		c.Start++
	}
	for c.End > c.Start && space(p.text[c.End-1]) {
		c.End--
	}
	if c.Start < c.End {
		c.Heading = joinPath(p.common)
		p.chunks = append(p.chunks, c)
	}
	p.tokens, p.own = 0, 0
}

// close ends the last chunk, with the headings under which nothing stands.
func (p *packer) close() {
	if p.tokens+p.waiting > p.max {
		p.flush()
	}
	p.open()
	p.flush()
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// maxHead bounds a heading in a path, maxPath the path, in bytes.
const (
	maxHead = 120
	maxPath = 300
)

func headText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxHead {
		return s
	}
	end := maxHead
	for s[end]&0xC0 == 0x80 {
		end--
	}
	return strings.TrimSpace(s[:end]) + "…"
}

// joinPath writes a path; one that is too long loses the headings after the
// outermost.
func joinPath(path []string) string {
	s := strings.Join(path, " > ")
	for i := 1; len(s) > maxPath && i < len(path)-1; i++ {
		s = path[0] + " > " + strings.Join(path[i+1:], " > ")
	}
	return s
}
