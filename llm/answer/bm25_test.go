package answer

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/ragserver/ragserver/indexer/index"
)

// bm25 is a retriever of its own: an exhaustive BM25 (k1 .9, b .4) with the
// analysis of this package. A query's glob is the one path to search, or with a
// ! in front the one to leave out.
type bm25 struct {
	lang *language
	docs []bmDoc
	df   map[string]int
	avg  float64
}

type bmDoc struct {
	hit index.Hit
	tf  map[string]int
	len float64
}

func newBM25(lang *language) *bm25 { return &bm25{lang: lang, df: map[string]int{}} }

func (b *bm25) add(h index.Hit) {
	d := bmDoc{hit: h, tf: map[string]int{}}
	for _, k := range keys(b.lang.tokens(h.Title + "\n" + h.Text)) {
		d.tf[k]++
		d.len++
	}
	for k := range d.tf {
		b.df[k]++
	}
	b.avg = (b.avg*float64(len(b.docs)) + d.len) / float64(len(b.docs)+1)
	b.docs = append(b.docs, d)
}

func docID(name string) (id index.ID) {
	copy(id[:], name)
	if len(name) > 16 {
		copy(id[8:], fmt.Sprintf("%08x", len(name)*31+int(name[len(name)-5])*7+int(name[8])*1009+int(name[10])))
	}
	return id
}

func (b *bm25) Search(_ context.Context, q index.Query) (index.Result, error) {
	var r index.Result
	terms := map[string]bool{}
	for _, k := range keys(b.lang.topic(q.Text)) {
		terms[k] = true
	}
	n := float64(len(b.docs))
	for i := range b.docs {
		d := &b.docs[i]
		if not, ok := strings.CutPrefix(q.Glob, "!"); ok && not == d.hit.Document.Path || !ok && q.Glob != "" && q.Glob != d.hit.Document.Path {
			continue
		}
		s := 0.
		for k := range terms {
			if tf := float64(d.tf[k]); tf > 0 {
				df := float64(b.df[k])
				s += math.Log(1+(n-df+.5)/(df+.5)) * tf / (tf + .9*(1-.4+.4*d.len/b.avg))
			}
		}
		if s > 0 {
			h := d.hit
			h.Score, h.BM25, h.Cosine = s, s, math.NaN()
			r.Hits = append(r.Hits, h)
		}
	}
	sort.SliceStable(r.Hits, func(i, j int) bool { return r.Hits[i].Score > r.Hits[j].Score })
	if len(r.Hits) > q.K {
		r.Hits = r.Hits[:q.K]
	}
	return r, nil
}
