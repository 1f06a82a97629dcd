package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// GroupBy computes aggregates of each group of rows with the same key(row): one
// row R a group. set puts the group into the row (nil: nothing to put), and
// each aggregate puts its own result into it:
//
//	type CityTotal struct {
//		City    string
//		Orders  int64
//		Amount  float64
//		Largest float64
//	}
//	amount := func(o Order) float64 { return o.Amount }
//	totals := pipeline.GroupBy(orders, func(o Order) string { return o.City },
//		func(t *CityTotal, city string) { t.City = city },
//		pipeline.Count[Order](func(t *CityTotal, n int64) { t.Orders = n }),
//		pipeline.Sum(amount, func(t *CityTotal, v float64) { t.Amount = v }),
//		pipeline.Max(amount, func(t *CityTotal, v float64) { t.Largest = v }))
//
// The row's key in the table is a hash of the group's canonical encoding. When
// the last row of a group goes, so do its row and its state. A row on which key
// or the function of an aggregate panics goes to the error table and counts in
// none of the aggregates; a group whose result cannot be computed, such as a sum
// that does not fit, goes there in place of its row until it can. Kept as state
// are the group and what each aggregate says it keeps.
func GroupBy[T, K, R any](t *Table[T], key func(row T) K, set func(row *R, group K), aggs ...Agg[T, R]) *Table[R] {
	return groupBy(t, "groupby", key, set, aggs)
}

// Aggregate computes aggregates of all rows of a table: one row while the table
// has any, and none while it has none. It is GroupBy with a single group.
func Aggregate[T, R any](t *Table[T], aggs ...Agg[T, R]) *Table[R] {
	return groupBy(t, "aggregate", func(T) struct{} { return struct{}{} }, nil, aggs)
}

// Agg is an aggregate of rows T that puts its result into a row R. They are
// made by Count, Sum, Avg, Min, Max, ArgMin, ArgMax, Any, Unique, List, ListBy,
// SortedList, CountDistinct, CountDistinctApprox, Accumulate, Reduce and When.
type Agg[T, R any] struct {
	name string // and what is kept: two aggregates of one name can read each other's state
	make func(slot int) aggregate[T, R]
	err  error // why there is none
}

// aggregate is an Agg in one worker. It has a working copy of each group that
// the epoch touches, by number.
type aggregate[T, R any] interface {
	reset()
	open(i int, saved []byte) (rest []byte, ok bool) // saved nil: a new group
	// take reads what the aggregate wants of a row that copy i gets n times, and
	// may panic; add then counts it and must not.
	take(i int, row *T, n int)
	add(i int, g Key, n int)
	save(i int, g Key, b []byte) []byte
	result(saved []byte, row *R) (rest []byte, err error)
}

// valued is an aggregate that may have an ordered set of values beside its saved
// bytes.
type valued interface{ values() *values }

func groupBy[T, K, R any](t *Table[T], op string, key func(row T) K, set func(row *R, group K), aggs []Agg[T, R]) *Table[R] {
	out := table[R](op, t.n)
	n := out.n
	n.keyless, n.once = true, true
	groups, kc := keyCodecFor[K](n, "group"), codecFor[K](n)
	rc := codecFor[R](n)
	var names []string
	for _, a := range aggs {
		if a.err == nil && a.make == nil {
			a.err = errors.New("an aggregate is empty")
		}
		if a.err != nil {
			n.g.problem("pipeline: %s: %w", n, a.err)
			return out
		}
		names = append(names, a.name)
	}
	n.keys = "of the group"
	n.keeps = strings.Join(append([]string{"group"}, names...), ", ")
	if kc != nil {
		n.fingerprint = fmt.Sprint(op, " ", kc.Fingerprint(), " ", names)
	}
	n.start = func(w *worker) {
		acc := &aggAcc[T, K, R]{w: w, n: n, key: key, set: set, kc: kc, rc: rc}
		for i, a := range aggs {
			acc.aggs = append(acc.aggs, a.make(i))
		}
		acc.each(func(_ int, v *values) { v.record = w.log != nil })
		g := startGrouping[T, R](w, n, acc)
		subscribe(w, n, t.n, byGroup(w, n, groups, key, g.route.put))
	}
	return out
}

