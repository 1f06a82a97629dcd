package codec

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"unsafe"
)

// slice writes 0 for nil, else its length + 1 and the elements. The canonical
// form writes nil as empty.
func (b *builder) slice(t reflect.Type, path string) (*ops, error) {
	e, err := b.ops(t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	type header struct {
		p        unsafe.Pointer
		len, cap int
	}
	canonical, es := b.canonical, t.Elem().Size()
	bytesLike := e.flat && es == 1
	o := &ops{size: t.Size(), least: 1, alias: e.alias || bytesLike}
	o.enc = func(b []byte, p unsafe.Pointer) []byte {
		h := (*header)(p)
		if h.p == nil && !canonical {
			return append(b, 0)
		}
		b = binary.AppendUvarint(b, uint64(h.len)+1)
		if e.flat {
			return append(b, unsafe.Slice((*byte)(h.p), h.len*int(es))...)
		}
		for i := range h.len {
			b = e.enc(b, unsafe.Add(h.p, uintptr(i)*es))
		}
		return b
	}
	o.dec = func(b []byte, p unsafe.Pointer) ([]byte, bool) {
		n, rest, ok := length(b, 0)
		if !ok || n == 0 {
			return rest, ok
		}
		if n--; e.least > 0 && n > len(rest)/e.least {
			return nil, false
		}
		if bytesLike && n > 0 {
			*(*header)(p) = header{unsafe.Pointer(unsafe.SliceData(rest)), n, n}
			return rest[n:], true
		}
		s := reflect.MakeSlice(t, n, n)
		q := s.UnsafePointer()
		if e.flat {
			copy(unsafe.Slice((*byte)(q), n*int(es)), rest)
			rest = rest[n*int(es):]
		} else if es > 0 {
			for i := range n {
				if rest, ok = e.dec(rest, unsafe.Add(q, uintptr(i)*es)); !ok {
					return nil, false
				}
			}
		}
		reflect.NewAt(t, p).Elem().Set(s)
		return rest, true
	}
	o.eq = func(x, y unsafe.Pointer) bool {
		a, b := (*header)(x), (*header)(y)
		if a.len != b.len || !canonical && (a.p == nil) != (b.p == nil) {
			return false
		}
		if e.flat {
			return bytes.Equal(unsafe.Slice((*byte)(a.p), a.len*int(es)), unsafe.Slice((*byte)(b.p), b.len*int(es)))
		}
		for i := range a.len {
			if !e.eq(unsafe.Add(a.p, uintptr(i)*es), unsafe.Add(b.p, uintptr(i)*es)) {
				return false
			}
		}
		return true
	}
	o.mem = func(p unsafe.Pointer) int {
		h := (*header)(p)
		n := int(unsafe.Sizeof(*h))
		if e.flat {
			return n + h.len*int(es)
		}
		for i := range h.len {
			n += e.mem(unsafe.Add(h.p, uintptr(i)*es))
		}
		return n
	}
	return o, nil
}

func (b *builder) pointer(t reflect.Type, path string) (*ops, error) {
	e, err := b.ops(t.Elem(), path)
	if err != nil {
		return nil, err
	}
	at := func(p unsafe.Pointer) unsafe.Pointer { return *(*unsafe.Pointer)(p) }
	return &ops{size: t.Size(), least: 1, alias: e.alias,
		enc: func(b []byte, p unsafe.Pointer) []byte {
			if at(p) == nil {
				return append(b, 0)
			}
			return e.enc(append(b, 1), at(p))
		},
		dec: func(b []byte, p unsafe.Pointer) ([]byte, bool) {
			if len(b) == 0 || b[0] > 1 {
				return nil, false
			}
			if b[0] == 0 {
				return b[1:], true
			}
			v := reflect.New(t.Elem())
			reflect.NewAt(t, p).Elem().Set(v)
			return e.dec(b[1:], v.UnsafePointer())
		},
		eq: func(x, y unsafe.Pointer) bool {
			a, b := at(x), at(y)
			if a == nil || b == nil {
				return a == b
			}
			return e.eq(a, b)
		},
		mem: func(p unsafe.Pointer) int {
			if at(p) == nil {
				return int(t.Size())
			}
			return int(t.Size()) + e.mem(at(p))
		},
	}, nil
}

// mapping writes 0 for nil, else the length + 1 and the pairs in the order of
// their encoded keys.
func (b *builder) mapping(t reflect.Type, path string) (*ops, error) {
	k, err := b.ops(t.Key(), path+"[key]")
	if err != nil {
		return nil, err
	}
	e, err := b.ops(t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	canonical := b.canonical
	get := func(p unsafe.Pointer) reflect.Value { return reflect.NewAt(t, p).Elem() }
	o := &ops{size: t.Size(), least: 1, alias: k.alias || e.alias}
	o.enc = func(b []byte, p unsafe.Pointer) []byte {
		m := get(p)
		if m.IsNil() && !canonical {
			return append(b, 0)
		}
		b = binary.AppendUvarint(b, uint64(m.Len())+1)
		pairs := make([][2][]byte, 0, m.Len())
		kv, ev := reflect.New(t.Key()), reflect.New(t.Elem())
		for it := m.MapRange(); it.Next(); {
			kv.Elem().Set(it.Key())
			ev.Elem().Set(it.Value())
			pairs = append(pairs, [2][]byte{k.enc(nil, kv.UnsafePointer()), e.enc(nil, ev.UnsafePointer())})
		}
		slices.SortFunc(pairs, func(x, y [2][]byte) int { return bytes.Compare(x[0], y[0]) })
		for _, pair := range pairs {
			b = append(append(b, pair[0]...), pair[1]...)
		}
		return b
	}
	o.dec = func(b []byte, p unsafe.Pointer) ([]byte, bool) {
		n, rest, ok := length(b, 0)
		if !ok || n == 0 {
			return rest, ok
		}
		if n--; k.least == 0 && n > 1 || k.least > 0 && n > len(rest)/k.least {
			return nil, false
		}
		m := reflect.MakeMapWithSize(t, n)
		for range n {
			kv, ev := reflect.New(t.Key()), reflect.New(t.Elem())
			if rest, ok = k.dec(rest, kv.UnsafePointer()); !ok {
				return nil, false
			}
			if rest, ok = e.dec(rest, ev.UnsafePointer()); !ok {
				return nil, false
			}
			m.SetMapIndex(kv.Elem(), ev.Elem())
		}
		get(p).Set(m)
		return rest, true
	}
	o.eq = func(x, y unsafe.Pointer) bool { return bytes.Equal(o.enc(nil, x), o.enc(nil, y)) }
	o.mem = func(p unsafe.Pointer) int {
		m := get(p)
		n := int(t.Size())
		kv, ev := reflect.New(t.Key()), reflect.New(t.Elem())
		for it := m.MapRange(); it.Next(); {
			kv.Elem().Set(it.Key())
			ev.Elem().Set(it.Value())
			n += k.mem(kv.UnsafePointer()) + e.mem(ev.UnsafePointer())
		}
		return n
	}
	return o, nil
}
