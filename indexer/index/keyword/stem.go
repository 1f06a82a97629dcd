package keyword

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/irish"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
	"github.com/zeebo/xxh3"
	"golang.org/x/text/unicode/norm"
)

// maxTerm is the longest term in bytes. A longer word becomes its beginning and
// a hash of all of it, so that it is found whole and by prefix all the same.
const maxTerm = 64

// stemmer is a language that has its own stems. Segments store the position in
// this table: append only.
type stemmer struct {
	language string // BCP 47 base language
	stem     func(*snowballstem.Env) bool
}

const maxStemmers = 32

var stemmers = []stemmer{
	{"", nil}, // every language without stems
	{"en", english.Stem}, {"de", german.Stem}, {"fr", french.Stem}, {"es", spanish.Stem}, {"it", italian.Stem},
	{"pt", portuguese.Stem}, {"nl", dutch.Stem}, {"sv", swedish.Stem}, {"da", danish.Stem}, {"no", norwegian.Stem},
	{"fi", finnish.Stem}, {"ru", russian.Stem}, {"ar", arabic.Stem}, {"hu", hungarian.Stem}, {"ro", romanian.Stem},
	{"tr", turkish.Stem}, {"ga", irish.Stem}, {"ta", tamil.Stem},
}

// stemmerOf gives the position of a language in stemmers, 0 if it has none.
func stemmerOf(language string) uint8 {
	if language == "nb" || language == "nn" {
		language = "no"
	}
	for i, s := range stemmers {
		if s.language == language {
			return uint8(i)
		}
	}
	return 0
}

// stemCache remembers the terms of words. It is not safe for concurrent use.
type stemCache struct {
	words map[string]string
}

const stemCacheSize = 1 << 16

// stems is a cache for each language.
type stems [maxStemmers]stemCache

// term gives the term that a word is indexed under in a language.
func (s *stems) term(language uint8, word []byte) string {
	c := &s[language]
	if t, ok := c.words[string(word)]; ok {
		return t
	}
	t := stem(language, string(word))
	if len(c.words) >= stemCacheSize {
		c.words = nil
	}
	if c.words == nil {
		c.words = make(map[string]string)
	}
	c.words[string(word)] = t
	return t
}

// stem takes a word in lower case and NFKC to its term: stem, then accents off.
func stem(language uint8, word string) string {
	if len(word) > maxTerm {
		return shorten(word)
	}
	digit := false
	for _, r := range word {
		if unicode.IsDigit(r) {
			digit = true
			break
		}
	}
	if fold := stemmers[language].language == "ar"; fold {
		word = foldArabic(word)
	}
	if f := stemmers[language].stem; f != nil && !digit {
		env := snowballstem.NewEnv(word)
		f(env)
		if t := env.Current(); t != "" {
			word = t
		}
	}
	return foldAccents(word)
}

// exact is the term of a word that is not stemmed.
func exact(word []byte) string {
	if len(word) > maxTerm {
		return shorten(string(word))
	}
	return string(word)
}

func shorten(word string) string {
	n := maxTerm - 17
	for n > 0 && !utf8.RuneStart(word[n]) {
		n--
	}
	return word[:n] + "\x00" + strconv.FormatUint(xxh3.HashString(word)|1<<63, 16)
}

// foldAccents takes marks off Latin, Greek and Cyrillic letters.
func foldAccents(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return s
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r == 'й': // a letter of its own
		case r == 'ß':
			out = append(out, "ss"...)
			continue
		case r == 'ø':
			r = 'o'
		case r == 'ł':
			r = 'l'
		case r == 'ı':
			r = 'i'
		case r < 0x0530 || 0x1e00 <= r && r < 0x2000:
			d := norm.NFD.AppendString(nil, string(r))
			r, _ = utf8.DecodeRune(d)
			if unicode.Is(unicode.Mn, r) {
				continue
			}
		}
		out = utf8.AppendRune(out, r)
	}
	if len(out) == 0 {
		return s
	}
	return string(out)
}

// foldArabic takes vowel signs and tatweel off and unites the forms of alef,
// ya and ta marbuta, which are written one for another.
func foldArabic(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case r == 'ـ' || 0x064b <= r && r <= 0x065f || r == 0x0670:
			continue
		case r == 'أ' || r == 'إ' || r == 'آ' || r == 'ٱ':
			r = 'ا'
		case r == 'ى':
			r = 'ي'
		}
		out = utf8.AppendRune(out, r)
	}
	if len(out) == 0 {
		return s
	}
	return string(out)
}
