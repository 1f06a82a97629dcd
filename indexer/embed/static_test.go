package embed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func builtin(t testing.TB) *Static {
	t.Helper()
	s, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type goldenHalf struct {
	Tokens []string
	IDs    []int32
	Head   []float64
}

// TestGolden compares with what the generator's own reader says.
func TestGolden(t *testing.T) {
	f, err := os.Open("testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := builtin(t)
	var vectors [][]float32
	pairs := 0
	worst := 0.0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var g struct {
			Text      *string
			Known     float64
			En, Multi goldenHalf
			Pair      []int
			Dot       float64
		}
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		if g.Text == nil {
			pairs++
			dot := 0.0
			for i, x := range vectors[g.Pair[0]] {
				dot += float64(x) * float64(vectors[g.Pair[1]][i])
			}
			if d := math.Abs(dot - g.Dot); d > 1e-6 {
				t.Errorf("dot product of texts %v is %v, want %v", g.Pair, dot, g.Dot)
			}
			continue
		}
		for _, half := range []struct {
			t    *table
			want goldenHalf
		}{{s.english, g.En}, {s.multi, g.Multi}} {
			k := tokenizer{t: half.t}
			ids := k.tokens(*g.Text)
			if !slices.Equal(ids, half.want.IDs) {
				t.Errorf("%q: ids %v, want %v", *g.Text, ids, half.want.IDs)
			}
			v := make([]float32, half.t.dims)
			half.t.sum(v, ids)
			scaleTo(v, 1)
			for i, want := range half.want.Head {
				worst = max(worst, math.Abs(float64(v[i])-want))
			}
			if half.t == s.english && math.Abs(k.known()-g.Known) > 1e-6 {
				t.Errorf("%q: known %v, want %v", *g.Text, k.known(), g.Known)
			}
		}
		v, err := s.Embed(context.Background(), []string{*g.Text})
		if err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, v[0])
	}
	if len(vectors) != 24 || pairs == 0 {
		t.Errorf("%d texts and %d pairs", len(vectors), pairs)
	}
	if worst > 1e-6 {
		t.Errorf("values differ by %v", worst)
	}
	t.Logf("values differ by %.2g at most", worst)
}

func TestEmbed(t *testing.T) {
	s := builtin(t)
	ctx, cancel := context.WithCancel(context.Background())
	v, err := s.Embed(ctx, []string{"", "🙂", "Hello, world!", "Привет, мир"})
	if err != nil || len(v) != 4 || s.Dims() != BuiltinDims {
		t.Fatal(len(v), err)
	}
	length := func(v []float32) (sum float64) {
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		return
	}
	for i, want := range []float64{0, 0, 1, 0.4} {
		if len(v[i]) != BuiltinDims || math.Abs(length(v[i])-want) > 1e-6 {
			t.Errorf("text %d: %d dims, squared length %v, want %v", i, len(v[i]), length(v[i]), want)
		}
	}
	cancel()
	if _, err := s.Embed(ctx, []string{"x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

func TestConcurrent(t *testing.T) {
	s := builtin(t)
	want, err := s.Embed(t.Context(), []string{"a short text", "ein kurzer Text"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := s.Embed(t.Context(), []string{"a short text", "ein kurzer Text"})
				if err != nil || !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) {
					t.Error("differs", err)
				}
			}
		})
	}
	wg.Wait()
}

// naive cuts words as the generator does: every candidate is looked up in a map.
type naive struct {
	t   *table
	ids map[string]int32
}

func newNaive(t *table, file string) naive {
	n := naive{t, map[string]int32{}}
	s := file[headSize:]
	for i := range t.tokens {
		n.ids[s[1:1+int(s[0])]] = int32(i)
		s = s[1+int(s[0]):]
	}
	return n
}

func (n naive) cut(word string) []int32 {
	w := []rune(word)
	get := func(pre string, i, j int) (int32, bool) {
		id, ok := n.ids[pre+string(w[i:j])]
		return id, ok
	}
	var out []int32
	if n.t.flags&flagUnigram == 0 {
		if len(w) > longestWord {
			return nil
		}
		for i := 0; i < len(w); {
			pre := ""
			if i > 0 {
				pre = "##"
			}
			j := len(w)
			for ; j > i; j-- {
				if id, ok := get(pre, i, j); ok {
					out = append(out, id)
					break
				}
			}
			if j == i {
				return nil
			}
			i = j
		}
		return out
	}
	w = w[:min(len(w), longestWord)]
	best := make([]float64, len(w)+1)
	back := make([][2]int32, len(w)+1)
	for i := range best[1:] {
		best[i+1] = -1e30
	}
	for i := range w {
		if best[i] <= -1e29 {
			continue
		}
		pre, single := "##", false
		if i == 0 || isHan(w[0]) {
			pre = ""
		}
		for j := i + 1; j <= len(w); j++ {
			if id, ok := get(pre, i, j); ok {
				single = single || j == i+1
				if s := best[i] + n.t.scores[id]; s > best[j] {
					best[j], back[j] = s, [2]int32{int32(i), id}
				}
			}
		}
		if s := best[i] + n.t.lowest; !single && s > best[i+1] {
			best[i+1], back[i+1] = s, [2]int32{int32(i), -1}
		}
	}
	for j := int32(len(w)); j > 0; j = back[j][0] {
		if back[j][1] >= 0 {
			out = append(out, back[j][1])
		}
	}
	slices.Reverse(out)
	return out
}

