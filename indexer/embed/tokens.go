package embed

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// tokenizer cuts texts into the tokens of one table. It reuses its buffers and
// is for one goroutine at a time.
type tokenizer struct {
	t     *table
	folds []byte // the text after NFKC
	word  []byte
	ids   []int32
	// Of words that start with a letter: how many, and how many are one token.
	words, single int

	best  [longestWord + 1]float64
	from  [longestWord + 1]int
	token [longestWord + 1]int32
	at    [longestWord + 1]int // byte position of each code point
}

// Classes of ASCII characters after folding.
const (
	asciiDrop = iota
	asciiSpace
	asciiPunct
	asciiWord
)

var asciiClass, asciiLower = func() (class, lower [utf8.RuneSelf]byte) {
	for c := range byte(utf8.RuneSelf) {
		lower[c] = c
		switch {
		case c == ' ' || '\t' <= c && c <= '\r':
			class[c] = asciiSpace
		case c < ' ' || c == 0x7f:
			class[c] = asciiDrop
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			class[c] = asciiWord
		case 'A' <= c && c <= 'Z':
			class[c], lower[c] = asciiWord, c+'a'-'A'
		default:
			class[c] = asciiPunct
		}
	}
	return
}()

func isHan(r rune) bool {
	return 0x4e00 <= r && r <= 0x9fff || 0x3400 <= r && r <= 0x4dbf || 0x20000 <= r && r <= 0x2a6df ||
		0x2a700 <= r && r <= 0x2ceaf || 0xf900 <= r && r <= 0xfaff || 0x2f800 <= r && r <= 0x2fa1f
}

// tokens gives the ids of a text's tokens, valid until the next call.
func (k *tokenizer) tokens(text string) []int32 {
	k.ids, k.word, k.words, k.single = k.ids[:0], k.word[:0], 0, 0
	if k.t.flags&flagNFKC != 0 && !norm.NFKC.IsNormalString(text) {
		k.folds = norm.NFKC.AppendString(k.folds[:0], text)
		for i := 0; i < len(k.folds); {
			if c := k.folds[i]; c < utf8.RuneSelf {
				k.ascii(c)
				i++
				continue
			}
			r, n := utf8.DecodeRune(k.folds[i:])
			k.rune(r)
			i += n
		}
	} else {
		for i := 0; i < len(text); {
			if c := text[i]; c < utf8.RuneSelf {
				k.ascii(c)
				i++
				continue
			}
			r, n := utf8.DecodeRuneInString(text[i:])
			k.rune(r)
			i += n
		}
	}
	k.end()
	return k.ids
}

func (k *tokenizer) ascii(c byte) {
	switch asciiClass[c] {
	case asciiWord:
		k.word = append(k.word, asciiLower[c])
	case asciiSpace:
		k.end()
	case asciiPunct:
		k.end()
		k.word = append(k.word, c)
		k.end()
	}
}

// rune folds one code point: separators end the word, controls go, punctuation
// stands alone, case and accents go.
func (k *tokenizer) rune(r rune) {
	switch {
	case r == 0x85 || unicode.Is(unicode.Z, r):
		k.end()
	case r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf):
	case isHan(r):
		k.word = utf8.AppendRune(k.word, r)
	default:
		r = unicode.ToLower(r)
		d := norm.NFD.PropertiesString(string(r)).Decomposition()
		if 0xac00 <= r && r <= 0xd7a3 { // Hangul is decomposed by rule
			d = norm.NFD.AppendString(nil, string(r))
		}
		if d != nil {
			for len(d) > 0 {
				r, n := utf8.DecodeRune(d)
				d = d[n:]
				k.plain(r)
			}
			return
		}
		k.plain(r)
	}
}

func (k *tokenizer) plain(r rune) {
	switch {
	case unicode.Is(unicode.Mn, r):
	case r < utf8.RuneSelf:
		k.ascii(byte(r))
	case unicode.Is(unicode.P, r):
		k.end()
		k.word = utf8.AppendRune(k.word, r)
		k.end()
	default:
		k.word = utf8.AppendRune(k.word, r)
	}
}

