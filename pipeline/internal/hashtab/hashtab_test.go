package hashtab

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// keys draws from few keys, some of which share their slots.
func keys() *rapid.Generator[Key] {
	return rapid.Custom(func(t *rapid.T) Key {
		n := uint64(rapid.IntRange(0, 60).Draw(t, "key"))
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			return Key{0, n}
		case 1:
			return Key{n, 0}
		default:
			return Key{n * 0x9E3779B97F4A7C15, n * 0xC2B2AE3D27D4EB4F}
		}
	})
}

func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tab Table[uint64]
		want := map[Key]uint64{}
		for i := range rapid.IntRange(0, 300).Draw(t, "steps") {
			k := keys().Draw(t, "k")
			if rapid.IntRange(0, 2).Draw(t, "op") > 0 {
				s, fresh := tab.At(k)
				if _, had := want[k]; had == fresh {
					t.Fatalf("At(%v): fresh %v", k, fresh)
				}
				s.Val, want[k] = uint64(i), uint64(i)
			} else {
				_, had := want[k]
				if tab.Delete(k) != had {
					t.Fatalf("Delete(%v) is not %v", k, had)
				}
				delete(want, k)
			}
		}
		got := map[Key]uint64{}
		tab.All(func(s *Slot[uint64]) bool { got[s.Key] = s.Val; return true })
		if !maps.Equal(got, want) || tab.Len() != len(want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
		for k := range want {
			if s := tab.Find(k); s == nil || s.Val != want[k] {
				t.Fatalf("Find(%v) = %v", k, s)
			}
		}
		for k := range want {
			tab.Delete(k)
		}
		if tab.Bytes() != 0 {
			t.Fatalf("an empty table holds %d bytes", tab.Bytes())
		}
	})
}

// TestBadKeys: keys that all want one slot make a table slow, not huge.
func TestBadKeys(t *testing.T) {
	var tab Table[struct{}]
	inverse := uint64(1) // of SlotHash's factor, modulo 2^64
	for range 6 {
		inverse *= 2 - 0xD6E8FEB86659FD93*inverse
	}
	for i := range uint64(3000) {
		tab.At(Key{0, i * inverse}) // SlotHash is i: the top bits are all 0
	}
	if len(tab.slots) > 8*3000*2 {
		t.Fatalf("%d slots for 3000 keys", len(tab.slots))
	}
	if tab.Find(Key{0, 2999 * inverse}) == nil {
		t.Fatal("key lost")
	}
}

// TestHashOrder: inserting in slot order must not pile up.
func TestHashOrder(t *testing.T) {
	ks := make([]Key, 100_000)
	for i := range ks {
		ks[i] = Key{uint64(i) * 0x9E3779B97F4A7C15, uint64(i) * 0xC2B2AE3D27D4EB4F}
	}
	slices.SortFunc(ks, func(a, b Key) int {
		if SlotHash(a) < SlotHash(b) {
			return -1
		}
		return 1
	})
	var tab Table[uint32]
	for _, k := range ks {
		tab.At(k)
	}
	if tab.Len() != len(ks) || len(tab.slots) > 64*len(ks) {
		t.Fatalf("%d keys in %d slots", tab.Len(), len(tab.slots))
	}
}

func TestArenaClasses(t *testing.T) {
	last := 0
	for n := headerLen; n <= largest; n++ {
		c, room := class(n)
		if room < n || room > n+8+n/8 || c >= classes || c < last {
			t.Fatalf("class(%d) = %d, room %d", n, c, room)
		}
		last = c
	}
}

func TestBlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a Arena
		var bs [4]Blob
		var want [4][]byte
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, 3).Draw(t, "i")
			if rapid.IntRange(0, 3).Draw(t, "op") == 0 {
				bs[i].Free(&a)
				want[i] = nil
			} else {
				n := rapid.SampledFrom([]int{0, 1, 22, 23, 24, 25, 100}).Draw(t, "len")
				want[i] = bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "fill"))}, n)
				bs[i].Set(&a, want[i])
			}
			for i := range bs {
				if got := bs[i].Get(&a); !bytes.Equal(got, want[i]) || bs[i].None() != (want[i] == nil) || (got == nil) != (want[i] == nil) {
					t.Fatalf("blob %d is %v, want %v", i, got, want[i])
				}
			}
		}
		for i := range bs {
			bs[i].Free(&a)
		}
		if a.Len() != 0 || a.Bytes() != 0 {
			t.Fatalf("%d strings in %d bytes are left", a.Len(), a.Bytes())
		}
	})
}

func TestStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Store
		want := map[Key]string{}
		for range rapid.IntRange(0, 150).Draw(t, "steps") {
			k := keys().Draw(t, "k")
			if rapid.IntRange(0, 3).Draw(t, "op") > 0 {
				n := rapid.SampledFrom([]int{0, 1, 4, 5, 60, 61, 700, 20_000, 32_764, 32_765, 80_000}).Draw(t, "len")
				v := bytes.Repeat([]byte{byte(rapid.IntRange(1, 255).Draw(t, "fill"))}, n)
				s.Put(k, v)
				want[k] = string(v)
			} else {
				_, had := want[k]
				if s.Delete(k) != had {
					t.Fatalf("Delete(%v) is not %v", k, had)
				}
				delete(want, k)
			}
		}
		got := map[Key]string{}
		s.All(func(k Key, v []byte) bool { got[k] = string(v); return true })
		if !maps.Equal(got, want) {
			t.Fatal("contents differ")
		}
		for k := range want {
			s.Delete(k)
		}
		if s.Bytes() != 0 {
			t.Fatalf("an empty store holds %d bytes", s.Bytes())
		}
	})
}

