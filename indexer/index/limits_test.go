package index

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/disk/disktest"
)

// TestReaders searches while batches are applied: every view is whole, as every
// document of an epoch says the same number.
func TestReaders(t *testing.T) {
	x := open(t, Options{})
	const docs, epochs = 8, 60
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !done.Load() {
				v := x.View()
				r, err := v.Search(context.Background(), Query{Text: "river", Vector: vectorOf("red river"), K: 100, Filter: "size >= 0"})
				if err != nil {
					t.Error(err)
					return
				}
				if v.Epoch() > 0 && len(r.Hits) != docs*2 || r.Epoch != v.Epoch() {
					t.Errorf("epoch %d: %d hits", v.Epoch(), len(r.Hits))
				}
				for _, h := range r.Hits {
					if !strings.HasSuffix(h.Text, fmt.Sprintf(" %d", v.Epoch())) || h.Document.Epoch != v.Epoch() {
						t.Errorf("epoch %d shows %q of epoch %d", v.Epoch(), h.Text, h.Document.Epoch)
					}
				}
			}
		})
	}
	for e := uint64(1); e <= epochs; e++ {
		b := Batch{Epoch: e}
		for n := range docs {
			c := contentOf("", fmt.Sprintf("red river %d\nstone river %d", e, e))
			put(t, x, c)
			b.Put = append(b.Put, Document{ID: id(fmt.Sprint(n)), Version: c.Version, Embedded: true})
		}
		apply(t, x, b)
		if e%20 == 0 {
			x.wake()
		}
	}
	done.Store(true)
	wg.Wait()
}

func TestWait(t *testing.T) {
	x := open(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 2)
	go func() {
		v, err := x.Wait(t.Context(), 2)
		if err == nil && v.Epoch() < 2 {
			err = fmt.Errorf("waited for epoch 2 and got %d", v.Epoch())
		}
		got <- err
	}()
	apply(t, x, Batch{Epoch: 1})
	apply(t, x, Batch{Epoch: 2})
	if err := <-got; err != nil {
		t.Error(err)
	}
	go func() {
		_, err := x.Search(ctx, Query{K: 1, Text: "x", MinEpoch: 9})
		got <- err
	}()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting for epoch 9, it is at 2") {
		t.Error(err)
	}
	go func() {
		_, err := x.Wait(t.Context(), 9)
		got <- err
	}()
	x.Close()
	if err := <-got; err == nil {
		t.Error("a wait outlived the index")
	}
	if _, err := x.Apply(t.Context(), Batch{Epoch: 3}); err == nil {
		t.Error("a closed index applied a batch")
	}
}

