package embed

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"unicode/utf8"
)

// table is one static embedder: tokens, and a row of numbers for each. It is
// immutable. Its file, little-endian, is a head of 64 bytes
//
//	"RAGSEMB1", then u32: version (1), flags, dims, tokens, bits (4 or 8), longest
//	word in code points (100), bytes of the strings, CRC-32 (IEEE) of all that
//	follows the head; zeros
//
// and then, each padded with zeros to a multiple of 64:
//
//	strings  by token: u8 length, UTF-8; ## marks the continuation of a word
//	scores   with flagUnigram: by token, f32 natural log of its probability
//	scales   by token, f32
//	rows     by token: 8 bits: int8; 4 bits: two a byte, low half first, value + 8
//
// A row's value is its scale times the integer.
type table struct {
	flags  uint32
	dims   int
	tokens int
	bits   int
	trie   *trie
	scores []float64
	lowest float64 // score of a character that no token covers
	scales []float32
	rows   string // aliases the file
}

const (
	tableMagic  = "RAGSEMB1"
	headSize    = 64
	longestWord = 100 // code points

	flagNFKC    = 1 // fold by NFKC first
	flagHanRuns = 2 // Han characters in runs, not one by one
	flagUnigram = 4 // cut words by the best sum of scores, not greedily

	maxDims   = 4096
	maxTokens = 1 << 22
)

func u32(s string, at int) uint32 {
	return uint32(s[at]) | uint32(s[at+1])<<8 | uint32(s[at+2])<<16 | uint32(s[at+3])<<24
}

func f32(s string, at int) float32 { return math.Float32frombits(u32(s, at)) }

// openTable reads a file that is held as a string, without copying its rows.
func openTable(file string) (*table, error) {
	if len(file) < headSize || file[:8] != tableMagic {
		return nil, errors.New("not an embedding table")
	}
	if v := u32(file, 8); v != 1 {
		return nil, fmt.Errorf("version %d is not known", v)
	}
	t := &table{flags: u32(file, 12), dims: int(u32(file, 16)), tokens: int(u32(file, 20)), bits: int(u32(file, 24))}
	word, size, sum := u32(file, 28), int(u32(file, 32)), u32(file, 36)
	switch {
	case t.flags > flagNFKC|flagHanRuns|flagUnigram:
		return nil, fmt.Errorf("flags %d are not known", t.flags)
	case t.dims < 2 || t.dims > maxDims || t.dims%2 != 0:
		return nil, fmt.Errorf("%d dimensions", t.dims)
	case t.tokens < 1 || t.tokens > maxTokens:
		return nil, fmt.Errorf("%d tokens", t.tokens)
	case t.bits != 4 && t.bits != 8:
		return nil, fmt.Errorf("%d bits a value", t.bits)
	case word != longestWord:
		return nil, fmt.Errorf("words of %d code points", word)
	}
	up := func(n int) int { return (n + 63) / 64 * 64 }
	scores := 0
	if t.flags&flagUnigram != 0 {
		scores = up(4 * t.tokens)
	}
	row := t.dims * t.bits / 8
	if want := headSize + up(size) + scores + up(4*t.tokens) + up(row*t.tokens); len(file) != want {
		return nil, fmt.Errorf("%d bytes, not %d as the head says", len(file), want)
	}
	if got := checksum(file[headSize:]); got != sum {
		return nil, fmt.Errorf("checksum %08x, not %08x: the file is damaged", got, sum)
	}
	at := headSize
	if err := t.readStrings(file[at : at+size]); err != nil {
		return nil, err
	}
	at += up(size)
	if scores > 0 {
		t.lowest = math.Inf(1)
		for i := range t.tokens {
			v := float64(f32(file, at+4*i))
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("token %d has no finite score", i)
			}
			t.scores = append(t.scores, v)
			t.lowest = min(t.lowest, v-10)
		}
		at += scores
	}
	t.scales = make([]float32, t.tokens)
	for i := range t.tokens {
		v := f32(file, at+4*i)
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("token %d has no finite scale", i)
		}
		t.scales[i] = v
	}
	at += up(4 * t.tokens)
	t.rows = file[at : at+row*t.tokens]
	return t, nil
}

