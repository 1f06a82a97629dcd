package answer

import (
	"context"
	"fmt"
)

// Meaning gives texts vectors whose dot products say how near they are in
// meaning. It is asked for every sentence at hand, and for every word of
// passages in another language than the question's, so it must be in the
// process: the built-in tables are. Safe for concurrent use.
type Meaning interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

const (
	mostNear  = 4096 // words of the passages that are compared with the question's
	nearFrom  = .40  // similarity of two words from which they are taken for translations of each other
	nearWorth = 1.2  // how much a match grows with the similarity beyond that
	nearMost  = .80  // the best such match: it is a guess
)

// sense compares sentences with the question by meaning.
func (e *evidence) sense(ctx context.Context, m Meaning) error {
	texts := make([]string, 1, len(e.sentences)+1)
	texts[0] = e.asked.text
	for i := range e.sentences {
		texts = append(texts, e.text(&e.sentences[i]))
	}
	vs, err := m.Embed(ctx, texts)
	if err != nil {
		return fmt.Errorf("answer: comparing sentences: %w", err)
	}
	question := dot(vs[0], vs[0])
	for i, v := range vs[1:] {
		e.sentences[i].near = similarity(vs[0], v, question, dot(v, v))
	}
	return nil
}

// translate finds the question's terms in sentences of other languages: of
// words that are no names and numbers, the nearest in meaning.
func (e *evidence) translate(ctx context.Context, m Meaning) error {
	var texts []string
	var terms []int
	for i, t := range e.asked.terms {
		if t.text != "" {
			texts, terms = append(texts, t.text), append(terms, i)
		}
	}
	at := map[string]int{}
	for i := range e.sentences {
		if !e.foreign(&e.sentences[i]) {
			continue
		}
		for _, w := range meanings(e.sentences[i].tokens) {
			if _, ok := at[w]; !ok && len(at) < mostNear {
				at[w] = len(texts)
				texts = append(texts, w)
			}
		}
	}
	if len(at) == 0 || len(terms) == 0 {
		return nil
	}
	vs, err := m.Embed(ctx, texts)
	if err != nil {
		return fmt.Errorf("answer: comparing words: %w", err)
	}
	norms := make([]float32, len(vs))
	for i, v := range vs {
		norms[i] = dot(v, v)
	}
	match := make([][]float64, len(terms)) // by term and text
	for i := range terms {
		match[i] = make([]float64, len(vs))
		for j := len(terms); j < len(vs); j++ {
			v := similarity(vs[i], vs[j], norms[i], norms[j])
			match[i][j] = nearMost * max(0, min(1, nearWorth*(v-nearFrom)/(1-nearFrom)))
		}
	}
	for i := range e.sentences {
		s := &e.sentences[i]
		if !e.foreign(s) {
			continue
		}
		for _, w := range meanings(s.tokens) {
			j, ok := at[w]
			for k, t := range terms {
				if key := e.asked.terms[t].key; ok && match[k][j] > s.found[key] {
					s.found[key] = match[k][j]
				}
			}
		}
	}
	return nil
}

// foreign reports whether a sentence's passage is in another language than the
// question.
func (e *evidence) foreign(s *sentence) bool { return e.passages[s.hit].language != e.asked.lang.code }

// meanings are what is compared by meaning of tokens.
func meanings(ts []token) []string {
	var out []string
	for i := range ts {
		for _, k := range keysAt(ts, i) {
			if k != ts[i].whole {
				if w := meaning(ts[i], k); len(w) > 2 {
					out = append(out, w)
				}
			}
		}
	}
	return out
}

// similarity is the product of two vectors by the shorter one's square: what the
// tables know of one of two texts alone counts for neither.
func similarity(a, b []float32, aa, bb float32) float64 {
	least := min(aa, bb)
	if least == 0 {
		return 0
	}
	return min(1, float64(dot(a, b)/least))
}

func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i := range min(len(a), len(b)) {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}
