package pipeline

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// Min is the least of(row) of a group, in the order of cmp.Compare (a NaN is
// less than all numbers). It keeps every different value of the group, sorted.
func Min[T, R any, V cmp.Ordered](of func(row T) V, set func(row *R, least V)) Agg[T, R] {
	return extreme("min", of, set, false)
}

// Max is the greatest of(row) of a group. It keeps every different value of the
// group, sorted.
func Max[T, R any, V cmp.Ordered](of func(row T) V, set func(row *R, greatest V)) Agg[T, R] {
	return extreme("max", of, set, true)
}

func extreme[T, R any, V cmp.Ordered](name string, of func(T) V, set func(*R, V), greatest bool) Agg[T, R] {
	order := codec.Ordered[V]()
	return Agg[T, R]{name: fmt.Sprint(name, " of ", typeOf[V]().Kind()), make: func(int) aggregate[T, R] {
		return &extremeAgg[T, R]{
			encode:   func(b []byte, row *T) []byte { return order.Append(b, of(*row)) },
			put:      func(r *R, v []byte) error { set(r, order.Decode(v)); return nil },
			greatest: greatest,
		}
	}}
}

// extremeAgg keeps the values of each group, encoded, in the order of their
// bytes; what is saved with the group is the value at the end that counts.
type extremeAgg[T, R any] struct {
	encode   func(b []byte, row *T) []byte // append what counts of the row
	put      func(r *R, v []byte) error    // v stays as it is
	greatest bool
	v        values
	b        []byte
}

func (a *extremeAgg[T, R]) values() *values { return &a.v }
func (a *extremeAgg[T, R]) reset()          {}

func (a *extremeAgg[T, R]) open(_ int, saved []byte) ([]byte, bool) {
	if saved == nil {
		return nil, true
	}
	_, rest, ok := cutBytes(saved)
	return rest, ok
}

func (a *extremeAgg[T, R]) take(_ int, row *T, _ int) { a.b = a.encode(a.b[:0], row) }

func (a *extremeAgg[T, R]) add(_ int, g Key, n int) { a.v.add(g, a.b, n) }

func (a *extremeAgg[T, R]) save(_ int, g Key, b []byte) []byte {
	return a.v.appendExtreme(b, g, a.greatest)
}

func (a *extremeAgg[T, R]) result(b []byte, r *R) ([]byte, error) {
	v, rest, _ := cutBytes(b)
	if v == nil {
		return nil, errNegative
	}
	return rest, a.put(r, v)
}

// appendExtreme appends the group's least or greatest value for cutBytes.
func (v *values) appendExtreme(b []byte, g Key, greatest bool) []byte {
	found := false
	first := func(val []byte, n int) bool {
		if n > 0 {
			b, found = append(binary.AppendUvarint(b, uint64(len(val))+1), val...), true
		}
		return n <= 0
	}
	if greatest {
		v.set.Descend(g.cell(), first)
	} else {
		v.set.Ascend(g.cell(), first)
	}
	if !found { // all retracted; the group is about to go
		b = append(b, 0)
	}
	return b
}

// cutBytes reads what save wrote: a length + 1 and the bytes, or 0 for nil.
func cutBytes(b []byte) (v, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w)+1 {
		return nil, nil, false
	}
	if b = b[w:]; n == 0 {
		return nil, b, true
	}
	return b[: n-1 : n-1], b[n-1:], true
}

// values is an ordered set of values of each group, and which of them the epoch
// has changed. A value's record in the log stands under the group, the number
// of the aggregate and the value itself.
type values struct {
	set     hashtab.Ordered
	changed map[string]int // group and value → weight, if record
	record  bool           // state is kept
	b       []byte
}

func (v *values) add(g Key, val []byte, n int) (now int) {
	now = v.set.Add(g.cell(), val, n)
	if v.record {
		v.note(g, val, now)
	}
	return now
}

func (v *values) note(g Key, val []byte, now int) {
	if v.changed == nil {
		v.changed = map[string]int{}
	}
	k := g.Bytes()
	v.b = append(append(v.b[:0], k[:]...), val...)
	v.changed[string(v.b)] = now
}

// drop forgets a group, even if its retractions did not match its values.
func (v *values) drop(g Key) {
	for v.set.Has(g.cell()) {
		var val []byte
		var n int
		v.set.Ascend(g.cell(), func(b []byte, m int) bool {
			val, n = append([]byte(nil), b...), m
			return false
		})
		v.add(g, val, -n)
	}
}

func (v *values) persist(w *worker, table string, agg byte) {
	for k, n := range v.changed {
		v.b = append(append(append(v.b[:0], k[:16]...), agg), k[16:]...)
		if n == 0 {
			w.log.Delete(table, k[0], v.b)
		} else {
			w.log.Put(table, k[0], v.b, binary.AppendVarint(nil, int64(n)))
		}
	}
	v.changed = nil
}

func (v *values) load(key, value []byte) error {
	n, w := binary.Varint(value)
	if w != len(value) || n == 0 {
		return errDamagedState
	}
	v.set.Add(KeyFromBytes([16]byte(key)).cell(), key[17:], int(n))
	return nil
}
