package parse

import (
	"strings"

	"github.com/ledongthuc/pdf"
)

// font is what is needed of a font: the characters and width of each code.
type font struct {
	enc    pdf.TextEncoding
	bytes  int // of a code: 1 or 2
	widths map[int]float64
	other  float64 // width of codes that are not in widths
	bold   bool
	text   map[string]string // by code, as enc decoded it
}

// fontCache keeps the fonts of a document by their dictionaries, as written;
// nil are those that are not trusted.
type fontCache map[string]*font

// font loads a font of a page, once a document.
func (c fontCache) font(v pdf.Value) *font {
	key := v.String()
	f, ok := c[key]
	if !ok {
		f = loadFont(v)
		c[key] = f
	}
	return f
}

// loadFont reads a font if this reader's characters and widths of it can be
// trusted: a simple font with widths and an encoding of Latin letters, or one
// of two-byte codes (as word processors and browsers write) that says which
// characters they are.
func loadFont(v pdf.Value) *font {
	f := &font{bytes: 1, widths: map[int]float64{}, text: map[string]string{}, bold: strings.Contains(v.Key("BaseFont").Name(), "Bold")}
	ok := false
	switch v.Key("Subtype").Name() {
	case "Type1", "TrueType", "MMType1":
		ok = f.simple(v)
	case "Type0":
		ok = f.composite(v)
	}
	if !ok {
		return nil
	}
	pf := pdf.Font{V: v}
	f.enc = pf.Encoder()
	return f
}

func (f *font) simple(v pdf.Value) bool {
	w := v.Key("Widths")
	first := int(v.Key("FirstChar").Int64())
	if w.Len() == 0 || w.Len() > 256 {
		return false
	}
	for i := range w.Len() {
		f.widths[first+i] = w.Index(i).Float64()
	}
	f.other = v.Key("FontDescriptor").Key("MissingWidth").Float64()
	switch enc := v.Key("Encoding"); enc.Kind() {
	case pdf.Null:
		return v.Key("ToUnicode").Kind() == pdf.Stream
	case pdf.Name:
		return enc.Name() == "WinAnsiEncoding" || enc.Name() == "MacRomanEncoding"
	case pdf.Dict:
		if b := enc.Key("BaseEncoding").Name(); b != "" && b != "WinAnsiEncoding" {
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

func (f *font) composite(v pdf.Value) bool {
	if v.Key("Encoding").Name() != "Identity-H" || v.Key("ToUnicode").Kind() != pdf.Stream {
		return false
	}
	d := v.Key("DescendantFonts").Index(0)
	if d.Kind() != pdf.Dict {
		return false
	}
	f.bytes, f.other = 2, 1000
	if dw := d.Key("DW"); !dw.IsNull() {
		f.other = dw.Float64()
	}
	// W lists "first [w w w]" and "first last w".
	w := d.Key("W")
	for i := 0; i+1 < w.Len(); {
		first := int(w.Index(i).Int64())
		if list := w.Index(i + 1); list.Kind() == pdf.Array {
			for j := range min(list.Len(), 1<<16) {
				f.widths[first+j] = list.Index(j).Float64()
			}
			i += 2
			continue
		}
		last, width := int(w.Index(i+1).Int64()), w.Index(i+2).Float64()
		for c := first; c <= last && c-first < 1<<16; c++ {
			f.widths[c] = width
		}
		i += 3
	}
	return true
}

// ligatures are signs that stand for letters.
var ligatures = strings.NewReplacer("ﬀ", "ff", "ﬁ", "fi", "ﬂ", "fl", "ﬃ", "ffi", "ﬄ", "ffl", "ﬅ", "st", "ﬆ", "st")

// char gives the text and the width, in thousandths of the size, of a code.
func (f *font) char(code string) (string, float64) {
	s, ok := f.text[code]
	if !ok {
		s = ligatures.Replace(f.enc.Decode(code))
		f.text[code] = s
	}
	n := 0
	for i := range len(code) {
		n = n<<8 | int(code[i])
	}
	w, ok := f.widths[n]
	if !ok {
		w = f.other
	}
	return s, w
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
