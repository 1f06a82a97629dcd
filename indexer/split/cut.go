package split

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"

	"github.com/ragserver/ragserver/indexer/parse"
)

// cut yields the parts of a block in order, none larger than most tokens: the
// lines of lists, tables and code, the sentences of other text, and parts of
// these where one is too large. The parts leave nothing out.
func cut(text string, s parse.Span, kind parse.Kind, most int, yield func(start, end, tokens int)) {
	body := text[s.Start:s.End]
	at := s.Start
	part := func(t string) {
		if n := tokens(t); n <= most {
			yield(at, at+len(t), n)
			at += len(t)
			return
		}
		for len(t) > 0 {
			end, n := words(t, most)
			yield(at, at+end, n)
			at += end
			t = t[end:]
		}
	}
	switch kind {
	case parse.List, parse.Table, parse.Code:
		for line := range strings.Lines(body) {
			if n := tokens(line); n <= most || kind == parse.Code {
				part(line)
			} else {
				eachSentence(line, part)
			}
		}
	default:
		eachSentence(body, part)
	}
}

// window is how much text is searched for sentences at once. The rules look
// ahead from each full stop, so that the time for one long line of them would
// grow with its square.
const window = 8 << 10

// eachSentence calls f for the sentences of s in order.
func eachSentence(s string, f func(string)) {
	for len(s) > 0 {
		w := s
		if len(w) > window {
			w = w[:breakAt(w, window)]
		}
		s = s[len(w):]
		for it := sentences.FromString(w); it.Next(); {
			f(it.Value())
		}
	}
}

// breakAt is a place at or before n, and beyond n/2, to part s: after a line
// end, after white space, or between runes.
func breakAt(s string, n int) int {
	if i := strings.LastIndexByte(s[:n], '\n'); i >= n/2 {
		return i + 1
	}
	if i := strings.LastIndexAny(s[:n], " \t"); i >= n/2 {
		return i + 1
	}
	for n > 1 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}

// words returns the length of the longest beginning of s of at most so many
// tokens that ends between words, or within one that is too long itself.
func words(s string, most int) (end, n int) {
	var c counter
	gap, gapTokens := 0, 0 // after the last white space
	for i, r := range s {
		before := c.n
		if c.add(r); c.n > most && i > 0 {
			if gap > 0 {
				return gap, gapTokens
			}
			return i, before
		}
		if unicode.IsSpace(r) {
			gap, gapTokens = i+utf8.RuneLen(r), c.n
		}
	}
	return len(s), c.n
}

// tokens estimates how many tokens a language model's vocabulary makes of s:
// a word of Latin letters is one and another for each six letters beyond
// seven, of other alphabets one for each three letters; an ideograph or
// syllable is one, and so is a sign or two digits.
func tokens(s string) int {
	var c counter
	for _, r := range s {
		c.add(r)
	}
	return c.n
}

// counter counts tokens rune by rune.
type counter struct {
	n    int
	kind byte // of the last rune: letter l, other letter o, digit d, sign s
	run  int  // runes of that kind in a row
}

func (c *counter) add(r rune) {
	kind, every := classify(r)
	if kind == ' ' {
		c.kind, c.run = kind, 0
		return
	}
	if kind != c.kind {
		c.kind, c.run = kind, 0
	}
	c.run++
	switch {
	case c.run == 1, every == 1, kind == 'l' && c.run > 7 && (c.run-7)%6 == 1, kind != 'l' && (c.run-1)%every == 0:
		c.n++
	}
}

// classify gives the kind of a rune and how many of it make a token.
func classify(r rune) (kind byte, every int) {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		return 'l', 6
	case r >= '0' && r <= '9':
		return 'd', 2
	case r == ' ', r == '\n', r == '\t', r == '\r':
		return ' ', 1
	case r < 0x80:
		return 's', 3
	case r < 0x250 && unicode.IsLetter(r):
		return 'l', 6
	case r >= 0x2e80 && r < 0xa4d0, r >= 0xac00 && r < 0xd7b0, r >= 0xf900 && r < 0xfb00, r >= 0x20000:
		return 'c', 1
	case unicode.IsLetter(r), unicode.IsMark(r):
		return 'o', 3
	case unicode.IsSpace(r):
		return ' ', 1
	}
	return 's', 2
}
