package index

import (
	"cmp"
	"math"
	"slices"

	"github.com/ragserver/ragserver/indexer/index/vector"
)

// candidate is a row that one of the sides found.
type candidate struct {
	row      uint32
	score    float64
	bm25     float64
	cosine   float64 // NaN if unknown
	kr, vr   int     // ranks
	kz, vz   float64
	identity ID // of the chunk, if it was needed
}

// fuse joins the sides: a convex combination of z-normalised scores. For each
// side, scores become z = (score - mean) / deviation over the side's own list; a
// row that is not in the list has the list's lowest z. (Fusion chosen by
// measurement: for the built-in embedder it beats reciprocal ranks on every
// set tried.)
//
// If fewer rows match than a side gives candidates, rows that do not match fill
// the keyword side's list, with score 0: so a word that stands in one chunk only
// weighs much, not nothing.
//
// A row without a vector cannot be in the vectors' list, so it is not judged by
// that: it is taken to be as good there as it is on the keyword side, but no
// better than the best there.
func (s *search) fuse() []candidate {
	at := make(map[uint32]int, len(s.byWords)+len(s.byVector))
	out := make([]candidate, 0, len(s.byWords)+len(s.byVector))
	for i, w := range s.byWords {
		at[w.Row] = len(out)
		out = append(out, candidate{row: w.Row, bm25: float64(w.Score), cosine: math.NaN(), kr: i + 1})
	}
	for i, w := range s.byVector {
		j, ok := at[w.Row]
		if !ok {
			j = len(out)
			out = append(out, candidate{row: w.Row})
		}
		out[j].cosine, out[j].vr = float64(w.Score), i+1
	}
	if len(s.byWords) == 0 || len(s.byVector) == 0 {
		for i := range out {
			if out[i].score = out[i].bm25; out[i].vr > 0 {
				out[i].score = out[i].cosine
			}
		}
		return out
	}
	kz, kLow, _ := normalise(min(candidates, s.allowed), len(s.byWords), func(i int) float64 { return float64(s.byWords[i].Score) })
	vz, vLow, vHigh := normalise(len(s.byVector), len(s.byVector), func(i int) float64 { return float64(s.byVector[i].Score) })
	w := s.v.x.space.Weight
	for i := range out {
		c := &out[i]
		c.kz, c.vz = kLow, vLow
		if c.kr > 0 {
			c.kz = kz(c.bm25)
		}
		if c.vr > 0 {
			c.vz = vz(c.cosine)
		} else if s.v.vec.Slot(c.row) == vector.NoSlot {
			c.vz = min(c.kz, vHigh)
		}
		c.score = (1-w)*c.kz + w*c.vz
	}
	return out
}

// normalise gives the z-score over a list of size n, its lowest and its highest
// value. The first k scores, k > 0, are given and fall; the rest are 0.
func normalise(n, k int, score func(int) float64) (z func(float64) float64, low, high float64) {
	var mean, square float64
	for i := range k {
		mean += score(i)
	}
	mean /= float64(n)
	for i := range k {
		d := score(i) - mean
		square += d * d
	}
	lowest := score(k - 1)
	if k < n {
		square += float64(n-k) * mean * mean
		lowest = 0
	}
	deviation := math.Sqrt(square / float64(n))
	if deviation <= 1e-9*math.Abs(mean) || deviation == 0 { // all equal, but for rounding
		return func(float64) float64 { return 0 }, 0, 0
	}
	z = func(x float64) float64 { return (x - mean) / deviation }
	return z, z(lowest), z(score(0))
}

// best sorts candidates and cuts them to K. Chunks of equal score come by their
// identity, which is looked up for these only.
func (s *search) best(cs []candidate) ([]candidate, error) {
	if len(cs) > 4*s.q.K {
		cs = notBelow(cs, s.q.K)
	}
	slices.SortFunc(cs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.row, b.row))
	})
	for i := 0; i < min(s.q.K, len(cs)); {
		j := i + 1
		for j < len(cs) && cs[j].score == cs[i].score {
			j++
		}
		if equal := cs[i:j]; len(equal) > 1 {
			for k := range equal {
				id, err := s.v.chunkID(equal[k].row)
				if err != nil {
					return nil, err
				}
				equal[k].identity = id
			}
			slices.SortFunc(equal, func(a, b candidate) int { return slices.Compare(a.identity[:], b.identity[:]) })
		}
		i = j
	}
	return cs[:min(s.q.K, len(cs))], nil
}

// notBelow keeps the candidates whose score is at least the k-th best: sorting
// all takes longer than finding them.
func notBelow(cs []candidate, k int) []candidate {
	scores := make([]float64, 0, k) // the best so far, falling
	for i := range cs {
		if s := cs[i].score; len(scores) < k || s > scores[k-1] {
			at, _ := slices.BinarySearchFunc(scores, s, func(a, b float64) int { return cmp.Compare(b, a) })
			if len(scores) < k {
				scores = append(scores, 0)
			}
			copy(scores[at+1:], scores[at:])
			scores[at] = s
		}
	}
	return slices.DeleteFunc(cs, func(c candidate) bool { return c.score < scores[k-1] })
}
