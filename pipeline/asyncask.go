package pipeline

import (
	"container/heap"
	"slices"
	"time"
)

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

// dueEntry is when a provisional result will be wanted.
type dueEntry struct {
	at    time.Time
	key   Key
	order uint64
}

// ask opens a request for the entry's row.
func (op *asyncOp[T, R, O]) ask(key Key, row []byte) {
	op.e.status |= statusOpen
	op.e.order = op.w.r.epoch + 1
	op.open++
	op.enqueue(key, row)
}

func (op *asyncOp[T, R, O]) enqueue(key Key, row []byte) {
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
func (op *asyncOp[T, R, O]) close(key Key) {
	if op.e.is(statusOpen) {
		op.e.status &^= statusOpen
		op.open--
		op.s.pool.cancel(key)
	}
}

// topUp hands requests to the pool while that has room for them.
func (op *asyncOp[T, R, O]) topUp() {
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
		t := op.decodeRow(row.row)
		heap.Pop(&op.wait)
		op.s.pool.put(&call[T]{request: q, version: row.version, row: t, size: op.tc.Size(&t)})
	}
}

// provide puts out provisional results for requests that have waited too long.
func (op *asyncOp[T, R, O]) provide(now time.Time) {
	for len(op.prov) > 0 && !op.prov[0].at.After(now) {
		d := op.prov[0]
		op.prov = op.prov[1:]
		s := op.read(d.key.cell())
		e := &op.e
		if s == nil || !e.is(statusOpen) || e.order != d.order {
			continue
		}
		row, _ := e.row()
		if row == nil || e.is(statusProvisional) && e.answers(row) {
			continue
		}
		var r R
		ok := false
		t := op.decodeRow(row.row)
		guard(1, func(int) { r, ok = op.o.Provisional(t) },
			func(_ int, err error) {
				op.w.r.o.log.Error("provisional function failed", "stage", op.n.name, "err", err)
			})
		if !ok {
			continue
		}
		op.withdraw(d.key)
		op.put(d.key, t, r, 1)
		e.out = op.rc.Append([]byte{}, &r)
		e.answer = row.version
		e.status |= statusProvisional
		op.keep(d.key, s)
	}
	if len(op.prov) == 0 {
		op.prov = nil
	}
}

// due returns when the next provisional result may be wanted.
func (op *asyncOp[T, R, O]) due() time.Time {
	if len(op.prov) == 0 {
		return time.Time{}
	}
	return op.prov[0].at
}
