package split

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/internal/evaldata"
)

// bm25 ranks texts for a query in the plain way (k1 1.2, b 0.75).
type bm25 struct {
	tf  []map[string]int
	n   []int
	df  map[string]int
	avg float64
}

func terms(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func newBM25(texts []string) *bm25 {
	x := &bm25{df: map[string]int{}}
	for _, s := range texts {
		tf := map[string]int{}
		ts := terms(s)
		for _, w := range ts {
			tf[w]++
		}
		for w := range tf {
			x.df[w]++
		}
		x.tf, x.n, x.avg = append(x.tf, tf), append(x.n, len(ts)), x.avg+float64(len(ts))
	}
	x.avg /= float64(max(len(texts), 1))
	return x
}

func (x *bm25) top(query string, k int) []int {
	score := make([]float64, len(x.tf))
	for _, w := range terms(query) {
		idf := math.Log(1 + (float64(len(x.tf))-float64(x.df[w])+.5)/(float64(x.df[w])+.5))
		for i, tf := range x.tf {
			if f := float64(tf[w]); f > 0 {
				score[i] += idf * f * 2.2 / (f + 1.2*(.25+.75*float64(x.n[i])/x.avg))
			}
		}
	}
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	return order[:min(k, len(order))]
}

// solid maps positions to counts of characters that are not white space: the
// document's text differs from the file only in that.
func solid(s []rune) []int {
	out := make([]int, len(s)+1)
	for i, r := range s {
		out[i+1] = out[i]
		if !unicode.IsSpace(r) {
			out[i+1]++
		}
	}
	return out
}

// TestScoreChunking measures, as the data's authors do, what the five best
// chunks for a question have in common with the spans that answer it.
func TestScoreChunking(t *testing.T) {
	dir := evaldata.Dir(t, "chunking")
	type question struct {
		Question, Doc string
		Spans         [][2]int
	}
	qs := slices.Collect(evaldata.Lines[question](t, filepath.Join(dir, "qa.jsonl")))
	for _, size := range []int{100, 150, 200, 250, 300, 350, 400, 500} {
		type span struct {
			doc        string
			start, end int
		}
		var chunks []span
		var texts []string
		place := map[string][]int{}
		for _, name := range []string{"chatlogs.md", "state_of_the_union.md", "wikitexts.md"} {
			raw, err := os.ReadFile(filepath.Join(dir, "docs", name))
			if err != nil {
				t.Fatal(err)
			}
			res, err := parse.Read(context.Background(), parse.File{Name: strings.TrimSuffix(name, ".md") + ".txt", Data: bytes.NewReader(raw), Size: int64(len(raw))}, parse.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			place[name] = solid([]rune(string(raw)))
			text, cs := Split(res.Document, Options{Tokens: size})
			at := 0
			for _, c := range cs {
				n := 0
				for _, r := range text[c.Start:c.End] {
					if !unicode.IsSpace(r) {
						n++
					}
				}
				chunks = append(chunks, span{name, at, at + n})
				at += n
				texts = append(texts, c.Heading+"\n"+text[c.Start:c.End])
			}
			if at != place[name][len(place[name])-1] {
				t.Fatalf("%s: %d characters in chunks, %d in the file", name, at, place[name][len(place[name])-1])
			}
		}
		x := newBM25(texts)
		var recall, precision, iou float64
		for _, q := range qs {
			want, hit, got := 0, 0, 0
			for _, i := range x.top(q.Question, 5) {
				got += chunks[i].end - chunks[i].start
			}
			for _, s := range q.Spans {
				p := place[q.Doc]
				a, b := p[s[0]], p[s[1]]
				want += b - a
				for _, i := range x.top(q.Question, 5) {
					if c := chunks[i]; c.doc == q.Doc {
						hit += max(0, min(b, c.end)-max(a, c.start))
					}
				}
			}
			recall += float64(hit) / float64(want)
			precision += float64(hit) / float64(got)
			iou += float64(hit) / float64(want+got-hit)
		}
		n := float64(len(qs))
		t.Logf("chunking: %d tokens, %d chunks: recall %.3f precision %.3f IoU %.3f", size, len(chunks), recall/n, precision/n, iou/n)
		if size == DefaultTokens && recall/n < .88 {
			t.Errorf("recall %.3f fell", recall/n)
		}
	}
}
