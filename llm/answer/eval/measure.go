package eval

import (
	"strings"
	"unicode"
)

// normal prepares an answer for comparison as SQuAD's scorer does: lower case,
// no punctuation, no English articles, single blanks. Characters of scripts
// that do not divide words are words of their own.
func normal(s string) []string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			b.WriteRune(' ')
			b.WriteRune(r)
			b.WriteRune(' ')
		case unicode.IsPunct(r) || unicode.IsSymbol(r):
		default:
			b.WriteRune(r)
		}
	}
	var words []string
	for _, w := range strings.Fields(b.String()) {
		if w != "a" && w != "an" && w != "the" {
			words = append(words, w)
		}
	}
	return words
}

// ExactMatch reports whether the answer equals one of the right ones.
func ExactMatch(answer string, right []string) bool {
	a := strings.Join(normal(answer), " ")
	for _, r := range right {
		if a == strings.Join(normal(r), " ") {
			return true
		}
	}
	return false
}

// Contains reports whether one of the right answers stands in the answer, word
// for word.
func Contains(answer string, right []string) bool {
	a := " " + strings.Join(normal(answer), " ") + " "
	for _, r := range right {
		if n := normal(r); len(n) > 0 && strings.Contains(a, " "+strings.Join(n, " ")+" ") {
			return true
		}
	}
	return false
}

// F1 is the harmonic mean of the precision and recall of the answer's words
// against the right answer that fits best, 0 to 1.
func F1(answer string, right []string) float64 {
	best := 0.
	a := normal(answer)
	for _, r := range right {
		best = max(best, f1(a, normal(r)))
	}
	return best
}

func f1(a, b []string) float64 {
	if len(a) == 0 || len(b) == 0 {
		if len(a) == len(b) {
			return 1
		}
		return 0
	}
	count := map[string]int{}
	for _, w := range b {
		count[w]++
	}
	same := 0
	for _, w := range a {
		if count[w] > 0 {
			count[w]--
			same++
		}
	}
	if same == 0 {
		return 0
	}
	p, r := float64(same)/float64(len(a)), float64(same)/float64(len(b))
	return 2 * p * r / (p + r)
}
