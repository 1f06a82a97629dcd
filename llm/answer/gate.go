package answer

import (
	"math"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/index/words"
)

// The gate decides from the passages alone whether anything relevant was found.
// Its measure, the relevance, is the share of the question's weight (idf of its
// topic words among the sentences at hand) that the best sentence covers, and
// the best passage with its title, and the closeness of the vectors where the
// embedder's Closeness is known. Weights and limits were fitted by logistic
// regression on half of the questions of the quality test, which says how often
// they are wrong.
//
// There are two limits, since a model can still say that the answer is not
// there and a quotation cannot.
const (
	relevanceSentence = .70
	relevancePassage  = .30
	relevanceVector   = .30 // of closeness, beside 1 of the words' relevance
	relevanceAnyway   = .10 // what passages that do not hold the answer have by closeness alone

	enoughToAsk   = .20 // below, no model is asked
	enoughToQuote = .30 // below, nothing is quoted
	enoughForeign = .60 // closeness from which a passage in another language is relevant
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

// relevance says how much of the question the passages cover, 0 to about 1. A
// question without topic words ("What is this about?") is covered by anything.
func (e *evidence) relevance(typical Closeness) float64 {
	if len(e.hits) == 0 {
		return 0
	}
	if len(e.asked.terms) == 0 {
		return 1
	}
	sentence, passage, near, foreign := 0., 0., 0., 0.
	for i := range e.sentences {
		sentence = max(sentence, e.sentences[i].cover)
	}
	for i, p := range e.passages {
		passage = max(passage, p.cover)
		l := words.Detect(e.hits[i].Text)
		c := typical.of(e.hits[i], e.asked.lang.code, l)
		near = max(near, c)
		if l != e.asked.lang.code {
			foreign = max(foreign, c)
		}
	}
	r := 0.
	if sentence > 0 || passage > 0 {
		r = relevanceSentence*sentence + relevancePassage*passage + ease[e.asked.lang.code]
		if typical != (Closeness{}) {
			r = (r+relevanceVector*near)/(1+relevanceVector) - relevanceAnyway
		}
	}
	if foreign >= enoughForeign { // words of two languages do not meet: the vectors decide
		r = max(r, enoughToAsk)
	}
	return r
}
