package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// Sort makes a row of each row and its neighbours: the rows before and after it
// among those with the same key(row), in the order of by(row), that of
// cmp.Compare. The first has no prev, the last no next: they are nil. Rows with
// the same by are in the order of their keys. What comes out has the row's key.
//
// It keeps the rows of each group, sorted. A change costs a search among them and
// changes three rows at most: its own and those of its neighbours. A row on which
// key or by panics is in no group; it goes to the error table, as does one on
// which out does, which stays its neighbours' neighbour.
func Sort[T, K any, V cmp.Ordered, O any](t *Table[T], key func(row T) K, by func(row T) V, out func(row T, prev, next *T) O) *Table[O] {
	return newSort("sort", t, key, by, out, true)
}

// Diff is Sort for those who look back only, at the row before: a change changes
// two rows at most.
func Diff[T, K any, V cmp.Ordered, O any](t *Table[T], key func(row T) K, by func(row T) V, out func(row T, prev *T) O) *Table[O] {
	return newSort("diff", t, key, by, func(row T, prev, _ *T) O { return out(row, prev) }, false)
}

func newSort[T, K any, V cmp.Ordered, O any](op string, t *Table[T], key func(T) K, by func(T) V, out func(T, *T, *T) O, ahead bool) *Table[O] {
	return sorted(op, "of the row", t, key, by, func(s *sorting[T, O]) func(Key, []entryChange) {
		n := &neighbours[T, O]{s, out, ahead}
		return n.apply
	})
}

// sorted adds an operator that sees the rows of each group sorted. apply makes what
// is called with the changes of a group: it adds them to the group's entries.
func sorted[T, K any, V cmp.Ordered, O any](op, keys string, t *Table[T], key func(T) K, by func(T) V, apply func(*sorting[T, O]) func(Key, []entryChange)) *Table[O] {
	o := table[O](op, t.n)
	n := o.n
	n.keys, n.keeps = keys, "the rows, sorted"
	kc, c, order := keyCodecFor[K](n, "group"), codecFor[T](n), codec.Ordered[V]()
	if c != nil {
		n.fingerprint = fmt.Sprint(op, " ", c.Fingerprint(), " by ", typeOf[V]().Kind())
	}
	n.start = func(w *worker) {
		s := &sorting[T, O]{w: w, n: n, c: c, table: n.tableName("rows"), skip: order.SkipPart, loaded: func() {},
			part: func(b []byte, row T) []byte { return order.AppendPart(b, by(row)) }}
		s.apply = apply(s)
		s.v.record = w.log != nil
		s.out.o = newOutlet[O](w, n)
		s.route = newRouter(w, func(m *joinRow[T]) Key { return m.on }, s.take)
		subscribe(w, n, t.n, byJoinKey(kc, key)(w, n, s.route.put))
		w.deferred = append(w.deferred, s)
		w.ends = append(w.ends, s.end)
		w.loads = append(w.loads, s.load)
	}
	return o
}

// sorting gathers what an epoch changes and applies it when that is complete, a
// group at a time. An entry is a row as it is kept: by(row), the row's key and
// the row, encoded such that the order of the bytes is that of the rows.
type sorting[T, O any] struct {
	w      *worker
	n      *node
	c      *codec.Codec[T]
	apply  func(on Key, changes []entryChange)
	loaded func() // the entries have been read
	part   func(b []byte, row T) []byte
	skip   func(b []byte) (rest []byte, ok bool)
	table  string
	route  *router[joinRow[T]]
	v      values // entries
	out    buffer[O]
	txt    codec.Arena

	mem  []byte // entries of todo
	todo []entryChange
	next int // of todo, once it is sorted
}

type entryChange struct {
	on  Key
	row span // of mem
	n   int
}

// neighbours makes a row of each entry and those beside it.
type neighbours[T, O any] struct {
	*sorting[T, O]
	f     func(row T, prev, next *T) O
	ahead bool // f looks at next
}

// place is where an entry stands: its weight and its neighbours.
type place struct {
	n          int
	prev, next []byte
}

func (s *sorting[T, O]) take(b []joinRow[T]) {
	guard(len(b), func(i int) {
		from := len(s.mem)
		mem := s.part(s.mem, b[i].Row)
		id := b[i].Key.Bytes()
		s.mem = s.c.Append(append(mem, id[:]...), &b[i].Row)
		s.todo = append(s.todo, entryChange{b[i].on, span{from, len(s.mem)}, b[i].N})
	}, func(i int, err error) { s.w.fail(s.n, b[i].Key, "", err, b[i].N) })
}

