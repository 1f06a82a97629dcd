package keyword

import (
	"cmp"
	"math"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/ragserver/ragserver/indexer/index/words"
)

// BM25 with Lucene's idf: a document's score for a term that stands in it tf
// times is
//
//	idf · tf / (tf + k1·(1 − b + b·length/average length))
//	idf = ln(1 + (N − df + ½) / (df + ½))
//
// (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; the
// constant factor k1 + 1 is left out as in Lucene since 8.0.)
const (
	k1 = 0.9
	b  = 0.4
)

// maxQueryTerms is how many terms of a query are searched: the rarest.
const maxQueryTerms = 1024

// Query is an analysed text. It belongs to the snapshot that parsed it and is
// immutable.
type Query struct {
	terms []queryTerm
}

type queryTerm struct {
	text   string
	weight float64 // idf, times how often the query says it and its factor
	ords   []int   // by part, −1 if the part does not have it
}

// Empty says that no live row has any term of the query.
func (q Query) Empty() bool { return len(q.terms) == 0 }

// Parse analyses a text as a query: every word is looked up under the stem it
// has in each language that live rows have. The stems of one word share an idf,
// as if they were one term. Function words (what, is, the) weigh less.
func (s *Snapshot) Parse(text string) Query {
	var q Query
	language := words.Detect(text)
	known := map[string]int{}
	var scan words.Scanner
	scan.Scan(text, func(w words.Word) {
		switch {
		case w.Kind == words.Char && !w.Alone:
			return // the pairs say it better
		case w.Kind == words.Plain || w.Kind == words.Part:
			fs, weight := forms(string(w.Text), language, s.languages)
			s.addForms(&q, known, fs, weight)
		default:
			s.addForms(&q, known, []string{words.Exact(w.Text)}, 1)
		}
	})
	if len(q.terms) > maxQueryTerms {
		slices.SortStableFunc(q.terms, func(a, b queryTerm) int { return cmp.Compare(b.weight, a.weight) })
		q.terms = q.terms[:maxQueryTerms:maxQueryTerms]
	}
	return q
}

// functionWeight is the factor of a function word's weight. Measured on ten
// retrieval sets: leaving the words out is better where documents have few of
// them (tables: nDCG@10 .73 instead of .70 at 0.2 and .54 at 1), and worse in
// small collections of prose when fused with vectors; 0.2 is never below 1.
const functionWeight = 0.2

// forms gives the stems of a word of a query in the languages of the rows, and
// the factor of their weight. A function word of the query's language has all
// its stems; one of another language has no stem there ("die", asked in
// English, is no German article).
func forms(word, language string, rows []words.Stemmer) (stems []string, weight float64) {
	add := func(keep func(language string) bool) {
		for _, l := range rows {
			if keep(l.Language()) {
				if t := l.Term(word); !slices.Contains(stems, t) {
					stems = append(stems, t)
				}
			}
		}
	}
	if !words.Function(language, word) {
		add(func(l string) bool { return !words.Function(l, word) })
		if len(stems) > 0 {
			return stems, 1
		}
	}
	add(func(string) bool { return true })
	return stems, functionWeight
}

// addForms adds the forms of one word of the query.
func (s *Snapshot) addForms(q *Query, known map[string]int, forms []string, weight float64) {
	df := 0
	var found []queryTerm
	for _, f := range forms {
		t := queryTerm{text: f, ords: make([]int, len(s.parts))}
		n := 0
		h := xxh3.HashString(f)
		for i := range s.parts {
			t.ords[i] = s.parts[i].find(f, h)
			if t.ords[i] < 0 {
				continue
			}
			d := s.parts[i].liveDF(t.ords[i])
			if d == 0 {
				t.ords[i] = -1
			}
			n += int(d)
		}
		if n > 0 {
			df += n
			found = append(found, t)
		}
	}
	if df == 0 {
		return
	}
	w := weight * idf(s.stats.Rows, min(df, s.stats.Rows))
	for _, t := range found {
		if i, ok := known[t.text]; ok {
			q.terms[i].weight += w
			continue
		}
		t.weight = w
		known[t.text] = len(q.terms)
		q.terms = append(q.terms, t)
	}
}

func idf(rows, df int) float64 {
	return math.Log(1 + (float64(rows)-float64(df)+0.5)/(float64(df)+0.5))
}
