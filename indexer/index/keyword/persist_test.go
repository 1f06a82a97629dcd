package keyword

import (
	"bytes"
	"testing"
)

func sample(t testing.TB) (*Index, []byte) {
	x := New()
	for i := range 700 {
		x.Add(uint32(i*3), []string{"en", "de", "zh"}[i%3], Fields{Title: "Haus 東京都", Body: zipf(i)})
		if i%50 == 49 {
			x.Remove(uint32(i))
			x.Snapshot()
		}
	}
	var b bytes.Buffer
	if n, err := x.Snapshot().WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatal(n, err)
	}
	return x, b.Bytes()
}

// TestOpen goes on with a written index as with the one it was written from.
func TestOpen(t *testing.T) {
	x, data := sample(t)
	y, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	same := func() {
		t.Helper()
		a, b := x.Snapshot(), y.Snapshot()
		if a.String() != b.String() {
			t.Fatalf("%v, want %v", b, a)
		}
		for i := range 20 {
			text := zipf(i * 31)
			if got, want := b.TopK(b.Parse(text), 10, nil), a.TopK(a.Parse(text), 10, nil); !sameHits(got, want) {
				t.Fatalf("%q: %v, want %v", text, got, want)
			}
		}
	}
	same()
	for i := range 300 {
		x.Remove(uint32(i * 3))
		y.Remove(uint32(i * 3))
		x.Add(uint32(5000+i), "en", Fields{Body: zipf(i * 3)})
		y.Add(uint32(5000+i), "en", Fields{Body: zipf(i * 3)})
		if i%40 == 0 {
			same()
		}
	}
	same()
	if y, err := Open(bytes.Repeat([]byte{0}, 100)); err == nil {
		t.Errorf("zeros: %v", y)
	}
	for n := range len(data) / 997 {
		if _, err := Open(data[:n*997]); err == nil {
			t.Fatalf("%d of %d bytes: no error", n*997, len(data))
		}
	}
}

// FuzzOpen damages a written index: Open refuses it, or what it gives can be
// searched, changed and merged without a wrong step.
func FuzzOpen(f *testing.F) {
	x := New()
	for i := range 300 {
		x.Add(uint32(i), "en", Fields{Body: zipf(i)})
	}
	x.Snapshot()
	x.Remove(7)
	x.Add(900, "de", Fields{Body: "Häuser w1 w1"})
	var b bytes.Buffer
	if _, err := x.Snapshot().WriteTo(&b); err != nil {
		f.Fatal(err)
	}
	data := b.Bytes()
	f.Add(uint32(0), byte(1), uint32(5000), byte(7))
	f.Add(uint32(70), byte(0xff), uint32(24), byte(1))
	f.Fuzz(func(t *testing.T, i uint32, v byte, j uint32, w byte) {
		bad := bytes.Clone(data)
		bad[int(i)%len(bad)] ^= v
		bad[int(j)%len(bad)] ^= w
		x, err := Open(bad)
		if err != nil {
			return
		}
		s := x.Snapshot()
		q := s.Parse("w1 w2 w3 w100 häuser")
		s.TopK(q, 10, nil)
		s.Score(q, []uint32{0, 5, 900})
		for i := range uint32(300) {
			x.Remove(i)
		}
		x.Snapshot()
	})
}
