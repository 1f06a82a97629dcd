package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sampleRunes is how much of a text Detect reads.
const sampleRunes = 4096

// Detect gives the BCP 47 base language that a text is in, as far as its script
// and its function words tell; "" if it has no letters. A text in Latin letters
// without known function words (a list of names, a table, code) counts as "en".
func Detect(text string) string {
	counts, sample := countScripts(text)
	best := mostly(counts)
	switch best {
	case scriptOther:
		return ""
	case scriptLatin:
		return latin(sample)
	case scriptCyrillic:
		return marked(sample, "ru", letters{"uk", "іїєґ"}, letters{"be", "ў"}, letters{"sr", "ђћџљњј"})
	case scriptArabic:
		return marked(sample, "ar", letters{"ur", "ٹڈڑےں"}, letters{"fa", "پچژگکی"})
	case scriptHan:
		// Japanese mixes Han with kana; a few kana in much Han are a quotation.
		if 10*counts[scriptKana] > counts[scriptHan] {
			return "ja"
		}
		return "zh"
	}
	return scriptLanguage[best]
}

// Surely is Detect where a text leaves no doubt, also none that it might be in a
// language which Detect does not know.
func Surely(text string) (language string, sure bool) {
	counts, sample := countScripts(text)
	letters := 0
	for _, n := range counts {
		letters += n
	}
	best := mostly(counts)
	if letters < surelyLetters || 4*counts[best] < 3*letters && best != scriptHan && best != scriptKana {
		return "", false
	}
	switch best {
	case scriptLatin:
		votes, words := latinVotes(sample)
		return surelyLatin(votes, words)
	case scriptCyrillic:
		// What other languages have, or what Russian has and most do not.
		own := count(sample, "ыэЫЭ")
		return "ru", 100*own > counts[best] && count(sample, "іїєґўђћџљњјѓќѕәөүұқғңһІЇЄЎЈ") == 0
	case scriptArabic:
		return "ar", count(sample, "پچژگکیٹڈڑےںۆەێۇۈې") == 0 && 100*count(sample, "ةىيك") > counts[best]
	case scriptHan:
		return "zh", 50*counts[scriptKana] < counts[scriptHan]
	case scriptKana, scriptHangul, scriptGreek, scriptThai, scriptGeorgian, scriptArmenian:
		return scriptLanguage[best], true
	}
	return "", false
}

// What leaves no doubt: so many letters, such a share of function words, so
// many times as many of them as of the next language, and no near relation that
// Detect does not know (as Afrikaans is of Dutch).
const (
	surelyLetters = 100
	surelyShare   = 0.12
	surelyMargin  = 3
)

var noNearRelation = map[string]bool{"en": true, "de": true, "fr": true, "es": true, "it": true, "pt": true}

func surelyLatin(votes map[string]float64, words int) (language string, sure bool) {
	most, next := 0.0, 0.0
	for l, n := range votes {
		if n > most {
			language, most, next = l, n, most
		} else {
			next = max(next, n)
		}
	}
	return language, noNearRelation[language] && most >= surelyShare*float64(words) && most >= surelyMargin*next
}

func count(text, letters string) (n int) {
	for _, r := range text {
		if r >= utf8.RuneSelf && strings.ContainsRune(letters, r) {
			n++
		}
	}
	return n
}

// script is a group of writing systems; of most, one language is expected.
type script uint8

const (
	scriptOther script = iota
	scriptLatin
	scriptCyrillic
	scriptArabic
	scriptHan
	scriptKana
	scriptHangul
	scriptGreek
	scriptHebrew
	scriptThai
	scriptDevanagari
	scriptBengali
	scriptTamil
	scriptGeorgian
	scriptArmenian
	scripts
)

var scriptLanguage = [scripts]string{scriptKana: "ja", scriptHangul: "ko", scriptGreek: "el", scriptHebrew: "he", scriptThai: "th",
	scriptDevanagari: "hi", scriptBengali: "bn", scriptTamil: "ta", scriptGeorgian: "ka", scriptArmenian: "hy"}

var scriptTables = [scripts]*unicode.RangeTable{scriptLatin: unicode.Latin, scriptCyrillic: unicode.Cyrillic, scriptArabic: unicode.Arabic,
	scriptHan: unicode.Han, scriptHangul: unicode.Hangul, scriptGreek: unicode.Greek, scriptHebrew: unicode.Hebrew,
	scriptThai: unicode.Thai, scriptDevanagari: unicode.Devanagari, scriptBengali: unicode.Bengali, scriptTamil: unicode.Tamil,
	scriptGeorgian: unicode.Georgian, scriptArmenian: unicode.Armenian}

