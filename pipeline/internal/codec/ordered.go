package codec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"reflect"
)

// Order encodes values so that the order of their bytes is the order that
// cmp.Compare gives them (NaN before all others; −0 is 0).
type Order[V cmp.Ordered] struct {
	Append func(b []byte, v V) []byte
	Decode func(b []byte) V // of exactly the bytes that Append wrote
	text   bool             // Append writes as many bytes as it likes, else 8
}

// AppendPart is Append for a value that others follow: the order of the bytes
// is that of the value first, and then that of what follows. In a string a zero
// byte becomes 00 FF, and 00 00 ends it.
func (o Order[V]) AppendPart(b []byte, v V) []byte {
	from := len(b)
	b = o.Append(b, v)
	if !o.text {
		return b
	}
	if bytes.IndexByte(b[from:], 0) >= 0 {
		b = append(b[:from], bytes.ReplaceAll(b[from:], []byte{0}, []byte{0, 0xff})...)
	}
	return append(b, 0, 0)
}

// SkipPart returns what follows a value that AppendPart wrote.
func (o Order[V]) SkipPart(b []byte) (rest []byte, ok bool) {
	if !o.text {
		if len(b) < 8 {
			return nil, false
		}
		return b[8:], true
	}
	for i := 0; i+1 < len(b); i++ {
		if b[i] == 0 {
			if b[i+1] == 0 {
				return b[i+2:], true
			}
			i++
		}
	}
	return nil, false
}

// Ordered builds the order-preserving encoding of V.
func Ordered[V cmp.Ordered]() Order[V] {
	t := reflect.TypeFor[V]()
	get := func(v *V) reflect.Value { return reflect.ValueOf(v).Elem() }
	be := binary.BigEndian
	switch t.Kind() {
	case reflect.String:
		return Order[V]{
			func(b []byte, v V) []byte { return append(b, get(&v).String()...) },
			func(b []byte) (v V) { get(&v).SetString(string(b)); return },
			true,
		}
	case reflect.Float32, reflect.Float64:
		return Order[V]{
			func(b []byte, v V) []byte { return be.AppendUint64(b, orderFloat(get(&v).Float())) },
			func(b []byte) (v V) { get(&v).SetFloat(unorderFloat(be.Uint64(b))); return },
			false,
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Order[V]{
			func(b []byte, v V) []byte { return be.AppendUint64(b, uint64(get(&v).Int())^1<<63) },
			func(b []byte) (v V) { get(&v).SetInt(int64(be.Uint64(b) ^ 1<<63)); return },
			false,
		}
	default:
		return Order[V]{
			func(b []byte, v V) []byte { return be.AppendUint64(b, get(&v).Uint()) },
			func(b []byte) (v V) { get(&v).SetUint(be.Uint64(b)); return },
			false,
		}
	}
}

func orderFloat(f float64) uint64 {
	if f != f {
		return 0
	}
	u := math.Float64bits(f + 0)
	if u>>63 == 1 {
		return ^u
	}
	return u | 1<<63
}

func unorderFloat(u uint64) float64 {
	switch {
	case u == 0:
		return math.NaN()
	case u>>63 == 1:
		return math.Float64frombits(u &^ (1 << 63))
	}
	return math.Float64frombits(^u)
}
