package words

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

// Stemmer takes the words of one language to their stems. 0 is that of all
// languages without stems. Indexes store the number: it never changes.
type Stemmer uint8

// MaxStemmers is more than there are stemmers.
const MaxStemmers = 32

// stemmers are append only.
var stemmers = []struct {
	language string // BCP 47 base language
	stem     func(*snowballstem.Env) bool
}{
	{"", nil}, // every language without stems
	{"en", english.Stem}, {"de", german.Stem}, {"fr", french.Stem}, {"es", spanish.Stem}, {"it", italian.Stem},
	{"pt", portuguese.Stem}, {"nl", dutch.Stem}, {"sv", swedish.Stem}, {"da", danish.Stem}, {"no", norwegian.Stem},
	{"fi", finnish.Stem}, {"ru", russian.Stem}, {"ar", arabic.Stem}, {"hu", hungarian.Stem}, {"ro", romanian.Stem},
	{"tr", turkish.Stem}, {"ga", irish.Stem}, {"ta", tamil.Stem},
}

// StemmerOf gives the stemmer of a language (BCP 47), 0 if it has none.
func StemmerOf(language string) Stemmer {
	if language == "nb" || language == "nn" {
		language = "no"
	}
	for i, s := range stemmers {
		if s.language == language {
			return Stemmer(i)
		}
	}
	return 0
}

// Valid says that there is such a stemmer.
func (s Stemmer) Valid() bool { return int(s) < len(stemmers) }

// Language is the BCP 47 base language of the stemmer, "" of the one for all
// languages without stems.
func (s Stemmer) Language() string { return stemmers[s].language }

// Cache remembers the terms of words. It is not safe for concurrent use; the
// zero value is ready.
type Cache struct {
	terms [MaxStemmers]map[string]string
}

const cacheSize = 1 << 16 // words of a language

// Term gives what s.Term does.
func (c *Cache) Term(s Stemmer, word []byte) string {
	known := c.terms[s]
	if t, ok := known[string(word)]; ok {
		return t
	}
	t := s.Term(string(word))
	if known == nil || len(known) >= cacheSize {
		known = make(map[string]string)
		c.terms[s] = known
	}
	known[string(word)] = t
	return t
}

// Term takes a word in lower case and NFKC to the term that it is compared by:
// stem, then accents off.
func (s Stemmer) Term(word string) string {
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
	if fold := stemmers[s].language == "ar"; fold {
		word = foldArabic(word)
	}
	if f := stemmers[s].stem; f != nil && !digit {
		env := snowballstem.NewEnv(word)
		f(env)
		if t := env.Current(); t != "" {
			word = t
		}
	}
	return foldAccents(word)
}

// Exact is the term of a word that is not stemmed: a Whole, Pair or Char.
func Exact(word []byte) string {
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
