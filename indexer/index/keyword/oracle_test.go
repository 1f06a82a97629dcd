package keyword

import (
	"math"
	"slices"
	"strings"
)

// oracle is BM25 in the plainest form: all rows in a map, every row scored.
type oracle map[uint32]oracleRow

type oracleRow struct {
	language uint8
	tf       map[string]int
	length   int
}

func (o oracle) add(row uint32, language string, f Fields) {
	r := oracleRow{language: stemmerOf(language), tf: map[string]int{}}
	var scan scanner
	for _, s := range []string{f.Title, f.Title, f.Heading, f.Body} {
		scan.scan(strings.Clone(s), func(word []byte, kind wordKind) {
			t := exact(word)
			if kind == wordPlain || kind == wordPart {
				t = stem(r.language, string(word))
			}
			r.tf[t]++
			if kind == wordPlain || kind == wordPair {
				r.length++
			}
		})
	}
	o[row] = r
}

// weights gives the weight of every term of a query.
func (o oracle) weights(text string) map[string]float64 {
	var languages []uint8
	for _, r := range o {
		if !slices.Contains(languages, r.language) {
			languages = append(languages, r.language)
		}
	}
	w := map[string]float64{}
	var scan scanner
	scan.scan(text, func(word []byte, kind wordKind) {
		all, factor := map[string]bool{}, 1.0
		switch {
		case kind == wordChar && len(scan.chars) > 1:
		case kind == wordPlain || kind == wordPart:
			var stems []string
			stems, factor = forms(string(word), Detect(text), languages)
			for _, f := range stems {
				all[f] = true
			}
		default:
			all[exact(word)] = true
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
				w[f] += factor * idf(len(o), min(df, len(o)))
			}
		}
	})
	return w
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
