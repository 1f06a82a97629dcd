package pipeline

import (
	"encoding/binary"

	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// SemiJoin keeps the left rows that have a match: those for which rk gives the
// key of lk for at least one right row. They stay what they are, once however
// many matches there are, under their keys. A row on which lk or rk panics goes to
// the error table. Kept as state are the left rows and, of the right table, a
// number for each key. A left change costs one step; a right one as many as there
// are left rows of its key when it is the first or last of it, else one.
func SemiJoin[L, R, K any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K) *Table[L] {
	return semiOn("semijoin", l, r, lk, rk, false)
}

// AntiJoin keeps the left rows that SemiJoin does not.
func AntiJoin[L, R, K any](l *Table[L], r *Table[R], lk func(L) K, rk func(R) K) *Table[L] {
	return semiOn("antijoin", l, r, lk, rk, true)
}

// Intersect keeps the rows of t whose keys the other table has too. It is
// SemiJoin by the keys in the tables.
func Intersect[T, U any](t *Table[T], other *Table[U]) *Table[T] {
	out := table[T]("intersect", t.n, other.n)
	buildSemi(out, t, other, byOwnKey, byOwnKey, false)
	return out
}

// Difference keeps the rows of t whose keys the other table has not. It is
// AntiJoin by the keys in the tables.
func Difference[T, U any](t *Table[T], other *Table[U]) *Table[T] {
	out := table[T]("difference", t.n, other.n)
	buildSemi(out, t, other, byOwnKey, byOwnKey, true)
	return out
}

func semiOn[L, R, K any](op string, l *Table[L], r *Table[R], lk func(L) K, rk func(R) K, anti bool) *Table[L] {
	t := table[L](op, l.n, r.n)
	kc := keyCodecFor[K](t.n, "key")
	buildSemi(t, l, r, byJoinKey(kc, lk), byJoinKey(kc, rk), anti)
	return t
}

func buildSemi[L, R any](t *Table[L], l *Table[L], r *Table[R], lon onKey[L], ron onKey[R], anti bool) {
	n := t.n
	n.keys, n.keeps = "of the left row", "the left rows, a number for each key on the right"
	c := codecFor[L](n)
	if c != nil {
		n.fingerprint = n.op + " " + c.Fingerprint()
	}
	n.start = func(w *worker) {
		j := &semi[L, R]{w: w, n: n, anti: anti}
		j.out.o = newOutlet[L](w, n)
		j.l, j.r = newSide(w, n, "left", c), newSide[R](w, n, "right", nil)
		j.r.sums = true
		subscribe(w, n, l.n, lon(w, n, j.l.route.put))
		subscribe(w, n, r.n, ron(w, n, j.r.route.put))
		w.queues = append(w.queues, j)
		w.ends = append(w.ends, j.end)
		w.loads = append(w.loads, j.load)
	}
}

// semi lets left rows through while the right side has their key, or while it has
// not. It takes changes one at a time, as join does.
type semi[L, R any] struct {
	w    *worker
	n    *node
	anti bool
	l    *joinSide[L]
	r    *joinSide[R] // whose rows are not held, only their sums
	out  buffer[L]
}

func (j *semi[L, R]) pending() bool { return j.l.pending() || j.r.pending() }

func (j *semi[L, R]) step() {
	j.out.sum = 0
	// A right change that has let a part of its left rows through does the rest
	// before they change; else the order does not matter.
	j.r.drain(&j.out.sum, &j.l.rows, j.right)
	if j.r.bucket == 0 {
		j.l.drain(&j.out.sum, &j.r.rows, j.left)
	}
	j.out.flush()
}

func (j *semi[L, R]) left(m *joinRow[L]) (done bool) {
	if (j.r.sum(m.on.cell()) == 0) == j.anti {
		j.out.add(m.Key, m.Row, m.N)
	}
	j.l.hold(m)
	return true
}

func (j *semi[L, R]) right(m *joinRow[R]) (done bool) {
	on := m.on.cell()
	turn := j.r.turn(on, m.N) // of those that are there without a match
	if !j.anti {
		turn = -turn
	}
	if turn != 0 {
		for n := j.l.rows.Buckets(on); j.r.bucket < n; j.r.bucket++ {
			if j.out.sum >= budgetRows {
				return false
			}
			j.l.rows.Block(on, j.r.bucket, func(e hashtab.Entry) {
				j.out.add(Key(e.ID), j.l.decode(e.Row), turn*e.N)
			})
		}
	}
	j.r.addTotal(on, m.N)
	j.save(m.on)
	return true
}

// save writes down how many right rows have a key.
func (j *semi[L, R]) save(on Key) {
	if j.w.log == nil {
		return
	}
	key := on.Bytes()
	if now := j.r.sum(on.cell()); now != 0 {
		j.w.recBuf = binary.AppendVarint(j.w.recBuf[:0], now)
		j.w.log.Put(j.r.table, on.shard(), key[:], j.w.recBuf)
		return
	}
	j.w.log.Delete(j.r.table, on.shard(), key[:])
}

func (j *semi[L, R]) end(uint64) {
	j.n.count[j.w.id].state(j.l.rows.Len()+j.r.total.Len(), j.l.size()+j.r.size())
}

func (j *semi[L, R]) load() error {
	if err := j.l.load(); err != nil {
		return err
	}
	err := j.w.load(j.r.table, func(key, value []byte) error {
		n, w := binary.Varint(value)
		if len(key) != 16 || w != len(value) || n == 0 {
			return errDamagedState
		}
		j.r.addTotal(KeyFromBytes([16]byte(key)).cell(), int(n))
		return nil
	})
	if err != nil {
		return err
	}
	j.end(0)
	return nil
}