// checksum is CRC-32 (IEEE) of a string, which is not copied as a whole.
func checksum(s string) uint32 {
	var buf [64 << 10]byte
	sum := uint32(0)
	for len(s) > 0 {
		n := copy(buf[:], s)
		sum = crc32.Update(sum, crc32.IEEETable, buf[:n])
		s = s[n:]
	}
	return sum
}

func (t *table) readStrings(s string) error {
	t.trie = newTrie()
	for i := range t.tokens {
		if len(s) == 0 || int(s[0]) > len(s)-1 {
			return fmt.Errorf("the strings end at token %d of %d", i, t.tokens)
		}
		word := s[1 : 1+int(s[0])]
		s = s[1+len(word):]
		if word == "" || !utf8.ValidString(word) {
			return fmt.Errorf("token %d is %q", i, word)
		}
		root := rootStart
		if len(word) > 2 && strings.HasPrefix(word, "##") {
			root, word = rootContinue, word[2:]
		}
		if !t.trie.add(root, word, int32(i)) {
			return fmt.Errorf("token %d, %q, is there twice", i, word)
		}
	}
	if len(s) > 0 {
		return fmt.Errorf("%d bytes of strings are left over", len(s))
	}
	return nil
}

// sum adds the rows of tokens to v, which has dims values, in order.
func (t *table) sum(v []float32, ids []int32) {
	v = v[:t.dims]
	if t.bits == 8 {
		for _, id := range ids {
			row, scale := t.rows[int(id)*t.dims:][:t.dims], t.scales[id]
			for i := range v {
				v[i] += float32(scale * float32(int8(row[i])))
			}
		}
		return
	}
	var value [16]float32
	for _, id := range ids {
		row, scale := t.rows[int(id)*t.dims/2:][:t.dims/2], t.scales[id]
		for k := range value {
			value[k] = scale * float32(k-8)
		}
		for i := 0; i < len(row); i++ {
			b, pair := row[i], v[2*i:2*i+2:2*i+2]
			pair[0] += value[b&15]
			pair[1] += value[b>>4]
		}
	}
}

// trie finds the tokens that start a text. A node is a number; the children are
// in one hash table, by node and byte.
type trie struct {
	slots []slot
	used  int
	ids   []int32 // by node: the token that ends there, −1 if none does
}

type slot struct{ key, child uint32 } // key 0: free

const (
	rootStart    uint32 = 1 // of words and their beginnings
	rootContinue uint32 = 2 // of continuations
)

func newTrie() *trie {
	return &trie{slots: make([]slot, 1<<18), ids: []int32{-1, -1, -1}}
}

func (t *trie) slot(key uint32) int {
	mask := len(t.slots) - 1
	i := int(key*0x9e3779b1>>7) & mask
	for t.slots[i].key != key && t.slots[i].key != 0 {
		i = (i + 1) & mask
	}
	return i
}

// child gives the node after one byte more, 0 if there is none.
func (t *trie) child(node uint32, b byte) uint32 {
	return t.slots[t.slot(node<<8|uint32(b))].child
}

// add says false if the word is there already.
func (t *trie) add(root uint32, word string, id int32) bool {
	node := root
	for i := range len(word) {
		key := node<<8 | uint32(word[i])
		k := t.slot(key)
		if t.slots[k].key == 0 {
			if t.used*5 > len(t.slots)*3 {
				t.grow()
				k = t.slot(key)
			}
			t.used++
			t.slots[k] = slot{key, uint32(len(t.ids))}
			t.ids = append(t.ids, -1)
		}
		node = t.slots[k].child
	}
	if t.ids[node] >= 0 {
		return false
	}
	t.ids[node] = id
	return true
}

func (t *trie) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s.key != 0 {
			t.slots[t.slot(s.key)] = s
		}
	}
}
