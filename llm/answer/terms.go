package answer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragserver/ragserver/indexer/index/words"
)

// A token is a word, a number, or one character of a script that does not
// divide words; start and end are bytes of the text.
type token struct {
	start, end int
	word       string // lower case
	key        string // what is compared: the stem; "" if it says nothing alone, and for a character (see keys)
	whole      string // the identifier that ends with this token: e-21, err_conn_reset; "" if none does
	from       int    // where that begins
	cjk        bool
}

// A cutter cuts texts into tokens and remembers the stems it made. It is not
// safe for concurrent use.
type cutter struct {
	stemmer words.Stemmer
	scan    words.Scanner
	terms   words.Cache
}

func (l *language) cutter() *cutter { return &cutter{stemmer: l.stemmer} }

// tokens cuts one text.
func (l *language) tokens(text string) []token { return l.cutter().tokens(text) }

// tokens cuts a text. A number is one token with the marks inside it (1,000.5),
// an identifier as many as it has parts.
func (c *cutter) tokens(text string) []token {
	out := make([]token, 0, len(text)/6)
	c.scan.Scan(text, func(w words.Word) {
		t := token{start: w.Start, end: w.End, word: string(w.Text)}
		switch {
		case w.Kind != words.Whole && len(out) > 0 && t.start < out[len(out)-1].end:
			// A part, or what one sign was taken apart into.
		case w.Kind == words.Plain:
			t.key = c.terms.Term(c.stemmer, w.Text)
			out = append(out, t)
		case w.Kind == words.Char:
			t.cjk = true
			out = append(out, t)
		case w.Kind == words.Whole:
			if !numeric(t.word) {
				last := &out[len(out)-1]
				last.whole, last.from = words.Exact(w.Text), w.Start
				return
			}
			for len(out) > 0 && out[len(out)-1].start >= w.Start {
				out = out[:len(out)-1]
			}
			t.key = words.Exact(w.Text)
			out = append(out, t)
		}
	})
	return out
}

// numeric reports whether a word is digits with points between them.
func numeric(w string) bool { return strings.Trim(w, "0123456789.") == "" }

// keys returns the keys of the tokens: stems, identifiers, and pairs of
// neighbouring characters where words are not divided (a character alone stands
// for itself).
func keys(ts []token) []string {
	var out []string
	for i := range ts {
		out = append(out, keysAt(ts, i)...)
	}
	return out
}

// keysAt returns the keys that token i has among its neighbours.
func keysAt(ts []token, i int) []string {
	t := ts[i]
	if !t.cjk {
		out := make([]string, 0, 2)
		if t.key != "" {
			out = append(out, t.key)
		}
		if t.whole != "" {
			out = append(out, t.whole)
		}
		return out
	}
	before := i > 0 && ts[i-1].cjk && ts[i-1].end == t.start
	after := i+1 < len(ts) && ts[i+1].cjk && ts[i+1].start == t.end
	switch {
	case after:
		return []string{t.word + ts[i+1].word}
	case !before:
		return []string{t.word}
	}
	return nil
}

// meaning is what is compared by meaning of a token with a key: the word, or the
// key of characters; nothing of a number.
func meaning(t token, key string) string {
	switch {
	case t.cjk:
		return key
	case strings.ContainsFunc(t.word, unicode.IsDigit):
		return ""
	}
	return t.word
}

// topic takes the small words out of a question and returns the tokens that
// carry its topic. Where words are not divided, small words are cut out as
// strings, longest first.
func (l *language) topic(text string) []token {
	if l.undivided {
		text = l.blankSmallWords(text)
	}
	var out []token
	for _, t := range l.tokens(text) {
		if !t.cjk && (l.small(t.word) || utf8.RuneCountInString(t.word) <= oneLetter(t.word)) {
			if t.whole == "" {
				continue
			}
			t.key = ""
		}
		out = append(out, t)
	}
	return out
}

// oneLetter is the length up to which a word says nothing: a single letter,
// but not a single digit.
func oneLetter(w string) int {
	if r, _ := utf8.DecodeRuneInString(w); unicode.IsDigit(r) {
		return 0
	}
	return 1
}

// blankSmallWords replaces small words by blanks, so that the characters
// around them do not become neighbours.
func (l *language) blankSmallWords(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		longest := 0
		for n, chars := 0, 0; i+n < len(text) && chars < 4; chars++ {
			_, size := utf8.DecodeRuneInString(text[i+n:])
			n += size
			if l.stop[text[i:i+n]] {
				longest = n
			}
		}
		if longest > 0 {
			b.WriteString(strings.Repeat(" ", longest))
			i += longest
			continue
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		b.WriteString(text[i : i+size])
		i += size
	}
	return b.String()
}
