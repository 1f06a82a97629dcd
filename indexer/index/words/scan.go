package words

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	uax "github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/unicode/norm"
)

// Kind says what becomes of a word that a Scanner found.
type Kind uint8

// Plain and Pair make up the length of a text; the other kinds say again what
// they say, in smaller or larger pieces.
const (
	Plain Kind = iota // an ordinary word, to be stemmed
	Part              // a part of a word that was given whole, to be stemmed
	Whole             // an identifier or number in one piece, after its parts; as it is
	Pair              // two characters of a script without spaces; as it is
	Char              // one character of such a script, before the pair it begins; as it is
)

// Word is a word of a text.
type Word struct {
	Text       []byte // in lower case and NFKC; valid during the call
	Kind       Kind
	Alone      bool // a Char without neighbours, so that no Pair holds it
	Start, End int  // where it stands, in bytes of the text
}

// Scanner cuts text into words. It reuses its buffers and is not safe for
// concurrent use; the zero value is ready.
type Scanner struct {
	emit  func(Word)
	lower []byte // the word that is given
	runs  []run
	chars []char

	// The piece without spaces being cut. A byte of it stands in the text at
	// base + at[i], or at base + i if at is empty.
	piece []byte
	at    []int32
	base  int
}

// run is a stretch of letters and digits in a piece.
type run struct{ from, to int }

// char is a character of a script without spaces, and where it stands in a piece.
type char struct {
	r        rune
	from, to int
}

// Scan hands every word of s to emit: plain words in order, a whole after its
// parts.
func (c *Scanner) Scan(s string, emit func(Word)) {
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
		c.base = start
		if high < utf8.RuneSelf {
			c.piece, c.at = append(c.piece[:0], s[start:i]...), c.at[:0]
			c.ascii(0, len(c.piece))
		} else {
			c.unicode(s[start:i])
		}
	}
	c.emit = nil
}

// give emits what stands in c.piece[from:to], or rather its folded form.
func (c *Scanner) give(folded []byte, kind Kind, from, to int) {
	w := Word{Text: folded, Kind: kind}
	w.Start, w.End = c.place(from, to)
	c.emit(w)
}

// place says where in the text c.piece[from:to] stood. What folding took apart
// (½ is 1, a stroke, 2) stands there whole.
func (c *Scanner) place(from, to int) (start, end int) {
	if len(c.at) == 0 {
		return c.base + from, c.base + to
	}
	for c.at[to] == c.at[to-1] {
		to++
	}
	return c.base + int(c.at[from]), c.base + int(c.at[to])
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

// ascii cuts c.piece[from:to], which is all ASCII. Letters and digits make runs;
// each run is a word, runs joined like an identifier or a number are also given
// whole.
func (c *Scanner) ascii(from, to int) {
	c.runs = c.runs[:0]
	p := c.piece[:to]
	for i := from; i < to; {
		if class[p[i]] == classOther {
			i++
			continue
		}
		start := i
		for i < to && class[p[i]] != classOther {
			i++
		}
		c.runs = append(c.runs, run{start, i})
	}
	for i, r := range c.runs {
		if r.to-r.from == 1 && (i > 0 && p[r.from-1] == '\'' && c.runs[i-1].to == r.from-1 || r.to < len(p) && p[r.to] == '\'' && i+1 < len(c.runs) && c.runs[i+1].from == r.to+1) {
			continue // the l of l'avion, the s of company's
		}
		c.run(r)
		if rest := p[r.to:]; r.to-r.from <= 3 && (len(rest) == 1 && rest[0] == '#' || bytes.Equal(rest, []byte("++"))) {
			c.whole(r.from, to) // c#, c++
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
			c.whole(c.runs[i].from, c.runs[j-1].to)
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
func (c *Scanner) whole(from, to int) {
	c.lower = c.lower[:0]
	for _, b := range c.piece[from:to] {
		if class[b] == classUpper {
			b += 'a' - 'A'
		}
		if b != ',' {
			c.lower = append(c.lower, b)
		}
	}
	c.give(c.lower, Whole, from, to)
}

// run gives a run of letters and digits and, if it is written like camelCase,
// its parts.
func (c *Scanner) run(r run) {
	p := c.piece[r.from:r.to]
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
	c.give(c.lower, Plain, r.from, r.to)
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
			c.give(c.lower[start:i], Part, r.from+start, r.from+i)
		}
		start = i
	}
}

// unicode cuts a piece that is not all ASCII: words by UAX #29, scripts without
// spaces by pairs of characters.
func (c *Scanner) unicode(s string) {
	c.fold(s)
	it := uax.FromBytes(c.piece)
	for from := 0; it.Next(); from += len(it.Value()) {
		c.word(from, from+len(it.Value()))
	}
	c.flush()
}

// word takes a word of UAX #29, in which scripts with and without spaces may
// meet (제2차).
func (c *Scanner) word(from, to int) {
	for i := from; i < to; {
		r, n := utf8.DecodeRune(c.piece[i:to])
		if unspaced(r) {
			c.chars = append(c.chars, char{r, i, i + n})
			i += n
			continue
		}
		start := i
		for i < to && !unspaced(r) {
			i += n
			r, n = utf8.DecodeRune(c.piece[i:to])
		}
		c.flush()
		if asciiOnly(c.piece[start:i]) {
			c.ascii(start, i)
		} else {
			c.letters(start, i)
		}
	}
}

// fold makes c.piece of s: NFKC, lower case, one kind of apostrophe. c.at says
// where each byte of it came from.
func (c *Scanner) fold(s string) {
	c.piece, c.at = c.piece[:0], c.at[:0]
	if norm.NFKC.IsNormalString(s) {
		for i, r := range s {
			c.add(r, i)
		}
	} else {
		var it norm.Iter
		for it.InitString(norm.NFKC, s); !it.Done(); {
			at := it.Pos()
			for _, r := range string(it.Next()) {
				c.add(r, at)
			}
		}
	}
	c.at = append(c.at, int32(len(s)))
}

func (c *Scanner) add(r rune, at int) {
	switch {
	case r == '’' || r == 'ʼ' || r == 'ʹ':
		r = '\''
	case r >= utf8.RuneSelf || class[r] == classUpper:
		r = unicode.ToLower(r)
	}
	c.piece = utf8.AppendRune(c.piece, r)
	for len(c.at) < len(c.piece) {
		c.at = append(c.at, int32(at))
	}
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
func (c *Scanner) letters(from, to int) {
	start, n := -1, 0
	quoted := false // an apostrophe stands before the run
	end := func(i int, quote bool) {
		if start >= 0 && !(n == 1 && (quote || quoted)) {
			c.give(c.piece[start:i], Plain, start, i)
		}
		start, n, quoted = -1, 0, quote
	}
	for i := from; i < to; {
		r, size := utf8.DecodeRune(c.piece[i:to])
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
	end(to, false)
}

// unspaced says that a script is written without spaces between words, or is
// best searched as if it were.
func unspaced(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) ||
		r == 'ー'
}

// flush gives the pairs, and the single characters, of the characters collected.
func (c *Scanner) flush() {
	n := len(c.chars)
	for i, x := range c.chars {
		c.lower = utf8.AppendRune(c.lower[:0], x.r)
		w := Word{Text: c.lower, Kind: Char, Alone: n == 1}
		w.Start, w.End = c.place(x.from, x.to)
		c.emit(w)
		if i+1 < n {
			c.lower = utf8.AppendRune(c.lower, c.chars[i+1].r)
			c.give(c.lower, Pair, x.from, c.chars[i+1].to)
		}
	}
	c.chars = c.chars[:0]
}
