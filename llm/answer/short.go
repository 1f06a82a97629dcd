package answer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// holds returns the parts of a sentence that are of the kind the question asks
// for and are not in the question: positions of tokens, end excluded.
func (e *evidence) holds(s *sentence) []span {
	switch e.asked.kind {
	case number:
		return e.numbers(s)
	case when:
		return e.dates(s)
	case who, where:
		return e.names(s)
	}
	return nil
}

// isNumber reports whether a token is a number, in digits or words.
func (l *language) isNumber(t token) bool {
	if t.cjk {
		return l.numbers[t.word]
	}
	return strings.ContainsFunc(t.word, unicode.IsDigit) || l.numbers[t.word]
}

func (e *evidence) numbers(s *sentence) []span {
	l := e.asked.lang
	var out []span
	for i := 0; i < len(s.tokens); i++ {
		if !l.isNumber(s.tokens[i]) || e.asked.words[s.tokens[i].word] {
			continue
		}
		j := i + 1
		for j < len(s.tokens) && l.isNumber(s.tokens[j]) && e.gap(s, j) {
			j++
		}
		out = append(out, span{i, j})
		i = j
	}
	return out
}

// gap reports whether only a blank, a sign inside a number or nothing stands
// before token i.
func (e *evidence) gap(s *sentence, i int) bool {
	between := e.text(s)[s.tokens[i-1].end:s.tokens[i].start]
	return len(strings.Trim(between, " -–/.%$€£")) == 0
}

// dates are years, months and what numbers stand beside them.
func (e *evidence) dates(s *sentence) []span {
	l := e.asked.lang
	var out []span
	isDate := func(t token) bool {
		if t.cjk {
			return l.isNumber(t) || strings.Contains("年月日世纪代", t.word)
		}
		return l.months[t.word] || strings.ContainsFunc(t.word, unicode.IsDigit)
	}
	for i := 0; i < len(s.tokens); i++ {
		if !isDate(s.tokens[i]) || e.asked.words[s.tokens[i].word] && !s.tokens[i].cjk {
			continue
		}
		j := i + 1
		dated := isYear(s.tokens[i]) || l.months[s.tokens[i].word]
		for j < len(s.tokens) && isDate(s.tokens[j]) && (e.gap(s, j) || strings.Trim(e.text(s)[s.tokens[j-1].end:s.tokens[j].start], " ,.") == "") {
			dated = dated || isYear(s.tokens[j]) || l.months[s.tokens[j].word]
			j++
		}
		if s.tokens[i].cjk || j > i && l.undivided {
			dated = dated || strings.ContainsAny(e.text(s)[s.tokens[i].start:s.tokens[j-1].end], "年月日纪")
		}
		if dated {
			out = append(out, span{i, j})
		}
		i = j
	}
	return out
}

// isYear reports whether a token looks like a year: four digits, perhaps with
// an s behind.
func isYear(t token) bool {
	w := strings.TrimSuffix(t.word, "s")
	if len(w) != 4 {
		return false
	}
	for _, r := range w {
		if r < '0' || r > '9' {
			return false
		}
	}
	return w[0] == '1' || w[0] == '2'
}

// names are runs of words that are written with a capital, the first of a
// sentence only if the next is, too. Scripts without capitals have none.
func (e *evidence) names(s *sentence) []span {
	text := e.text(s)
	capital := func(i int) bool {
		r, _ := utf8.DecodeRuneInString(text[s.tokens[i].start:])
		return unicode.IsUpper(r)
	}
	anchors := e.anchors(s)
	var out []span
	for i := 0; i < len(s.tokens); i++ {
		if !capital(i) {
			continue
		}
		j := i + 1
		for j < len(s.tokens) && capital(j) && strings.Trim(text[s.tokens[j-1].end:s.tokens[j].start], " .-–'’") == "" {
			j++
		}
		known := true
		for k := i; k < j; k++ {
			known = known && (anchors[k] > 0 || e.asked.words[s.tokens[k].word] || e.asked.lang.small(s.tokens[k].word))
		}
		if !known && (i > 0 || j > 1 || !e.asked.lang.small(s.tokens[0].word)) {
			out = append(out, span{i, j})
		}
		i = j
	}
	return out
}

