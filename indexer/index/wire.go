package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// The encoding of what the logs and checkpoints hold: fixed fields in order,
// numbers as varints, strings with their length in front. A decoder never
// believes a length that the bytes do not have.

// Bounds of what a document may carry.
const (
	maxString = 1 << 20  // bytes of a path, name, title or heading
	maxMeta   = 16 << 20 // bytes of a document's attributes, encoded
	maxDepth  = 32       // of nested attributes
)

type encoder struct{ b []byte }

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) id(v ID)       { e.b = append(e.b, v[:]...) }

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

// time keeps nanoseconds and forgets the zone; a zero time stays one.
func (e *encoder) time(t time.Time) {
	e.bool(!t.IsZero())
	if !t.IsZero() {
		e.int(t.Unix())
		e.uint(uint64(t.Nanosecond()))
	}
}

// Tags of attribute values.
const (
	tagNull = iota
	tagString
	tagNumber
	tagFalse
	tagTrue
	tagList
	tagMap
)

// value encodes an attribute. Whole numbers become float64, as in JSON.
func (e *encoder) value(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("is nested more than %d deep", maxDepth)
	}
	number := func(f float64) error {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("is %v, which is no number", f)
		}
		e.b = append(e.b, tagNumber)
		e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(f))
		return nil
	}
	switch v := v.(type) {
	case nil:
		e.b = append(e.b, tagNull)
	case string:
		if !utf8.ValidString(v) {
			return errors.New("is not UTF-8")
		}
		e.b = append(e.b, tagString)
		e.string(v)
	case float64:
		return number(v)
	case int:
		return number(float64(v))
	case int64:
		return number(float64(v))
	case bool:
		if v {
			e.b = append(e.b, tagTrue)
		} else {
			e.b = append(e.b, tagFalse)
		}
	case []string:
		e.b = append(e.b, tagList)
		e.uint(uint64(len(v)))
		for _, x := range v {
			if err := e.value(x, depth+1); err != nil {
				return err
			}
		}
	case []any:
		e.b = append(e.b, tagList)
		e.uint(uint64(len(v)))
		for _, x := range v {
			if err := e.value(x, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		e.b = append(e.b, tagMap)
		return e.attributes(v, depth)
	default:
		return fmt.Errorf("has type %T; attributes are strings, float64, bool, and slices and maps of these", v)
	}
	return nil
}

func (e *encoder) attributes(m map[string]any, depth int) error {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	e.uint(uint64(len(keys)))
	for _, k := range keys {
		if len(k) > maxString || !utf8.ValidString(k) {
			return fmt.Errorf("attribute name %.40q is too long or not UTF-8", k)
		}
		e.string(k)
		if err := e.value(m[k], depth+1); err != nil {
			return fmt.Errorf("attribute %.40q %w", k, err)
		}
	}
	return nil
}

// Check says what makes a document unfit for the index: strings that are too
// long or not UTF-8, attributes that are too many or of other types. Apply
// refuses a whole batch for one such document.
func (d *Document) Check() error { return new(encoder).document(d) }

// document encodes all but what Apply computes from the content.
func (e *encoder) document(d *Document) error {
	for _, s := range []struct{ name, v string }{
		{"source", d.Source}, {"path", d.Path}, {"owner", d.Meta.Owner}, {"title", d.Meta.Title},
		{"language", d.Meta.Language}, {"type", d.Meta.Type}, {"reason for being unread", d.Unread},
	} {
		if len(s.v) > maxString {
			return fmt.Errorf("its %s has %d bytes, more than %d", s.name, len(s.v), maxString)
		}
		if !utf8.ValidString(s.v) {
			return fmt.Errorf("its %s %.80q is not UTF-8", s.name, s.v)
		}
		e.string(s.v)
	}
	e.id(d.ID)
	e.id(d.Version)
	e.bool(d.Embedded)
	e.time(d.Meta.Created)
	e.time(d.Meta.Modified)
	e.time(d.Meta.Seen)
	e.int(d.Meta.Size)
	e.uint(d.Epoch)
	e.time(d.Applied)
	before := len(e.b)
	if err := e.attributes(d.Meta.Attributes, 0); err != nil {
		return err
	}
	if n := len(e.b) - before; n > maxMeta {
		return fmt.Errorf("its attributes take %d bytes, more than %d", n, maxMeta)
	}
	return nil
}

// errFormat is what a decoder ends with.
var errFormat = errors.New("the record is cut or malformed")

type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	d.err = errFormat
	d.b = nil
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many items follow, each of at least one byte.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) string() string { return string(d.take(d.uint())) }

