package index

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/indexer/index/disk/disktest"
	"github.com/ragserver/ragserver/indexer/index/filter"
	"github.com/ragserver/ragserver/indexer/index/keyword"
)

// twin is what the index must be, said plainly: documents in a map, every search
// a comparison with every chunk.
type twin struct {
	epoch uint64
	docs  map[ID]twinDoc
}

type twinDoc struct {
	doc     Document
	content *Content
}

func (w *twin) clone() *twin {
	c := &twin{epoch: w.epoch, docs: map[ID]twinDoc{}}
	for k, v := range w.docs {
		c.docs[k] = v
	}
	return c
}

type twinChunk struct {
	d          twinDoc
	i          int
	id         ID
	bm25, dot  float64
	kz, vz     float64
	embedded   bool
	score      float64
	candidates bool
}

// search computes all scores from scratch: keywords by a fresh index, vectors in
// float64, fusion by its definition.
func (w *twin) search(q Query) []twinChunk {
	var cs []twinChunk
	fresh := keyword.New()
	var rows []uint32
	ids := make([]ID, 0, len(w.docs))
	for id := range w.docs {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ID) int { return slices.Compare(a[:], b[:]) })
	all := []twinChunk{}
	for _, docID := range ids {
		d := w.docs[docID]
		ordinals := map[ID]uint32{}
		for i, ch := range d.content.Chunks {
			fresh.Add(uint32(len(all)), d.content.Language, keyword.Fields{Title: d.content.Title, Heading: ch.Heading, Body: d.content.Text[ch.Start:ch.End]})
			c := twinChunk{d: d, i: i, id: ChunkID(docID, ch.Hash, ordinals[ch.Hash])}
			ordinals[ch.Hash]++
			v := vectorOf(d.content.EmbedText(i))
			if d.doc.Embedded && slices.Max(v) > 0 {
				c.embedded = true
				for j := range v {
					if q.Vector != nil {
						c.dot += float64(v[j]) * float64(q.Vector[j])
					}
				}
			}
			rows = append(rows, uint32(len(all)))
			all = append(all, c)
		}
	}
	snap := fresh.Snapshot()
	for i, s := range snap.Score(snap.Parse(q.Text), rows) {
		all[i].bm25 = float64(s)
	}
	for _, c := range all {
		if w.allows(q, c.d.doc) {
			cs = append(cs, c)
		}
	}
	return fuseTwin(cs, q)
}

func (w *twin) allows(q Query, d Document) bool {
	e, err := filter.Parse(cmp.Or(q.Filter, "!(path == `no such path`)"))
	if err != nil {
		panic(err)
	}
	if !e.Match(fieldsOf(&d)) || q.Documents != nil && !slices.Contains(q.Documents, d.ID) {
		return false
	}
	if q.Glob != "" {
		g, err := filter.ParseGlob(q.Glob)
		if err != nil {
			panic(err)
		}
		return filter.PathGlob(g).Match(fieldsOf(&d))
	}
	return true
}

// fuseTwin follows the definition in models/README and fuse's comment. There are
// fewer chunks than candidates, so all count.
func fuseTwin(cs []twinChunk, q Query) []twinChunk {
	useK, useV := q.Mode != Vector && slices.ContainsFunc(cs, func(c twinChunk) bool { return c.bm25 > 0 }),
		q.Mode != Keyword && q.Vector != nil && slices.ContainsFunc(cs, func(c twinChunk) bool { return c.embedded })
	var ks, vs []float64
	for _, c := range cs {
		ks = append(ks, c.bm25) // chunks without the words have 0
		if c.embedded {
			vs = append(vs, c.dot)
		}
	}
	z := func(list []float64, x float64) float64 {
		var mean, sd float64
		for _, y := range list {
			mean += y / float64(len(list))
		}
		for _, y := range list {
			sd += (y - mean) * (y - mean) / float64(len(list))
		}
		if sd = math.Sqrt(sd); sd <= 1e-6*math.Abs(mean) || sd == 0 {
			return 0
		}
		return (x - mean) / sd
	}
	var out []twinChunk
	for _, c := range cs {
		switch {
		case useK && useV:
			if c.bm25 == 0 && !c.embedded {
				continue
			}
			c.kz = z(ks, c.bm25)
			if c.vz = z(vs, c.dot); !c.embedded {
				c.vz = min(c.kz, z(vs, slices.Max(vs)))
			}
			c.score = .7*c.kz + .3*c.vz
		case useK && c.bm25 > 0:
			c.score = c.bm25
		case useV && c.embedded:
			c.score = c.dot
		default:
			continue
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b twinChunk) int {
		return cmp.Or(cmp.Compare(b.score, a.score), slices.Compare(a.id[:], b.id[:]))
	})
	return out
}

