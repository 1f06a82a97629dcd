package embed

import (
	"context"
	_ "embed" // for the tables
	"fmt"
	"math"
	"sync"
)

//go:embed static/static-en.bin
var staticEnglish string

//go:embed static/static-multi.bin
var staticMulti string

// What an index must know of the built-in embedder.
const (
	BuiltinName = "builtin-1" // vectors of another name are not comparable
	BuiltinDims = 384
	// BuiltinWeight is the weight of vectors in hybrid search, where both
	// sides' scores are z-normalised. It was chosen on six retrieval sets.
	BuiltinWeight = 0.3
)

// The share of similarity that the English half has, and the shares of known
// words between which it fades in.
const (
	englishShare = 0.6
	gateFrom     = 0.6
	gateTo       = 0.8
)

// Static is the built-in embedder. It is immutable and safe for concurrent use.
type Static struct {
	english, multi *table
	scratch        sync.Pool // of *staticScratch
}

type staticScratch struct{ english, multi tokenizer }

// Builtin opens the built-in embedder: it checks the tables and makes their look-up
// structures, in some tens of milliseconds and about 10 MB; the tables
// themselves are read where they lie in the binary.
func Builtin() (*Static, error) {
	return open(staticEnglish, staticMulti)
}

func open(english, multi string) (*Static, error) {
	s := &Static{}
	var errEnglish, errMulti error
	var wg sync.WaitGroup
	wg.Go(func() { s.english, errEnglish = openTable(english) })
	wg.Go(func() { s.multi, errMulti = openTable(multi) })
	wg.Wait()
	if errEnglish != nil {
		return nil, fmt.Errorf("embed: the English table: %w", errEnglish)
	}
	if errMulti != nil {
		return nil, fmt.Errorf("embed: the multilingual table: %w", errMulti)
	}
	s.scratch.New = func() any {
		return &staticScratch{tokenizer{t: s.english}, tokenizer{t: s.multi}}
	}
	return s, nil
}

// Dims is the length of every vector.
func (s *Static) Dims() int { return s.english.dims + s.multi.dims }

// Embed gives a vector for each text. Their similarity is the dot product. A
// text without a known token has the zero vector. The only error is ctx's.
func (s *Static) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	scratch := s.scratch.Get().(*staticScratch)
	defer s.scratch.Put(scratch)
	dims := s.Dims()
	all := make([]float32, dims*len(texts))
	out := make([][]float32, len(texts))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("embed: %d of %d texts done: %w", i, len(texts), err)
		}
		out[i] = all[i*dims : (i+1)*dims : (i+1)*dims]
		s.embed(out[i], text, scratch)
	}
	return out, nil
}

func (s *Static) embed(v []float32, text string, scratch *staticScratch) {
	first, second := v[:s.english.dims], v[s.english.dims:]
	ids := scratch.english.tokens(text)
	if g := gate(scratch.english.known()); g > 0 {
		s.english.sum(first, ids)
		scaleTo(first, g*math.Sqrt(englishShare))
	}
	s.multi.sum(second, scratch.multi.tokens(text))
	scaleTo(second, math.Sqrt(1-englishShare))
}

// known is the share of the last text's words that are one token each, of those
// that start with a letter.
func (k *tokenizer) known() float64 {
	if k.words == 0 {
		return 0
	}
	return float64(k.single) / float64(k.words)
}

func gate(known float64) float64 {
	return min(max((known-gateFrom)/(gateTo-gateFrom), 0), 1)
}

// scaleTo gives v a length; a zero v stays zero.
func scaleTo(v []float32, length float64) {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	f := float32(length / math.Sqrt(sum))
	for i := range v {
		v[i] *= f
	}
}
