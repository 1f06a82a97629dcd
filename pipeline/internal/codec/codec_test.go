package codec

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type inner struct {
	A int32
	B int32
	S string
}

type row struct {
	ID     int64
	Small  uint16
	Flag   bool
	F      float64
	Name   string
	Raw    []byte
	Nums   []int32
	Names  []string
	In     inner
	Ins    []inner
	Arr    [3]string
	Flat   [2]uint64
	Ptr    *inner
	M      map[string]int
	MM     map[inner][]string
	When   time.Time
	Addr   netip.Addr
	hidden string
}

func text() *rapid.Generator[string] { return rapid.StringN(0, 12, -1) }

func drawInner(t *rapid.T) inner {
	return inner{rapid.Int32().Draw(t, "a"), rapid.Int32().Draw(t, "b"), text().Draw(t, "s")}
}

func drawRow(t *rapid.T) row {
	r := row{
		ID: rapid.Int64().Draw(t, "id"), Small: rapid.Uint16().Draw(t, "small"), Flag: rapid.Bool().Draw(t, "flag"),
		F: rapid.Float64().Draw(t, "f"), Name: text().Draw(t, "name"), In: drawInner(t), hidden: text().Draw(t, "hidden"),
	}
	if rapid.Bool().Draw(t, "raw?") {
		r.Raw = rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "raw")
		r.Nums = rapid.SliceOfN(rapid.Int32(), 0, 5).Draw(t, "nums")
		r.Names = rapid.SliceOfN(text(), 0, 4).Draw(t, "names")
	}
	for range rapid.IntRange(0, 3).Draw(t, "ins") {
		r.Ins = append(r.Ins, drawInner(t))
	}
	for i := range r.Arr {
		r.Arr[i] = text().Draw(t, "arr")
	}
	if rapid.Bool().Draw(t, "ptr?") {
		in := drawInner(t)
		r.Ptr = &in
	}
	if rapid.Bool().Draw(t, "map?") {
		r.M = rapid.MapOfN(text(), rapid.Int(), 0, 5).Draw(t, "m")
		r.MM = map[inner][]string{drawInner(t): {text().Draw(t, "mm")}, drawInner(t): nil}
	}
	if rapid.Bool().Draw(t, "when?") {
		zone := time.FixedZone("", 900*rapid.IntRange(-40, 40).Draw(t, "zone"))
		r.When = time.Unix(rapid.Int64Range(-1e11, 1e11).Draw(t, "sec"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).In(zone)
		r.Addr = netip.AddrFrom4([4]byte{1, 2, 3, rapid.Byte().Draw(t, "ip")})
	}
	return r
}

func TestRoundTrip(t *testing.T) {
	c, err := For[row]()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRow(t), drawRow(t)
		if rapid.Bool().Draw(t, "same") {
			b = a
		}
		ea, eb := c.Append(nil, &a), c.Append(nil, &b)
		var back row
		rest, err := c.Decode(append(ea, "tail"...), &back)
		if err != nil || string(rest) != "tail" {
			t.Fatalf("decode: %v, rest %q", err, rest)
		}
		if !back.When.Equal(a.When) {
			t.Fatalf("time: %v, want %v", back.When, a.When)
		}
		want := a
		back.When, want.When = time.Time{}, time.Time{}
		if !reflect.DeepEqual(back, want) {
			t.Fatalf("got  %#v\nwant %#v", back, want)
		}
		if c.Equal(&a, &b) != bytes.Equal(ea, eb) {
			t.Fatalf("Equal is %v, encodings say %v", c.Equal(&a, &b), bytes.Equal(ea, eb))
		}
		ha, la, _ := c.Hash(&a, nil)
		hb, lb, _ := c.Hash(&b, nil)
		if bytes.Equal(ea, eb) != (ha == hb && la == lb) {
			t.Fatal("equal encodings and equal hashes disagree")
		}
		for i := range ea {
			var r row
			if _, err := c.Decode(ea[:i], &r); err == nil {
				t.Fatalf("%d of %d bytes were accepted", i, len(ea))
			}
		}
	})
}

func TestCanonicalKeys(t *testing.T) {
	same := func(name string, hash func() [2][2]uint64) {
		if h := hash(); h[0] != h[1] {
			t.Errorf("%s: different keys", name)
		}
	}
	same("zero and minus zero", func() [2][2]uint64 { return pair(t, 0, math.Copysign(0, -1)) })
	same("NaNs", func() [2][2]uint64 { return pair(t, math.NaN(), math.Float64frombits(0x7ff8000000000099)) })
	same("nil and empty", func() [2][2]uint64 { return pair(t, []int(nil), []int{}) })
	now := time.Now()
	same("one instant", func() [2][2]uint64 { return pair(t, now, now.In(time.FixedZone("x", 3600))) })
	if h := pair(t, 1.0, 2.0); h[0] == h[1] {
		t.Error("1 and 2 have one key")
	}
}

