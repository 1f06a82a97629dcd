package answer

import (
	"math"

	"github.com/ragserver/ragserver/indexer/index"
)

// The gate decides from the passages alone whether anything relevant was found.
// Its measure, the relevance, is read from the passages in the question's
// language: the share of the question's weight (idf of its topic words among the
// sentences at hand) that the best sentence covers, and the best passage with its
// title; the closeness of the passages' vectors where the embedder's Closeness is
// known; the nearness in meaning of the best sentence where there is Meaning.
// Passages in other languages are read apart, their words in translation.
// An identifier that no passage holds keeps anything from being quoted.
//
// How the numbers came about: relevanceSentence, relevancePassage and
// relevanceVector by logistic regression on half of the questions of XQuAD;
// relevanceNear, typicalNear, those for other languages and for foreign passages
// by logistic regression and a look at the trade-off on every second document of
// XQuAD and of the contracts. The limits, relevanceAnyway and ease were chosen
// with all questions in view. TestQualityGate prints how well the gate tells
// answerable questions from others, and the trade-off along the limit, for the
// documents that the second regression did not see; TestQualityXQuAD and
// TestQualityContracts how often it is wrong on all.
//
// There are two limits, since a model can still say that the answer is not
// there and a quotation cannot.
const (
	relevanceSentence = .70
	relevancePassage  = .30
	relevanceVector   = .30 // of closeness, beside 1 of the words' relevance
	relevanceAnyway   = .10 // what passages that do not hold the answer have by closeness alone

	relevanceNear      = 1.0 // of the nearness of the best sentence beyond what is typical, in English
	typicalNear        = .49
	relevanceNearOther = .30 // in other languages, of which the tables know less
	typicalNearOther   = .38

	foreignPassage = .55 // passages in another language: what they cover in translation,
	foreignNear    = .87 // the nearness of their best sentence,
	foreignCosine  = .07 // and the closeness of their vectors
	foreignAnyway  = .15

	enoughToAsk   = .20 // below, no model is asked
	enoughToQuote = .30 // below, nothing is quoted
	enoughForeign = .60 // without Meaning: closeness from which a passage in another language is relevant
)

// ease is added to the relevance where words meet less often: where they are
// not divided, pairs of characters across words never match; endings and
// compounds hide others from the stemmer.
var ease = map[string]float64{"zh": .10, "ja": .10, "ar": .03, "de": .03, "nl": .03, "ru": .03}

// Closeness is the cosine that a passage which holds the answer typically has
// to the question. It belongs to the embedder: for the built-in tables it is
// {English: .53, Other: .17}, for a sentence transformer both are near .6. The
// zero value leaves vectors out of the gate.
type Closeness struct {
	English float64 // question and passage are both English
	Other   float64 // all other pairs, across languages too
}

// of measures a hit: 1 is as close as passages with the answer typically are.
func (c Closeness) of(h index.Hit, question, passage string) float64 {
	typical := c.Other
	if question == "en" && passage == "en" {
		typical = c.English
	}
	if typical <= 0 || math.IsNaN(h.Cosine) {
		return 0
	}
	return max(0, min(1.5, h.Cosine/typical))
}

// A reading is what passages of one kind of language hold.
type reading struct{ sentence, passage, near, cosine float64 }

// relevance says how much of the question the passages cover, 0 to about 1. A
// question without topic words ("What is this about?") is covered by anything.
func (e *evidence) relevance(typical Closeness) float64 {
	if len(e.hits) == 0 {
		return 0
	}
	if len(e.asked.terms) == 0 {
		return 1
	}
	own, other := e.read(typical)
	r := e.ownRelevance(own, typical != (Closeness{}))
	if e.sensed {
		r = max(r, foreignRelevance(other))
	} else if other.cosine >= enoughForeign { // words of two languages do not meet: the vectors decide
		r = max(r, enoughToAsk)
	}
	if !e.identified() {
		r = min(r, enoughToAsk)
	}
	return r
}

// read takes passages in the question's language, and all others if they cannot
// be told apart by words, and those in other languages.
func (e *evidence) read(typical Closeness) (own, other reading) {
	of := func(hit int) []*reading {
		switch {
		case e.passages[hit].language == e.asked.lang.code:
			return []*reading{&own}
		case e.sensed:
			return []*reading{&other}
		}
		return []*reading{&own, &other}
	}
	for i := range e.sentences {
		s := &e.sentences[i]
		for _, r := range of(s.hit) {
			r.sentence, r.near = max(r.sentence, s.cover), max(r.near, s.near)
		}
	}
	for i, p := range e.passages {
		for _, r := range of(i) {
			r.passage = max(r.passage, p.cover)
			r.cosine = max(r.cosine, typical.of(e.hits[i], e.asked.lang.code, p.language))
		}
	}
	return own, other
}

func (e *evidence) ownRelevance(x reading, vectors bool) float64 {
	r := 0.
	if x.sentence > 0 || x.passage > 0 {
		r = relevanceSentence*x.sentence + relevancePassage*x.passage + ease[e.asked.lang.code]
		if vectors {
			r = (r+relevanceVector*x.cosine)/(1+relevanceVector) - relevanceAnyway
		}
	}
	switch {
	case !e.sensed:
	case e.asked.lang.code == "en":
		r += relevanceNear * (x.near - typicalNear)
	default:
		r += relevanceNearOther * (x.near - typicalNearOther)
	}
	return max(0, r)
}

func foreignRelevance(x reading) float64 {
	if x == (reading{}) {
		return 0
	}
	return max(0, foreignPassage*x.passage+foreignNear*x.near+foreignCosine*x.cosine-foreignAnyway)
}

// identified reports whether the passages hold every identifier of the question
// (E-21, v1.2.3, ERR_CONN_RESET): what they say of others answers nothing.
func (e *evidence) identified() bool {
	for _, id := range e.asked.ids {
		held := false
		for i := range e.sentences {
			held = held || holdsWords(e.sentences[i].tokens, id)
		}
		for i := range e.hits {
			held = held || holdsWords(e.cut.tokens(e.hits[i].Title+"\n"+e.hits[i].Heading), id)
		}
		if !held {
			return false
		}
	}
	return true
}

// holdsWords reports whether the words stand among the tokens one after the other.
func holdsWords(ts []token, words []string) bool {
	for ; len(ts) >= len(words); ts = ts[1:] {
		same := true
		for i, w := range words {
			same = same && ts[i].word == w
		}
		if same {
			return true
		}
	}
	return false
}
