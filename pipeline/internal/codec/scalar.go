package codec

import (
	"encoding"
	"encoding/binary"
	"math"
	"reflect"
	"time"
	"unsafe"
)

// flat is a type whose encoding is its memory: every platform that this module
// is built for is little-endian. Its floats compare by their bits.
func flat(size uintptr) *ops {
	n := int(size)
	o := &ops{size: size, least: n, flat: true, mem: func(unsafe.Pointer) int { return n }}
	if size == 8 {
		o.enc = func(b []byte, p unsafe.Pointer) []byte {
			return binary.LittleEndian.AppendUint64(b, *(*uint64)(p))
		}
		o.eq = func(x, y unsafe.Pointer) bool { return *(*uint64)(x) == *(*uint64)(y) }
	} else {
		o.enc = func(b []byte, p unsafe.Pointer) []byte {
			return append(b, unsafe.Slice((*byte)(p), n)...)
		}
		o.eq = func(x, y unsafe.Pointer) bool {
			return string(unsafe.Slice((*byte)(x), n)) == string(unsafe.Slice((*byte)(y), n))
		}
	}
	o.dec = func(b []byte, p unsafe.Pointer) ([]byte, bool) {
		if len(b) < n {
			return nil, false
		}
		copy(unsafe.Slice((*byte)(p), n), b)
		return b[n:], true
	}
	return o
}

// number is a flat type; a bool read back from damaged bytes must be 0 or 1.
func number(t reflect.Type) *ops {
	o := flat(t.Size())
	if t.Kind() != reflect.Bool {
		return o
	}
	o.flat = false // so that its own dec runs
	o.dec = func(b []byte, p unsafe.Pointer) ([]byte, bool) {
		if len(b) < 1 || b[0] > 1 {
			return nil, false
		}
		*(*bool)(p) = b[0] == 1
		return b[1:], true
	}
	return o
}

// canonicalFloat writes −0 as 0 and every NaN as the same one.
func canonicalFloat(t reflect.Type) *ops {
	o := flat(t.Size())
	o.flat = false
	n, half := 1, t.Size()
	if k := t.Kind(); k == reflect.Complex64 || k == reflect.Complex128 {
		n, half = 2, half/2
	}
	o.enc = func(b []byte, p unsafe.Pointer) []byte {
		for i := range n {
			q := unsafe.Add(p, uintptr(i)*half)
			if half == 4 {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(canonical(float64(*(*float32)(q))))))
			} else {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(canonical(*(*float64)(q))))
			}
		}
		return b
	}
	o.eq = func(x, y unsafe.Pointer) bool { return string(o.enc(nil, x)) == string(o.enc(nil, y)) }
	return o
}

func canonical(f float64) float64 {
	if f != f {
		return math.NaN()
	}
	return f + 0 // −0 + 0 is 0
}

func stringOps() *ops {
	const header = int(unsafe.Sizeof(""))
	return &ops{size: unsafe.Sizeof(""), least: 1, alias: true, str: true,
		enc: func(b []byte, p unsafe.Pointer) []byte {
			s := *(*string)(p)
			return append(binary.AppendUvarint(b, uint64(len(s))), s...)
		},
		dec: func(b []byte, p unsafe.Pointer) ([]byte, bool) {
			n, rest, ok := length(b, 1)
			if !ok {
				return nil, false
			}
			if n > 0 {
				*(*string)(p) = unsafe.String(unsafe.SliceData(rest), n)
			}
			return rest[n:], true
		},
		eq:  func(x, y unsafe.Pointer) bool { return *(*string)(x) == *(*string)(y) },
		mem: func(p unsafe.Pointer) int { return header + len(*(*string)(p)) },
	}
}

// length reads a count of things that take at least each bytes, so that
// damaged bytes cannot ask for more memory than they have themselves.
func length(b []byte, each int) (int, []byte, bool) {
	if len(b) > 0 && b[0] < 0x80 {
		n := int(b[0])
		b = b[1:]
		return n, b, n*each <= len(b)
	}
	n, w := binary.Uvarint(b)
	if w <= 0 || n > math.MaxInt32*64 {
		return 0, nil, false
	}
	b = b[w:]
	return int(n), b, each == 0 || n <= uint64(len(b)/each)
}

// time writes seconds and nanoseconds since 1970 UTC and the zone's offset in
// seconds; the zone's name and the monotonic reading are dropped. The
// canonical form drops the offset as well.
func (b *builder) time() *ops {
	canonical := b.canonical
	o := &ops{size: timeType.Size(), least: 12}
	o.enc = func(b []byte, p unsafe.Pointer) []byte {
		t := (*time.Time)(p)
		b = binary.LittleEndian.AppendUint64(b, uint64(t.Unix()))
		b = binary.LittleEndian.AppendUint32(b, uint32(t.Nanosecond()))
		if canonical {
			return b
		}
		_, off := t.Zone()
		return binary.LittleEndian.AppendUint32(b, uint32(off))
	}
	n := 16
	if canonical {
		n = 12
	}
	o.dec = func(b []byte, p unsafe.Pointer) ([]byte, bool) {
		if len(b) < n {
			return nil, false
		}
		nano := binary.LittleEndian.Uint32(b[8:])
		if nano >= 1e9 {
			return nil, false
		}
		t := time.Unix(int64(binary.LittleEndian.Uint64(b)), int64(nano)).UTC()
		if !canonical {
			if off := int(int32(binary.LittleEndian.Uint32(b[12:]))); off != 0 {
				t = t.In(time.FixedZone("", off))
			}
		}
		*(*time.Time)(p) = t
		return b[n:], true
	}
	o.eq = func(x, y unsafe.Pointer) bool {
		a, b := (*time.Time)(x), (*time.Time)(y)
		if !a.Equal(*b) {
			return false
		}
		if canonical {
			return true
		}
		_, i := a.Zone()
		_, j := b.Zone()
		return i == j
	}
	o.mem = func(unsafe.Pointer) int { return int(timeType.Size()) }
	return o
}

// marshaled is a type that encodes itself. What it cannot marshal panics,
// which the engine turns into an error row.
func marshaled(t reflect.Type) *ops {
	o := &ops{size: t.Size(), least: 1}
	o.enc = func(b []byte, p unsafe.Pointer) []byte {
		m, err := reflect.NewAt(t, p).Elem().Interface().(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			panic(err)
		}
		return append(binary.AppendUvarint(b, uint64(len(m))), m...)
	}
	o.dec = func(b []byte, p unsafe.Pointer) ([]byte, bool) {
		n, rest, ok := length(b, 1)
		if !ok || reflect.NewAt(t, p).Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(rest[:n:n]) != nil {
			return nil, false
		}
		return rest[n:], true
	}
	o.eq = func(x, y unsafe.Pointer) bool { return string(o.enc(nil, x)) == string(o.enc(nil, y)) }
	o.mem = func(p unsafe.Pointer) int { return int(t.Size()) + len(o.enc(nil, p)) }
	return o
}
