package pipeline

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// asyncOp is a stage's part in one worker: what is known of each key.
type asyncOp[T, R any] struct {
	w     *worker
	n     *node
	s     *asyncStage[T, R]
	o     *AsyncOptions[T, R]
	tc    *codec.Codec[T]
	rc    *codec.Codec[R]
	table string

	tab   hashtab.Table[hashtab.Ref] // of encoded entries
	arena hashtab.Arena
	dirty []dirtyKey
	next  int
	wait  requests   // open requests not handed to the pool; may hold withdrawn ones
	prov  []dueEntry // open requests in the order in which they become due
	open  int        // requests without an answer
	inbox []answer[R]
	out   buffer[R]
	e     entry // scratch
	b     []byte
	txt   codec.Arena
}

type dirtyKey struct {
	key hashtab.Key
	was uint64 // hash of the row that counted when the epoch began, 0 if none
}

type dueEntry struct {
	at    time.Time
	key   Key
	order uint64
}

// entry is what is known of a key.
type entry struct {
	status byte
	order  uint64 // the epoch of the request, while it is open
	answer uint64 // hash of the row that out answers
	out    []byte // the encoded result, or the text of the failure; nil if none
	in     []weighted
}

type weighted struct {
	n   int
	row []byte
}

const (
	statusOpen        = 1 << iota // asked, not answered
	statusFailed                  // out is a failure
	statusProvisional             // out is provisional
	statusSeveral                 // several rows have the key, and the error table says so
)

func (e *entry) is(status byte) bool { return e.status&status != 0 }

// read takes e from its encoding, which it shares.
func (e *entry) read(b []byte) bool {
	*e = entry{in: e.in[:0]}
	if len(b) < 1 {
		return false
	}
	e.status, b = b[0], b[1:]
	var w int
	if e.order, w = binary.Uvarint(b); w <= 0 {
		return false
	}
	b = b[w:]
	size, w := binary.Uvarint(b)
	if w <= 0 || size > uint64(len(b)) {
		return false
	}
	b = b[w:]
	if size > 0 {
		if uint64(len(b)) < 8+size-1 {
			return false
		}
		e.answer, b = binary.LittleEndian.Uint64(b), b[8:]
		e.out, b = b[:size-1:size-1], b[size-1:]
	}
	for len(b) > 0 {
		n, w := binary.Varint(b)
		if w <= 0 {
			return false
		}
		size, w2 := binary.Uvarint(b[w:])
		if w2 <= 0 || size > uint64(len(b)-w-w2) {
			return false
		}
		b = b[w+w2:]
		e.in, b = append(e.in, weighted{int(n), b[:size:size]}), b[size:]
	}
	return true
}

func (e *entry) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, e.status), e.order)
	if e.out == nil {
		b = append(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(e.out))+1)
		b = append(binary.LittleEndian.AppendUint64(b, e.answer), e.out...)
	}
	for _, in := range e.in {
		b = binary.AppendVarint(b, int64(in.n))
		b = append(binary.AppendUvarint(b, uint64(len(in.row))), in.row...)
	}
	return b
}

// row returns the row that counts: the only one there is, or of several the
// first by its bytes, so that it depends on the rows alone; nil if there is none.
func (e *entry) row() (row []byte, several bool) {
	found := 0
	for _, in := range e.in {
		if in.n <= 0 {
			continue
		}
		if found++; found == 1 || bytes.Compare(in.row, row) < 0 {
			row = in.row
		}
	}
	return row, found > 1
}

// hash is the version of a row; never 0.
func version(row []byte) uint64 { return xxh3.Hash(row) | 1 }

func (op *asyncOp[T, R]) read(k hashtab.Key) (s *hashtab.Slot[hashtab.Ref]) {
	if s = op.tab.Find(k); s != nil && !op.e.read(op.arena.Get(s.Val)) {
		op.w.must(op.n, "read a request of the state", errDamagedState)
	}
	return s
}

// apply takes changes of rows into the entries; what follows from them is seen
// when the epoch's changes are all there.
func (op *asyncOp[T, R]) apply(b []Change[T]) {
	for i := range b {
		k := b[i].Key.cell()
		s, fresh := op.tab.At(k)
		if fresh {
			op.e = entry{in: op.e.in[:0]}
		} else if !op.e.read(op.arena.Get(s.Val)) {
			op.w.must(op.n, "read a request of the state", errDamagedState)
		}
		if s.Mark == groupClean {
			d := dirtyKey{key: k}
			if row, _ := op.e.row(); row != nil {
				d.was = version(row)
			}
			op.dirty = append(op.dirty, d)
			s.Mark = groupSaved
		}
		op.w.rowBuf = op.tc.Append(op.w.rowBuf[:0], &b[i].Row)
		op.e.change(op.w.rowBuf, b[i].N)
		op.b = op.e.append(op.b[:0])
		s.Val = op.arena.Replace(s.Val, op.b)
	}
}

