package keyword

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/unicode/norm"
)

// wordKind says what becomes of a word that the scanner found.
type wordKind uint8

const (
	wordPlain wordKind = iota // an ordinary word: stemmed, counts in the length
	wordPart                  // a part of a word that was given whole: stemmed, does not count
	wordWhole                 // an identifier or number in one piece beside its parts: as it is, does not count
	wordPair                  // two characters of a script without spaces: as it is, counts
	wordChar                  // one character of such a script: as it is, does not count
)

// scanner cuts text into words, in lower case and NFKC. It reuses its buffers,
// so the words it hands out are valid during the call only.
type scanner struct {
	lower []byte
	piece []byte
	runs  []run
	chars []rune
	emit  func(word []byte, kind wordKind)
}

// run is a stretch of letters and digits in a piece.
type run struct{ from, to int }

// scan hands every word of s to emit.
func (c *scanner) scan(s string, emit func(word []byte, kind wordKind)) {
	c.emit = emit
	for i := 0; i < len(s); {
		if s[i] <= ' ' {
			i++
			continue
		}
		start, high := i, byte(0)
		for i < len(s) && s[i] > ' ' {
			high |= s[i]
			i++
		}
		if high < utf8.RuneSelf {
			c.piece = append(c.piece[:0], s[start:i]...)
			c.ascii(c.piece)
		} else {
			c.unicode(s[start:i])
		}
	}
	c.emit = nil
}

// Classes of ASCII bytes.
const (
	classOther = iota
	classLower
	classUpper
	classDigit
)

var class = func() (t [256]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-32] = classLower, classUpper
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = classDigit
	}
	return
}()

// ascii cuts a piece without spaces. Letters and digits make runs; each run is a
// word, runs joined like an identifier or a number are also given whole.
func (c *scanner) ascii(p []byte) {
	c.runs = c.runs[:0]
	for i := 0; i < len(p); {
		if class[p[i]] == classOther {
			i++
			continue
		}
		start := i
		for i < len(p) && class[p[i]] != classOther {
			i++
		}
		c.runs = append(c.runs, run{start, i})
	}
	for i, r := range c.runs {
		if r.to-r.from == 1 && (i > 0 && p[r.from-1] == '\'' && c.runs[i-1].to == r.from-1 || r.to < len(p) && p[r.to] == '\'' && i+1 < len(c.runs) && c.runs[i+1].from == r.to+1) {
			continue // the l of l'avion, the s of company's
		}
		c.run(p[r.from:r.to])
		if rest := p[r.to:]; r.to-r.from <= 3 && (len(rest) == 1 && rest[0] == '#' || bytes.Equal(rest, []byte("++"))) {
			c.whole(p[r.from:]) // c#, c++
		}
	}
	if len(c.runs) < 2 {
		return
	}
	for i := 0; i < len(c.runs); {
		j := i + 1
		named := false // the group is more than words with hyphens or strokes
		for j < len(c.runs) && joins(p, c.runs[j-1], c.runs[j], &named) {
			j++
		}
		if named {
			c.whole(p[c.runs[i].from:c.runs[j-1].to])
		}
		i = j
	}
}

// joins says whether what stands between two runs holds them together, and sets
// named if it makes a name or number of them.
func joins(p []byte, a, b run, named *bool) bool {
	between := p[a.to:b.from]
	if len(between) > 2 || len(between) == 2 && (between[0] != ':' || between[1] != ':') {
		return false
	}
	left, right := p[a.from:a.to], p[b.from:b.to]
	switch between[0] {
	case '_', '.', '@', ':':
		*named = true
	case ',':
		if !allDigits(left) || len(right) < 3 || !allDigits(right[:3]) {
			return false
		}
		*named = true
	case '-', '/', '+':
		if hasDigit(left) || hasDigit(right) {
			*named = true
		}
	default:
		return false
	}
	return true
}

func hasDigit(b []byte) bool {
	for _, c := range b {
		if class[c] == classDigit {
			return true
		}
	}
	return false
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if class[c] != classDigit {
			return false
		}
	}
	return true
}