// end cuts the word collected, after Han characters have left it.
func (k *tokenizer) end() {
	w := k.word
	if len(w) == 0 {
		return
	}
	k.word = w[:0]
	for len(w) > 0 {
		if w[0] < 0xe3 { // no Han character starts so
			n := 0
			for n < len(w) && w[n] < 0xe3 {
				n++
			}
			if n == len(w) {
				k.cut(w)
				return
			}
		}
		r, n := utf8.DecodeRune(w)
		han := isHan(r)
		for n < len(w) && (!han || k.t.flags&flagHanRuns != 0) {
			r, size := utf8.DecodeRune(w[n:])
			if isHan(r) != han {
				break
			}
			n += size
		}
		k.cut(w[:n])
		w = w[n:]
	}
}

// cut adds the tokens of one word.
func (k *tokenizer) cut(w []byte) {
	n := len(k.ids)
	if k.t.flags&flagUnigram != 0 {
		k.viterbi(w)
	} else {
		k.greedy(w)
	}
	if r, _ := utf8.DecodeRune(w); 'a' <= r && r <= 'z' || unicode.IsLetter(r) {
		k.words++
		if len(k.ids) == n+1 {
			k.single++
		}
	}
}

// greedy takes the longest token that starts the word, then the longest
// continuation that starts the rest; if a part matches none, the word gives no
// token at all.
func (k *tokenizer) greedy(w []byte) {
	if len(w) > longestWord && utf8.RuneCount(w) > longestWord {
		return
	}
	start := len(k.ids)
	trie := k.t.trie
	for node := rootStart; len(w) > 0; node = rootContinue {
		id, length := int32(-1), 0
		for i, c := range w {
			if node = trie.child(node, c); node == 0 {
				break
			}
			if trie.ids[node] >= 0 {
				id, length = trie.ids[node], i+1
			}
		}
		if id < 0 {
			k.ids = k.ids[:start]
			return
		}
		k.ids = append(k.ids, id)
		w = w[length:]
	}
}

// viterbi cuts the first longestWord code points of the word so that the scores
// add up to the most; of equal sums the first found stays. A character that is
// no token by itself may be skipped, dearly.
func (k *tokenizer) viterbi(w []byte) {
	const unreached = -1e30
	n := 0
	for i := 0; i < len(w) && n < longestWord; n++ {
		k.at[n] = i
		_, size := utf8.DecodeRune(w[i:])
		i += size
		k.at[n+1] = i
		k.best[n+1] = unreached
	}
	k.best[0] = 0
	r, _ := utf8.DecodeRune(w)
	next := rootContinue
	if isHan(r) {
		next = rootStart
	}
	trie, scores := k.t.trie, k.t.scores
	for i := range n {
		if k.best[i] <= unreached {
			continue
		}
		node, single := next, false
		if i == 0 {
			node = rootStart
		}
		for j := i + 1; j <= n; j++ {
			for b := k.at[j-1]; b < k.at[j] && node != 0; b++ {
				node = trie.child(node, w[b])
			}
			if node == 0 {
				break
			}
			if id := trie.ids[node]; id >= 0 {
				single = single || j == i+1
				if s := k.best[i] + scores[id]; s > k.best[j] {
					k.best[j], k.from[j], k.token[j] = s, i, id
				}
			}
		}
		if s := k.best[i] + k.t.lowest; !single && s > k.best[i+1] {
			k.best[i+1], k.from[i+1], k.token[i+1] = s, i, -1
		}
	}
	start := len(k.ids)
	for j := n; j > 0; j = k.from[j] {
		if k.token[j] >= 0 {
			k.ids = append(k.ids, k.token[j])
		}
	}
	for i, j := start, len(k.ids)-1; i < j; i, j = i+1, j-1 {
		k.ids[i], k.ids[j] = k.ids[j], k.ids[i]
	}
}
