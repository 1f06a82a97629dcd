package answer

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/ragserver/ragserver/indexer/index/words"
)

// A language is what is known of one beyond package words: how it asks, and what
// to say when nothing was found. The lists lie in languages/ as plain text.
type language struct {
	code      string
	stemmer   words.Stemmer
	undivided bool              // words are written without spaces between them
	compounds bool              // words are put together to one (Hotelübernachtung)
	stop      map[string]bool   // words that carry no topic, besides function words
	ask       map[string]bool   // question words
	cues      map[kind][]string // phrases that ask for a kind of answer
	refer     map[string]bool   // words that point back at what was said before
	begin     []string          // how follow-up questions begin
	places    map[string]bool   // prepositions before a place
	numbers   map[string]bool   // words for numbers
	months    map[string]bool
	nothing   string // the refusal
	again     string // that it is worth asking again, since documents are on their way
}

// small reports whether a word in lower case carries no topic.
func (l *language) small(word string) bool { return l.stop[word] || words.Function(l.code, word) }

//go:embed languages/*.txt
var languageFiles embed.FS

// listed are the languages that have a file.
var listed = []string{"en", "de", "es", "fr", "it", "pt", "nl", "ru", "ar", "zh", "ja"}

// undivided are languages that package words gives by characters.
var undivided = map[string]bool{"zh": true, "ja": true, "ko": true, "th": true, "lo": true, "km": true, "my": true}

// compounding are languages that put words together without a space.
var compounding = map[string]bool{"de": true, "nl": true, "sv": true, "da": true, "no": true, "fi": true}

// languages holds every listed language by its code; read once, then only read.
var languages = sync.OnceValue(func() map[string]*language {
	all := map[string]*language{}
	for _, code := range listed {
		text, err := languageFiles.ReadFile("languages/" + code + ".txt")
		if err != nil {
			panic(err) // embedded: cannot be missing
		}
		l, err := parseLanguage(code, string(text))
		if err != nil {
			panic(err)
		}
		all[code] = l
	}
	return all
})

// languageNamed returns a language by its BCP 47 code. Of those without a file,
// function words and stems are known, and refusals are in English.
func languageNamed(code string) *language {
	all := languages()
	if l := all[code]; l != nil {
		return l
	}
	if code == "" {
		return all["en"]
	}
	return &language{code: code, stemmer: words.StemmerOf(code), undivided: undivided[code], compounds: compounding[code], nothing: all["en"].nothing, again: all["en"].again}
}

func parseLanguage(code, text string) (*language, error) {
	l := &language{code: code, stemmer: words.StemmerOf(code), undivided: undivided[code], compounds: compounding[code], cues: map[kind][]string{}}
	set := func(v string) map[string]bool {
		all := map[string]bool{}
		for _, w := range strings.Fields(v) {
			all[w] = true
		}
		return all
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
			l.stop = set(value)
		case "ask":
			l.ask = set(value)
		case "refer":
			l.refer = set(value)
		case "places":
			l.places = set(value)
		case "numbers":
			l.numbers = set(value)
		case "months":
			l.months = set(value)
		case "begin":
			l.begin = phrases(value)
		case "nothing":
			l.nothing = value
		case "again":
			l.again = value
		case string(who), string(when), string(where), string(number), string(why):
			l.cues[kind(name)] = phrases(value)
		default:
			return nil, fmt.Errorf("languages/%s.txt: unknown name %q", code, name)
		}
	}
	return l, nil
}

// languageOf guesses the language of a question. It is short, so question words
// tell most among the languages in Latin letters. A text that gives no hint is
// taken for English.
func languageOf(text string) *language {
	votes := words.Votes(text)
	if votes == nil {
		return languageNamed(words.Detect(text))
	}
	all := languages()
	for _, w := range wordsOf(text) {
		for _, code := range listed {
			if all[code].ask[w] {
				votes[code]++
			}
		}
	}
	best, most := "en", votes["en"]
	for _, code := range slices.Sorted(maps.Keys(votes)) {
		if votes[code] > most {
			best, most = code, votes[code]
		}
	}
	return languageNamed(best)
}

// wordsOf returns the lower-case words of a text, without signs.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '\'' && r != '’'
	})
}