// TestStoreGivesBack: what is freed and fits nothing else is given back.
func TestStoreGivesBack(t *testing.T) {
	var s Store
	key := func(i int) Key { return Key{uint64(i) * 0x9E3779B97F4A7C15, uint64(i) * 0xC2B2AE3D27D4EB4F} }
	const n = 3000
	for i := range n {
		s.Put(key(i), bytes.Repeat([]byte{byte(i)}, 2000))
	}
	for i := range n {
		s.Put(key(i), []byte{byte(i), 1})
	}
	if max := 2 * sparse; s.Bytes() > max {
		t.Errorf("%d short strings take %d bytes", n, s.Bytes())
	}
	for i := range n {
		if b, ok := s.Get(key(i)); !ok || !bytes.Equal(b, []byte{byte(i), 1}) {
			t.Fatalf("string %d is %v", i, b)
		}
	}
}

func TestMulti(t *testing.T) {
	type ent struct {
		k, id Key
		row   string
	}
	rapid.Check(t, func(t *rapid.T) {
		var m Multi
		want := map[ent]int{}
		k1 := Key{7, 7}
		loose := rapid.Bool().Draw(t, "loose") // entries may stand there several times
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			e := ent{k1, keys().Draw(t, "id"), fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "row"))}
			if rapid.IntRange(0, 9).Draw(t, "other") == 0 {
				e.k = Key{1, 2}
			}
			n := rapid.SampledFrom([]int{-1, 1, 1, 1, 1000}).Draw(t, "n")
			if rapid.IntRange(0, 4).Draw(t, "undo") == 0 && want[e] != 0 {
				n = -want[e]
			}
			got := 0
			if loose && n > 0 {
				m.Insert(e.k, e.id, []byte(e.row), n)
			} else {
				got = m.Add(e.k, e.id, []byte(e.row), n)
			}
			if want[e] += n; want[e] == 0 {
				delete(want, e)
			}
			if got != want[e] && !loose {
				t.Fatalf("weight %d, want %d", got, want[e])
			}
		}
		check := func() {
			got := map[ent]int{}
			for _, k := range []Key{k1, {1, 2}} {
				n := 0
				for b := range m.Buckets(k) {
					m.Block(k, b, func(e Entry) { got[ent{k, e.ID, string(e.Row)}] += e.N; n++ })
				}
				if n != m.Count(k) {
					t.Fatalf("Count %d of %d", m.Count(k), n)
				}
			}
			if !maps.Equal(got, want) || m.Len() < len(want) || m.Len() > len(want) && !loose {
				t.Fatalf("got %v\nwant %v", got, want)
			}
		}
		check()
		for e, n := range maps.Clone(want) {
			m.Add(e.k, e.id, []byte(e.row), -n)
			delete(want, e)
			if rapid.IntRange(0, 20).Draw(t, "look") == 0 {
				check()
			}
		}
		if m.Bytes() != 0 || m.Len() != 0 {
			t.Fatalf("an empty index holds %d bytes", m.Bytes())
		}
	})
}

func TestOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o Ordered
		want := map[Key]map[string]int{{1, 1}: {}, {2, 2}: {}}
		long := rapid.Bool().Draw(t, "long")
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			k := Key{1, 1}
			if rapid.IntRange(0, 9).Draw(t, "other") == 0 {
				k = Key{2, 2}
			}
			v := fmt.Sprintf("%03d", rapid.IntRange(0, 200).Draw(t, "v"))
			if long {
				v += string(bytes.Repeat([]byte{'x'}, rapid.SampledFrom([]int{0, 50, 900}).Draw(t, "len")))
			}
			n := rapid.SampledFrom([]int{-1, 1, 1, 1}).Draw(t, "n")
			if rapid.IntRange(0, 3).Draw(t, "undo") == 0 && want[k][v] != 0 {
				n = -want[k][v]
			}
			if want[k][v] += n; want[k][v] == 0 {
				delete(want[k], v)
			}
			if got := o.Add(k, []byte(v), n); got != want[k][v] {
				t.Fatalf("weight %d, want %d", got, want[k][v])
			}
		}
		for k, w := range want {
			sorted := slices.Sorted(maps.Keys(w))
			var up, down []string
			o.Ascend(k, func(v []byte, n int) bool {
				if n != w[string(v)] {
					t.Fatalf("%s ×%d, want %d", v, n, w[string(v)])
				}
				up = append(up, string(v))
				return true
			})
			o.Descend(k, func(v []byte, n int) bool { down = append(down, string(v)); return true })
			slices.Reverse(down)
			if !slices.Equal(up, sorted) || !slices.Equal(down, sorted) || o.Has(k) != (len(w) > 0) {
				t.Fatalf("up %v\ndown %v\nwant %v", up, down, sorted)
			}
			from := fmt.Sprintf("%03d", rapid.IntRange(-1, 201).Draw(t, "from"))
			i, _ := slices.BinarySearch(sorted, from)
			up, down = nil, nil
			o.AscendFrom(k, []byte(from), func(v []byte, n int) bool { up = append(up, string(v)); return n == w[string(v)] })
			o.DescendFrom(k, []byte(from), func(v []byte, n int) bool { down = append(down, string(v)); return n == w[string(v)] })
			slices.Reverse(down)
			if !slices.Equal(up, sorted[i:]) || !slices.Equal(down, sorted[:i]) {
				t.Fatalf("from %s up %v\ndown %v\nwant %v", from, up, down, sorted)
			}
		}
		for k, w := range want {
			for v, n := range w {
				o.Add(k, []byte(v), -n)
			}
		}
		if o.Bytes() != 0 || o.Len() != 0 {
			t.Fatalf("an empty set holds %d bytes", o.Bytes())
		}
	})
}
