package answer

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ragserver/ragserver/indexer/index/words"
)

// Bounds on a digest.
const (
	mostDigest  = 5   // sentences
	digestRunes = 700 // after which no further sentence is added
	digestKeys  = 4   // words with a topic that a sentence must have to be chosen
	detectBytes = 4 << 10
)

// digest is a summary without a model: the sentences that say most of what all
// the texts speak of, in their order. It is SumBasic (Nenkova and Vanderwende
// 2005): a word weighs its share of all words, a sentence the mean of its words,
// and the weight of words that were said is squared, so that the next sentence
// says something else. It takes time in proportion to the texts.
func digest(ctx context.Context, texts []string) (string, error) {
	all, err := candidates(ctx, texts)
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", ErrNoText
	}
	weight, total := map[string]float64{}, 0.
	for _, c := range all {
		for _, k := range c.keys {
			weight[k]++
			total++
		}
	}
	for k := range weight {
		weight[k] /= total
	}
	var picked []int
	for size := 0; len(picked) < mostDigest && size < digestRunes; {
		best, most := -1, -1.
		for i, c := range all {
			if c.picked || len(c.keys) < digestKeys && len(picked) > 0 {
				continue
			}
			if w := c.weight(weight); w > most {
				best, most = i, w
			}
		}
		if best < 0 {
			break
		}
		c := &all[best]
		c.picked = true
		picked = append(picked, best)
		size += utf8.RuneCountInString(c.text)
		for _, k := range c.keys {
			weight[k] *= weight[k]
		}
	}
	slices.Sort(picked)
	out := make([]string, len(picked))
	for i, n := range picked {
		out[i] = all[n].text
	}
	return strings.Join(out, " "), nil
}

// candidate is a sentence that a digest may choose.
type candidate struct {
	text   string
	keys   []string // different ones
	picked bool
}

// weight is the mean weight of its words; a fragment counts as if it were longer,
// since a single word that all speak of says nothing.
func (c *candidate) weight(of map[string]float64) float64 {
	sum := 0.
	for _, k := range c.keys {
		sum += of[k]
	}
	return sum / float64(max(len(c.keys), digestKeys))
}

// candidates cuts texts into sentences. What is there twice, as in overlapping
// chunks, counts once; headings are none.
func candidates(ctx context.Context, texts []string) ([]candidate, error) {
	var out []candidate
	seen := map[string]bool{}
	for _, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		text = strings.ToValidUTF8(text, "\uFFFD")
		l := languageNamed(words.Detect(text[:cutAt(text, detectBytes)]))
		for _, s := range sentencesOf(text) {
			if heading(text, s) {
				continue
			}
			shown := unmark(plain(text[s.start:s.end]))
			if shown == "" || seen[shown] {
				continue
			}
			seen[shown] = true
			ks := keys(l.topic(shown))
			slices.Sort(ks)
			if utf8.RuneCountInString(shown) > longestText {
				shown = strings.TrimRight(string([]rune(shown)[:longestText]), " ") + " …"
			}
			out = append(out, candidate{text: shown, keys: slices.Compact(ks)})
		}
	}
	return out, nil
}

// heading reports whether a sentence is one.
func heading(text string, s span) bool {
	line := strings.LastIndexByte(text[:s.start], '\n') + 1
	return strings.HasPrefix(strings.TrimSpace(text[line:s.start]), "#")
}

// cutAt returns the last place of at most most bytes where a character begins.
func cutAt(text string, most int) int {
	if len(text) <= most {
		return len(text)
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return most
}