func (s *sorting[T, O]) entry(c *entryChange) []byte { return s.mem[c.row.from:c.row.to] }

func (s *sorting[T, O]) changed() bool { return len(s.todo) > 0 }

func (s *sorting[T, O]) flush() (more bool) {
	if s.next == 0 {
		slices.SortFunc(s.todo, func(a, b entryChange) int {
			return cmp.Or(a.on.Compare(b.on), bytes.Compare(s.entry(&a), s.entry(&b)))
		})
	}
	for s.out.sum = 0; s.next < len(s.todo) && s.out.sum < budgetRows; {
		from := s.next
		for s.next++; s.next < len(s.todo) && s.todo[s.next].on == s.todo[from].on; s.next++ {
		}
		s.apply(s.todo[from].on, s.todo[from:s.next])
	}
	s.out.flush()
	if s.next < len(s.todo) {
		return true
	}
	s.todo, s.mem, s.next = reuse(s.todo), reuse(s.mem), 0
	return false
}

// apply changes a group and puts out what has become of the entries that were
// changed and of those that were their neighbours. Nobody else has other
// neighbours now: between an entry that stays and a new neighbour of it there
// was nothing, or only entries that have gone, the last of them its neighbour.
func (s *neighbours[T, O]) apply(on Key, changes []entryChange) {
	var touched [][]byte
	for i := range changes {
		e := s.entry(&changes[i])
		p := s.place(on, e)
		touched = append(touched, e)
		if p.prev != nil {
			touched = append(touched, p.prev)
		}
		if p.next != nil {
			touched = append(touched, p.next)
		}
	}
	slices.SortFunc(touched, bytes.Compare)
	touched = slices.CompactFunc(touched, bytes.Equal)
	was := make([]place, len(touched))
	for i, e := range touched {
		was[i] = s.place(on, e)
	}
	for i := range changes {
		s.v.add(on, s.entry(&changes[i]), changes[i].n)
	}
	for i, e := range touched {
		now := s.place(on, e)
		if now.n == was[i].n && bytes.Equal(now.prev, was[i].prev) && (!s.ahead || bytes.Equal(now.next, was[i].next)) {
			continue
		}
		s.emit(e, &was[i], -1)
		s.emit(e, &now, 1)
	}
}

// place finds an entry's weight and the nearest entries that are there. What it
// returns stays as it is.
func (s *neighbours[T, O]) place(on Key, e []byte) (p place) {
	s.v.set.DescendFrom(on.cell(), e, func(v []byte, n int) bool {
		if n > 0 {
			p.prev = bytes.Clone(v)
		}
		return n <= 0
	})
	s.v.set.AscendFrom(on.cell(), e, func(v []byte, n int) bool {
		if bytes.Equal(v, e) {
			p.n = n
			return true
		}
		if n > 0 {
			p.next = bytes.Clone(v)
		}
		return n <= 0
	})
	return p
}

// emit puts out the row of an entry if it is, or was, there.
func (s *neighbours[T, O]) emit(e []byte, p *place, by int) {
	if p.n <= 0 {
		return
	}
	key, row := s.decode(e)
	var prev, next *T
	if p.prev != nil {
		_, r := s.decode(p.prev)
		prev = &r
	}
	if p.next != nil {
		_, r := s.decode(p.next)
		next = &r
	}
	var o O
	ok := true
	guard(1, func(int) { o = s.f(row, prev, next) }, func(_ int, err error) {
		s.w.fail(s.n, key, "", err, by*p.n)
		ok = false
	})
	if ok {
		s.out.add(key, o, by*p.n)
	}
}

func (s *sorting[T, O]) decode(e []byte) (key Key, row T) {
	b, ok := s.skip(e)
	if !ok || len(b) < 16 {
		s.w.must(s.n, "read a row of the state", errDamagedState)
	}
	s.w.must(s.n, "read a row of the state", s.c.DecodeCopy(b[16:], &row, &s.txt))
	return KeyFromBytes([16]byte(b)), row
}

func (s *sorting[T, O]) end(uint64) {
	s.v.persist(s.w, s.table, 0)
	s.n.count[s.w.id].state(s.v.set.Len(), s.v.set.Bytes())
}

func (s *sorting[T, O]) load() error {
	err := s.w.load(s.table, func(key, value []byte) error {
		if len(key) < 17 {
			return errDamagedState
		}
		return s.v.load(key, value)
	})
	if err == nil {
		s.loaded()
	}
	s.end(0)
	return err
}
