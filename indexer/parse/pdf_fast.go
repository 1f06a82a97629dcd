package parse

import (
	"context"
	"io"
	"math"
	"strings"
	"unicode"

	"github.com/ledongthuc/pdf"
)

// readFast reads with ledongthuc/pdf. A page whose text is not to be trusted
// is nil; a file that it cannot open gives no pages at all.
func readFast(ctx context.Context, f File, lim Limits) (pages []*pdfPage, info pdfInfo) {
	defer func() {
		if recover() != nil {
			pages = nil // the other reader has it whole
		}
	}()
	r, err := pdf.NewReader(f.Data, f.Size)
	if err != nil {
		return nil, info
	}
	if d := r.Trailer().Key("Info"); d.Kind() == pdf.Dict {
		info = pdfInfo{
			title: d.Key("Title").Text(), author: d.Key("Author").Text(), subject: d.Key("Subject").Text(),
			keywords: d.Key("Keywords").Text(), created: d.Key("CreationDate").Text(), modified: d.Key("ModDate").Text(),
		}
	}
	tree := pageTree(r.Trailer().Key("Root").Key("Pages"), lim.Pages+1)
	if len(tree) == 0 || len(tree) != r.NumPage() {
		return nil, info
	}
	fonts := fontCache{}
	bad := 0
	for i, p := range tree {
		if ctx.Err() != nil {
			return nil, info
		}
		pg := fastPage(p, fonts)
		if pg == nil {
			if bad++; bad >= 5 && bad*2 > i {
				// Most pages are not for this reader.
				return make([]*pdfPage, len(tree)), info
			}
		}
		pages = append(pages, pg)
	}
	return pages, info
}

// pageTree lists the pages in order: asking for them by number would walk the
// tree once a page.
func pageTree(root pdf.Value, most int) []pdf.Page {
	var out []pdf.Page
	var walk func(v pdf.Value, depth int)
	walk = func(v pdf.Value, depth int) {
		if depth > 50 || len(out) >= most {
			return
		}
		switch v.Key("Type").Name() {
		case "Pages":
			kids := v.Key("Kids")
			for i := range kids.Len() {
				walk(kids.Index(i), depth+1)
			}
		case "Page":
			out = append(out, pdf.Page{V: v})
		}
	}
	walk(root, 0)
	return out
}

// fastPage reads a page, or gives nil when its text would be doubtful: fonts
// whose codes this reader cannot turn into characters or whose widths it does
// not know; a turned page; images among the text's operators; or when what came
// out does not look like text.
func fastPage(p pdf.Page, known fontCache) (pg *pdfPage) {
	defer func() {
		if recover() != nil {
			pg = nil
		}
	}()
	if inherited(p.V, "Rotate").Int64() != 0 {
		return nil
	}
	content := p.V.Key("Contents")
	if !whole(content) {
		return nil
	}
	w := &pageWriter{fonts: known}
	if !w.write(content, p.Resources(), newState(), 0) {
		return nil
	}
	if len(w.glyphs) == 0 {
		return &pdfPage{image: w.drawn}
	}
	pg = &pdfPage{lines: glyphLines(w.glyphs)}
	if !plausible(pg.lines, w.glyphs) {
		return nil
	}
	return pg
}

// whole reports whether a page's content can be unpacked to its end: the
// reader itself takes a damaged end for the end.
func whole(content pdf.Value) bool {
	streams := []pdf.Value{content}
	switch content.Kind() {
	case pdf.Null:
		return true
	case pdf.Array:
		streams = streams[:0]
		for i := range content.Len() {
			streams = append(streams, content.Index(i))
		}
	}
	var n int64
	for _, s := range streams {
		r := s.Reader()
		k, err := io.Copy(io.Discard, io.LimitReader(r, maxContent+1))
		r.Close()
		if n += k; err != nil || n > maxContent {
			return false
		}
	}
	return true
}

// maxContent bounds the operators of a page, maxGlyphs what they write.
const (
	maxContent = 16 << 20
	maxGlyphs  = 200_000
)

func inherited(v pdf.Value, key string) pdf.Value {
	for range 50 {
		if r := v.Key(key); !r.IsNull() {
			return r
		}
		if v = v.Key("Parent"); v.IsNull() {
			break
		}
	}
	return pdf.Value{}
}

// glyphLines joins characters into lines by their places.
func glyphLines(glyphs []glyph) []pdfLine {
	var lines []pdfLine
	var cur pdfLine
	var sb strings.Builder
	sizes := map[float64]int{}
	end := func() {
		s := strings.TrimSpace(sb.String())
		sb.Reset()
		most := 0
		for size, n := range sizes {
			if n > most || n == most && size > cur.size {
				most, cur.size = n, size
			}
		}
		clear(sizes)
		if s == "" {
			return
		}
		cur.text = s
		// A line written twice, a little apart, is a way to make it bold.
		if n := len(lines); n > 0 && lines[n-1].text == s && math.Abs(lines[n-1].x0-cur.x0)+math.Abs(lines[n-1].y-cur.y) < .2*cur.size {
			return
		}
		lines = append(lines, cur)
	}
	last := 0.0 // right edge of the last character
	for _, g := range glyphs {
		switch {
		case sb.Len() == 0:
		case math.Abs(g.y-cur.y) > .4*max(g.size, cur.size), g.x < last-max(3*g.size, 10):
			end()
		case g.x-last > .15*g.size && g.s != " " && !strings.HasSuffix(sb.String(), " "):
			sb.WriteByte(' ')
		}
		if sb.Len() == 0 {
			if g.s == " " {
				continue
			}
			cur = pdfLine{x0: g.x, y: g.y, size: g.size, bold: g.bold}
		}
		sb.WriteString(g.s)
		last = g.x + g.w
		if g.s != " " {
			cur.x1 = max(cur.x1, last)
			sizes[half(g.size)]++
			cur.bold = cur.bold && g.bold
		}
	}
	end()
	return lines
}

// plausible judges a page's text: no characters that stand for unknown ones,
// words of a length that words have, and lines that mostly run down the page.
func plausible(lines []pdfLine, glyphs []glyph) bool {
	for _, g := range glyphs {
		for _, r := range g.s {
			if r == unicode.ReplacementChar || r < ' ' || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Co, r) || mirrored(r) {
				return false
			}
		}
	}
	letters, words, up := 0, 0, 0
	for i, l := range lines {
		for w := range strings.FieldsSeq(l.text) {
			k := 0
			for _, r := range w {
				if unicode.IsLetter(r) {
					k++
				}
			}
			if k > 0 {
				letters += k
				words++
			}
		}
		if i > 0 && l.y > lines[i-1].y+l.size {
			up++
		}
	}
	if words > 10 {
		if mean := float64(letters) / float64(words); mean < 2.2 || mean > 9 {
			return false
		}
	}
	return up*5 <= len(lines)+10
}

// mirrored reports whether a rune belongs to a script written from right to
// left, which stands reversed on a page.
func mirrored(r rune) bool {
	return r >= 0x590 && r < 0x900 || r >= 0xfb1d && r < 0xfe00 || r >= 0xfe70 && r < 0xff00
}
