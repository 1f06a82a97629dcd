package answer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is the kind of answer a question asks for.
type kind string

const (
	anything kind = ""
	who      kind = "who"    // a name
	when     kind = "when"   // a date
	where    kind = "where"  // a name of a place
	number   kind = "number" // a number
	why      kind = "why"    // a reason
)

// An asked is a question, analysed: its language, what it asks for, and its
// topic words.
type asked struct {
	text  string
	lang  *language
	kind  kind
	terms []term          // unique by key
	words map[string]bool // all its words and characters, lower case
	ids   [][]string      // the parts of its identifiers, as words in lower case
}

// A term is a topic word of a question.
type term struct {
	key    string
	text   string  // the word as asked, in lower case; "" if it has no meaning to compare, as numbers have none
	name   bool    // written like a name, an identifier or a number: the same in all languages
	worth  float64 // by how it is written and where it comes from
	weight float64 // worth times rarity; set by weigh
}

// mostTerms bounds the work that a very long question causes.
const mostTerms = 64

func worth(name bool) float64 {
	if name {
		return weightName
	}
	return 1
}

// analyse takes a question apart; carried are words from earlier in the
// conversation that belong to its topic but are worth less.
func analyse(text, carried string) *asked {
	l := languageOf(text)
	a := &asked{text: text, lang: l, words: map[string]bool{}}
	all := l.tokens(text)
	for i, t := range all {
		a.words[t.word] = true
		if t.whole != "" {
			var parts []string
			for _, p := range all[:i+1] {
				if p.start >= t.from {
					parts = append(parts, p.word)
				}
			}
			a.ids = append(a.ids, parts)
		}
	}
	cue := ""
	a.kind, cue = l.kindOf(text)
	seen := map[string]bool{}
	topic := slices.DeleteFunc(l.topic(text), func(t token) bool { return l.asks(cue, t) })
	for i := range topic {
		for _, k := range keysAt(topic, i) {
			if seen[k] || len(a.terms) == mostTerms {
				continue
			}
			seen[k] = true
			t := term{key: k, name: l.named(text, topic[i])}
			if t.worth = worth(t.name); k != topic[i].whole {
				t.text = meaning(topic[i], k)
			}
			a.terms = append(a.terms, t)
		}
	}
	own := len(a.terms)
	for _, k := range keys(l.topic(carried)) {
		if !seen[k] {
			seen[k] = true
			a.terms = append(a.terms, term{key: k})
		}
	}
	// All carried words together are worth less than the question's own.
	for i := own; i < len(a.terms); i++ {
		a.terms[i].worth = min(weightCarried, weightCarried*float64(max(1, own))/float64(len(a.terms)-own))
	}
	return a
}

// named reports whether a word of a question is written like a name, an
// identifier or a number.
func (l *language) named(text string, t token) bool {
	r, _ := utf8.DecodeRuneInString(text[t.start:])
	return !t.cjk && (t.whole != "" || unicode.IsDigit(r) || unicode.IsUpper(r) && t.start > 0 && l.code != "de")
}

// asks reports whether a word asks rather than names a topic: as a part of the
// cue, like the second one of "how long".
func (l *language) asks(cue string, t token) bool {
	return !t.cjk && t.whole == "" && l.ask[t.word] && slices.Contains(strings.Fields(cue), t.word)
}

// kindOf finds what the question asks for, and the cue that says so. The one
// that stands first decides; of cues at one place the longest.
func (l *language) kindOf(text string) (best kind, cue string) {
	t := " " + strings.Join(wordsOf(text), " ") + " "
	if l.undivided {
		t = text
	}
	at, size := len(t), 0
	for k, cues := range l.cues {
		for _, c := range cues {
			if !l.undivided {
				c = " " + c + " "
			}
			if i := strings.Index(t, c); i >= 0 && (i < at || i == at && len(c) > size) {
				best, at, size, cue = k, i, len(c), c
			}
		}
	}
	return best, cue
}
