package jsonio

import (
	"bytes"
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// flat reads and writes objects whose members are numbers, strings and bools.
// Whatever is not plainly such an object, it leaves to encoding/json; what it
// does itself must come out the same, which is fuzzed.
type flat struct {
	fields []member // nil: everything is left to encoding/json
}

// member is a field of the row type.
type member struct {
	name   string
	prefix []byte // "name": as it is written
	offset uintptr
	kind   reflect.Kind
}

// flatten returns nil fields for types that are not flat structs.
func flatten[T any]() *flat {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || special(t) {
		return &flat{}
	}
	f := &flat{}
	seen := map[string]bool{}
	for i := range t.NumField() {
		x := t.Field(i)
		tag := x.Tag.Get("json")
		name, rest, _ := strings.Cut(tag, ",")
		if x.Anonymous || rest != "" || strings.ContainsFunc(name, odd) {
			return &flat{}
		}
		if !x.IsExported() || tag == "-" {
			continue
		}
		if name == "" {
			name = x.Name
		}
		if strings.ContainsFunc(name, odd) || seen[strings.ToLower(name)] || special(x.Type) || !simple(x.Type.Kind()) {
			return &flat{}
		}
		seen[strings.ToLower(name)] = true
		f.fields = append(f.fields, member{name, append(strconv.AppendQuote(nil, name), ':'), x.Offset, x.Type.Kind()})
	}
	return f
}

// odd reports whether a name may need more than its own letters in JSON.
func odd(r rune) bool {
	return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-' && r != ' ' && r != '.'
}

func simple(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Uint64 || k == reflect.Float32 || k == reflect.Float64 || k == reflect.String
}

// special reports whether a type has JSON of its own.
func special(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, i := range []reflect.Type{
		reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[json.Marshaler](),
		reflect.TypeFor[encoding.TextUnmarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
	} {
		if p.Implements(i) {
			return true
		}
	}
	return t == reflect.TypeFor[json.Number]()
}

func skip(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// decode reads one line into the row at p, and reports whether it could.
func (f *flat) decode(b []byte, p unsafe.Pointer) bool {
	if f.fields == nil {
		return false
	}
	i := skip(b, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	i = skip(b, i+1)
	if i < len(b) && b[i] == '}' {
		return skip(b, i+1) == len(b)
	}
	for guess := 0; ; guess++ {
		name, at, ok := text(b, i)
		if !ok {
			return false
		}
		if i = skip(b, at); i >= len(b) || b[i] != ':' {
			return false
		}
		m, known := f.find(name, guess)
		if !known {
			return false
		}
		if i, ok = value(b, skip(b, i+1), m, p); !ok {
			return false
		}
		if i = skip(b, i); i >= len(b) {
			return false
		}
		if b[i] == '}' {
			return skip(b, i+1) == len(b)
		}
		if b[i] != ',' {
			return false
		}
		i = skip(b, i+1)
	}
}

// find returns the field of a name, nil if there is none. known is false if
// encoding/json may see it otherwise: it takes names in any case.
func (f *flat) find(name []byte, guess int) (m *member, known bool) {
	if guess < len(f.fields) && string(name) == f.fields[guess].name {
		return &f.fields[guess], true
	}
	for i := range f.fields {
		if string(name) == f.fields[i].name {
			return &f.fields[i], true
		}
	}
	for i := range f.fields {
		if bytes.EqualFold(name, []byte(f.fields[i].name)) {
			return nil, false
		}
	}
	return nil, true
}

// text reads a string without escapes that begins at b[i].
func text(b []byte, i int) (s []byte, after int, ok bool) {
	if i >= len(b) || b[i] != '"' {
		return nil, 0, false
	}
	i++
	j := i
	var all byte
	for ; j < len(b); j++ {
		c := b[j]
		if c == '"' {
			if all >= utf8.RuneSelf && !utf8.Valid(b[i:j]) {
				return nil, 0, false
			}
			return b[i:j:j], j + 1, true
		}
		if c == '\\' || c < ' ' {
			return nil, 0, false
		}
		all |= c
	}
	return nil, 0, false
}

// value reads the value at b[i] into its field; m nil passes it over.
func value(b []byte, i int, m *member, p unsafe.Pointer) (after int, ok bool) {
	if i >= len(b) {
		return 0, false
	}
	switch c := b[i]; {
	case c == '"':
		s, after, ok := text(b, i)
		if !ok || m != nil && m.kind != reflect.String {
			return 0, false
		}
		if m != nil {
			*(*string)(unsafe.Add(p, m.offset)) = unsafe.String(unsafe.SliceData(s), len(s))
		}
		return after, true
	case c == 't' && bytes.HasPrefix(b[i:], []byte("true")):
		return i + 4, setBool(m, p, true)
	case c == 'f' && bytes.HasPrefix(b[i:], []byte("false")):
		return i + 5, setBool(m, p, false)
	case c == 'n' && bytes.HasPrefix(b[i:], []byte("null")):
		return i + 4, true // as encoding/json, it leaves the field as it is
	default:
		end, whole := number(b, i)
		return end, end > i && setNumber(m, p, b[i:end], whole)
	}
}

func setBool(m *member, p unsafe.Pointer, v bool) bool {
	if m == nil {
		return true
	}
	if m.kind != reflect.Bool {
		return false
	}
	*(*bool)(unsafe.Add(p, m.offset)) = v
	return true
}

// number returns the end of the number at b[i], i itself if there is none.
func number(b []byte, i int) (end int, whole bool) {
	start := i
	digits := func() bool {
		from := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	zero := i < len(b) && b[i] == '0'
	first := i
	if !digits() || zero && i > first+1 {
		return start, false
	}
	whole = true
	if i < len(b) && b[i] == '.' {
		i++
		if whole = false; !digits() {
			return start, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if whole = false; !digits() {
			return start, false
		}
	}
	return i, whole
}

// setNumber stores a number that fits its field well; others it leaves.
func setNumber(m *member, p unsafe.Pointer, text []byte, whole bool) bool {
	if m == nil {
		return true
	}
	at := unsafe.Add(p, m.offset)
	switch m.kind {
	case reflect.Float64, reflect.Float32:
		bits := 64
		if m.kind == reflect.Float32 {
			bits = 32
		}
		v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), bits)
		if err != nil {
			return false
		}
		if bits == 32 {
			*(*float32)(at) = float32(v)
		} else {
			*(*float64)(at) = v
		}
		return true
	}
	if !whole || len(text) > 18 {
		return false
	}
	var n int64
	negative := text[0] == '-'
	for _, c := range text {
		if c != '-' {
			n = n*10 + int64(c-'0')
		}
	}
	if negative {
		n = -n
	}
	return storeInt(m.kind, at, n)
}

func storeInt(k reflect.Kind, at unsafe.Pointer, n int64) bool {
	switch k {
	case reflect.Int:
		*(*int)(at) = int(n)
		return int64(int(n)) == n
	case reflect.Int64:
		*(*int64)(at) = n
		return true
	case reflect.Int32:
		*(*int32)(at) = int32(n)
		return int64(int32(n)) == n
	case reflect.Int16:
		*(*int16)(at) = int16(n)
		return int64(int16(n)) == n
	case reflect.Int8:
		*(*int8)(at) = int8(n)
		return int64(int8(n)) == n
	}
	if n < 0 {
		return false
	}
	switch k {
	case reflect.Uint:
		*(*uint)(at) = uint(n)
		return uint64(uint(n)) == uint64(n)
	case reflect.Uint64:
		*(*uint64)(at) = uint64(n)
		return true
	case reflect.Uint32:
		*(*uint32)(at) = uint32(n)
		return int64(uint32(n)) == n
	case reflect.Uint16:
		*(*uint16)(at) = uint16(n)
		return int64(uint16(n)) == n
	case reflect.Uint8:
		*(*uint8)(at) = uint8(n)
		return int64(uint8(n)) == n
	}
	return false
}
