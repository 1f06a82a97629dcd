package index

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ragserver/ragserver/indexer/index/keyword"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// candidates is how many rows each side contributes to a search.
const candidates = 1000

// Search waits for q.MinEpoch and searches the newest view.
func (x *Index) Search(ctx context.Context, q Query) (Result, error) {
	v, err := x.Wait(ctx, q.MinEpoch)
	if err != nil {
		return Result{}, err
	}
	return v.Search(ctx, q)
}

// Search finds the chunks that answer q best. The result is the same whenever
// the same view is asked.
func (v *View) Search(ctx context.Context, q Query) (Result, error) {
	start := time.Now()
	if q.MinEpoch > v.epoch {
		return Result{}, fmt.Errorf("index: the view is at epoch %d, before epoch %d", v.epoch, q.MinEpoch)
	}
	s, err := v.plan(q)
	if err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if s.rows == nil || s.allowed > 0 {
		s.run()
	}
	hits, err := s.hits(ctx)
	if err != nil {
		return Result{}, err
	}
	return Result{Epoch: v.epoch, Hits: hits, Took: time.Since(start), Degraded: s.degraded}, nil
}

// search is one search while it runs.
type search struct {
	v        *View
	q        Query
	vector   *vector.Query // nil: the vector side is not asked
	words    keyword.Query
	keyword  bool   // the keyword side is asked
	rows     bitset // allowed; nil: all that are live
	allowed  int
	degraded string

	byWords  []keyword.Scored
	byVector []vector.Scored
}

// plan checks a query and works out which sides answer from which rows.
func (v *View) plan(q Query) (*search, error) {
	if q.K < 1 || q.K > MaxK {
		return nil, fmt.Errorf("index: %d hits are asked for; 1 to %d are possible", q.K, MaxK)
	}
	if q.Mode > Vector {
		return nil, fmt.Errorf("index: unknown search mode %d", q.Mode)
	}
	s := &search{v: v, q: q, keyword: q.Mode != Vector}
	if q.Mode == Vector && q.Vector == nil {
		return nil, errors.New("index: a vector search needs a vector")
	}
	if q.Mode != Keyword && q.Vector != nil {
		space := v.x.memo.space
		if space == nil {
			return nil, errors.New("index: the query has a vector, but the index was opened without an embedder")
		}
		zero, err := space.Check(q.Vector)
		switch {
		case err != nil:
			return nil, fmt.Errorf("index: the query's vector: %w", err)
		case zero:
			s.degraded = "the embedder knows nothing of the query, so only keywords were searched"
			if q.Mode == Vector {
				s.degraded = "the embedder knows nothing of the query"
			}
		default:
			s.vector = space.Query(q.Vector)
		}
	}
	if s.keyword {
		s.words = v.words.Parse(q.Text)
	}
	return s, s.restrict()
}

// restrict finds the allowed rows, if not all are.
func (s *search) restrict() error {
	v := s.v
	want, err := v.condition(s.q.Filter, s.q.Glob)
	if err != nil {
		return err
	}
	if want.Everything() && s.q.Documents == nil {
		s.allowed = v.chunks
		return nil
	}
	var docs bitset
	if !want.Everything() {
		docs = v.selected(want)
	}
	if s.q.Documents != nil {
		var named bitset
		for _, id := range s.q.Documents {
			if e := v.docs.get(id); e != nil && (want.Everything() || docs.has(e.number)) {
				named.set(e.number)
			}
		}
		docs = named
	}
	s.rows = make(bitset, len(v.live))
	if docs.count() < v.docs.n/8 {
		for n := range docs.all {
			for _, row := range (*v.byNumber.at(n)).rows {
				s.rows.set(row)
			}
		}
	} else {
		for row := range v.live.all {
			if docs.has(v.places.at(row).document) {
				s.rows.set(row)
			}
		}
	}
	s.allowed = s.rows.count()
	return nil
}

// run asks both sides, side by side if a core is idle.
func (s *search) run() {
	busy := s.v.x.searching.Add(1)
	defer s.v.x.searching.Add(-1)
	if s.vector != nil && s.keyword && !s.words.Empty() && int(busy) < runtime.GOMAXPROCS(0) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.searchVectors()
		}()
		s.searchWords()
		<-done
		return
	}
	s.searchWords()
	s.searchVectors()
}

func (s *search) searchWords() {
	if !s.keyword || s.words.Empty() {
		return
	}
	var allow *roaring.Bitmap
	if s.rows != nil {
		allow = roaring.FromDense(s.rows, false)
	}
	s.byWords = s.v.words.TopK(s.words, candidates, allow)
}

func (s *search) searchVectors() {
	if s.vector == nil || s.v.vec == nil {
		return
	}
	rows := s.rows
	if rows == nil {
		rows = s.v.live
	}
	s.byVector = s.v.vec.Search(s.vector, candidates, max(64, 2*s.q.K), rows, s.allowed)
}

// chunkID is the identity of the chunk in a row.
func (v *View) chunkID(row uint32) (ID, error) {
	p := v.places.at(row)
	e := *v.byNumber.at(p.document)
	passage, err := e.content.passage(p.chunk)
	if err != nil {
		return ID{}, err
	}
	return ChunkID(e.doc.ID, passage.hash, p.ordinal), nil
}

// ChunkID is the identity of a chunk: SHA-256, cut to 128 bits, of its document,
// its content's hash and the number of chunks of the same hash before it in the
// document. It stays while the chunk's text stays, wherever it moves to.
func ChunkID(document, hash ID, ordinal uint32) ID {
	b := append(document[:len(document):len(document)], hash[:]...)
	sum := sha256.Sum256(binary.LittleEndian.AppendUint32(b, ordinal))
	return ID(sum[:16])
}

// hits reads what is needed to cite the best candidates.
func (s *search) hits(ctx context.Context) ([]Hit, error) {
	best, err := s.best(s.fuse())
	if err != nil {
		return nil, err
	}
	hits := make([]Hit, len(best))
	for i := range best {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if hits[i], err = s.hit(&best[i]); err != nil {
			return nil, err
		}
	}
	return hits, nil
}

func (s *search) hit(c *candidate) (Hit, error) {
	v := s.v
	p := v.places.at(c.row)
	e := *v.byNumber.at(p.document)
	passage, err := e.content.passage(p.chunk)
	if err != nil {
		return Hit{}, err
	}
	h := Hit{
		Chunk: ChunkID(e.doc.ID, passage.hash, p.ordinal), Document: e.doc,
		Title: cmp.Or(e.content.title, e.doc.Meta.Title), Page: int(passage.page),
		Start: int(passage.start), End: int(passage.end),
		Score: c.score, Cosine: math.NaN(), BM25: c.bm25,
		Unembedded: v.vec != nil && (p.slot == vector.NoSlot || !e.doc.Embedded),
	}
	if h.Heading, err = e.content.heading(passage); err != nil {
		return Hit{}, err
	}
	if h.Text, err = e.content.span(passage.start, passage.end); err != nil {
		return Hit{}, err
	}
	if s.vector != nil && v.vec != nil {
		if x, ok := v.vec.Similarity(s.vector, c.row); ok {
			h.Cosine = float64(x)
		}
	}
	if s.keyword && c.kr == 0 && !s.words.Empty() {
		h.BM25 = float64(v.words.Score(s.words, []uint32{c.row})[0])
	}
	if s.q.Explain {
		h.Why = &Why{KeywordRank: c.kr, VectorRank: c.vr, KeywordZ: c.kz, VectorZ: c.vz}
		if s.keyword {
			h.Why.Terms = v.words.Explain(s.words, c.row)
		}
	}
	return h, nil
}
