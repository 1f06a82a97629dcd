// Package vector is the vector side of the index: the largest inner products
// with a query, among the rows that a bitmap allows.
//
// # Model
//
// A vector is stored once, in a slot; slots live in Segments of a fixed size. A
// row (a live or dead chunk) points to a slot or to none. A Flat is an
// immutable state of all rows; a Writer makes the next one, copying only what
// changes, so that readers of older states go on undisturbed.
//
// Vectors are rotated at the door (Space.Rotate) and live rotated: a rotation
// changes no inner product and spreads what a vector says evenly over its dims,
// which is what short codes need. Each vector exists three times, ever coarser:
// 4 bytes a dim in a mapped file (read for the few best candidates only), 7 bits
// a dim in memory outside the Go heap, and 1 bit a dim in the rows' blocks.
//
// # Search
//
// All codes are scanned, 32 at a time. A code estimates the inner product
// without bias and with a known error (RaBitQ: Gao and Long, 2024): rows whose
// upper bound reaches the best estimates are compared again with 7 bits, the
// best of these with 4 bytes. If few rows are allowed, the scan of codes is
// left out, and below ExactRows everything is computed with 4 bytes: then the
// result is exact. Otherwise a row of the true best may be missed, about one in
// a thousand.
//
// Similarity is the inner product of the vectors as given. It is the cosine if
// they have unit length; shorter ones (a text that the embedder half knows) are
// less similar to everything.
package vector

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/ragserver/ragserver/indexer/index/vector/kern"
)

// MaxDims is the largest number of dims a Space takes.
const MaxDims = kern.MaxDims

// Space is the set of vectors of one length, with the rotation they get. Two
// Spaces of the same dims are the same.
type Space struct {
	dims   int // as given
	padded int // padded: a multiple of 64, at least 128
	signs  [3][]float32
}

// rotationSeed is part of the disk format: rotated vectors are stored.
const rotationSeed = 0x7261677365727665

// NewSpace makes the space of vectors with that many dims, 1 to MaxDims.
func NewSpace(dims int) (*Space, error) {
	if dims < 1 || dims > MaxDims {
		return nil, fmt.Errorf("vector: %d dims are not between 1 and %d", dims, MaxDims)
	}
	s := &Space{dims: dims, padded: max(128, (dims+63)/64*64)}
	rng := rand.New(rand.NewPCG(rotationSeed, uint64(s.padded)))
	for r := range s.signs {
		s.signs[r] = make([]float32, s.padded)
		for i := range s.signs[r] {
			s.signs[r][i] = float32(1-2*int(rng.Uint64()&1)) * 0.08838834764831845 // 1/√128
		}
	}
	return s, nil
}

// Dims is the length of the vectors as given.
func (s *Space) Dims() int { return s.dims }

// Padded is the length of rotated vectors.
func (s *Space) Padded() int { return s.padded }

// Longest and shortest length a vector may have: outside, sums of squares would
// leave float32. Below minLength a vector counts as zero.
const minLength, maxLength = 1e-15, 1e15

// Check says whether v can be stored or asked for, and whether it is zero,
// which means that there is no vector.
func (s *Space) Check(v []float32) (zero bool, err error) {
	if len(v) != s.dims {
		return false, fmt.Errorf("vector: %d dims where the embedder has %d", len(v), s.dims)
	}
	var n float64
	for i, x := range v {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return false, fmt.Errorf("vector: dim %d is %v", i, x)
		}
		n += float64(x) * float64(x)
	}
	if n > maxLength*maxLength {
		return false, fmt.Errorf("vector: its length is %.3g; lengths up to %.0g are possible", math.Sqrt(n), float64(maxLength))
	}
	return n < minLength*minLength, nil
}

// Rotate writes the rotated v to dst, which has Padded elements: three rounds of
// random signs and Walsh-Hadamard transforms over blocks of 128, with a
// transposition in between so that every dim reaches every other. Where 128
// does not divide the length, the second round's blocks are aligned to the end.
func (s *Space) Rotate(dst, v []float32) {
	clear(dst[copy(dst, v):])
	n := len(dst)
	blocks := n / 128
	var buf [MaxDims]float32
	for r := range s.signs {
		off := 0
		if r == 1 {
			off = n - 128*blocks
		}
		for b := range blocks {
			i := off + 128*b
			kern.FWHT128((*[128]float32)(dst[i:]), (*[128]float32)(s.signs[r][i:]))
		}
		if r == len(s.signs)-1 || n == 128 {
			continue
		}
		rows := n / 64
		for b := range rows {
			for i, x := range dst[b*64 : b*64+64] {
				buf[i*rows+b] = x
			}
		}
		copy(dst, buf[:n])
	}
}
