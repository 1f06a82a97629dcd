package answer

import (
	"slices"
	"strconv"
	"unicode/utf8"
)

// Bounds on an extractive answer.
const (
	mostQuotes  = 3   // sentences
	quoteShare  = .80 // of the best sentence's score that a further one needs
	quoteNew    = .12 // of the question's weight that a further one must add
	longestText = 420 // characters of a sentence; of a longer one the middle of what matters is quoted
)

// A quote is a sentence of an extractive answer.
type quote struct {
	n    int // the passage's number
	text string
}

// quotes picks the best sentences, at most three, in reading order: the best
// one, and those nearly as good that say more about the question.
func (e *evidence) quotes() []quote {
	order := make([]*sentence, len(e.sentences))
	for i := range order {
		order[i] = &e.sentences[i]
	}
	slices.SortStableFunc(order, func(a, b *sentence) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	var picked []*sentence
	covered := map[string]float64{}
	for _, s := range order {
		if len(picked) == mostQuotes || len(picked) > 0 && s.score < quoteShare*picked[0].score {
			break
		}
		before := e.asked.share(covered)
		both := map[string]float64{}
		merge(both, covered)
		merge(both, s.found)
		if len(picked) > 0 && (e.asked.share(both)-before < quoteNew || e.repeats(s, picked)) {
			continue
		}
		covered = both
		picked = append(picked, s)
	}
	slices.SortStableFunc(picked, func(a, b *sentence) int {
		if a.hit != b.hit {
			return a.hit - b.hit
		}
		return a.order - b.order
	})
	var out []quote
	for _, s := range picked {
		if text := e.shown(s); text != "" {
			out = append(out, quote{n: s.hit + 1, text: text})
		}
	}
	return out
}

// repeats reports whether a sentence says again what a picked one says, as
// overlapping chunks and copies of documents do.
func (e *evidence) repeats(s *sentence, picked []*sentence) bool {
	for _, p := range picked {
		if plain(e.text(p)) == plain(e.text(s)) {
			return true
		}
		words := map[string]bool{}
		for _, t := range p.tokens {
			words[t.word] = true
		}
		same := 0
		for _, t := range s.tokens {
			if words[t.word] {
				same++
			}
		}
		if 10*same >= 9*len(s.tokens) {
			return true
		}
	}
	return false
}

// shown is a sentence as it is quoted. Of an overlong one, a table or a text
// without full stops, the part around the question's words is quoted.
func (e *evidence) shown(s *sentence) string {
	text := e.text(s)
	if utf8.RuneCountInString(text) > longestText {
		text = e.around(s)
	}
	return unmark(plain(text))
}

func (e *evidence) around(s *sentence) string {
	text := e.text(s)
	if len(s.tokens) == 0 {
		return ""
	}
	anchors := e.anchors(s)
	best, most := 0, -1.
	for i := range s.tokens {
		if v := e.nearness(span{i, i + 1}, anchors); v > most {
			best, most = i, v
		}
	}
	from, to := best, best
	size := func() int { return utf8.RuneCountInString(text[s.tokens[from].start:s.tokens[to].end]) }
	for size() < longestText && (from > 0 || to < len(s.tokens)-1) {
		from, to = max(0, from-1), min(len(s.tokens)-1, to+1)
	}
	out := text[s.tokens[from].start:s.tokens[to].end]
	if from > 0 {
		out = "… " + out
	}
	if to < len(s.tokens)-1 {
		return out + " …"
	}
	return out + text[s.tokens[to].end:]
}

// lead quotes how the best passage begins, for questions that name no topic.
func (e *evidence) lead() []quote {
	var out []quote
	for i := range e.sentences {
		s := &e.sentences[i]
		if s.hit == 0 && len(out) < mostQuotes && len(s.tokens) >= shortSentence {
			out = append(out, quote{n: 1, text: e.shown(s)})
		}
	}
	return out
}

// written is a quote with its citation, as a part of an answer.
func (q quote) written(first bool) string {
	s := q.text + " [" + strconv.Itoa(q.n) + "]"
	if !first {
		s = " " + s
	}
	return s
}