// compare asks a view and the twin the same. Scores whose difference is rounding
// may come in either order; equal scores of the view must come by chunk.
func (w *twin) compare(t interface {
	Helper()
	Fatalf(string, ...any)
}, v *View, q Query) {
	t.Helper()
	if v.Epoch() != w.epoch {
		t.Fatalf("the view is at epoch %d, the twin at %d", v.Epoch(), w.epoch)
	}
	r, err := v.Search(contextOf(t), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	want := w.search(q)
	scores := map[ID]float64{}
	for _, c := range want {
		scores[c.id] = c.score
	}
	if n := min(q.K, len(want)); len(r.Hits) != n {
		t.Fatalf("%+v: %d hits, not %d", q, len(r.Hits), n)
	}
	const eps = 2e-5
	for i, h := range r.Hits {
		s, ok := scores[h.Chunk]
		if !ok || math.Abs(h.Score-s) > eps*(1+math.Abs(s)) || math.Abs(want[i].score-s) > 2*eps*(1+math.Abs(s)) {
			t.Fatalf("%+v: hit %d is %v with %v; it should be %v with %v", q, i, h.Chunk, h.Score, want[i].id, want[i].score)
		}
		if i > 0 && (h.Score > r.Hits[i-1].Score || h.Score == r.Hits[i-1].Score && slices.Compare(h.Chunk[:], r.Hits[i-1].Chunk[:]) <= 0) {
			t.Fatalf("%+v: hits %d and %d are in the wrong order", q, i-1, i)
		}
		d := w.docs[h.Document.ID]
		c := slices.IndexFunc(want, func(c twinChunk) bool { return c.id == h.Chunk })
		ch := d.content.Chunks[want[c].i]
		if h.Text != d.content.Text[ch.Start:ch.End] || h.Heading != ch.Heading || h.Page != int(ch.Page) || h.Start != int(ch.Start) ||
			h.End != int(ch.End) || h.Document.Path != d.doc.Path || h.Document.Version != d.doc.Version || h.Title != d.content.Title ||
			h.Unembedded == d.doc.Embedded || math.Abs(h.BM25-want[c].bm25) > 1e-5 && q.Mode != Vector {
			t.Fatalf("%+v: hit %d says %+v, its chunk is %+v of %+v", q, i, h, ch, d.doc)
		}
	}
}

// whole compares documents and their texts.
func (w *twin) whole(t interface {
	Helper()
	Fatalf(string, ...any)
}, v *View) {
	t.Helper()
	n := 0
	for d := range v.Documents() {
		n++
		want, ok := w.docs[d.ID]
		if !ok || d.Path != want.doc.Path || d.Version != want.doc.Version || d.Embedded != want.doc.Embedded ||
			d.Chunks != len(want.content.Chunks) || fmt.Sprint(d.Meta.Attributes) != fmt.Sprint(want.doc.Meta.Attributes) {
			t.Fatalf("document %+v should be %+v", d, want.doc)
		}
		if c, err := v.Content(d.ID); err != nil || c.Text != want.content.Text || !slices.Equal(c.Chunks, want.content.Chunks) {
			t.Fatalf("content of %v: %+v, %v", d.ID, c, err)
		}
	}
	s := v.Stats()
	chunks := 0
	for _, d := range w.docs {
		chunks += len(d.content.Chunks)
	}
	if n != len(w.docs) || s.Documents != n || s.Chunks != chunks || v.live.count() != chunks {
		t.Fatalf("%d documents and %+v, not %d with %d chunks", n, s, len(w.docs), chunks)
	}
}

var words = strings.Fields("red green blue stone river running mountains cat dogs 42 v1.2.3 ERR_CONN Straße über 北京 the of")

// drawContent makes a text whose lines are often equal to lines of others.
func drawContent(t *rapid.T) *Content {
	lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 4).Draw(t, "words"), " ")
	}), 0, 6).Draw(t, "lines")
	return contentOf(rapid.SampledFrom([]string{"", "Title", "red title"}).Draw(t, "title"), strings.Join(lines, "\n"))
}