// longestShort is how many tokens a short answer has at most (characters
// where words are not divided).
func (l *language) longestShort() int {
	if l.undivided {
		return 16
	}
	return 8
}

// short picks the few words of a sentence that answer the question: of what it
// holds of the kind asked for, else of the phrases between signs and between
// the question's own words, the one that stands nearest to those words. It
// returns "" if the sentence has none.
func (e *evidence) short(s *sentence) string {
	anchors := e.anchors(s)
	spans := e.holds(s)
	if len(spans) == 0 {
		spans = e.phrases(s, anchors)
	}
	best, most := span{}, -1.
	for _, sp := range spans {
		v := e.nearness(sp, anchors)
		if e.asked.kind == where && sp.start > 0 && e.asked.lang.places[s.tokens[sp.start-1].word] {
			v *= 2 // "in Paris"
		}
		if e.asked.kind == number && sp.end < len(anchors) {
			v += anchors[sp.end] // "308 points": what is counted stands behind the number
		}
		if e.asked.kind == anything || e.asked.kind == why {
			v *= lengthPrior(sp.end-sp.start, e.asked.lang.undivided)
		}
		if v > most {
			best, most = sp, v
		}
	}
	if most < 0 {
		return ""
	}
	return e.text(s)[s.tokens[best.start].start:s.tokens[best.end-1].end]
}

// anchors gives for each token the weight of the question's term in it, 0 if
// it is none of the question's.
func (e *evidence) anchors(s *sentence) []float64 {
	w := make([]float64, len(s.tokens))
	for i, t := range s.tokens {
		if t.cjk {
			continue
		}
		for _, q := range e.asked.terms {
			if v := max(e.asked.lang.similar(q.key, t.key), e.asked.lang.similar(q.key, t.whole)) * q.weight; v > w[i] {
				w[i] = v
			}
		}
	}
	for i := 0; i+1 < len(s.tokens); i++ { // pairs of characters
		a, b := s.tokens[i], s.tokens[i+1]
		if !a.cjk || !b.cjk || a.end != b.start {
			continue
		}
		for _, q := range e.asked.terms {
			if q.key == a.word+b.word {
				w[i], w[i+1] = max(w[i], q.weight), max(w[i+1], q.weight)
			}
		}
	}
	return w
}

// nearness sums the weights of the question's words, each divided by its
// distance from the span.
func (e *evidence) nearness(sp span, anchors []float64) float64 {
	sum := 0.
	for i, w := range anchors {
		d := 0
		switch {
		case i < sp.start:
			d = sp.start - i
		case i >= sp.end:
			d = i - sp.end + 1
		}
		sum += w / float64(1+d)
	}
	return sum
}

// lengthPrior prefers short answers of a few words.
func lengthPrior(n int, chars bool) float64 {
	if chars {
		n = (n + 1) / 2
	}
	switch n {
	case 1:
		return .8
	case 2, 3:
		return 1
	case 4, 5:
		return .9
	}
	return .7
}

// phrases cuts a sentence at signs and at the question's words and takes the
// small words off both ends.
func (e *evidence) phrases(s *sentence, anchors []float64) []span {
	l := e.asked.lang
	text := e.text(s)
	small := func(i int) bool {
		t := s.tokens[i]
		return l.small(t.word) || e.asked.words[t.word] && !t.cjk
	}
	var out []span
	add := func(from, to int) {
		for from < to && small(from) {
			from++
		}
		for to > from && small(to-1) {
			to--
		}
		if from < to {
			out = append(out, span{from, min(to, from+l.longestShort())})
		}
	}
	from := 0
	for i := range s.tokens {
		if i > from && strings.ContainsAny(text[s.tokens[i-1].end:s.tokens[i].start], ",;:.()[]\"“”„«»—–、，。；：（）《》「」?!") {
			add(from, i)
			from = i
		}
		if anchors[i] > 0 {
			add(from, i)
			from = i + 1
		}
	}
	add(from, len(s.tokens))
	return out
}
