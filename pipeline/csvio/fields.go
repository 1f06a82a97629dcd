package csvio

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// field is a field of a row type that a column fills.
type field struct {
	name     string
	exact    bool // the name is of a tag: case counts
	optional bool
	offset   uintptr
	typ      reflect.Type
	set      setter // for reading
	add      adder  // for writing
}

// setter puts the text of a column into the field at p.
type setter func(p unsafe.Pointer, text []byte) error

// adder appends the field at p to b; the text is not yet quoted.
type adder func(b []byte, p unsafe.Pointer) ([]byte, error)

// fieldsOf returns the fields of a row type, those of embedded structs included.
func fieldsOf(t reflect.Type) (fs []field, err error) {
	if t.Kind() != reflect.Struct || t == timeType {
		return nil, fmt.Errorf("csv: rows are %s, not structs: a column needs a field to go to", t)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("csv")
		name, rest, _ := strings.Cut(tag, ",")
		if tag == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct && f.Type != timeType && !isText(f.Type) {
			inner, err := fieldsOf(f.Type)
			if err != nil {
				return nil, err
			}
			for _, in := range inner {
				in.offset += f.Offset
				fs = append(fs, in)
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		x := field{name: name, exact: name != "", optional: rest == "optional", offset: f.Offset, typ: f.Type}
		if rest != "" && rest != "optional" {
			return nil, fmt.Errorf("csv: field %s of %s: %q in its tag is not known; there is only \"optional\"", f.Name, t, rest)
		}
		if name == "" {
			x.name = f.Name
		}
		fs = append(fs, x)
	}
	if len(fs) == 0 {
		return nil, fmt.Errorf("csv: %s has no field that a column could go to", t)
	}
	return fs, nil
}

func readers[T any]() ([]field, error) {
	fs, err := fieldsOf(reflect.TypeFor[T]())
	for i := range fs {
		if fs[i].set, err = setterOf(fs[i].typ); err != nil {
			return nil, fmt.Errorf("csv: field %s of %s: %w", fs[i].name, reflect.TypeFor[T](), err)
		}
	}
	return fs, err
}

func writers[T any]() ([]field, error) {
	fs, err := fieldsOf(reflect.TypeFor[T]())
	for i := range fs {
		if fs[i].name == "time" || fs[i].name == "diff" {
			return nil, fmt.Errorf("csv: %s has a column %s, which a change stream has for itself: give the field another name in its tag", reflect.TypeFor[T](), fs[i].name)
		}
		if fs[i].add, err = adderOf(fs[i].typ); err != nil {
			return nil, fmt.Errorf("csv: field %s of %s: %w", fs[i].name, reflect.TypeFor[T](), err)
		}
	}
	return fs, err
}

var (
	timeType      = reflect.TypeFor[time.Time]()
	unmarshalType = reflect.TypeFor[encoding.TextUnmarshaler]()
	marshalType   = reflect.TypeFor[encoding.TextMarshaler]()
)

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(unmarshalType) || t.Implements(marshalType)
}

var errType = errors.New("is of a type that a column cannot hold; give it the methods MarshalText and UnmarshalText")

func setterOf(t reflect.Type) (setter, error) {
	if reflect.PointerTo(t).Implements(unmarshalType) {
		return func(p unsafe.Pointer, text []byte) error {
			return reflect.NewAt(t, p).Interface().(encoding.TextUnmarshaler).UnmarshalText(text)
		}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return func(p unsafe.Pointer, text []byte) error {
			*(*string)(p) = unsafe.String(unsafe.SliceData(text), len(text))
			return nil
		}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intSetter(t), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(p unsafe.Pointer, text []byte) error {
			n, err := strconv.ParseUint(trimmed(text), 10, t.Bits())
			if err != nil {
				return numberError(text, "a whole number without sign", err)
			}
			reflect.NewAt(t, p).Elem().SetUint(n)
			return nil
		}, nil
	case reflect.Float32, reflect.Float64:
		return func(p unsafe.Pointer, text []byte) error {
			n, err := strconv.ParseFloat(trimmed(text), t.Bits())
			if err != nil {
				return numberError(text, "a number", err)
			}
			if t.Kind() == reflect.Float32 {
				*(*float32)(p) = float32(n)
			} else {
				*(*float64)(p) = n
			}
			return nil
		}, nil
	case reflect.Bool:
		return func(p unsafe.Pointer, text []byte) error {
			v, err := strconv.ParseBool(strings.ToLower(trimmed(text)))
			if err != nil {
				return fmt.Errorf("%.100q is not true or false", text)
			}
			*(*bool)(p) = v
			return nil
		}, nil
	case reflect.Pointer:
		set, err := setterOf(t.Elem())
		if err != nil {
			return nil, err
		}
		return func(p unsafe.Pointer, text []byte) error {
			if len(text) == 0 {
				return nil
			}
			v := reflect.New(t.Elem())
			reflect.NewAt(t, p).Elem().Set(v)
			return set(v.UnsafePointer(), text)
		}, nil
	}
	return nil, errType
}

func intSetter(t reflect.Type) setter {
	store := func(p unsafe.Pointer, n int64) { reflect.NewAt(t, p).Elem().SetInt(n) }
	if t.Bits() == 64 {
		store = func(p unsafe.Pointer, n int64) { *(*int64)(p) = n }
	}
	bits := t.Bits()
	return func(p unsafe.Pointer, text []byte) error {
		if n, ok := atoi(text); ok && bits == 64 {
			*(*int64)(p) = n
			return nil
		}
		n, err := strconv.ParseInt(trimmed(text), 10, bits)
		if err != nil {
			return numberError(text, "a whole number", err)
		}
		store(p, n)
		return nil
	}
}

// atoi reads up to 18 digits, which is what most numbers are.
func atoi(b []byte) (n int64, ok bool) {
	i, negative := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, negative = 1, true
	}
	if len(b)-i < 1 || len(b)-i > 18 {
		return 0, false
	}
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if negative {
		n = -n
	}
	return n, true
}

