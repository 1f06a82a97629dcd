package parse

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	gopdfium "github.com/klippa-app/go-pdfium"
	pdferrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// pdfium is Chromium's PDF reader as WebAssembly: it sees no file and no clock
// but what it is given, and its memory is bounded.
type pdfium struct {
	pool gopdfium.Pool
	inst gopdfium.Pdfium
}

// wasmPages bounds pdfium's own memory: 12288 pages of 64 kB are 768 MB.
const wasmPages = 12288

// startPdfium compiles pdfium, or loads its compiled code from cacheDir, where
// it is left for the next start (compiling takes seconds and 300 MB).
func startPdfium(ctx context.Context, cacheDir string) (*pdfium, error) {
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	start := func(cache wazero.CompilationCache) (*pdfium, error) {
		conf := wazero.NewRuntimeConfig().
			WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
			WithMemoryLimitPages(wasmPages)
		if cache != nil {
			conf = conf.WithCompilationCache(cache)
		}
		pool, err := webassembly.Init(webassembly.Config{
			Context: ctx, MinIdle: 0, MaxIdle: 1, MaxTotal: 1, ReuseWorkers: true,
			FSConfig: wazero.NewFSConfig(), RuntimeConfig: conf, Stdout: io.Discard, Stderr: io.Discard,
		})
		if err != nil {
			return nil, err
		}
		inst, err := pool.GetInstance(time.Minute)
		if err != nil {
			pool.Close()
			return nil, err
		}
		return &pdfium{pool, inst}, nil
	}
	if cacheDir == "" {
		return start(nil)
	}
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(cacheDir, "pdfium"))
	if err != nil {
		return start(nil)
	}
	p, err := start(cache)
	if err != nil {
		// The cache may be damaged: do without it, and let it be made anew.
		cache.Close(ctx)
		os.RemoveAll(filepath.Join(cacheDir, "pdfium"))
		return start(nil)
	}
	return p, nil
}

func (p *pdfium) close() {
	p.inst.Close()
	p.pool.Close()
}

// readSlow reads the pages that are nil, or all if there are none, with pdfium.
func (p *pdfReader) readSlow(b *builder, f File, pages []*pdfPage, info pdfInfo) (_ []*pdfPage, _ pdfInfo, err error) {
	defer func() {
		if r := recover(); r != nil || err != nil && errors.Is(err, errEngine) {
			// Its memory may be in any state: the next file gets a new one.
			p.engine = nil
			if r != nil {
				err = fault(Crashed, nil, "the PDF reader failed on the file (%v); the file is probably damaged", r)
			}
		}
	}()
	in := p.engine.inst
	doc, err := in.OpenDocument(&requests.OpenDocument{FileReader: io.NewSectionReader(f.Data, 0, f.Size), FileReaderSize: f.Size})
	if err != nil {
		return nil, info, openFault(err)
	}
	defer in.FPDF_CloseDocument(&requests.FPDF_CloseDocument{Document: doc.Document})
	n, err := in.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: doc.Document})
	if err != nil {
		return nil, info, engineFault(err)
	}
	if n.PageCount > b.lim.Pages {
		return nil, info, fault(TooLarge, nil, "the PDF has %d pages; the limit is %d", n.PageCount, b.lim.Pages)
	}
	if len(pages) != n.PageCount {
		pages = make([]*pdfPage, n.PageCount)
		info = slowInfo(in, doc.Document)
	}
	// The last pages stay open, or pdfium would drop the fonts they share and
	// load them again for each page.
	var open openPages
	defer func() { open.closeTo(in, 0) }()
	for i := range pages {
		if pages[i] != nil {
			continue
		}
		if err := b.alive(); err != nil {
			return nil, info, err
		}
		pages[i], err = slowPage(in, doc.Document, i, &open)
		if err != nil {
			b.warnf("page %d could not be read", i+1)
			pages[i] = &pdfPage{}
		}
	}
	return pages, info, nil
}

// openPages are pages that are loaded, oldest first.
type openPages []references.FPDF_PAGE

const keepPages = 4

func (o *openPages) closeTo(in gopdfium.Pdfium, n int) {
	for len(*o) > n {
		in.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: (*o)[0]})
		*o = (*o)[1:]
	}
}

var errEngine = errors.New("pdfium failed")

func engineFault(err error) error {
	return fault(Crashed, errors.Join(errEngine, err), "the PDF reader failed on the file; the file is probably damaged")
}

func openFault(err error) error {
	switch {
	case errors.Is(err, pdferrors.ErrPassword):
		return fault(Encrypted, nil, "the PDF is encrypted: it can be read after its password has been removed")
	case errors.Is(err, pdferrors.ErrSecurity):
		return fault(Encrypted, nil, "the PDF is encrypted in a way that is not supported")
	case errors.Is(err, pdferrors.ErrFormat), errors.Is(err, pdferrors.ErrFile), errors.Is(err, pdferrors.ErrPage):
		return fault(Damaged, err, "the PDF is damaged or was cut off")
	}
	return engineFault(err)
}