func (e *entry) change(row []byte, n int) {
	for i := range e.in {
		if bytes.Equal(e.in[i].row, row) {
			if e.in[i].n += n; e.in[i].n == 0 {
				e.in = append(e.in[:i], e.in[i+1:]...)
			}
			return
		}
	}
	e.in = append(e.in, weighted{n, row})
}

func (op *asyncOp[T, R]) changed() bool { return len(op.dirty) > 0 }

func (op *asyncOp[T, R]) flush() (more bool) {
	for op.out.sum = 0; op.next < len(op.dirty) && op.out.sum < budgetRows; op.next++ {
		op.decide(op.dirty[op.next])
	}
	op.out.flush()
	if op.next < len(op.dirty) {
		return true
	}
	op.dirty, op.next = reuse(op.dirty), 0
	return false
}

// decide draws the conclusions from what an epoch has changed of a key.
func (op *asyncOp[T, R]) decide(d dirtyKey) {
	s, key := op.read(d.key), Key(d.key)
	s.Mark = groupClean
	e := &op.e
	row, several := e.row()
	if several != e.is(statusSeveral) {
		op.w.fail(op.n, key, "", errSeveralRows, sign(!several))
		e.status ^= statusSeveral
	}
	switch {
	case row == nil:
		op.withdraw(key)
		op.close(key)
		if len(e.in) == 0 {
			op.arena.Free(s.Val)
			op.tab.Delete(d.key)
			op.forget(key)
			return
		}
		e.answer = 0
	case version(row) == d.was:
	case e.out != nil && e.answer == version(row) && !e.is(statusProvisional):
		op.close(key) // back to the version that has been answered
	default:
		op.close(key)
		op.ask(key, row)
	}
	op.keep(key, s)
}

// ask opens a request for the entry's row.
func (op *asyncOp[T, R]) ask(key Key, row []byte) {
	op.e.status |= statusOpen
	op.e.order = op.w.r.epoch + 1
	op.open++
	op.enqueue(key, row)
}

func (op *asyncOp[T, R]) enqueue(key Key, row []byte) {
	q := request{key: key, order: op.e.order}
	if op.o.Priority != nil {
		t := op.decodeRow(row)
		guard(1, func(int) { q.prio = op.o.Priority(t) },
			func(_ int, err error) { op.w.r.o.log.Error("priority function failed", "stage", op.n.name, "err", err) })
	}
	heap.Push(&op.wait, q)
	if op.o.Provisional != nil && !op.w.r.o.static {
		op.prov = append(op.prov, dueEntry{time.Now().Add(op.o.ProvisionalAfter), key, op.e.order})
	}
}

// close ends the open request of the entry, if there is one.
func (op *asyncOp[T, R]) close(key Key) {
	if op.e.is(statusOpen) {
		op.e.status &^= statusOpen
		op.open--
		op.s.pool.cancel(key)
	}
}

// withdraw takes back what the entry has put out.
func (op *asyncOp[T, R]) withdraw(key Key) {
	e := &op.e
	switch {
	case e.out == nil:
	case e.is(statusFailed):
		op.w.fail(op.n, key, "", errors.New(string(e.out)), -1)
	default:
		op.out.add(key, op.decodeResult(e.out), -1)
	}
	e.out = nil
	e.status &^= statusFailed | statusProvisional
}

// intake takes what calls have answered, and makes provisional results of what
// is overdue.
func (op *asyncOp[T, R]) intake() {
	op.out.sum = 0
	for i := range op.inbox {
		op.answered(&op.inbox[i])
	}
	op.inbox = reuse(op.inbox)
	if len(op.prov) > 0 {
		op.provide(time.Now())
	}
	op.out.flush()
}

func (op *asyncOp[T, R]) answered(a *answer[R]) {
	s := op.read(a.key.cell())
	e := &op.e
	if s == nil || !e.is(statusOpen) || e.order != a.order {
		return // withdrawn meanwhile
	}
	e.status &^= statusOpen
	op.open--
	op.b = op.b[:0]
	if a.err == nil {
		op.b = op.rc.Append(op.b, &a.row)
	}
	switch {
	case a.err != nil:
		op.withdraw(a.key)
		op.w.fail(op.n, a.key, "", a.err, 1)
		e.status |= statusFailed
		e.out = []byte(a.err.Error())
	case e.out != nil && !e.is(statusFailed) && bytes.Equal(op.b, e.out):
		e.status &^= statusProvisional // the same result as before
	default:
		op.withdraw(a.key)
		op.out.add(a.key, a.row, 1)
		e.out = append([]byte{}, op.b...)
	}
	e.answer = a.version // the row may have changed again, in the epoch being built
	op.keep(a.key, s)
}

