package answer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
)

// A token is a word, a number, or one character of a script that does not
// divide words; start and end are bytes of the text.
type token struct {
	start, end int
	word       string // lower case
	key        string // what is compared: the stem; "" for a character (see keys)
	cjk        bool
}

// tokens cuts a text. Numbers keep the marks inside them (1,000.5); words keep
// apostrophes out.
func (l *language) tokens(text string) []token {
	var out []token
	env := snowballstem.NewEnv("")
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case isCJK(r):
			out = append(out, token{start: i, end: i + n, word: text[i : i+n], cjk: true})
			i += n
		case inWord(r):
			end := wordEnd(text, i)
			w := strings.ToLower(text[i:end])
			out = append(out, token{start: i, end: end, word: w, key: l.stemmed(env, w)})
			i = end
		default:
			i += n
		}
	}
	return out
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || unicode.Is(unicode.No, r)
}

func isCJK(r rune) bool {
	return r >= 0x2E80 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// wordEnd returns where the word that begins at i ends.
func wordEnd(text string, i int) int {
	var last rune
	for i < len(text) {
		r, n := utf8.DecodeRuneInString(text[i:])
		if (r == '.' || r == ',') && unicode.IsDigit(last) {
			if next, _ := utf8.DecodeRuneInString(text[i+n:]); unicode.IsDigit(next) {
				i, last = i+n, r
				continue
			}
		}
		if !inWord(r) || isCJK(r) {
			return i
		}
		i, last = i+n, r
	}
	return i
}

// stemmed returns the key of a lower-case word.
func (l *language) stemmed(env *snowballstem.Env, w string) string {
	w = strings.ReplaceAll(w, "ё", "е")
	if l.stem == nil || len(w) > 64 || strings.ContainsFunc(w, unicode.IsDigit) {
		return w
	}
	env.SetCurrent(w)
	l.stem(env)
	if k := env.Current(); k != "" {
		return k
	}
	return w
}

// keys returns the keys of the tokens: stems, and pairs of neighbouring
// characters where words are not divided (a character alone stands for itself).
func keys(ts []token) []string {
	var out []string
	for i, t := range ts {
		if !t.cjk {
			out = append(out, t.key)
			continue
		}
		before := i > 0 && ts[i-1].cjk && ts[i-1].end == t.start
		after := i+1 < len(ts) && ts[i+1].cjk && ts[i+1].start == t.end
		switch {
		case after:
			out = append(out, t.word+ts[i+1].word)
		case !before:
			out = append(out, t.word)
		}
	}
	return out
}

// topic takes the small words out of a question and returns the tokens that
// carry its topic. Where words are not divided, small words are cut out as
// strings, longest first.
func (l *language) topic(text string) []token {
	if l.stem == nil {
		text = l.blankSmallWords(text)
	}
	var out []token
	for _, t := range l.tokens(text) {
		if t.cjk || !l.stop[t.word] && utf8.RuneCountInString(t.word) > oneLetter(t.word) {
			out = append(out, t)
		}
	}
	return out
}

// oneLetter is the length up to which a word says nothing: a single letter
// ("s" of "Smith's"), but not a single digit.
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
