package kern

import (
	"math"
	"math/rand/v2"
	"testing"
)

// near tells whether two float32 sums of terms whose magnitudes add up to size
// differ by rounding only.
func near(a, b float32, size float64) bool {
	return math.Abs(float64(a)-float64(b)) <= 1e-5*size+1e-6
}

// FuzzTwins compares assembly and Go on one random case of any dims. Slices end
// exactly where the data ends, in a guarded buffer, so that a read past them
// would meet NaN (floats) or a byte that changes the sum.
func FuzzTwins(f *testing.F) {
	for _, d := range []uint16{1, 2, 6, 12, 24, 64} {
		f.Add(uint64(d), d)
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) {
		if !haveAVX2 {
			t.Skip("this processor has no AVX2: there is one side only")
		}
		twins(t, seed, (int(n-1)%(MaxDims/64)+1)*64)
	})
}

func TestTwins(t *testing.T) {
	if !haveAVX2 {
		t.Skip("this processor has no AVX2: there is one side only")
	}
	for d := 64; d <= MaxDims; d += 64 {
		twins(t, uint64(d), d)
	}
}

func twins(t *testing.T, seed uint64, d int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	nan := float32(math.NaN())
	floats := func() []float32 {
		v := make([]float32, d+64)
		for i := range v[:d] {
			v[i] = float32(r.NormFloat64())
		}
		for i := d; i < len(v); i++ {
			v[i] = nan
		}
		return v[:d:d]
	}
	a, b := floats(), floats()
	var size float64
	for i := range a {
		size += math.Abs(float64(a[i]) * float64(b[i]))
	}
	if x, y := dotAVX2(&a[0], &b[0], d), dotGo(a, b); !near(x, y, size) {
		t.Fatalf("dot of %d dims: %v and %v", d, x, y)
	}

	u, s := make([]uint8, d+64), make([]int8, d+64)
	for i := range u {
		u[i], s[i] = uint8(r.IntN(128)), int8(r.IntN(255)-127)
		if seed%5 == 0 { // extremes: nothing may saturate
			u[i], s[i] = 127, []int8{-128, 127}[seed%2]
		}
	}
	if x, y := dotU7S8AVX2(&u[0], &s[0], d), dotU7S8Go(u[:d], s[:d]); x != y {
		t.Fatalf("u7 x s8 of %d dims: %d and %d", d, x, y)
	}

	var h1, h2, sg [128]float32
	for i := range h1 {
		h1[i] = float32(r.NormFloat64())
		sg[i] = float32(1-2*r.IntN(2)) / 8
	}
	h2 = h1
	fwht128AVX2(&h1[0], &sg[0])
	fwht128Go(&h2, &sg)
	for i := range h1 {
		if !near(h1[i], h2[i], 32) {
			t.Fatalf("Walsh-Hadamard at %d: %v and %v", i, h1[i], h2[i])
		}
	}

	query, codes := make([]byte, d), make([]byte, 4*d)
	for i := range query {
		query[i] = byte(r.IntN(16))
		if seed%5 == 0 {
			query[i] = 15
		}
	}
	for i := range codes {
		codes[i] = byte(r.Uint32())
		if seed%5 == 0 {
			codes[i] = 0xff
		}
	}
	nibbles, sums := make([]byte, 4*d), make([]uint16, 32*d)
	nibblesAVX2(&query[0], &nibbles[0], d/4)
	bytesGo(query, sums)
	var f1, f2, e1, e2 [32]float32
	for j := range f1 {
		f1[j], f2[j] = r.Float32(), r.Float32()
	}
	aff := Affine{Base: .5, Scale: .01, Shift: -3, Lo: .25}
	thr := float32(d) / 32
	m1 := scan32AVX2(&codes[0], &nibbles[0], d/16, &f1[0], &f2[0], aff.Base, aff.Scale, aff.Shift, aff.Lo, thr, &e1)
	m2 := scan32Go(codes, sums, &f1, &f2, aff, thr, &e2)
	for j := range e1 {
		v := 0
		for i := range query {
			v += int(query[i]) * int(codes[i/8*32+j]>>(i%8)&1)
		}
		want := aff.Base + f1[j]*(float32(v)*aff.Scale+aff.Shift) + f2[j]*aff.Lo
		if !near(e1[j], want, 50+float64(d)) || !near(e2[j], want, 50+float64(d)) {
			t.Fatalf("scan of %d dims, code %d: %v and %v, not %v", d, j, e1[j], e2[j], want)
		}
		if m1>>j&1 == 1 != (e1[j] > thr) || m2>>j&1 == 1 != (e2[j] > thr) {
			t.Fatalf("scan of %d dims, code %d: masks %x and %x", d, j, m1, m2)
		}
	}
}

func TestChoose(t *testing.T) {
	if name, f := choose("go"); name != "go" || f {
		t.Errorf("RAGSERVER_KERNEL=go chose %s", name)
	}
	if name, f := choose(""); f != haveAVX2 || name == "" {
		t.Errorf("no wish chose %s", name)
	}
}

func TestWrongLengthsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"unequal":       func() { Dot(make([]float32, 64), make([]float32, 128)) },
		"not padded":    func() { Dot(make([]float32, 65), make([]float32, 65)) },
		"empty":         func() { DotU7S8(nil, nil) },
		"too many dims": func() { new(Tables).Build(make([]byte, MaxDims+64)) },
		"codes too short": func() {
			var x Tables
			x.Build(make([]byte, 64))
			x.Scan(make([]byte, 255), new([32]float32), new([32]float32), Affine{}, 0, new([32]float32))
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkScan32(b *testing.B) {
	const d = 384
	codes := make([]byte, d*4*512)
	var t Tables
	t.Build(make([]byte, d))
	var f1, f2, est [32]float32
	i := 0
	for b.Loop() {
		t.Scan(codes[i*4*d:(i+1)*4*d], &f1, &f2, Affine{}, 8, &est)
		i = (i + 1) % 512
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/code")
}
