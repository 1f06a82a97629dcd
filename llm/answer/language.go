package answer

import (
	"embed"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
)

// A language is what is known of one: its small words, how it asks, and what
// to say when nothing was found. The lists lie in languages/ as plain text.
type language struct {
	code    string
	stem    func(*snowballstem.Env) bool // nil: words are not inflected, or not by suffix
	stop    map[string]bool              // words that carry no topic
	ask     map[string]bool              // question words among them
	cues    map[kind][]string            // phrases that ask for a kind of answer
	refer   map[string]bool              // words that point back at what was said before
	begin   []string                     // how follow-up questions begin
	places  map[string]bool              // prepositions before a place
	numbers map[string]bool              // words for numbers
	months  map[string]bool
	nothing string // the refusal
}

//go:embed languages/*.txt
var languageFiles embed.FS

var stemmers = map[string]func(*snowballstem.Env) bool{
	"en": english.Stem, "de": german.Stem, "es": spanish.Stem, "fr": french.Stem, "it": italian.Stem,
	"pt": portuguese.Stem, "nl": dutch.Stem, "ru": russian.Stem, "ar": arabic.Stem, "zh": nil, "ja": nil,
}

// languages holds every language by its code; read once, then only read.
var languages = sync.OnceValue(func() map[string]*language {
	all := map[string]*language{}
	for code, stem := range stemmers {
		text, err := languageFiles.ReadFile("languages/" + code + ".txt")
		if err != nil {
			panic(err) // embedded: cannot be missing
		}
		l, err := parseLanguage(code, string(text))
		if err != nil {
			panic(err)
		}
		l.stem = stem
		all[code] = l
	}
	return all
})

func parseLanguage(code, text string) (*language, error) {
	l := &language{code: code, cues: map[kind][]string{}}
	words := func(v string) map[string]bool {
		set := map[string]bool{}
		for _, w := range strings.Fields(v) {
			set[w] = true
		}
		return set
	}
	phrases := func(v string) []string {
		var out []string
		for _, p := range strings.Split(v, "|") {
			out = append(out, strings.TrimSpace(p))
		}
		return out
	}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("languages/%s.txt: no name in line %q", code, line)
		}
		value = strings.TrimSpace(value)
		switch name {
		case "stop":
			l.stop = words(value)
		case "ask":
			l.ask = words(value)
		case "refer":
			l.refer = words(value)
		case "places":
			l.places = words(value)
		case "numbers":
			l.numbers = words(value)
		case "months":
			l.months = words(value)
		case "begin":
			l.begin = phrases(value)
		case "nothing":
			l.nothing = value
		case string(who), string(when), string(where), string(number), string(why):
			l.cues[kind(name)] = phrases(value)
		default:
			return nil, fmt.Errorf("languages/%s.txt: unknown name %q", code, name)
		}
	}
	return l, nil
}

// languageOf guesses the language of a short text: by its script, and among
// languages of Latin script by whose small words it has most of. A text that
// gives no hint is taken for English.
func languageOf(text string) *language {
	all := languages()
	var han, kana, cyrillic, arab, latin int
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Han, r):
			han++
		case unicode.In(r, unicode.Hiragana, unicode.Katakana):
			kana++
		case unicode.Is(unicode.Cyrillic, r):
			cyrillic++
		case unicode.Is(unicode.Arabic, r):
			arab++
		case unicode.Is(unicode.Latin, r):
			latin++
		}
	}
	switch {
	case kana > 0 && 2*(kana+han) >= latin:
		return all["ja"]
	case han > 0 && 3*han >= latin:
		return all["zh"]
	case cyrillic > latin:
		return all["ru"]
	case arab > latin:
		return all["ar"]
	}
	best, most := all["en"], 0
	words := wordsOf(text)
	for _, code := range []string{"en", "de", "es", "fr", "it", "pt", "nl"} {
		n := 0
		for _, w := range words {
			if all[code].stop[w] {
				n++
			}
			if all[code].ask[w] {
				n++ // question words tell most
			}
		}
		if n > most {
			best, most = all[code], n
		}
	}
	return best
}

// wordsOf returns the lower-case words of a text, without signs.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '\'' && r != '’'
	})
}
