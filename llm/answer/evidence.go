package answer

import (
	"context"
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/index/words"
)

// evidence is what the passages hold for a question: their sentences, scored.
type evidence struct {
	asked     *asked
	hits      []index.Hit
	cut       *cutter
	sentences []sentence
	passages  []passage
	sensed    bool // sentences were compared by meaning
}

// A passage is a hit as evidence.
type passage struct {
	language string
	cover    float64 // share of the question's weight that the passage and its title hold
	best     int     // its best sentence, -1 if it has none
}

// A sentence of a passage.
type sentence struct {
	hit    int // index into hits
	span       // into the hit's text
	order  int // among the hit's sentences
	tokens []token
	found  map[string]float64 // the question's terms in it, and how well each matches (0..1]
	cover  float64            // share of the question's weight in it
	near   float64            // its likeness to the question in meaning, 0 to 1
	score  float64
}

func (e *evidence) text(s *sentence) string { return e.hits[s.hit].Text[s.start:s.end] }

// Weights of what makes a sentence a good answer, chosen by trial on all
// questions of XQuAD: on these the quality test is a little kind to them.
const (
	weightNear    = .20 // of what the sentences before and after cover and the sentence itself does not
	weightPassage = .45 // of what the whole passage covers
	weightKind    = .15 // of holding what is asked for: a number, a date, a name
	weightRank    = .25 // of the passage's rank
	weightName    = 1.3 // of names and numbers among the question's words
	weightCarried = .5  // of words from earlier in the conversation
	shortSentence = 5   // tokens; below, what has no full stop is a heading or a fragment
)

// gather cuts the hits into sentences and scores them for the question. m may be
// nil: then letters alone say what is alike.
func gather(ctx context.Context, a *asked, hits []index.Hit, m Meaning) (*evidence, error) {
	e := &evidence{asked: a, hits: hits, cut: a.lang.cutter(), passages: make([]passage, len(hits)), sensed: m != nil}
	for h := range hits {
		e.passages[h] = passage{language: words.Detect(hits[h].Text), best: -1}
		spans := sentencesOf(hits[h].Text)
		for o, sp := range spans {
			e.sentences = append(e.sentences, sentence{hit: h, span: sp, order: o, tokens: e.cut.tokens(hits[h].Text[sp.start:sp.end])})
		}
	}
	e.match()
	if m != nil {
		if err := errors.Join(e.sense(ctx, m), e.translate(ctx, m)); err != nil {
			return nil, err
		}
	}
	e.weigh()
	e.cover()
	e.rank()
	return e, nil
}

// match finds the question's terms in each sentence.
func (e *evidence) match() {
	for i := range e.sentences {
		s := &e.sentences[i]
		s.found = e.asked.matches(keys(s.tokens))
	}
}

// matches returns which terms occur among the keys: whole, or, less surely, as
// words that share a long beginning (a stemmer's failures, compounds).
func (a *asked) matches(ks []string) map[string]float64 {
	found := map[string]float64{}
	for _, t := range a.terms {
		best := 0.
		for _, k := range ks {
			if v := a.lang.similar(t.key, k); v > best {
				best = v
			}
		}
		if best > 0 {
			found[t.key] = best
		}
	}
	return found
}

// alike is how surely two keys mean the same that are not equal.
const alike = .6

// similar says how likely two keys mean the same: 1 if equal, alike if they begin
// alike in at least five letters and two thirds of the longer or, where words are
// written together, if one is the other with something in front or behind
// (Hotelübernachtung, Hotel); 0 else.
func (l *language) similar(a, b string) float64 {
	if a == b {
		return 1
	}
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	common := utf8.RuneCountInString(a[:n])
	if common >= 5 && 3*common >= 2*max(utf8.RuneCountInString(a), utf8.RuneCountInString(b)) {
		return alike
	}
	if l.compounds {
		if len(a) > len(b) {
			a, b = b, a
		}
		rest := utf8.RuneCountInString(b) - utf8.RuneCountInString(a)
		if utf8.RuneCountInString(a) >= 5 && rest >= 3 && (strings.HasPrefix(b, a) || strings.HasSuffix(b, a)) {
			return alike
		}
	}
	return 0
}

// weigh gives each term the weight of its rarity among the sentences at hand
// (Robertson and Spärck Jones' idf): words that all passages share tell little.
func (e *evidence) weigh() {
	n := max(20., float64(len(e.sentences)))
	for i := range e.asked.terms {
		t := &e.asked.terms[i]
		df := 0.
		for j := range e.sentences {
			df += e.sentences[j].found[t.key]
		}
		t.weight = t.worth * math.Log(1+(n-df+.5)/(df+.5))
	}
}

// share returns the share of the question's weight that the found terms have.
func (a *asked) share(found map[string]float64) float64 {
	sum, all := 0., 0.
	for _, t := range a.terms {
		all += t.weight
		sum += t.weight * found[t.key]
	}
	if all == 0 {
		return 0
	}
	return sum / all
}

// cover computes what sentences and passages cover.
func (e *evidence) cover() {
	together := make([]map[string]float64, len(e.hits))
	for h, hit := range e.hits {
		together[h] = e.asked.matches(keys(e.cut.tokens(hit.Title + "\n" + hit.Heading)))
	}
	for i := range e.sentences {
		s := &e.sentences[i]
		s.cover = e.asked.share(s.found)
		merge(together[s.hit], s.found)
	}
	for h := range e.hits {
		e.passages[h].cover = e.asked.share(together[h])
	}
}

func merge(into, from map[string]float64) {
	for k, v := range from {
		into[k] = max(into[k], v)
	}
}

// rank scores the sentences.
func (e *evidence) rank() {
	for i := range e.sentences {
		s := &e.sentences[i]
		near := map[string]float64{}
		merge(near, s.found)
		for _, j := range []int{i - 1, i + 1} {
			if j >= 0 && j < len(e.sentences) && e.sentences[j].hit == s.hit {
				merge(near, e.sentences[j].found)
			}
		}
		s.score = s.cover +
			weightNear*(e.asked.share(near)-s.cover) +
			weightPassage*e.passages[s.hit].cover +
			weightRank/float64(1+s.hit)
		if e.asked.kind != anything && len(e.holds(s)) > 0 {
			s.score += weightKind
		}
		if e.fragment(s) {
			s.score *= .5
		}
		if b := e.passages[s.hit].best; b < 0 || s.score > e.sentences[b].score {
			e.passages[s.hit].best = i
		}
	}
}

// fragment reports whether a sentence is none that answers: a heading, a few
// words without an end, a question.
func (e *evidence) fragment(s *sentence) bool {
	text := e.text(s)
	if strings.HasSuffix(text, "?") || strings.HasSuffix(text, "？") || strings.HasSuffix(text, "؟") {
		return true
	}
	last, _ := utf8.DecodeLastRuneInString(text)
	return len(s.tokens) < 3 || len(s.tokens) < shortSentence && !strings.ContainsRune(".!。！।", last)
}

// best returns the sentence with the highest score, nil if there is none.
func (e *evidence) best() *sentence {
	var best *sentence
	for i := range e.sentences {
		if s := &e.sentences[i]; best == nil || s.score > best.score {
			best = s
		}
	}
	return best
}
