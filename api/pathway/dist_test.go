package pathway

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/indexer/index"
)

func hitsOf(cosines ...float64) []index.Hit {
	hits := make([]index.Hit, len(cosines))
	for i, c := range cosines {
		hits[i].Cosine = c
	}
	return hits
}

func TestDistances(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		cosines, want []float64
	}{
		{nil, []float64{}},
		{[]float64{.75, .5, .25}, []float64{.25, .5, .75}},
		{[]float64{.5, .75, .25}, []float64{.375, .375, .75}},
		{[]float64{.25, .5, .75}, []float64{.5, .5, .5}},
		{[]float64{nan, .5, nan, .25, nan}, []float64{.5, .5, .5, .75, .75}},
		{[]float64{-1, 1}, []float64{1, 1}},
	} {
		if got := distances(hitsOf(tc.cosines...)); !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v, want %v", tc.cosines, got, tc.want)
		}
	}
	keyword := hitsOf(nan, nan, nan)
	keyword[0].BM25, keyword[1].BM25 = 3, 1
	if got := distances(keyword); !slices.Equal(got, []float64{.25, .5, 1}) {
		t.Errorf("keyword: %v", got)
	}
}

// The result never falls, keeps what does not fall already, and no
// never-falling sequence comes closer (checked against the min-max formula of
// isotonic regression).
func TestDistancesAreIsotonicRegression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cosines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 {
			if rapid.IntRange(0, 4).Draw(t, "missing") == 0 {
				return math.NaN()
			}
			return rapid.Float64Range(-1, 1).Draw(t, "cosine")
		}), 0, 30).Draw(t, "cosines")
		got := distances(hitsOf(cosines...))
		if len(got) != len(cosines) {
			t.Fatalf("%d distances for %d hits", len(got), len(cosines))
		}
		if !slices.IsSorted(got) || slices.ContainsFunc(got, math.IsNaN) {
			t.Fatalf("%v", got)
		}
		var want []float64
		var at []int
		for i, c := range cosines {
			if !math.IsNaN(c) {
				want, at = append(want, 1-c), append(at, i)
			}
		}
		for i := range want {
			if best := minMax(want, i); math.Abs(got[at[i]]-best) > 1e-9 {
				t.Fatalf("hit %d: %v, want %v (%v)", at[i], got[at[i]], best, cosines)
			}
		}
		if slices.IsSorted(want) {
			for i := range want {
				if got[at[i]] != want[i] {
					t.Fatalf("hit %d: %v is not 1 - cosine, %v", at[i], got[at[i]], want[i])
				}
			}
		}
	})
}

// minMax is max over a <= i of min over b >= i of mean(y[a..b]).
func minMax(y []float64, i int) float64 {
	best := math.Inf(-1)
	for a := 0; a <= i; a++ {
		low, sum := math.Inf(1), 0.0
		for b := a; b < len(y); b++ {
			sum += y[b]
			if b >= i {
				low = min(low, sum/float64(b-a+1))
			}
		}
		best = max(best, low)
	}
	return best
}

func FuzzFields(f *testing.F) {
	for _, s := range []struct{ body, query string }{
		{`{"query":"a","k":3,"metadata_filter":null}`, ""}, {``, "query=a&k=1"}, {`{"k":"3","return_status":"false"}`, "query=%ff"},
		{`{"text_list":["a",1]}`, ""}, {`[]`, ""}, {`null`, "k=1e9"}, {`{"query":1e400}`, ""}, {"{\"query\":\"\xff\"}", "%zz"},
	} {
		f.Add([]byte(s.body), s.query)
	}
	f.Fuzz(func(t *testing.T, data []byte, query string) {
		r, err := parseFields(data, query)
		if err != nil {
			return
		}
		q := r.required("query", 100)
		k := r.count("k", 1000)
		_, _, _ = r.text("metadata_filter"), r.truth("return_status"), r.texts("text_list")
		if r.err == nil && (k < 1 || k > 1000 || q == "" || len([]rune(q)) > 100) {
			t.Errorf("taken: query %q, k %d", q, k)
		}
	})
}
