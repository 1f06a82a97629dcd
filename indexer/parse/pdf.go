package parse

import (
	"context"
	"fmt"
	"strings"
)

// pdfReader reads PDF: ledongthuc/pdf first, which is fast, and pdfium for
// every page on whose text the first is not to be trusted. It belongs to a
// worker process: both readers can be brought down by a file.
type pdfReader struct {
	first    firstReader
	engine   *pdfium      // started when first needed, kept for the next file
	cacheDir string       // of pdfium's compiled code, "" for none
	slowOnly bool         // leave ledongthuc/pdf out: it failed on this file before
	phase    func(string) // told what it is doing
}

// firstReader is readFast, or what a test puts in its place.
type firstReader func(context.Context, File, Limits) ([]*pdfPage, pdfInfo)

// pdfLine is a line of a page with its place in points from the lower left.
type pdfLine struct {
	text     string
	x0, x1   float64
	y        float64 // of the base line or lower edge
	size     float64 // of the font
	bold     bool
	fullLine bool // it reaches the right edge of its column
}

// pdfPage is what a reader got from a page.
type pdfPage struct {
	lines      []pdfLine
	head, foot []string // lines that other pages have too
	image      bool     // it shows an image or drawing and no text
}

// pdfInfo is the document's own data about itself.
type pdfInfo struct {
	title, author, subject, keywords, created, modified string
}

func (p *pdfReader) read(b *builder, f File, _ detected) error {
	var pages []*pdfPage // nil: not read yet
	var info pdfInfo
	if !p.slowOnly {
		p.phase(phaseFast)
		pages, info = p.first(b.ctx, f, b.lim)
	}
	if err := b.alive(); err != nil {
		return err
	}
	missing := 0
	for _, pg := range pages {
		if pg == nil {
			missing++
		}
	}
	if pages == nil || missing > 0 {
		var err error
		if p.engine == nil {
			p.phase(phaseStart)
			if p.engine, err = startPdfium(context.Background(), p.cacheDir); err != nil {
				return fault(Crashed, err, "the PDF reader could not be started")
			}
		}
		p.phase(phasePdfium)
		if pages, info, err = p.readSlow(b, f, pages, info); err != nil {
			return err
		}
	}
	p.phase(phaseLayout)
	if len(pages) > b.lim.Pages {
		return fault(TooLarge, nil, "the PDF has %d pages; the limit is %d", len(pages), b.lim.Pages)
	}
	b.doc.Title = pdfTitle(info.title)
	b.meta("author", info.author)
	b.meta("subject", info.subject)
	b.meta("keywords", info.keywords)
	b.meta("created", pdfDate(info.created))
	b.meta("modified", pdfDate(info.modified))
	b.meta("pages", float64(len(pages)))
	if err := layoutPDF(b, pages); err != nil {
		return err
	}
	return b.noText(pages)
}

// noText says which pages had no text, or that none had.
func (b *builder) noText(pages []*pdfPage) error {
	var blank []int
	for i, p := range pages {
		if len(p.lines) == 0 && p.image {
			blank = append(blank, i+1)
		}
	}
	switch {
	case len(b.doc.Blocks) == 0:
		return &SkipError{Type: string(fPDF), Reason: "the PDF has no text layer: its pages are images or empty, and reading images (OCR) is not supported yet"}
	case len(blank) == 1:
		b.warnf("page %d has no text", blank[0])
	case len(blank) > 1:
		b.warnf("%d pages have no text: %s", len(blank), ranges(blank))
	}
	return nil
}

// ranges writes 1, 2, 3, 7 as "1–3, 7", at most twenty of them.
func ranges(n []int) string {
	var out []string
	for i := 0; i < len(n); {
		j := i
		for j+1 < len(n) && n[j+1] == n[j]+1 {
			j++
		}
		if len(out) == 20 {
			return strings.Join(out, ", ") + " …"
		}
		if j > i {
			out = append(out, fmt.Sprintf("%d–%d", n[i], n[j]))
		} else {
			out = append(out, fmt.Sprint(n[i]))
		}
		i = j + 1
	}
	return strings.Join(out, ", ")
}

// pdfTitle drops titles that programs write for want of one.
func pdfTitle(s string) string {
	s = oneLine(strings.ToValidUTF8(s, ""))
	l := strings.ToLower(s)
	if !titleLike(strings.TrimLeft(s, "\"'“«[0123456789. ")) || strings.HasPrefix(l, "(anonymous") {
		return ""
	}
	for _, p := range []string{"untitled", "microsoft word - ", "document1", "print", "slide 1"} {
		if l == strings.TrimSuffix(p, " - ") || strings.HasSuffix(p, " - ") && strings.HasPrefix(l, p) {
			return ""
		}
	}
	for _, ext := range []string{".doc", ".docx", ".pdf", ".dvi", ".indd", ".qxd", ".tex", ".htm", ".html", ".rtf", ".odt", ".ai"} {
		if strings.HasSuffix(l, ext) {
			return ""
		}
	}
	return cutRunes(s, 500)
}

// pdfDate turns D:20240131120000+01'00' into 2024-01-31T12:00:00+01:00.
func pdfDate(s string) string {
	d := strings.TrimPrefix(strings.TrimSpace(s), "D:")
	digits := 0
	for digits < len(d) && d[digits] >= '0' && d[digits] <= '9' {
		digits++
	}
	switch {
	case digits >= 14:
		out := fmt.Sprintf("%s-%s-%sT%s:%s:%s", d[:4], d[4:6], d[6:8], d[8:10], d[10:12], d[12:14])
		zone := strings.ReplaceAll(strings.TrimSuffix(d[digits:], "'"), "'", ":")
		if len(zone) == 6 {
			return out + zone
		}
		return out + "Z"
	case digits >= 8:
		return fmt.Sprintf("%s-%s-%s", d[:4], d[4:6], d[6:8])
	}
	return ""
}

// The phases of reading a PDF, which a worker reports. One that dies in the
// first is tried again without it. The start of the worker, before its first
// phase, and of pdfium are no file's fault: they do not count against a
// deadline.
const (
	phaseRead   = "reading"
	phaseFast   = "ledongthuc/pdf"
	phaseStart  = "starting pdfium"
	phasePdfium = "pdfium"
	phaseLayout = "layout"
)
