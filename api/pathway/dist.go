package pathway

import (
	"math"

	"github.com/ragserver/ragserver/indexer/index"
)

// distances returns a dist for each of some hits, which are ranked. It never
// falls along the ranking, so that a client that sorts by it keeps the order.
//
// Hits of which any has a cosine get the isotonic regression of 1 - cosine over
// the ranks (pool adjacent violators; Ayer et al. 1955): the never-falling
// sequence with the least sum of squared differences, which is 1 - cosine itself
// where that does not fall. A hit without a cosine takes the dist of the hit
// before it, or of the first that has one. Without any cosine, 1 / (1 + BM25)
// takes its place: between 0 and 1, small for a strong match.
func distances(hits []index.Hit) []float64 {
	want := make([]float64, len(hits))
	known := make([]bool, len(hits))
	anyCosine := false
	for i := range hits {
		if c := hits[i].Cosine; !math.IsNaN(c) && !math.IsInf(c, 0) {
			want[i], known[i], anyCosine = 1-c, true, true
		}
	}
	if !anyCosine {
		for i := range hits {
			b := hits[i].BM25
			if math.IsNaN(b) || b < 0 {
				b = 0
			}
			want[i], known[i] = 1/(1+b), true // 0 for infinity
		}
	}
	return isotonic(want, known)
}

// block is a run of ranks that share one value.
type block struct {
	sum    float64
	weight int // of its values that are known
	length int
}

func (b block) mean() float64 { return b.sum / float64(b.weight) }

// isotonic returns the closest sequence to want that never falls; values that
// are not known do not weigh.
func isotonic(want []float64, known []bool) []float64 {
	blocks := make([]block, 0, len(want))
	lead := 0 // unknown values before the first known one
	for i, v := range want {
		switch {
		case !known[i] && len(blocks) == 0:
			lead++
			continue
		case !known[i]:
			blocks[len(blocks)-1].length++
			continue
		}
		blocks = append(blocks, block{sum: v, weight: 1, length: 1 + lead})
		lead = 0
		for n := len(blocks); n > 1 && blocks[n-2].mean() > blocks[n-1].mean(); n-- {
			a, b := blocks[n-2], blocks[n-1]
			blocks[n-2] = block{a.sum + b.sum, a.weight + b.weight, a.length + b.length}
			blocks = blocks[:n-1]
		}
	}
	out := make([]float64, 0, len(want))
	for _, b := range blocks {
		for m, n := b.mean(), b.length; n > 0; n-- {
			out = append(out, m)
		}
	}
	return out
}