// countScripts counts the letters of the beginning of a text by script, and
// gives that beginning.
func countScripts(text string) (counts [scripts]int, sample string) {
	n := 0
	for i, r := range text {
		if n++; n > sampleRunes {
			text = text[:i]
			break
		}
		s := scriptOf(r)
		if s == scriptOther {
			continue
		}
		counts[s]++
		if s == scriptHan || s == scriptKana || s == scriptHangul {
			counts[s]++ // a character says as much as two or three letters
		}
	}
	return counts, text
}

// mostly gives the script that most letters are in.
func mostly(counts [scripts]int) script {
	best, most := scriptOther, 0
	for s, n := range counts {
		if n > most {
			best, most = script(s), n
		}
	}
	return best
}

func scriptOf(r rune) script {
	if r < utf8.RuneSelf {
		if k := class[byte(r)]; k == classLower || k == classUpper {
			return scriptLatin
		}
		return scriptOther
	}
	if unicode.In(r, unicode.Hiragana, unicode.Katakana) {
		return scriptKana
	}
	for s, t := range scriptTables {
		if t != nil && unicode.Is(t, r) && unicode.IsLetter(r) {
			return script(s)
		}
	}
	return scriptOther
}

// letters are letters that only one of the languages of a script has.
type letters struct{ language, only string }

// marked gives the first language of which some letters stand in the text, often
// enough not to be a name.
func marked(text, usual string, others ...letters) string {
	for _, o := range others {
		n := 0
		for _, r := range text {
			if strings.ContainsRune(o.only, r) {
				n++
			}
		}
		if 100*n > utf8.RuneCountInString(text) {
			return o.language
		}
	}
	return usual
}

// latin tells the languages in Latin letters apart.
func latin(text string) string {
	votes, words := latinVotes(text)
	best, most := "en", 0.0
	for _, l := range latinLanguages {
		if votes[l] > most {
			best, most = l, votes[l]
		}
	}
	if most < 0.8 || most < fewVotes*float64(words) {
		return "en"
	}
	return best
}

// Votes says how much speaks for each language in a text mostly in Latin
// letters; nil for other texts. Detect wants it to be enough to be sure; of a
// question, which is short, the caller may know more.
func Votes(text string) map[string]float64 {
	counts, sample := countScripts(text)
	if mostly(counts) != scriptLatin {
		return nil
	}
	votes, _ := latinVotes(sample)
	return votes
}

// latinVotes counts votes: each function word is one, shared among the languages
// that have it; letters that few languages have are half a vote.
func latinVotes(text string) (votes map[string]float64, words int) {
	votes = map[string]float64{}
	var word []byte
	end := func() {
		if len(word) > 0 {
			words++
			having := functionLanguages[string(word)]
			vote := 1 / float64(len(having))
			if len(word) <= 2 {
				vote /= 2 // might be anything
			}
			for _, l := range having {
				votes[l] += vote
			}
		}
		word = word[:0]
	}
	for _, r := range text {
		if !unicode.IsLetter(r) {
			end()
			continue
		}
		r = unicode.ToLower(r)
		word = utf8.AppendRune(word, r)
		if r >= utf8.RuneSelf {
			for _, l := range ownLetters[r] {
				votes[l] += 0.5
			}
		}
	}
	end()
	return votes, words
}

// fewVotes is a share of function words that running text is well above.
const fewVotes = 0.1

// latinLanguages in the order in which equal votes decide.
var latinLanguages = []string{"en", "es", "de", "fr", "pt", "it", "nl", "sv", "da", "no", "fi", "pl", "cs", "hu", "ro", "tr"}

var ownLetters = func() map[rune][]string {
	m := map[rune][]string{}
	for l, rs := range map[string]string{"de": "ßäöü", "es": "ñ¿¡áíóú", "fr": "èêçàœëîù", "pt": "ãõçêâ", "it": "èòù", "sv": "åäö",
		"da": "åæø", "no": "åæø", "fi": "äö", "pl": "łąęśźżćń", "cs": "řěščžůý", "hu": "őű", "ro": "țșăâî", "tr": "ğışç"} {
		for _, r := range rs {
			m[r] = append(m[r], l)
		}
	}
	return m
}()