func TestCutIsNaive(t *testing.T) {
	s := builtin(t)
	for _, c := range []struct {
		t    *table
		file string
	}{{s.english, staticEnglish}, {s.multi, staticMulti}} {
		n := newNaive(c.t, c.file)
		var pieces []string
		for p := range n.ids {
			if p = strings.TrimPrefix(p, "##"); !strings.Contains(p, "#") { // which always stands alone
				pieces = append(pieces, p)
			}
		}
		slices.Sort(pieces)
		rapid.Check(t, func(t *rapid.T) {
			word := strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(pieces), rapid.StringMatching(`[a-zéж東京한]{1,40}`)), 1, 6).Draw(t, "word"), "")
			if word == "" {
				t.Skip()
			}
			k := tokenizer{t: c.t}
			k.cut([]byte(word))
			if want := n.cut(word); !slices.Equal(k.ids, want) {
				t.Fatalf("%q: %v, want %v", word, k.ids, want)
			}
		})
	}
}

// small is a table of a few tokens in both kinds, for the fuzz targets.
func small(t testing.TB, bits byte, flags byte) string {
	le := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
		}
		return
	}
	pad := func(b []byte) []byte { return append(b, make([]byte, -len(b)&63)...) }
	words := []string{"a", "ab", "##b", "##ba", "東", "東京", "#"}
	var strs []byte
	var scores, scales []uint32
	for i, w := range words {
		strs = append(append(strs, byte(len(w))), w...)
		scores = append(scores, math.Float32bits(-float32(i)))
		scales = append(scales, math.Float32bits(float32(i+1)))
	}
	rows := make([]byte, len(words)*8*int(bits)/8)
	for i := range rows {
		rows[i] = byte(i * 37)
	}
	body := pad(slices.Clone(strs))
	if flags&flagUnigram != 0 {
		body = append(body, pad(le(scores...))...)
	}
	body = append(body, pad(le(scales...))...)
	body = append(body, pad(rows)...)
	head := append([]byte(tableMagic), le(1, uint32(flags), 8, uint32(len(words)), uint32(bits), longestWord, uint32(len(strs)), checksum(string(body)))...)
	file := string(pad(head)) + string(body)
	if _, err := openTable(file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpenDamaged(t *testing.T) {
	file := small(t, 4, 7)
	for i := range len(file) {
		bad := []byte(file)
		bad[i] ^= 0x10
		if _, err := openTable(string(bad)); err == nil && i < 40 {
			t.Errorf("byte %d of the head changed: no error", i)
		} else if err == nil && i >= headSize {
			t.Errorf("byte %d changed: no error", i)
		}
		if _, err := openTable(file[:i]); err == nil {
			t.Errorf("%d bytes: no error", i)
		}
	}
	if _, err := open(file, "x"); err == nil || !strings.Contains(err.Error(), "multilingual") {
		t.Errorf("error %v", err)
	}
}

// FuzzTable changes a file and mends its checksum: it is refused, or it can be
// used.
func FuzzTable(f *testing.F) {
	f.Add(byte(0), uint32(70), []byte("x"), "aba 東京 #")
	f.Add(byte(1), uint32(16), []byte{2, 0, 0, 0}, "ab")
	files := []string{small(f, 4, 7), small(f, 8, 0), small(f, 4, 1), small(f, 8, 6)}
	f.Fuzz(func(t *testing.T, which byte, at uint32, change []byte, text string) {
		bad := []byte(files[int(which)%len(files)])
		copy(bad[int(at)%len(bad):], change)
		sum := checksum(string(bad[headSize:]))
		bad[36], bad[37], bad[38], bad[39] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		table, err := openTable(string(bad))
		if err != nil {
			return
		}
		k := tokenizer{t: table}
		table.sum(make([]float32, table.dims), k.tokens(text))
	})
}

// FuzzTokens feeds texts to the real tables: the ids are tokens, and at most one
// a code point.
func FuzzTokens(f *testing.F) {
	s := builtin(f)
	for _, text := range []string{"Hello, wörld! ﬁ ½", "東京 Москва \u0600 \xff\xfe", strings.Repeat("a", 300), "한국어 ไทย"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, table := range []*table{s.english, s.multi} {
			k := tokenizer{t: table}
			ids := k.tokens(text)
			if table == s.english && len(ids) > 4*utf8.RuneCountInString(text) {
				t.Fatalf("%d tokens", len(ids))
			}
			for _, id := range ids {
				if id < 0 || int(id) >= table.tokens {
					t.Fatalf("id %d", id)
				}
			}
		}
	})
}

const prose = "The quick brown fox jumps over the lazy dog while PostgreSQL uses multiversion concurrency control, and nobody resets the password of the administrator. "

func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		if _, err := Builtin(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTokens(b *testing.B) {
	s := builtin(b)
	text := strings.Repeat(prose, 10)
	for name, table := range map[string]*table{"english": s.english, "multi": s.multi} {
		b.Run(name, func(b *testing.B) {
			k := tokenizer{t: table}
			n := 0
			for b.Loop() {
				n += len(k.tokens(text))
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mtokens/s")
		})
	}
}

func BenchmarkEmbed(b *testing.B) {
	s := builtin(b)
	text := strings.Repeat(prose, 10)
	k := tokenizer{t: s.english}
	n := len(k.tokens(text))
	k.t = s.multi
	n += len(k.tokens(text))
	for b.Loop() {
		if _, err := s.Embed(b.Context(), []string{text}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds()/1e6, "Mtokens/s")
}