func drawQuery(t *rapid.T, w *twin) Query {
	q := Query{
		Text:   strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 3).Draw(t, "text"), " "),
		K:      rapid.SampledFrom([]int{1, 3, 10, 1000}).Draw(t, "k"),
		Mode:   rapid.SampledFrom([]Mode{Hybrid, Hybrid, Keyword, Vector}).Draw(t, "mode"),
		Filter: rapid.SampledFrom([]string{"", "", "owner == `ann`", "size > 3", "owner == `bob` || tag == 'x'"}).Draw(t, "filter"),
		Glob:   rapid.SampledFrom([]string{"", "", "*.txt", "3*"}).Draw(t, "glob"),
	}
	if rapid.Bool().Draw(t, "vector") || q.Mode == Vector {
		q.Vector = vectorOf(strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 1, 3).Draw(t, "meaning"), " "))
	}
	if rapid.IntRange(0, 4).Draw(t, "restrict") == 0 {
		q.Documents = []ID{}
		for id := range w.docs {
			if id[0]&1 == 0 {
				q.Documents = append(q.Documents, id)
			}
		}
	}
	return q
}

// TestTwin applies random operations and compares every view, the newest ones
// and some older ones, with the twin.
func TestTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := disktest.New()
		x, err := Open(Options{fs: fs, Space: testSpace})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { x.Close() }()
		w := &twin{docs: map[ID]twinDoc{}}
		type old struct {
			v *View
			w *twin
		}
		var olds []old
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				b := Batch{Epoch: w.epoch + uint64(rapid.IntRange(1, 3).Draw(t, "ahead"))}
				used := map[ID]bool{}
				for range rapid.IntRange(0, 4).Draw(t, "documents") {
					n := rapid.IntRange(0, 11).Draw(t, "document")
					docID := id(fmt.Sprint(n))
					if used[docID] {
						continue
					}
					used[docID] = true
					if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
						b.Delete = append(b.Delete, docID)
						delete(w.docs, docID)
						continue
					}
					c := drawContent(t)
					if err := x.PutContent(t.Context(), c); err != nil {
						t.Fatal(err)
					}
					d := Document{ID: docID, Source: "s", Path: fmt.Sprintf("%d.%s", n, []string{"txt", "pdf"}[n%2]), Version: c.Version,
						Meta:     Meta{Owner: []string{"ann", "bob"}[n%2], Size: int64(n), Attributes: map[string]any{"tag": rapid.SampledFrom([]any{"x", 1.5, true, nil}).Draw(t, "tag")}},
						Embedded: rapid.IntRange(0, 3).Draw(t, "embedded") > 0}
					if d.Embedded {
						putVectorsOf(t, x, c)
					}
					b.Put = append(b.Put, d)
					w.docs[docID] = twinDoc{d, c}
				}
				if _, err := x.Apply(t.Context(), b); err != nil {
					t.Fatal(err)
				}
				w.epoch = b.Epoch
				if rapid.IntRange(0, 5).Draw(t, "keep") == 0 {
					olds = append(olds, old{x.View(), w.clone()})
				}
			},
			"restart": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "crash") {
					x.Close()
					fs = fs.Crash(disktest.Survival{})
				} else if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				olds = nil
				if x, err = Open(Options{fs: fs, Space: testSpace}); err != nil {
					t.Fatal(err)
				}
			},
			"checkpoint": func(t *rapid.T) {
				x.maintaining.Lock()
				defer x.maintaining.Unlock()
				if err := x.checkpoint(); err != nil {
					t.Fatal(err)
				}
			},
			"tidy": func(t *rapid.T) {
				ahead := rapid.SampledFrom([]time.Duration{0, 11 * time.Minute, 3 * time.Hour, 30 * time.Hour}).Draw(t, "later")
				if err := x.tidy(time.Now().Add(ahead)); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				w.whole(t, x.View())
				w.compare(t, x.View(), drawQuery(t, w))
				for _, o := range olds {
					o.w.whole(t, o.v)
					o.w.compare(t, o.v, drawQuery(t, o.w))
				}
				for _, d := range w.docs {
					for i, known := range x.Known(hashes(d.content)) {
						if d.doc.Embedded && !known {
							t.Fatalf("the vector of a live chunk is forgotten: %q", d.content.EmbedText(i))
						}
					}
				}
			},
		})
	})
}