func slowInfo(in gopdfium.Pdfium, doc references.FPDF_DOCUMENT) (info pdfInfo) {
	m, err := in.GetMetaData(&requests.GetMetaData{Document: doc})
	if err != nil {
		return info
	}
	for _, t := range m.Tags {
		switch t.Tag {
		case "Title":
			info.title = t.Value
		case "Author":
			info.author = t.Value
		case "Subject":
			info.subject = t.Value
		case "Keywords":
			info.keywords = t.Value
		case "CreationDate":
			info.created = t.Value
		case "ModDate":
			info.modified = t.Value
		}
	}
	return info
}

// slowPage reads the text of a page and, for each line, the place and font of
// its first and last character.
func slowPage(in gopdfium.Pdfium, doc references.FPDF_DOCUMENT, index int, open *openPages) (*pdfPage, error) {
	page, err := in.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: doc, Index: index})
	if err != nil {
		return nil, err
	}
	*open = append(*open, page.Page)
	open.closeTo(in, keepPages)
	tp, err := in.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: requests.Page{ByReference: &page.Page}})
	if err != nil {
		return nil, err
	}
	defer in.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: tp.TextPage})
	n, err := in.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: tp.TextPage})
	if err != nil {
		return nil, err
	}
	pg := &pdfPage{}
	if n.Count <= 0 {
		objs, err := in.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: requests.Page{ByReference: &page.Page}})
		pg.image = err == nil && objs.Count > 0
		return pg, nil
	}
	all, err := in.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: tp.TextPage, StartIndex: 0, Count: n.Count})
	if err != nil {
		return nil, err
	}
	at := 0 // in UTF-16 units
	for line := range strings.SplitAfterSeq(all.Text, "\n") {
		start := at
		at += units(line)
		text := strings.TrimRight(line, "\r\n ")
		lead := units(text) - units(strings.TrimLeft(text, " "))
		if text = cleanPDF(text); text == "" {
			continue
		}
		l := pdfLine{text: text}
		l.place(in, tp.TextPage, start+lead, start+units(strings.TrimRight(line, "\r\n \x02"))-1)
		pg.lines = append(pg.lines, l)
	}
	return pg, nil
}

func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// hyphen is how a hyphen that parts a word at the end of a line is marked.
const hyphen = '\u00ad'

// cleanPDF drops control characters. pdfium writes hyphens that part words at
// the end of a line as U+0002 or U+FFFE, and goes on with the next line.
func cleanPDF(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == 2 || r == 0xfffe:
			return hyphen
		case r == '\t' || r == 0xa0:
			return ' '
		case r < ' ' || r == 0xfffd || r == 0xfeff || r == 0xffff:
			return -1
		}
		return r
	}, s))
	s = ligatures.Replace(s)
	for at := 0; ; {
		i := strings.IndexRune(s[at:], hyphen)
		if i < 0 {
			return s
		}
		i += at
		rest := s[i+utf8.RuneLen(hyphen):]
		next, _ := utf8.DecodeRuneInString(rest)
		switch {
		case rest == "":
			return s // the next line tells
		case partsWord(s[:i]) && unicode.IsLower(next):
			s = s[:i] + rest
		default:
			s = s[:i] + "-" + rest
		}
		at = i
	}
}

// place finds out where the characters from first to last stand, and in which
// font. What pdfium does not tell stays zero.
func (l *pdfLine) place(in gopdfium.Pdfium, tp references.FPDF_TEXTPAGE, first, last int) {
	char := func(unit int) int {
		r, err := in.FPDFText_GetCharIndexFromTextIndex(&requests.FPDFText_GetCharIndexFromTextIndex{TextPage: tp, NTextIndex: unit})
		if err != nil || r.CharIndex < 0 {
			return unit
		}
		return r.CharIndex
	}
	a, z := char(first), char(max(last, first))
	if r, err := in.FPDFText_GetLooseCharBox(&requests.FPDFText_GetLooseCharBox{TextPage: tp, Index: a}); err == nil {
		l.x0, l.x1, l.y = float64(r.Rect.Left), float64(r.Rect.Right), float64(r.Rect.Bottom)
		l.size = math.Abs(float64(r.Rect.Top - r.Rect.Bottom))
	}
	// The first character may be a bullet of another size.
	if r, err := in.FPDFText_GetLooseCharBox(&requests.FPDFText_GetLooseCharBox{TextPage: tp, Index: (a + z) / 2}); err == nil && r.Rect.Top != r.Rect.Bottom {
		l.size, l.y = math.Abs(float64(r.Rect.Top-r.Rect.Bottom)), float64(r.Rect.Bottom)
	}
	if r, err := in.FPDFText_GetLooseCharBox(&requests.FPDFText_GetLooseCharBox{TextPage: tp, Index: z}); err == nil {
		l.x1 = max(l.x1, float64(r.Rect.Right))
	}
	bold := func(i int) bool {
		f, err := in.FPDFText_GetFontInfo(&requests.FPDFText_GetFontInfo{TextPage: tp, Index: i})
		return err == nil && (strings.Contains(f.FontName, "Bold") || strings.Contains(f.FontName, "Black") || f.Flags&(1<<18) != 0)
	}
	l.bold = bold(a) && bold(z)
}