// provide puts out provisional results for requests that have waited too long.
func (op *asyncOp[T, R]) provide(now time.Time) {
	for len(op.prov) > 0 && !op.prov[0].at.After(now) {
		d := op.prov[0]
		op.prov = op.prov[1:]
		s := op.read(d.key.cell())
		e := &op.e
		if s == nil || !e.is(statusOpen) || e.order != d.order || e.is(statusProvisional) {
			continue
		}
		row, _ := e.row()
		if row == nil {
			continue
		}
		var r R
		ok := false
		t := op.decodeRow(row)
		guard(1, func(int) { r, ok = op.o.Provisional(t) },
			func(_ int, err error) {
				op.w.r.o.log.Error("provisional function failed", "stage", op.n.name, "err", err)
			})
		if !ok {
			continue
		}
		op.withdraw(d.key)
		op.out.add(d.key, r, 1)
		e.out = op.rc.Append([]byte{}, &r)
		e.answer = version(row)
		e.status |= statusProvisional
		op.keep(d.key, s)
	}
	if len(op.prov) == 0 {
		op.prov = nil
	}
}

// due returns when the next provisional result may be wanted.
func (op *asyncOp[T, R]) due() time.Time {
	if len(op.prov) == 0 {
		return time.Time{}
	}
	return op.prov[0].at
}

// keep saves the entry.
func (op *asyncOp[T, R]) keep(key Key, s *hashtab.Slot[hashtab.Ref]) {
	op.b = op.e.append(op.b[:0])
	s.Val = op.arena.Replace(s.Val, op.b)
	if op.w.log != nil && s.Mark == groupClean { // else decide will write it
		k := key.Bytes()
		op.w.log.Put(op.table, key.shard(), k[:], op.b)
	}
}

func (op *asyncOp[T, R]) forget(key Key) {
	if op.w.log != nil {
		k := key.Bytes()
		op.w.log.Delete(op.table, key.shard(), k[:])
	}
}

func (op *asyncOp[T, R]) end(uint64) {
	op.topUp()
	op.figures()
}

func (op *asyncOp[T, R]) figures() {
	c := &op.n.count[op.w.id]
	c.state(op.tab.Len(), op.tab.Bytes()+op.arena.Bytes())
	c.open.Store(int64(op.open))
}

// topUp hands requests to the pool while that has room for them.
func (op *asyncOp[T, R]) topUp() {
	if len(op.wait) > 2*op.open+sweepRows {
		op.wait = slices.DeleteFunc(op.wait, func(q request) bool {
			return op.read(q.key.cell()) == nil || !op.e.is(statusOpen) || op.e.order != q.order
		})
		heap.Init(&op.wait)
	}
	for len(op.wait) > 0 {
		q := op.wait[0]
		if s := op.read(q.key.cell()); s == nil || !op.e.is(statusOpen) || op.e.order != q.order {
			heap.Pop(&op.wait)
			continue
		}
		if !op.s.pool.room(q.prio) {
			return
		}
		row, _ := op.e.row()
		t := op.decodeRow(row)
		heap.Pop(&op.wait)
		op.s.pool.put(&call[T]{request: q, version: version(row), row: t, size: op.tc.Size(&t)})
	}
}

func (op *asyncOp[T, R]) load() error {
	err := op.w.load(op.table, func(key, value []byte) error {
		k, err := keyFrom(key)
		if err != nil || !op.e.read(value) {
			return errDamagedState
		}
		s, _ := op.tab.At(k.cell())
		s.Val = op.arena.Put(value)
		if op.e.is(statusOpen) {
			if row, _ := op.e.row(); row != nil {
				op.open++
				op.enqueue(k, row)
			}
		}
		return nil
	})
	op.figures()
	return err
}

func (op *asyncOp[T, R]) decodeRow(b []byte) (row T) {
	op.w.must(op.n, "read a row of the state", op.tc.DecodeCopy(b, &row, &op.txt))
	return row
}

func (op *asyncOp[T, R]) decodeResult(b []byte) (r R) {
	op.w.must(op.n, "read a result of the state", op.rc.DecodeCopy(b, &r, &op.txt))
	return r
}

// request is one that waits for a call.
type request struct {
	key   Key
	order uint64
	prio  int
}

// before is the order of requests: higher priority, then older, then by key.
func (q request) before(o request) bool {
	switch {
	case q.prio != o.prio:
		return q.prio > o.prio
	case q.order != o.order:
		return q.order < o.order
	}
	return q.key.Compare(o.key) < 0
}

// requests is a heap of them.
type requests []request

func (h requests) Len() int           { return len(h) }
func (h requests) Less(i, j int) bool { return h[i].before(h[j]) }
func (h requests) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *requests) Push(x any)        { *h = append(*h, x.(request)) }
func (h *requests) Pop() any {
	old := *h
	q := old[len(old)-1]
	*h = old[:len(old)-1]
	return q
}
