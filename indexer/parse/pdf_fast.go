package parse

import (
	"context"
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
	fonts := map[string]bool{}
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

// fastPage reads a page, or gives nil when its text would be doubtful: text in
// form XObjects, which this reader does not enter; fonts whose codes it cannot
// turn into characters or whose widths it does not know; a turned page; or
// when what came out does not look like text.
func fastPage(p pdf.Page, known map[string]bool) (pg *pdfPage) {
	defer func() {
		if recover() != nil {
			pg = nil
		}
	}()
	if inherited(p.V, "Rotate").Int64() != 0 {
		return nil
	}
	res := p.Resources()
	pg = &pdfPage{}
	xo := res.Key("XObject")
	for _, name := range xo.Keys() {
		switch x := xo.Key(name); x.Key("Subtype").Name() {
		case "Form":
			if len(x.Key("Resources").Key("Font").Keys()) > 0 || len(x.Key("Resources").Key("XObject").Keys()) > 0 || x.Key("Resources").IsNull() {
				return nil
			}
		case "Image":
			pg.image = true
		}
	}
	fonts := res.Key("Font")
	for _, name := range fonts.Keys() {
		f := fonts.Key(name)
		if !trusted(f, f.Key("BaseFont").Name(), known) {
			return nil
		}
	}
	if len(fonts.Keys()) == 0 {
		return pg // nothing can be written without a font
	}
	chars := p.Content().Text
	pg.lines = fastLines(chars)
	if !plausible(pg.lines, chars) {
		return nil
	}
	return pg
}

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

// trusted reports whether this reader's characters and widths of a font are
// right: a simple font with widths and an encoding of Latin letters.
func trusted(f pdf.Value, base string, known map[string]bool) bool {
	switch f.Key("Subtype").Name() {
	case "Type1", "TrueType", "MMType1":
	default:
		return false
	}
	if f.Key("Widths").Len() == 0 {
		return false
	}
	switch enc := f.Key("Encoding"); enc.Kind() {
	case pdf.Name:
		return enc.Name() == "WinAnsiEncoding" || enc.Name() == "MacRomanEncoding"
	case pdf.Dict:
		b := enc.Key("BaseEncoding").Name()
		if b != "" && b != "WinAnsiEncoding" {
			return false
		}
		d := enc.Key("Differences")
		for i := range d.Len() {
			if n := d.Index(i).Name(); n != "" && !glyphName(n) {
				return false
			}
		}
		// Without a base the reader takes codes for Latin-1; what differs from
		// that shows as control characters, which plausible looks for.
		return true
	}
	return false
}

// glyphName reports whether a name is one of Adobe's for Latin text, and not
// one of a font's own numbering such as g123 or C0032.
func glyphName(n string) bool {
	if len(n) == 1 {
		return true
	}
	for i := range len(n) {
		if n[i] >= '0' && n[i] <= '9' {
			return false
		}
	}
	return len(n) >= 2 && n[0] != '.'
}

// fastLines joins characters into lines by their places.
func fastLines(chars []pdf.Text) []pdfLine {
	var lines []pdfLine
	var cur pdfLine
	var sb strings.Builder
	end := func() {
		if s := strings.TrimSpace(sb.String()); s != "" {
			cur.text = s
			lines = append(lines, cur)
		}
		sb.Reset()
	}
	last := 0.0 // right edge of the last character
	for _, c := range chars {
		if c.S == "\n" || c.S == "" {
			continue
		}
		size := math.Abs(c.FontSize)
		switch {
		case sb.Len() == 0:
		case math.Abs(c.Y-cur.y) > .5*max(size, cur.size), c.X < cur.x0-size:
			end()
		case c.X-last > .15*size && c.S != " " && !strings.HasSuffix(sb.String(), " "):
			sb.WriteByte(' ')
		}
		if sb.Len() == 0 {
			cur = pdfLine{x0: c.X, y: c.Y, size: size, bold: strings.Contains(c.Font, "Bold")}
		}
		sb.WriteString(c.S)
		last = c.X + c.W
		cur.x1 = max(cur.x1, last)
		cur.bold = cur.bold && (c.S == " " || strings.Contains(c.Font, "Bold"))
	}
	end()
	return lines
}

// plausible judges a page's text: no characters that stand for unknown ones,
// words of a length that words have, widths that were known, and lines that
// mostly run down the page.
func plausible(lines []pdfLine, chars []pdf.Text) bool {
	n, odd, wide := 0, 0, 0
	for _, c := range chars {
		if c.S == "\n" || c.S == " " {
			continue
		}
		n++
		if c.W == 0 {
			wide++
		}
		for _, r := range c.S {
			if r == unicode.ReplacementChar || r < ' ' || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Co, r) {
				odd++
			}
		}
	}
	if n == 0 {
		return false // it has fonts and yet no text: let the other reader look
	}
	if odd > 0 || wide*50 > n {
		return false
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
