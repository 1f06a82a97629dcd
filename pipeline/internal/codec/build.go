package codec

import (
	"encoding"
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// ops are the operations on one type. dec returns the rest of the bytes and
// whether they were well formed.
type ops struct {
	enc   func(b []byte, p unsafe.Pointer) []byte
	dec   func(b []byte, p unsafe.Pointer) ([]byte, bool)
	eq    func(a, b unsafe.Pointer) bool
	mem   func(p unsafe.Pointer) int
	size  uintptr
	least int  // bytes that an encoding takes at least
	flat  bool // the encoding is the value's memory
	alias bool // decoded values share memory with their bytes
	str   bool // the type is a string
}

type builder struct {
	canonical bool
	open      map[reflect.Type]bool // types being built, to find recursion
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	marshalerType   = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshalerType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

func (b *builder) ops(t reflect.Type, path string) (*ops, error) {
	if b.open[t] {
		return nil, fmt.Errorf("codec: %s has the recursive type %s: rows must be of bounded depth", path, t)
	}
	b.open[t] = true
	defer delete(b.open, t)
	if t == timeType {
		return b.time(), nil
	}
	if t.Kind() == reflect.Struct && selfMarshaling(t) {
		return marshaled(t), nil
	}
	switch k := t.Kind(); k {
	case reflect.Bool, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return number(t), nil
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		if b.canonical {
			return canonicalFloat(t), nil
		}
		return flat(t.Size()), nil
	case reflect.String:
		return stringOps(), nil
	case reflect.Slice:
		return b.slice(t, path)
	case reflect.Array:
		return b.array(t, path)
	case reflect.Struct:
		return b.structure(t, path)
	case reflect.Map:
		return b.mapping(t, path)
	case reflect.Pointer:
		return b.pointer(t, path)
	case reflect.Interface:
		return nil, fmt.Errorf("codec: %s is the interface %s: a row can hold only concrete types", path, t)
	default:
		return nil, fmt.Errorf("codec: %s is a %s, which cannot be kept in state", path, k)
	}
}

// selfMarshaling reports whether a struct hides fields and marshals itself, as
// netip.Addr and url.URL do.
func selfMarshaling(t reflect.Type) bool {
	if !t.Implements(marshalerType) || !reflect.PointerTo(t).Implements(unmarshalerType) {
		return false
	}
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

// describe gives the structure of a type as text.
func describe(t reflect.Type) string {
	if t == timeType {
		return "instant"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "[]" + describe(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), describe(t.Elem()))
	case reflect.Pointer:
		return "*" + describe(t.Elem())
	case reflect.Map:
		return "map[" + describe(t.Key()) + "]" + describe(t.Elem())
	case reflect.Struct:
		if selfMarshaling(t) {
			return t.String()
		}
		s := "{"
		for i := range t.NumField() {
			if i > 0 {
				s += ", "
			}
			s += t.Field(i).Name + " " + describe(t.Field(i).Type)
		}
		return s + "}"
	default:
		return t.Kind().String()
	}
}

// run is a stretch of a struct: adjacent flat fields copied together, or one
// other field.
type run struct {
	off uintptr
	o   *ops
}

func (b *builder) structure(t reflect.Type, path string) (*ops, error) {
	var runs []run
	o := &ops{size: t.Size(), flat: true}
	end := uintptr(0)
	for i := range t.NumField() {
		f := t.Field(i)
		fo, err := b.ops(f.Type, path+"."+f.Name)
		if err != nil {
			return nil, err
		}
		if fo.size == 0 {
			continue
		}
		o.flat = o.flat && fo.flat && f.Offset == end
		o.alias = o.alias || fo.alias
		o.least += fo.least
		end = f.Offset + fo.size
		if n := len(runs); n > 0 && fo.flat && runs[n-1].o.flat && runs[n-1].off+runs[n-1].o.size == f.Offset {
			runs[n-1].o = flat(runs[n-1].o.size + fo.size)
			continue
		}
		runs = append(runs, run{f.Offset, fo})
	}
	if o.flat = o.flat && end == t.Size(); o.flat {
		return flat(t.Size()), nil
	}
	o.enc = func(b []byte, p unsafe.Pointer) []byte {
		for i := range runs {
			b = runs[i].o.enc(b, unsafe.Add(p, runs[i].off))
		}
		return b
	}
	o.dec = func(b []byte, p unsafe.Pointer) ([]byte, bool) {
		ok := true
		for i := range runs {
			if b, ok = runs[i].o.dec(b, unsafe.Add(p, runs[i].off)); !ok {
				return nil, false
			}
		}
		return b, true
	}
	o.eq = func(x, y unsafe.Pointer) bool {
		for i := range runs {
			if !runs[i].o.eq(unsafe.Add(x, runs[i].off), unsafe.Add(y, runs[i].off)) {
				return false
			}
		}
		return true
	}
	size := int(t.Size())
	o.mem = func(p unsafe.Pointer) int {
		n := size
		for i := range runs {
			if r := &runs[i]; !r.o.flat {
				n += r.o.mem(unsafe.Add(p, r.off)) - int(r.o.size)
			}
		}
		return n
	}
	return o, nil
}

func (b *builder) array(t reflect.Type, path string) (*ops, error) {
	e, err := b.ops(t.Elem(), path+"[]")
	if err != nil {
		return nil, err
	}
	if e.flat {
		return flat(t.Size()), nil
	}
	n, es := t.Len(), t.Elem().Size()
	return &ops{size: t.Size(), least: n * e.least, alias: e.alias,
		enc: func(b []byte, p unsafe.Pointer) []byte {
			for i := range n {
				b = e.enc(b, unsafe.Add(p, uintptr(i)*es))
			}
			return b
		},
		dec: func(b []byte, p unsafe.Pointer) ([]byte, bool) {
			ok := true
			for i := range n {
				if b, ok = e.dec(b, unsafe.Add(p, uintptr(i)*es)); !ok {
					return nil, false
				}
			}
			return b, true
		},
		eq: func(x, y unsafe.Pointer) bool {
			for i := range n {
				if !e.eq(unsafe.Add(x, uintptr(i)*es), unsafe.Add(y, uintptr(i)*es)) {
					return false
				}
			}
			return true
		},
		mem: func(p unsafe.Pointer) int {
			s := 0
			for i := range n {
				s += e.mem(unsafe.Add(p, uintptr(i)*es))
			}
			return s
		},
	}, nil
}
