package parse

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits bound what one file may cost. What goes beyond one fails with the
// limit named in the reason; nothing is cut off silently.
type Limits struct {
	Bytes    int64 // size of the file
	Unpacked int64 // bytes taken out of one archive, all entries together
	Ratio    int64 // unpacked bytes per packed byte, applied beyond 8 MB
	Entries  int   // entries of an archive
	Depth    int   // nesting of elements, objects or arrays
	Blocks   int   // of the document
	Pages    int   // of the document
	Text     int64 // bytes of the document's text
}

// DefaultLimits are generous for documents that people write.
var DefaultLimits = Limits{
	Bytes:    1 << 30,
	Unpacked: 256 << 20,
	Ratio:    200,
	Entries:  20_000,
	Depth:    500,
	Blocks:   2_000_000,
	Pages:    50_000,
	Text:     512 << 20,
}

// withDefaults fills in the limits that are zero.
func (l Limits) withDefaults() Limits {
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	seti := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	d := DefaultLimits
	set(&l.Bytes, d.Bytes)
	set(&l.Unpacked, d.Unpacked)
	set(&l.Ratio, d.Ratio)
	set(&l.Text, d.Text)
	seti(&l.Entries, d.Entries)
	seti(&l.Depth, d.Depth)
	seti(&l.Blocks, d.Blocks)
	seti(&l.Pages, d.Pages)
	return l
}

// bytesText says a number of bytes as people do.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f kB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

// builder collects the blocks of a document under limits. Its methods return
// an error once a limit is passed or the context has ended; readers pass it on.
type builder struct {
	ctx  context.Context
	lim  Limits
	doc  Document
	text int64
	warn map[string]bool
	join bool // short paragraphs share blocks: the file is too large for one each
}

// joinBeyond is the size of files whose short paragraphs share blocks, and
// joinBytes how large such a block grows. The text stays the same.
const (
	joinBeyond = 8 << 20
	joinBytes  = 1000
)

func newBuilder(ctx context.Context, lim Limits, mediaType string) *builder {
	return &builder{ctx: ctx, lim: lim, doc: Document{Type: mediaType}}
}

// add appends a block; one without text is left out.
func (b *builder) add(bl Block) error {
	if bl.Kind != Code {
		bl.Text = strings.TrimSpace(bl.Text)
	}
	bl.Text = strings.Trim(bl.Text, "\n")
	if !utf8.ValidString(bl.Text) {
		bl.Text = strings.ToValidUTF8(bl.Text, "\uFFFD")
	}
	if strings.TrimSpace(bl.Text) == "" {
		return nil
	}
	b.text += int64(len(bl.Text))
	if b.text > b.lim.Text {
		return b.tooMuchText()
	}
	if n := len(b.doc.Blocks); b.join && n > 0 && bl.Kind == Paragraph {
		if last := &b.doc.Blocks[n-1]; last.Kind == Paragraph && last.Page == bl.Page && len(last.Text)+len(bl.Text) < joinBytes {
			last.Text += "\n\n" + bl.Text
			return nil
		}
	}
	if len(b.doc.Blocks) >= b.lim.Blocks {
		return fault(TooLarge, nil, "the document has more than %d blocks", b.lim.Blocks)
	}
	b.doc.Blocks = append(b.doc.Blocks, bl)
	if len(b.doc.Blocks)%256 == 0 {
		return b.alive()
	}
	return nil
}

func (b *builder) tooMuchText() error {
	return fault(TooLarge, nil, "the text is larger than the limit of %s", bytesText(b.lim.Text))
}

func (b *builder) alive() error { return b.ctx.Err() }

// warnf notes what could not be read; the same words once.
func (b *builder) warnf(format string, a ...any) {
	w := fmt.Sprintf(format, a...)
	if b.warn[w] || len(b.doc.Warnings) >= 100 {
		return
	}
	if b.warn == nil {
		b.warn = map[string]bool{}
	}
	b.warn[w] = true
	b.doc.Warnings = append(b.doc.Warnings, w)
}

// meta sets a field of the metadata unless it is empty.
func (b *builder) meta(key string, v any) {
	switch x := v.(type) {
	case string:
		x = strings.TrimSpace(strings.ToValidUTF8(x, ""))
		if x == "" {
			return
		}
		if len(x) > 2000 {
			x = cutRunes(x, 2000)
		}
		v = x
	case nil:
		return
	case []any:
		if len(x) == 0 {
			return
		}
	}
	if b.doc.Meta == nil {
		b.doc.Meta = map[string]any{}
	}
	if len(b.doc.Meta) < 100 {
		b.doc.Meta[key] = v
	}
}

// cutRunes returns at most n bytes of s and never half a rune.
func cutRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// readAll reads the whole of f, of which size bytes are known.
func readAll(f io.ReaderAt, size int64) ([]byte, error) {
	b := make([]byte, size)
	n, err := io.ReadFull(io.NewSectionReader(f, 0, size), b)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return b[:n], fault(Changed, nil, "the file became shorter while it was being read")
	}
	if err != nil {
		return nil, fault(Unreadable, err, "the file could not be read")
	}
	return b, nil
}