// whole gives an identifier or number in one piece; the commas that group
// digits go.
func (c *scanner) whole(p []byte) {
	c.lower = c.lower[:0]
	for _, b := range p {
		if class[b] == classUpper {
			b += 'a' - 'A'
		}
		if b != ',' {
			c.lower = append(c.lower, b)
		}
	}
	c.emit(c.lower, wordWhole)
}

// run gives a run of letters and digits and, if it is written like camelCase,
// its parts.
func (c *scanner) run(p []byte) {
	c.lower = c.lower[:0]
	camel := false
	prev := uint8(classOther)
	for _, b := range p {
		k := class[b]
		if k == classUpper {
			b += 'a' - 'A'
			camel = camel || prev == classLower
		} else if k == classLower && prev == classUpper && len(c.lower) > 1 {
			camel = true
		}
		prev = k
		c.lower = append(c.lower, b)
	}
	c.emit(c.lower, wordPlain)
	if !camel || len(p) > maxTerm {
		return
	}
	start := 0
	for i := 1; i <= len(p); i++ {
		if i < len(p) {
			a, b := class[p[i-1]], class[p[i]]
			if !(b == classUpper && a != classUpper || b == classUpper && a == classUpper && i+1 < len(p) && class[p[i+1]] == classLower) {
				continue
			}
		}
		if i-start > 1 && i-start < len(p) {
			c.emit(c.lower[start:i], wordPart)
		}
		start = i
	}
}

// unicode cuts a piece that is not all ASCII: words by UAX #29, scripts without
// spaces by pairs of characters.
func (c *scanner) unicode(s string) {
	c.piece = norm.NFKC.AppendString(c.piece[:0], s)
	lower := make([]byte, 0, len(c.piece)+8)
	for i := 0; i < len(c.piece); {
		r, n := utf8.DecodeRune(c.piece[i:])
		i += n
		switch {
		case r == '’' || r == 'ʼ' || r == 'ʹ':
			r = '\''
		case r >= utf8.RuneSelf || class[r] == classUpper:
			r = unicode.ToLower(r)
		}
		lower = utf8.AppendRune(lower, r)
	}
	it := words.FromBytes(lower)
	for it.Next() {
		w := it.Value()
		r, _ := utf8.DecodeRune(w)
		if r >= utf8.RuneSelf && unspaced(r) {
			for len(w) > 0 {
				r, n := utf8.DecodeRune(w)
				w = w[n:]
				if unspaced(r) {
					c.chars = append(c.chars, r)
				}
			}
			continue
		}
		c.flush()
		if asciiOnly(w) {
			c.ascii(w)
		} else {
			c.letters(w)
		}
	}
	c.flush()
}

func asciiOnly(w []byte) bool {
	for _, b := range w {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// letters gives the runs of letters, marks and digits in a word of UAX #29,
// which may hold apostrophes and full stops.
func (c *scanner) letters(w []byte) {
	start, n := -1, 0
	quoted := false // an apostrophe stands before the run
	end := func(i int, quote bool) {
		if start >= 0 && !(n == 1 && (quote || quoted)) {
			c.emit(w[start:i], wordPlain)
		}
		start, n, quoted = -1, 0, quote
	}
	for i := 0; i < len(w); {
		r, size := utf8.DecodeRune(w[i:])
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) {
			if start < 0 {
				start = i
			}
			n++
		} else {
			end(i, r == '\'')
		}
		i += size
	}
	end(len(w), false)
}

// unspaced says that a script is written without spaces between words, or is
// best searched as if it were.
func unspaced(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) ||
		r == 'ー'
}

// flush gives the pairs, and the single characters, of the characters collected.
func (c *scanner) flush() {
	n := len(c.chars)
	if n == 0 {
		return
	}
	for i, r := range c.chars {
		c.lower = utf8.AppendRune(c.lower[:0], r)
		c.emit(c.lower, wordChar)
		if i+1 < n {
			c.lower = utf8.AppendRune(c.lower, c.chars[i+1])
			c.emit(c.lower, wordPair)
		}
	}
	c.chars = c.chars[:0]
}