// aggAcc is the accumulator of GroupBy: the group and all aggregates.
type aggAcc[T, K, R any] struct {
	w    *worker
	n    *node
	key  func(T) K
	set  func(*R, K)
	kc   *codec.Codec[K]
	rc   *codec.Codec[R]
	aggs []aggregate[T, R]
	keys [][]byte // encoded groups of the working copies
	txt  codec.Arena
}

func (a *aggAcc[T, K, R]) reset() {
	a.keys = reuse(a.keys)
	for _, g := range a.aggs {
		g.reset()
	}
}

func (a *aggAcc[T, K, R]) open(i int, _ Key, row *T, saved []byte) {
	var enc []byte
	if saved == nil {
		k := a.key(*row)
		enc = a.kc.Append(nil, &k)
	} else {
		var k K
		rest, err := a.kc.Decode(saved, &k)
		a.w.must(a.n, "read the state of a group", err)
		enc = a.txt.Copy(saved[:len(saved)-len(rest)])
		saved = rest
	}
	a.keys = append(a.keys[:i], enc)
	for _, g := range a.aggs {
		ok := true
		if saved, ok = g.open(i, saved); !ok {
			a.w.must(a.n, "read the state of a group", errDamagedState)
		}
	}
}

func (a *aggAcc[T, K, R]) add(i int, g Key, row *T, n int) {
	for _, agg := range a.aggs {
		agg.take(i, row, n)
	}
	for _, agg := range a.aggs {
		agg.add(i, g, n)
	}
}

func (a *aggAcc[T, K, R]) undo() {} // take panics before anything is counted

func (a *aggAcc[T, K, R]) save(i int, g Key, b []byte) []byte {
	b = append(b, a.keys[i]...)
	for _, agg := range a.aggs {
		b = agg.save(i, g, b)
	}
	return b
}

func (a *aggAcc[T, K, R]) result(saved []byte) (row R, err error) {
	saved = a.txt.Copy(saved)
	var k K
	rest, err := a.kc.Decode(saved, &k)
	a.w.must(a.n, "read the state of a group", err)
	if a.set != nil {
		a.set(&row, k)
	}
	for _, agg := range a.aggs {
		if rest, err = agg.result(rest, &row); err != nil {
			return row, err
		}
	}
	return row, nil
}

func (a *aggAcc[T, K, R]) same(x, y *R) bool { return a.rc.Equal(x, y) }

func (a *aggAcc[T, K, R]) each(f func(i int, v *values)) {
	for i, agg := range a.aggs {
		if v, ok := agg.(valued); ok && v.values() != nil {
			f(i, v.values())
		}
	}
}

func (a *aggAcc[T, K, R]) end(w *worker, table string) {
	a.each(func(i int, v *values) { v.persist(w, table, byte(i)) })
}

func (a *aggAcc[T, K, R]) load(w *worker, table string) error {
	byAgg := map[byte]*values{}
	a.each(func(i int, v *values) { byAgg[byte(i)] = v })
	if len(byAgg) == 0 {
		return nil
	}
	return w.load(table, func(key, value []byte) error {
		if len(key) < 17 || byAgg[key[16]] == nil {
			return errDamagedState
		}
		return byAgg[key[16]].load(key, value)
	})
}

func (a *aggAcc[T, K, R]) size() (rows, size int) {
	a.each(func(_ int, v *values) {
		rows += v.set.Len()
		size += v.set.Bytes()
	})
	return rows, size
}

func (a *aggAcc[T, K, R]) drop(g Key) {
	a.each(func(_ int, v *values) { v.drop(g) })
}