func pair[T any](t *testing.T, a, b T) (h [2][2]uint64) {
	c, err := ForKey[T]()
	if err != nil {
		t.Fatal(err)
	}
	h[0][0], h[0][1], _ = c.Hash(&a, nil)
	h[1][0], h[1][1], _ = c.Hash(&b, nil)
	return h
}

type tree struct{ Kids []tree }

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{second(For[struct{ In struct{ C chan int } }]()), ".In.C is a chan"},
		{second(For[struct{ F []func() }]()), ".F[] is a func"},
		{second(For[struct{ V any }]()), ".V is the interface"},
		{second(For[map[string]error]()), "is the interface error"},
		{second(For[tree]()), "recursive"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v does not say %q", c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFingerprint(t *testing.T) {
	a, _ := For[struct {
		A int
		B []string
	}]()
	b, _ := For[struct {
		B []string
		A int
	}]()
	if a.Fingerprint() == b.Fingerprint() || a.Fingerprint() != "{A int, B []string}" {
		t.Errorf("fingerprints %q, %q", a.Fingerprint(), b.Fingerprint())
	}
}

func TestOrderedBytes(t *testing.T) {
	checkOrder(t, rapid.Int(), nil)
	checkOrder(t, rapid.Int8(), nil)
	checkOrder(t, rapid.Uint32(), nil)
	checkOrder(t, rapid.Float64(), []float64{math.Inf(-1), math.Inf(1), 0, math.NaN()})
	checkOrder(t, rapid.Float32(), nil)
	checkOrder(t, rapid.String(), nil)
}

func checkOrder[V interface {
	~int | ~int8 | ~uint32 | ~float64 | ~float32 | ~string
}](t *testing.T, g *rapid.Generator[V], extra []V) {
	o := Ordered[V]()
	if len(extra) > 0 {
		g = rapid.OneOf(g, rapid.SampledFrom(extra))
	}
	t.Run(fmt.Sprintf("%T", *new(V)), func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			a, b := g.Draw(t, "a"), g.Draw(t, "b")
			ea, eb := o.Append(nil, a), o.Append(nil, b)
			want := 0
			switch { // as cmp.Compare
			case a < b || a != a && b == b:
				want = -1
			case a > b || a == a && b != b:
				want = 1
			}
			if got := bytes.Compare(ea, eb); got != want {
				t.Fatalf("%v, %v: order %d, want %d", a, b, got, want)
			}
			if back := o.Decode(ea); back != a && a == a {
				t.Fatalf("%v came back as %v", a, back)
			}
		})
	})
}

func FuzzDecode(f *testing.F) {
	c, err := For[row]()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Append(nil, &row{}))
	f.Add(c.Append(nil, &row{Name: "n", Names: []string{"a", ""}, M: map[string]int{"x": 1}, Ptr: &inner{}, When: time.Unix(5, 6)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r row
		rest, err := c.Decode(b, &r)
		if err != nil {
			return
		}
		// What was accepted must survive another round: damaged bytes may
		// decode to some row, but never to one that cannot be kept.
		again := c.Append(nil, &r)
		var r2 row
		if tail, err := c.Decode(again, &r2); err != nil || len(tail) != 0 || !c.Equal(&r, &r2) {
			t.Fatalf("row of %d bytes does not survive: %v", len(b)-len(rest), err)
		}
	})
}

// TestOrderParts: the order of parts is that of the first, then of the rest, and
// a part ends where it ends.
func TestOrderParts(t *testing.T) {
	text := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xff, 'a'}), 0, 4), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		o := Ordered[string]()
		a, b, x, y := text.Draw(t, "a"), text.Draw(t, "b"), text.Draw(t, "x"), text.Draw(t, "y")
		p, q := append(o.AppendPart(nil, a), x...), append(o.AppendPart(nil, b), y...)
		if got, want := bytes.Compare(p, q), cmp.Or(cmp.Compare(a, b), cmp.Compare(x, y)); got != want {
			t.Fatalf("%q %q before %q %q: %d, want %d", a, x, b, y, got, want)
		}
		if rest, ok := o.SkipPart(p); !ok || string(rest) != x {
			t.Fatalf("behind %q there is %q, not %q", a, rest, x)
		}
		n := Ordered[int]()
		if rest, ok := n.SkipPart(append(n.AppendPart(nil, len(a)), x...)); !ok || string(rest) != x {
			t.Fatalf("behind a number there is %q, not %q", rest, x)
		}
	})
}
