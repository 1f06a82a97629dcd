package pipeline

import (
	"bytes"
	"errors"
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
)

// asyncOp is a stage's part in one worker: what is known of each key.
type asyncOp[T, R, O any] struct {
	w     *worker
	n     *node
	s     *asyncStage[T, R, O]
	o     *AsyncOptions[T, R]
	tc    *codec.Codec[T]
	rc    *codec.Codec[R]
	table string

	tab   hashtab.Table[hashtab.Ref] // of encoded entries; with touched while dirty
	arena hashtab.Arena
	dirty []dirtyKey
	next  int
	wait  requests   // open requests not handed to the pool; may hold withdrawn ones
	prov  []dueEntry // open requests in the order in which they become due
	open  int        // requests without an answer
	inbox []answer[T, R]
	out   buffer[O]
	e     entry // scratch
	b     []byte
	txt   codec.Arena
}

// touched marks the reference of an entry that the epoch being built changes.
const touched hashtab.Ref = 1 << 63

type dirtyKey struct {
	key hashtab.Key
	was uint64 // version of the row that counted when the epoch began, 0 if none
}

func (op *asyncOp[T, R, O]) read(k hashtab.Key) (s *hashtab.Slot[hashtab.Ref]) {
	if s = op.tab.Find(k); s != nil && !op.e.read(op.arena.Get(s.Val&^touched)) {
		op.w.must(op.n, "read a request of the state", errDamagedState)
	}
	return s
}

// apply takes changes of rows into the entries; what follows from them is seen
// when the epoch's changes are all there.
func (op *asyncOp[T, R, O]) apply(b []Change[T]) {
	for i := range b {
		k := b[i].Key.cell()
		s, fresh := op.tab.At(k)
		if fresh {
			op.e = entry{in: op.e.in[:0]}
		} else if !op.e.read(op.arena.Get(s.Val &^ touched)) {
			op.w.must(op.n, "read a request of the state", errDamagedState)
		}
		if s.Val&touched == 0 {
			d := dirtyKey{key: k}
			if row, _ := op.e.row(); row != nil {
				d.was = row.version
			}
			op.dirty = append(op.dirty, d)
		}
		op.w.rowBuf = op.tc.Append(op.w.rowBuf[:0], &b[i].Row)
		op.e.change(op.w.rowBuf, b[i].N, op.s.join)
		op.b = op.e.append(op.b[:0])
		s.Val = op.arena.Replace(s.Val&^touched, op.b) | touched
	}
}

func (op *asyncOp[T, R, O]) changed() bool { return len(op.dirty) > 0 }

func (op *asyncOp[T, R, O]) flush() (more bool) {
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
func (op *asyncOp[T, R, O]) decide(d dirtyKey) {
	s, key := op.read(d.key), Key(d.key)
	s.Val &^= touched
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
	case row.version == d.was:
	case e.answers(row) && !e.is(statusProvisional):
		op.close(key) // back to the version that has been answered
	default:
		op.close(key)
		op.ask(key, row.row)
	}
	op.keep(key, s)
}

// withdraw takes back what the entry has put out.
func (op *asyncOp[T, R, O]) withdraw(key Key) {
	e := &op.e
	switch {
	case e.out == nil:
	case e.is(statusFailed):
		op.w.fail(op.n, key, "", errors.New(string(e.out)), -1)
	default:
		var row T
		if op.s.join {
			row = op.decodeRow(e.answeredRow())
		}
		op.put(key, row, op.decodeResult(e.out), -1)
	}
	e.out, e.of = nil, nil
	e.status &^= statusFailed | statusProvisional
}

// put puts out what is made of a result, or takes it back.
func (op *asyncOp[T, R, O]) put(key Key, row T, result R, n int) {
	var made O
	ok := false
	guard(1, func(int) { made, ok = op.s.out(row, result), true },
		func(_ int, err error) { op.w.fail(op.n, key, "", err, n) })
	if ok {
		op.out.add(key, made, n)
	}
}

// intake takes what calls have answered, and makes provisional results of what
// is overdue.
func (op *asyncOp[T, R, O]) intake() {
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

func (op *asyncOp[T, R, O]) answered(a *answer[T, R]) {
	s := op.read(a.key.cell())
	e := &op.e
	if s == nil || !e.is(statusOpen) || e.order != a.order {
		return // withdrawn meanwhile
	}
	e.status &^= statusOpen
	op.open--
	op.b = op.b[:0]
	if a.err == nil {
		op.b = op.rc.Append(op.b, &a.result)
	}
	switch {
	case a.err != nil:
		op.withdraw(a.key)
		op.w.fail(op.n, a.key, "", a.err, 1)
		e.status |= statusFailed
		e.out = []byte(a.err.Error())
	case e.out != nil && !e.is(statusFailed) && bytes.Equal(op.b, e.out) && (!op.s.join || e.answer == a.version):
		e.status &^= statusProvisional // the same result as before
	default:
		op.withdraw(a.key)
		op.put(a.key, a.row, a.result, 1)
		e.out = append([]byte{}, op.b...)
		if op.s.join && e.find(a.version) == nil {
			e.of = op.tc.Append([]byte{}, &a.row)
		}
	}
	e.answer = a.version // the row may have changed again, in the epoch being built
	op.keep(a.key, s)
}

// keep saves the entry.
func (op *asyncOp[T, R, O]) keep(key Key, s *hashtab.Slot[hashtab.Ref]) {
	op.b = op.e.append(op.b[:0])
	dirty := s.Val & touched
	s.Val = op.arena.Replace(s.Val&^touched, op.b) | dirty
	if op.w.log != nil && dirty == 0 { // else decide will write it
		k := key.Bytes()
		op.w.log.Put(op.table, key.shard(), k[:], op.b)
	}
}

func (op *asyncOp[T, R, O]) forget(key Key) {
	if op.w.log != nil {
		k := key.Bytes()
		op.w.log.Delete(op.table, key.shard(), k[:])
	}
}

func (op *asyncOp[T, R, O]) end(uint64) {
	op.topUp()
	op.arena.Compact(hashtab.MoveAll(&op.tab)) // rows have been answered and are kept no longer
	op.figures()
}

func (op *asyncOp[T, R, O]) figures() {
	c := &op.n.count[op.w.id]
	c.state(op.tab.Len(), op.tab.Bytes()+op.arena.Bytes())
	c.open.Store(int64(op.open))
}

func (op *asyncOp[T, R, O]) load() error {
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
				op.enqueue(k, row.row)
			}
		}
		return nil
	})
	op.figures()
	return err
}

func (op *asyncOp[T, R, O]) decodeRow(b []byte) (row T) {
	op.w.must(op.n, "read a row of the state", op.tc.DecodeCopy(b, &row, &op.txt))
	return row
}

func (op *asyncOp[T, R, O]) decodeResult(b []byte) (r R) {
	op.w.must(op.n, "read a result of the state", op.rc.DecodeCopy(b, &r, &op.txt))
	return r
}
