package parse

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// layoutPDF turns lines into blocks: what repeats at the edges of pages is set
// apart, lines join to paragraphs, larger or bold lines are headings.
func layoutPDF(b *builder, pages []*pdfPage) error {
	partRunning(pages)
	st := pdfStyle(pages)
	for i, p := range pages {
		if err := layoutPage(b, p, i+1, st); err != nil {
			return err
		}
	}
	return nil
}

// edge is how many lines at the top and at the bottom of a page may be running
// heads or feet.
const edge = 3

// partRunning takes lines that repeat, but for their numbers, at the edges of
// at least half of the pages out of the pages' lines: what is said once more on
// each page would be found in place of what the page says. The first of each
// stays where it is; the others are kept as the page's head and foot. What is
// only a page's number goes: Block.Page has it.
func partRunning(pages []*pdfPage) {
	if len(pages) < 3 {
		return
	}
	count := map[string]int{}
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range pages {
		for _, l := range p.lines {
			low, high = min(low, l.y), max(high, l.y)
		}
	}
	edges := func(p *pdfPage) []int { return edgeLines(p, low+margin*(high-low), high-margin*(high-low)) }
	for _, p := range pages {
		seen := map[string]bool{}
		for _, i := range edges(p) {
			if k := shape(p.lines[i].text); !seen[k] {
				seen[k] = true
				count[k]++
			}
		}
	}
	kept := map[string]bool{}
	for _, p := range pages {
		if len(p.lines) < 2*edge+2 {
			continue // what repeats here may be all there is
		}
		running := map[int]bool{}
		for _, i := range edges(p) {
			k := shape(p.lines[i].text)
			if count[k] < 3 || count[k]*2 < len(pages) {
				continue
			}
			if kept[k] || pageNumber(k) {
				running[i] = true
			}
			kept[k] = true
		}
		p.part(running, (low+high)/2)
	}
}

// pageNumber reports whether the shape of a line is that of a number alone.
func pageNumber(shape string) bool { return strings.Trim(shape, "# -–—/|.") == "" }

// part moves lines to the page's head if they stand above middle, or to its
// foot.
func (p *pdfPage) part(running map[int]bool, middle float64) {
	if len(running) == 0 {
		return
	}
	body := p.lines[:0:0]
	for i, l := range p.lines {
		switch {
		case !running[i]:
			body = append(body, l)
		case pageNumber(shape(l.text)):
		case l.y > middle:
			p.head = append(p.head, l.text)
		default:
			p.foot = append(p.foot, l.text)
		}
	}
	p.lines = body
}

// margin is the share of a page's height in which running lines stand.
const margin = .12

// edgeLines gives a page's first and last line, and up to edge lines from the
// top and from the bottom that stand in its margins.
func edgeLines(p *pdfPage, low, high float64) []int {
	idx := make([]int, len(p.lines))
	for i := range idx {
		idx[i] = i
	}
	slices.SortStableFunc(idx, func(a, b int) int { return cmp.Compare(p.lines[b].y, p.lines[a].y) })
	var out []int
	for i, k := range idx {
		top := i == 0 || i < edge && p.lines[k].y >= high
		bottom := i == len(idx)-1 || i >= len(idx)-edge && p.lines[k].y <= low
		if top || bottom {
			out = append(out, k)
		}
	}
	return out
}

// shape is a line with its numbers made equal.
func shape(s string) string {
	var sb strings.Builder
	digit := false
	for _, r := range s {
		if unicode.IsDigit(r) {
			if !digit {
				sb.WriteByte('#')
			}
			digit = true
			continue
		}
		digit = false
		sb.WriteRune(unicode.ToLower(r))
	}
	return sb.String()
}

// style is what is usual in a document.
type style struct {
	body   float64   // size of the running text
	levels []float64 // sizes of headings, largest first
	bold   bool      // the running text is bold
}

// pdfStyle finds the size that most text has; sizes well above it on short
// lines are headings.
func pdfStyle(pages []*pdfPage) style {
	chars := map[float64]int{}
	bold, all := 0, 0
	for _, p := range pages {
		for _, l := range p.lines {
			chars[half(l.size)] += len(l.text)
			all += len(l.text)
			if l.bold {
				bold += len(l.text)
			}
		}
	}
	var st style
	most := 0
	for s, n := range chars {
		if n > most || n == most && s < st.body {
			most, st.body = n, s
		}
	}
	st.bold = bold*2 > all
	for s, n := range chars {
		if s >= st.body*1.12 && s >= st.body+1 && n*4 < all {
			st.levels = append(st.levels, s)
		}
	}
	slices.SortFunc(st.levels, func(a, b float64) int {
		if a > b {
			return -1
		}
		return 1
	})
	// Sizes that hardly differ are one level; there are four at most.
	var lv []float64
	for _, s := range st.levels {
		if len(lv) == 0 || s < lv[len(lv)-1]*.93 {
			lv = append(lv, s)
		}
	}
	st.levels = lv[:min(len(lv), 4)]
	return st
}

