package pipeline

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// Dedup keeps one row of those with the same key(row): the last that was accepted.
// They are gone through in the order of by(row), that of cmp.Compare, rows with the
// same by in the order of their keys; the first is accepted, and any other one if
// accept(row, kept) says so of it and of the one accepted before. So a price counts
// only when it differs from the last by more than a percent, say.
//
// The result depends on the rows alone, not on when they came: one that comes late is
// put in its place, one that is retracted taken out, and those behind it are asked
// again. accept must depend on its two rows alone. A row on which key, by or accept
// panics goes to the error table and is not accepted. What comes out has a hash of the
// group as its key.
//
// It keeps the rows of each group, sorted. A row behind all others of its group costs
// a call of accept; any other change, as many as the group has rows.
func Dedup[T, K any, V cmp.Ordered](t *Table[T], key func(row T) K, by func(row T) V, accept func(row, kept T) bool) *Table[T] {
	return sorted("dedup", "of the group", t, key, by, func(s *sorting[T, T]) func(Key, []entryChange) {
		d := &dedup[T]{sorting: s, accept: accept}
		s.loaded = d.load
		return d.apply
	})
}

// dedup remembers of each group which entry is kept, the last one of all, and whether
// any has failed. It is a function of the entries, and so not written down.
type dedup[T any] struct {
	*sorting[T, T]
	accept func(row, kept T) bool
	groups hashtab.Store
}

// walk is a way through entries of a group.
type walk[T any] struct {
	kept, last []byte
	row        T // of kept
	failed     bool
	by         int // of failures: 1 to tell of them, −1 to take that back, 0 to do nothing
}

func (d *dedup[T]) apply(on Key, changes []entryChange) {
	was, behind := d.remembered(on), true
	for i := range changes {
		behind = behind && changes[i].n > 0 && bytes.Compare(d.entry(&changes[i]), was.last) > 0
	}
	if !behind && was.failed {
		d.all(on, &walk[T]{by: -1})
	}
	for i := range changes {
		d.v.add(on, d.entry(&changes[i]), changes[i].n)
	}
	now := &walk[T]{by: 1}
	if behind {
		*now = was
		now.by = 1
		for i := range changes {
			if i == 0 || !bytes.Equal(d.entry(&changes[i]), d.entry(&changes[i-1])) {
				d.pass(now, d.entry(&changes[i]))
			}
		}
	} else {
		d.all(on, now)
	}
	if !bytes.Equal(was.kept, now.kept) {
		if was.kept != nil {
			d.out.add(on, was.row, -1)
		}
		if now.kept != nil {
			d.out.add(on, now.row, 1)
		}
	}
	d.remember(on, now)
}

func (d *dedup[T]) all(on Key, w *walk[T]) {
	d.v.set.Ascend(on.cell(), func(val []byte, n int) bool {
		if n > 0 {
			d.pass(w, val)
		}
		return true
	})
}

// pass takes the next entry.
func (d *dedup[T]) pass(w *walk[T], e []byte) {
	key, row := d.decode(e)
	w.last = append(w.last[:0:0], e...)
	ok := w.kept == nil
	if !ok {
		guard(1, func(int) { ok = d.accept(row, w.row) }, func(_ int, err error) {
			w.failed = true
			if w.by != 0 {
				d.w.fail(d.n, key, "", err, w.by)
			}
		})
	}
	if ok {
		w.kept, w.row = w.last, row
	}
}

func (d *dedup[T]) remembered(on Key) (w walk[T]) {
	b, ok := d.groups.Get(on.cell())
	if !ok {
		return w
	}
	w.failed = b[0] == 1
	size, n := binary.Uvarint(b[1:])
	b = bytes.Clone(b[1+n:])
	w.kept, w.last = b[:size:size], b[size:]
	_, w.row = d.decode(w.kept)
	return w
}

func (d *dedup[T]) remember(on Key, w *walk[T]) {
	if w.kept == nil {
		d.groups.Delete(on.cell())
		return
	}
	b := []byte{0}
	if w.failed {
		b[0] = 1
	}
	b = binary.AppendUvarint(b, uint64(len(w.kept)))
	d.groups.Put(on.cell(), append(append(b, w.kept...), w.last...))
}

func (d *dedup[T]) load() {
	var on hashtab.Key
	w := &walk[T]{}
	d.v.set.All(func(k hashtab.Key, val []byte, n int) { // those of a key together, in order
		if k != on {
			d.remember(Key(on), w)
			on, w = k, &walk[T]{}
		}
		if n > 0 {
			d.pass(w, val)
		}
	})
	d.remember(Key(on), w)
}
