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

// Times begin with what their encoding is.
const (
	timeZero = iota // the zero time
	timeUTC         // nanoseconds since 1970, UTC
	timeFull        // seconds and nanoseconds since 1970, offset of the zone in seconds
)

// time writes a time in as few bytes as it needs; the zone's name and the
// monotonic reading are dropped. The canonical form is always seconds and
// nanoseconds, without the zone.
func (b *builder) time() *ops {
	o := &ops{size: timeType.Size(), least: 1, mem: func(unsafe.Pointer) int { return int(timeType.Size()) }}
	o.enc = func(b []byte, p unsafe.Pointer) []byte { return appendTime(b, *(*time.Time)(p)) }
	o.dec = func(b []byte, p unsafe.Pointer) (rest []byte, ok bool) {
		*(*time.Time)(p), rest, ok = readTime(b)
		return rest, ok
	}
	o.eq = func(x, y unsafe.Pointer) bool {
		a, b := (*time.Time)(x), (*time.Time)(y)
		return a.Equal(*b) && zone(*a) == zone(*b)
	}
	if b.canonical {
		o.least = instantSize
		o.enc = func(b []byte, p unsafe.Pointer) []byte { return appendInstant(b, *(*time.Time)(p)) }
		o.dec = func(b []byte, p unsafe.Pointer) (rest []byte, ok bool) {
			*(*time.Time)(p), rest, ok = readInstant(b)
			return rest, ok
		}
		o.eq = func(x, y unsafe.Pointer) bool { return (*time.Time)(x).Equal(*(*time.Time)(y)) }
	}
	return o
}

// zone returns the offset of a time's zone in seconds.
func zone(t time.Time) int {
	_, off := t.Zone()
	return off
}

func appendTime(b []byte, t time.Time) []byte {
	const farthest = math.MaxInt64 / 1_000_000_000 // seconds that fit as nanoseconds
	s, off := t.Unix(), zone(t)
	switch {
	case t.IsZero() && off == 0:
		return append(b, timeZero)
	case off == 0 && -farthest < s && s < farthest:
		return binary.LittleEndian.AppendUint64(append(b, timeUTC), uint64(t.UnixNano()))
	}
	return binary.LittleEndian.AppendUint32(appendInstant(append(b, timeFull), t), uint32(off))
}

func readTime(b []byte) (t time.Time, rest []byte, ok bool) {
	if len(b) == 0 {
		return t, nil, false
	}
	kind, b := b[0], b[1:]
	switch {
	case kind == timeZero:
		return t, b, true
	case kind == timeUTC && len(b) >= 8:
		return time.Unix(0, int64(binary.LittleEndian.Uint64(b))).UTC(), b[8:], true
	case kind == timeFull:
		if t, b, ok = readInstant(b); !ok || len(b) < 4 {
			return t, nil, false
		}
		if off := int(int32(binary.LittleEndian.Uint32(b))); off != 0 {
			t = t.In(time.FixedZone("", off))
		}
		return t, b[4:], true
	}
	return t, nil, false
}

const instantSize = 12

func appendInstant(b []byte, t time.Time) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.LittleEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func readInstant(b []byte) (t time.Time, rest []byte, ok bool) {
	if len(b) < instantSize {
		return t, nil, false
	}
	nano := binary.LittleEndian.Uint32(b[8:])
	if nano >= 1e9 {
		return t, nil, false
	}
	return time.Unix(int64(binary.LittleEndian.Uint64(b)), int64(nano)).UTC(), b[instantSize:], true
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