func (d *decoder) id() (v ID) {
	copy(v[:], d.take(16))
	return v
}

func (d *decoder) bool() bool {
	b := d.take(1)
	if len(b) == 1 && b[0] > 1 {
		d.fail()
	}
	return len(b) == 1 && b[0] == 1
}

func (d *decoder) time() time.Time {
	if !d.bool() {
		return time.Time{}
	}
	s, n := d.int(), d.uint()
	if n >= 1e9 {
		d.fail()
		return time.Time{}
	}
	return time.Unix(s, int64(n)).UTC()
}

func (d *decoder) value(depth int) any {
	if depth > maxDepth+1 {
		d.fail()
	}
	tag := d.take(1)
	if d.err != nil {
		return nil
	}
	switch tag[0] {
	case tagNull:
		return nil
	case tagString:
		return d.string()
	case tagNumber:
		if b := d.take(8); b != nil {
			return math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
	case tagFalse:
		return false
	case tagTrue:
		return true
	case tagList:
		list := []any{}
		for range d.count() {
			list = append(list, d.value(depth+1))
		}
		return list
	case tagMap:
		if m := d.attributes(depth); m != nil {
			return m
		}
		return map[string]any{}
	default:
		d.fail()
	}
	return nil
}

// attributes gives nil if there are none.
func (d *decoder) attributes(depth int) map[string]any {
	n := d.count()
	if n == 0 {
		return nil
	}
	m := map[string]any{}
	for range n {
		k := d.string()
		m[k] = d.value(depth + 1)
		if d.err != nil {
			return nil
		}
	}
	return m
}

func (d *decoder) document() (v Document) {
	for _, s := range []*string{&v.Source, &v.Path, &v.Meta.Owner, &v.Meta.Title, &v.Meta.Language, &v.Meta.Type, &v.Unread} {
		*s = d.string()
	}
	v.ID, v.Version = d.id(), d.id()
	v.Embedded = d.bool()
	v.Meta.Created, v.Meta.Modified, v.Meta.Seen = d.time(), d.time(), d.time()
	v.Meta.Size = d.int()
	v.Epoch, v.Applied = d.uint(), d.time()
	v.Meta.Attributes = d.attributes(0)
	return v
}

// batch encodes an epoch.
func (e *encoder) batch(b *Batch) error {
	e.uint(b.Epoch)
	e.uint(uint64(len(b.Put)))
	for i := range b.Put {
		if err := e.document(&b.Put[i]); err != nil {
			d := &b.Put[i]
			return fmt.Errorf("document %v (%.80q in %.40q): %w", d.ID, d.Path, d.Source, err)
		}
	}
	e.uint(uint64(len(b.Delete)))
	for _, id := range b.Delete {
		e.id(id)
	}
	return nil
}

func (d *decoder) batch() (b Batch) {
	b.Epoch = d.uint()
	for range d.count() {
		b.Put = append(b.Put, d.document())
		if d.err != nil {
			return b
		}
	}
	for range d.count() {
		b.Delete = append(b.Delete, d.id())
		if d.err != nil {
			return b
		}
	}
	if len(d.b) > 0 {
		d.fail()
	}
	return b
}