func hashes(c *Content) (hs []ID) {
	for _, ch := range c.Chunks {
		hs = append(hs, ch.Hash)
	}
	return hs
}

func putVectorsOf(t interface{ Fatal(...any) }, x *Index, c *Content) {
	var vs [][]float32
	for i := range c.Chunks {
		vs = append(vs, vectorOf(c.EmbedText(i)))
	}
	if err := x.PutVectors(contextOf(t), hashes(c), vs); err != nil {
		t.Fatal(err)
	}
}

// TestExpiry checks what is forgotten, and when, and that its bytes leave the
// disk.
func TestExpiry(t *testing.T) {
	fs := disktest.New()
	x := open(t, Options{fs: fs})
	secret, unused, stays := contentOf("", "confidential matter"), contentOf("", "never applied"), contentOf("", "stays here")
	for _, c := range []*Content{secret, unused, stays} {
		put(t, x, c)
	}
	a, b := Document{ID: id("a"), Version: secret.Version, Embedded: true}, Document{ID: id("b"), Version: stays.Version, Embedded: true}
	apply(t, x, Batch{Epoch: 1, Put: []Document{a, b}})
	old := x.View()
	apply(t, x, Batch{Epoch: 2, Delete: []ID{a.ID}})
	onDisk := func(s string) bool {
		names, _ := fs.List()
		for _, n := range names {
			f, err := fs.Open(n)
			if err != nil {
				t.Fatal(err)
			}
			size, _ := f.Size()
			b := make([]byte, size)
			f.ReadAt(b, 0)
			if strings.Contains(string(b), s) {
				return true
			}
		}
		return false
	}
	state := func(after time.Duration, want [4]bool) {
		t.Helper()
		if err := x.tidy(time.Now().Add(after)); err != nil {
			t.Fatal(err)
		}
		k := x.Known(append(hashes(secret), hashes(unused)...))
		got := [4]bool{x.HasContent(secret.Version), onDisk("confidential"), k[0], x.HasContent(unused.Version)}
		if got != want {
			t.Errorf("after %v: %v, not %v", after, got, want)
		}
	}
	state(9*time.Minute, [4]bool{true, true, true, true})
	state(11*time.Minute, [4]bool{false, false, false, true})
	state(23*time.Hour, [4]bool{false, false, false, true})
	state(25*time.Hour, [4]bool{false, false, false, false})
	if _, err := x.Content(secret.Version); !errors.Is(err, ErrNotFound) {
		t.Errorf("content of what is gone: %v", err)
	}
	// A view from before still shows it: its file is gone, but open.
	if s, err := old.Text(a.ID, 0, 12); err != nil || s != "confidential" {
		t.Errorf("an older view: %q, %v", s, err)
	}
	if got := find(t, x.View(), Query{Text: "stays", Vector: vectorOf(stays.EmbedText(0))}); len(got) != 1 || got[0].Cosine < .99 {
		t.Errorf("what stays: %+v", got)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open(t, Options{fs: fs})
	if got := find(t, x.View(), Query{Text: "stays", Vector: vectorOf(stays.EmbedText(0))}); len(got) != 1 || got[0].Cosine < .99 {
		t.Errorf("what stays, after a restart: %+v", got)
	}
}