func TestQueriesRefused(t *testing.T) {
	x := open(t, Options{})
	nan := vectorOf("x")
	nan[3] = float32(math.NaN())
	for _, c := range []struct {
		q   Query
		err string
	}{
		{Query{K: 0}, "0 hits are asked for"},
		{Query{K: -5}, "-5 hits are asked for"},
		{Query{K: MaxK + 1}, "1 to 1000 are possible"},
		{Query{K: 1, Mode: 9}, "unknown search mode 9"},
		{Query{K: 1, Mode: Vector}, "needs a vector"},
		{Query{K: 1, Vector: nan}, "dim 3 is NaN"},
		{Query{K: 1, Vector: []float32{1}}, "1 dims where the embedder has 24"},
		{Query{K: 1, Filter: "owner ==="}, "filter"},
		{Query{K: 1, MinEpoch: 7}, "at epoch 0, before epoch 7"},
	} {
		if _, err := x.View().Search(t.Context(), c.q); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.View().Search(ctx, Query{K: 1, Text: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search: %v", err)
	}
}

func TestContentsRefused(t *testing.T) {
	x := open(t, Options{})
	v := id("v")
	for _, c := range []struct {
		c   Content
		err string
	}{
		{Content{}, "version is zero"},
		{Content{Version: v, Text: "\xff"}, "text is not UTF-8"},
		{Content{Version: v, Title: "\xff"}, "title is not UTF-8"},
		{Content{Version: v, Text: "abc", Chunks: []Chunk{{Start: 1, End: 4}}}, "from byte 1 to 4 of a text of 3"},
		{Content{Version: v, Text: "abc", Chunks: []Chunk{{Start: 2, End: 1}}}, "from byte 2 to 1"},
		{Content{Version: v, Text: "äbc", Chunks: []Chunk{{Start: 1, End: 2}}}, "cuts a character"},
		{Content{Version: v, Attributes: map[string]any{"x": struct{}{}}}, `attribute "x" has type struct {}`},
		{Content{Version: v, Attributes: map[string]any{"x": math.Inf(1)}}, "no number"},
	} {
		if err := x.PutContent(t.Context(), &c.c); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: %v", c.c, err)
		}
	}
	if x.HasContent(v) {
		t.Error("a refused content is there")
	}
}

func TestVectorsRefused(t *testing.T) {
	x := open(t, Options{})
	good, bad := vectorOf("good"), vectorOf("bad")
	bad[7] = float32(math.Inf(-1))
	err := x.PutVectors(t.Context(), []ID{id("good"), id("bad")}, [][]float32{good, bad})
	if err == nil || !strings.Contains(err.Error(), "dim 7 is -Inf") || !strings.Contains(err.Error(), id("bad").String()) {
		t.Error(err)
	}
	if k := x.Known([]ID{id("good")}); k[0] {
		t.Error("one of two was stored though the other was refused")
	}
	if err := x.PutVectors(t.Context(), []ID{id("a")}, nil); err == nil {
		t.Error("a hash without a vector was taken")
	}
	none := open(t, Options{Space: Space{Name: "none"}})
	if err := none.PutVectors(t.Context(), []ID{id("a")}, [][]float32{good}); err == nil || !strings.Contains(err.Error(), "without an embedder") {
		t.Error(err)
	}
}

func TestBatchesRefused(t *testing.T) {
	x := open(t, Options{})
	c := contentOf("", "text")
	put(t, x, c)
	d := Document{ID: id("d"), Path: "p/q", Source: "docs", Version: c.Version}
	with := func(change func(*Document)) Document {
		n := d
		change(&n)
		return n
	}
	deep := any("x")
	for range 40 {
		deep = []any{deep}
	}
	for _, b := range []struct {
		b   Batch
		err string
	}{
		{Batch{Epoch: 1, Put: []Document{d, d}}, "in the batch twice"},
		{Batch{Epoch: 1, Put: []Document{d}, Delete: []ID{d.ID}}, "in the batch twice"},
		{Batch{Epoch: 1, Put: []Document{with(func(d *Document) { d.Version = id("?") })}}, `("p/q" in "docs", version ` + id("?").String()},
		{Batch{Epoch: 1, Put: []Document{with(func(d *Document) { d.Path = "\xff" })}}, "its path"},
		{Batch{Epoch: 1, Put: []Document{with(func(d *Document) { d.Meta.Attributes = map[string]any{"deep": deep} })}}, "nested"},
	} {
		_, err := x.Apply(t.Context(), b.b)
		if err == nil || !strings.Contains(err.Error(), b.err) {
			t.Errorf("%+v: %v", b.b, err)
		}
	}
	_, err := x.Apply(t.Context(), Batch{Epoch: 1, Put: []Document{d, {ID: id("e"), Version: id("??")}}})
	var m *MissingError
	if !errors.As(err, &m) || len(m.Documents) != 1 || m.Documents[0].ID != id("e") {
		t.Errorf("missing content: %v", err)
	}
	if x.Epoch() != 0 || x.View().Stats().Documents != 0 {
		t.Error("a refused batch left something behind")
	}
	apply(t, x, Batch{Epoch: 1, Put: []Document{d}, Delete: []ID{id("never seen")}})
}

// TestUnread keeps documents of which nothing could be read.
func TestUnread(t *testing.T) {
	x := open(t, Options{})
	empty := &Content{Version: id("empty")}
	put(t, x, empty)
	a := apply(t, x, Batch{Epoch: 1, Put: []Document{
		{ID: id("a"), Path: "a", Unread: "encrypted"},
		{ID: id("b"), Path: "b", Version: empty.Version, Unread: "no text"},
	}})
	if st := x.View().Stats(); a.Documents[0].Document.Chunks != 0 || st.Documents != 0 || st.Unread != 2 {
		t.Errorf("%+v, %+v", a, st)
	}
	// Only what was read counts, for the times too.
	read := contentOf("", "some words")
	put(t, x, read)
	early, late := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	apply(t, x, Batch{Epoch: 2, Put: []Document{
		{ID: id("c"), Path: "c", Version: read.Version, Meta: Meta{Modified: early, Seen: early}},
		{ID: id("a"), Path: "a", Unread: "encrypted", Meta: Meta{Modified: late, Seen: late}},
	}})
	if st := x.View().Stats(); st.Documents != 1 || st.Unread != 2 || !st.LastModified.Equal(early) || !st.LastSeen.Equal(early) {
		t.Errorf("%+v", st)
	}
	if d, ok := x.View().Document(id("a")); !ok || d.Unread != "encrypted" || d.Epoch != 2 || d.Applied.IsZero() {
		t.Errorf("%+v", d)
	}
	if _, err := x.View().Content(id("a")); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if ds, err := x.View().Select("", "b"); err != nil || len(ds) != 1 {
		t.Errorf("%v, %v", ds, err)
	}
}

// TestLateVectors takes a document live by keyword first, then by vector, and
// counts what is missing.
func TestLateVectors(t *testing.T) {
	x := open(t, Options{})
	c := contentOf("", "red river\nblue stone")
	if err := x.PutContent(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	d := Document{ID: id("d"), Version: c.Version}
	apply(t, x, Batch{Epoch: 1, Put: []Document{d}})
	q := Query{Text: "river", Vector: vectorOf("red river")}
	if got := find(t, x.View(), q); len(got) != 1 || !got[0].Unembedded || !math.IsNaN(got[0].Cosine) {
		t.Fatalf("by keyword first: %+v", got)
	}
	d.Embedded = true
	done := apply(t, x, Batch{Epoch: 2, Put: []Document{d}})
	if !slices.Equal(done.Documents[0].Missing, hashes(c)) || done.Documents[0].Document.Vectored != 0 || done.Documents[0].Kept != 2 {
		t.Fatalf("without its vectors: %+v", done.Documents[0])
	}
	embed(t, x, c)
	if k := x.Known(hashes(c)); !k[0] || !k[1] {
		t.Fatal("vectors are not known")
	}
	done = apply(t, x, Batch{Epoch: 3, Put: []Document{d}})
	if len(done.Documents[0].Missing) != 0 || done.Documents[0].Document.Vectored != 2 {
		t.Fatalf("with its vectors: %+v", done.Documents[0])
	}
	if got := find(t, x.View(), q); len(got) != 2 || got[0].Unembedded || got[0].Cosine < .1 {
		t.Fatalf("by vector: %+v", got)
	}
	if s := x.View().Stats(); s.Chunks != 2 || s.Embedded != 2 {
		t.Fatalf("%+v", s)
	}
}

// TestZeroVector: the text has none, so it is found by keyword alone, and is not
// waiting for one.
func TestZeroVector(t *testing.T) {
	x := open(t, Options{})
	c := contentOf("", "한국어 텍스트\nred river")
	if err := x.PutContent(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := x.PutVectors(t.Context(), hashes(c), [][]float32{make([]float32, testDims), vectorOf("red river")}); err != nil {
		t.Fatal(err)
	}
	done := apply(t, x, Batch{Epoch: 1, Put: []Document{{ID: id("d"), Version: c.Version, Embedded: true}}})
	if len(done.Documents[0].Missing) != 0 || done.Documents[0].Document.Vectored != 1 {
		t.Fatalf("%+v", done.Documents[0])
	}
	if got := find(t, x.View(), Query{Mode: Vector, Vector: vectorOf("red river")}); len(got) != 1 || got[0].Text != "red river" {
		t.Fatalf("by vector: %+v", got)
	}
	if got := find(t, x.View(), Query{Text: "한국어", Vector: vectorOf("red river")}); len(got) != 2 || got[0].Unembedded || got[0].Text == "red river" {
		t.Fatalf("hybrid: %+v", got)
	}
	for _, m := range []Mode{Hybrid, Vector} {
		r, err := x.View().Search(t.Context(), Query{Mode: m, Text: "river", Vector: make([]float32, testDims), K: 5})
		if err != nil || r.Degraded == "" || len(r.Hits) != 1-int(m)/2 {
			t.Errorf("mode %d with a zero vector: %+v, %v", m, r, err)
		}
	}
}

func TestLimits(t *testing.T) {
	x := open(t, Options{})
	// All texts and vectors equal, more of them than hits can be given, in
	// documents and within one.
	b := Batch{Epoch: 1}
	c := contentOf("", strings.Repeat("the same\n", 3))
	for i := range c.Chunks {
		c.Chunks[i].Heading = ""
		c.Chunks[i].Hash = id(c.EmbedText(i))
	}
	put(t, x, c)
	for i := range 300 {
		b.Put = append(b.Put, Document{ID: id(fmt.Sprint(i)), Version: c.Version, Embedded: true})
	}
	// One document with a word of a megabyte and ten thousand attributes.
	big := contentOf("", strings.Repeat("x", 1<<20)+"\nshort")
	put(t, x, big)
	attributes := map[string]any{}
	for i := range 10000 {
		attributes[fmt.Sprintf("field%d", i)] = float64(i)
	}
	b.Put = append(b.Put, Document{ID: id("big"), Version: big.Version, Embedded: true, Meta: Meta{Attributes: attributes}})
	apply(t, x, b)
	v := x.View()
	for _, q := range []Query{
		{Text: "same", K: MaxK}, {Text: "same", Vector: vectorOf("the same"), K: MaxK}, {Mode: Vector, Vector: vectorOf("the same"), K: MaxK},
	} {
		hits := find(t, v, q)
		if len(hits) < 900 {
			t.Fatalf("%d of 900 equal chunks", len(hits))
		}
		seen := map[ID]bool{}
		for i, h := range hits[:900] {
			if i > 0 && (h.Score != hits[0].Score || slices.Compare(hits[i-1].Chunk[:], h.Chunk[:]) >= 0) || seen[h.Chunk] {
				t.Fatalf("hit %d of equal ones is out of order", i)
			}
			seen[h.Chunk] = true
		}
	}
	if hits := find(t, v, Query{Text: "short", Filter: "field77 == `77` && field9999 > 5"}); len(hits) != 1 || len(hits[0].Document.Meta.Attributes) != 10000 {
		t.Errorf("by attribute: %d hits", len(hits))
	}
	if s, err := v.Text(id("big"), 10, 20); err != nil || s != "xxxxxxxxxx" {
		t.Errorf("%q, %v", s, err)
	}
	for _, r := range [][2]int{{-1, 3}, {5, 4}, {0, 2 << 20}} {
		if _, err := v.Text(id("big"), r[0], r[1]); err == nil {
			t.Errorf("text from %d to %d was given", r[0], r[1])
		}
	}
}

// TestOtherEmbedder drops vectors, keeps texts, and says so by the documents.
func TestOtherEmbedder(t *testing.T) {
	for _, checkpointed := range []bool{false, true} {
		fs := disktest.New()
		x := open(t, Options{fs: fs})
		c := contentOf("", "red river\nblue stone")
		put(t, x, c)
		apply(t, x, Batch{Epoch: 1, Put: []Document{{ID: id("d"), Version: c.Version, Embedded: true}}})
		if checkpointed {
			x.maintaining.Lock()
			if err := x.checkpoint(); err != nil {
				t.Fatal(err)
			}
			x.maintaining.Unlock()
		}
		x.Close()
		other := Space{Name: "other", Dims: 200, Weight: .5}
		for range 2 {
			x = open(t, Options{fs: fs, Space: other})
			d, _ := x.View().Document(id("d"))
			if d.Embedded || d.Vectored != 0 || d.Chunks != 2 || x.Known(hashes(c))[0] || x.Epoch() != 1 {
				t.Fatalf("%+v", d)
			}
			if got := find(t, x.View(), Query{Text: "river"}); len(got) != 1 || !got[0].Unembedded {
				t.Fatalf("%+v", got)
			}
			x.Close()
		}
		names, _ := fs.List()
		for _, n := range names {
			if strings.HasPrefix(n, "vectors1-") {
				t.Errorf("%s is still there", n)
			}
		}
		// And back: the vectors are gone.
		x = open(t, Options{fs: fs})
		if x.Known(hashes(c))[0] {
			t.Error("the first embedder's vectors came back")
		}
	}
}

func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	open(t, Options{Dir: dir})
	_, opened := Open(Options{Dir: dir, Space: testSpace})
	_, checked := Check(dir, nil)
	for _, err := range []error{opened, checked} {
		if !errors.Is(err, disk.ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "another process uses it") {
			t.Errorf("while it is open: %v", err)
		}
	}
}

// TestDamage flips a byte in every file in turn: the index either does not open
// and the error names the file, or it is as it was; Check always names it.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	x := open(t, Options{Dir: dir})
	s := newScript()
	s.run(x, 1, false)
	x = open(t, Options{Dir: dir})
	x.maintaining.Lock()
	if err := x.checkpoint(); err != nil {
		t.Fatal(err)
	}
	x.maintaining.Unlock()
	c := contentOf("", "after the checkpoint")
	put(t, x, c)
	apply(t, x, Batch{Epoch: 7, Put: []Document{{ID: id("z"), Version: c.Version, Embedded: true}}})
	put(t, x, contentOf("", "more")) // so that damage before cannot look torn
	apply(t, x, Batch{Epoch: 8})
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	files := 0
	if epoch, err := Check(dir, func(f Finding) {
		files++
		if f.Damage != "" {
			t.Errorf("%+v", f)
		}
	}); err != nil || files < 6 || epoch != 8 {
		t.Fatalf("%d files at epoch %d, %v", files, epoch, err)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, path := range paths {
		name := filepath.Base(path)
		if name == "LOCK" {
			continue
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{1, 70, len(whole) / 2} {
			at = min(at, len(whole)-1)
			b := slices.Clone(whole)
			b[at] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			// Texts before the checkpoint are not read at a start.
			_, err := Check(dir, nil)
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s, byte %d: Check says %v", name, at, err)
			}
			x, err := Open(Options{Dir: dir, Space: testSpace})
			if err == nil {
				if x.Epoch() != 8 || x.View().Stats().Documents != len(s.states[6].docs)+1 {
					t.Errorf("%s, byte %d: opened at epoch %d", name, at, x.Epoch())
				}
				x.release() // without writing anything
				close(x.done)
				<-x.stopped
			} else if !strings.Contains(err.Error(), name) {
				t.Errorf("%s, byte %d: Open says %v", name, at, err)
			}
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Files of vectors can be done without.
	gone, _ := filepath.Glob(filepath.Join(dir, "vectors*"))
	for _, path := range gone {
		os.Remove(path)
	}
	x = open(t, Options{Dir: dir})
	if st := x.View().Stats(); x.Epoch() != 8 || st.Embedded != 0 || st.Chunks == 0 {
		t.Errorf("without vectors: %+v", st)
	}
}

// TestChurn replaces everything many times: what is used in memory and on disk
// follows what is live, not what was.
func TestChurn(t *testing.T) {
	fs := disktest.New()
	x := open(t, Options{fs: fs})
	const docs, rounds = 30, 40
	chunks := 0
	for r := range rounds {
		b := Batch{Epoch: x.Epoch() + 1}
		chunks = 0
		for d := range docs {
			c := contentOf("", fmt.Sprintf("red river %d %d\nblue stone %d %d\nshared by all", r, d, d, r))
			put(t, x, c)
			// A third of the documents are others each time.
			b.Put = append(b.Put, Document{ID: id(fmt.Sprint(d, r%3*(d%3))), Version: c.Version, Embedded: true})
			chunks += len(c.Chunks)
		}
		for d := range x.View().Documents() {
			if !slices.ContainsFunc(b.Put, func(p Document) bool { return p.ID == d.ID }) {
				b.Delete = append(b.Delete, d.ID)
			}
		}
		apply(t, x, b)
		if r%4 == 3 {
			if err := x.tidy(time.Now().Add(2 * time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	v := x.View()
	s := v.Stats()
	if s.Documents != docs || s.Chunks != chunks || s.Embedded != chunks {
		t.Fatalf("%+v", s)
	}
	if v.rows > 2*chunks || len(v.byNumber.pages) > 1 || len(v.vec.Segments()) > 4 {
		t.Errorf("%d rows for %d chunks, %d pages of documents, %d segments", v.rows, chunks, len(v.byNumber.pages), len(v.vec.Segments()))
	}
	if len(x.contents) != docs || len(x.memo.slots) != 2*docs+1 {
		t.Errorf("%d contents and %d vectors are kept", len(x.contents), len(x.memo.slots))
	}
	var total int64
	names, _ := fs.List()
	for _, n := range names {
		f, _ := fs.Open(n)
		size, _ := f.Size()
		total += size
	}
	// A vector of 24 dims takes 560 bytes, a content some 300.
	if limit := int64(3 * (docs*600 + (2*docs+1)*560)); total > limit {
		t.Errorf("%d bytes on disk, more than %d: %v", total, limit, names)
	}
}