func half(x float64) float64 { return math.Round(x*2) / 2 }

// level of a line as heading, 0 if it is none.
func (st style) level(l pdfLine) int {
	n := 0
	letters := false
	for _, r := range l.text {
		n++
		letters = letters || unicode.IsLetter(r)
	}
	if !letters || n > 150 || st.body == 0 {
		return 0
	}
	size := half(l.size)
	if size >= st.body*1.12 && size >= st.body+1 {
		for i, s := range st.levels {
			if size >= s*.95 {
				return i + 1
			}
		}
		return len(st.levels)
	}
	last, _ := lastRune(l.text)
	if l.bold && !st.bold && n <= 90 && size >= st.body*.95 && last != ',' && last != ';' && last != '.' && last != ':' && last != hyphen {
		return len(st.levels) + 1
	}
	return 0
}

func lastRune(s string) (rune, bool) {
	r := []rune(s)
	if len(r) == 0 {
		return 0, false
	}
	return r[len(r)-1], true
}

// layoutPage adds a page's blocks between its head and its foot.
func layoutPage(b *builder, p *pdfPage, page int, st style) error {
	if err := b.add(Block{Kind: Running, Page: page, Text: strings.Join(p.head, "\n")}); err != nil {
		return err
	}
	if err := layoutBody(b, p, page, st); err != nil {
		return err
	}
	return b.add(Block{Kind: Running, Page: page, Text: strings.Join(p.foot, "\n")})
}

// layoutBody adds the blocks of a page's own lines.
func layoutBody(b *builder, p *pdfPage, page int, st style) error {
	right, left := 0.0, math.MaxFloat64
	for _, l := range p.lines {
		right, left = max(right, l.x1), min(left, l.x0)
	}
	for i := range p.lines {
		l := &p.lines[i]
		l.fullLine = columnEnd(p.lines, i, left, right)
	}
	lead := leading(p.lines)
	var para []pdfLine
	headLevel := 0
	flush := func() error {
		if len(para) == 0 {
			return nil
		}
		bl := Block{Kind: Paragraph, Page: page, Text: joinLines(para)}
		para = para[:0]
		switch item, ok := listItem(bl.Text); {
		case headLevel > 0:
			bl.Kind, bl.Level, bl.Text = Heading, headLevel, oneLine(bl.Text)
		case ok && b.extendList(page, item):
			return nil
		case ok:
			bl.Kind, bl.Text = List, item
		}
		return b.add(bl)
	}
	for i, l := range p.lines {
		lv := st.level(l)
		if len(para) > 0 && (lv != headLevel || breaks(p.lines[i-1], l, lead, lv > 0)) {
			if err := flush(); err != nil {
				return err
			}
		}
		headLevel = lv
		para = append(para, l)
	}
	return flush()
}

// leading is the usual distance from line to line.
func leading(lines []pdfLine) float64 {
	var d []float64
	for i := 1; i < len(lines); i++ {
		if v := lines[i-1].y - lines[i].y; v > 2 && v < 60 {
			d = append(d, v)
		}
	}
	if len(d) == 0 {
		return 14
	}
	slices.Sort(d)
	return d[len(d)/3] // the lower third: wider ones part paragraphs
}

// columnEnd reports whether line i reaches the right edge of its column: of
// the page, or of the lines around it that begin where it begins.
func columnEnd(lines []pdfLine, i int, left, right float64) bool {
	l := lines[i]
	edge := l.x1
	for j := max(i-8, 0); j < min(i+9, len(lines)); j++ {
		if math.Abs(lines[j].x0-l.x0) < 40 {
			edge = max(edge, lines[j].x1)
		}
	}
	wide := edge-l.x0 > .3*(right-left)
	return wide && l.x1 > edge-.15*(edge-l.x0)
}

// breaks reports whether a paragraph ends between two lines.
func breaks(prev, next pdfLine, lead float64, heading bool) bool {
	gap := prev.y - next.y
	last, _ := lastRune(prev.text)
	sentenceEnd := strings.ContainsRune(".:;!?。”\")", last)
	switch {
	case gap < -lead: // up: another column, or a box
		first := []rune(next.text)[0]
		return sentenceEnd || !unicode.IsLower(first)
	case heading: // its own lines stand close to each other
		return gap > 1.45*max(prev.size, next.size)
	case gap > 1.5*lead:
		return true
	case math.Abs(prev.size-next.size) > .12*max(prev.size, next.size) && gap > .3*lead:
		return true
	case next.x0 > prev.x0+6 && sentenceEnd && !prev.fullLine: // the first line of a paragraph is indented
		return true
	}
	return bulleted(next.text)
}
