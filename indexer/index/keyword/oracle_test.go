package keyword

import (
	"math"
	"slices"
	"strings"

	"github.com/ragserver/ragserver/indexer/index/words"
)

// oracle is BM25 in the plainest form: all rows in a map, every row scored.
type oracle map[uint32]oracleRow

type oracleRow struct {
	language words.Stemmer
	tf       map[string]int
	length   int
}

func (o oracle) add(row uint32, language string, f Fields) {
	r := oracleRow{language: words.StemmerOf(language), tf: map[string]int{}}
	var scan words.Scanner
	for _, s := range []string{f.Title, f.Title, f.Heading, f.Body} {
		scan.Scan(strings.Clone(s), func(w words.Word) {
			t := words.Exact(w.Text)
			if w.Kind == words.Plain || w.Kind == words.Part {
				t = r.language.Term(string(w.Text))
			}
			r.tf[t]++
			if w.Kind == words.Plain || w.Kind == words.Pair {
				r.length++
			}
		})
	}
	o[row] = r
}

// weights gives the weight of every term of a query.
func (o oracle) weights(text string) map[string]float64 {
	var languages []words.Stemmer
	for _, r := range o {
		if !slices.Contains(languages, r.language) {
			languages = append(languages, r.language)
		}
	}
	weights := map[string]float64{}
	var scan words.Scanner
	scan.Scan(text, func(w words.Word) {
		all, factor := map[string]bool{}, 1.0
		switch {
		case w.Kind == words.Char && !w.Alone:
		case w.Kind == words.Plain || w.Kind == words.Part:
			var stems []string
			stems, factor = forms(string(w.Text), words.Detect(text), languages)
			for _, f := range stems {
				all[f] = true
			}
		default:
			all[words.Exact(w.Text)] = true
		}
		df := 0
		for f := range all {
			for _, r := range o {
				if r.tf[f] > 0 {
					df++
				}
			}
		}
		if df > 0 {
			for f := range all {
				weights[f] += factor * idf(len(o), min(df, len(o)))
			}
		}
	})
	return weights
}

// scores gives the score of every row that matches.
func (o oracle) scores(text string) map[uint32]float64 {
	total := 0
	for _, r := range o {
		total += r.length
	}
	avg := max(float64(total)/float64(max(len(o), 1)), math.SmallestNonzeroFloat64)
	if total == 0 {
		avg = 1
	}
	out := map[uint32]float64{}
	for t, w := range o.weights(text) {
		for row, r := range o {
			if tf := float64(r.tf[t]); tf > 0 {
				// In the steps of units, so that rounding is the same.
				out[row] += math.Floor(w*scoreUnit*tf/(tf+k1*(1-b)+k1*b/avg*float64(r.length))) + 1
			}
		}
	}
	return out
}

// topK sorts everything.
func (o oracle) topK(text string, k int, allow func(uint32) bool) []Scored {
	var all []scoredUnits
	for row, v := range o.scores(text) {
		if allow(row) {
			all = append(all, scoredUnits{row, uint64(v)})
		}
	}
	h := heap{k: len(all), rows: all}
	return h.sorted()[:min(k, len(all))]
}