// trimmed is text without spaces around, for what is not a string.
func trimmed(text []byte) string {
	return strings.TrimSpace(unsafe.String(unsafe.SliceData(text), len(text)))
}

func numberError(text []byte, what string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%.100q is too large", text)
	}
	return fmt.Errorf("%.100q is not %s", text, what)
}

func adderOf(t reflect.Type) (adder, error) {
	if t.Implements(marshalType) || reflect.PointerTo(t).Implements(marshalType) {
		return func(b []byte, p unsafe.Pointer) ([]byte, error) {
			v := reflect.NewAt(t, p)
			if t.Kind() == reflect.Pointer && v.Elem().IsNil() {
				return b, nil
			}
			m, ok := v.Interface().(encoding.TextMarshaler)
			if !ok {
				m = v.Elem().Interface().(encoding.TextMarshaler)
			}
			text, err := m.MarshalText()
			return append(b, text...), err
		}, nil
	}
	at := func(p unsafe.Pointer) reflect.Value { return reflect.NewAt(t, p).Elem() }
	switch t.Kind() {
	case reflect.String:
		return func(b []byte, p unsafe.Pointer) ([]byte, error) { return append(b, *(*string)(p)...), nil }, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(b []byte, p unsafe.Pointer) ([]byte, error) { return strconv.AppendInt(b, at(p).Int(), 10), nil }, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(b []byte, p unsafe.Pointer) ([]byte, error) {
			return strconv.AppendUint(b, at(p).Uint(), 10), nil
		}, nil
	case reflect.Float32, reflect.Float64:
		return func(b []byte, p unsafe.Pointer) ([]byte, error) {
			return strconv.AppendFloat(b, at(p).Float(), 'g', -1, t.Bits()), nil
		}, nil
	case reflect.Bool:
		return func(b []byte, p unsafe.Pointer) ([]byte, error) { return strconv.AppendBool(b, *(*bool)(p)), nil }, nil
	case reflect.Pointer:
		add, err := adderOf(t.Elem())
		if err != nil {
			return nil, err
		}
		return func(b []byte, p unsafe.Pointer) ([]byte, error) {
			v := *(*unsafe.Pointer)(p)
			if v == nil {
				return b, nil
			}
			return add(b, v)
		}, nil
	}
	return nil, errType
}
