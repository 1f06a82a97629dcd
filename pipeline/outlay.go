package pipeline

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// sinkRun is a running sink as the coordinator sees it, which calls all of it.
type sinkRun interface {
	// recover prepares the sink after a restart.
	recover(ctx context.Context) error
	// lowest returns the epoch that the sink had when the run began.
	lowest() uint64
	// gather takes what the workers have collected for the epoch. In static
	// mode it is held back until last.
	gather(epoch uint64, last bool)
	// stage and flush are for sinks that write ahead of the commit.
	stage(ctx context.Context) error
	flush(ctx context.Context) error
	// save writes to the log what must be known after a crash.
	save(w *changelog.Writer)
	// release lets the sink have what is committed: all up to epoch.
	release(epoch uint64)
	start(ctx context.Context)
	// done returns the epoch up to which the sink has everything that was
	// released, and the rows and epochs that wait.
	done() (epoch uint64, rows, batches int)
	close() error
}

// collector is a sink's end of the plan in one worker.
type collector[T any] struct {
	c       *codec.Codec[T]
	route   *router[Change[T]]
	once    bool // the table's operator has consolidated already
	rows    []Change[T]
	compact int // rows at which to consolidate before the epoch ends
}

// take collects changes. Where much of a long epoch cancels out, memory follows
// what remains.
func (c *collector[T]) take(b []Change[T]) {
	c.rows = append(c.rows, b...)
	if !c.once && len(c.rows) > max(c.compact, 4*sliceRows) {
		c.rows = consolidate(c.rows, c.c)
		c.compact = 2 * len(c.rows)
	}
}

// settle consolidates what the epoch has brought.
func (c *collector[T]) settle() {
	if c.once {
		retractionsFirst(c.rows)
	} else {
		c.rows = consolidate(c.rows, c.c)
	}
}

// batch is what one epoch has for a sink.
type batch[T any] struct {
	epoch uint64
	rows  []Change[T]
	saved int // records of the outbox that hold it
}

// outlay is what is on its way to a sink. mu guards it against the sink's own
// goroutine.
type outlay[T any] struct {
	r     *run
	n     *node
	c     *codec.Codec[T]
	table string // of the outbox: epochs that the sink may have been given
	aside string // the same for those that static mode has held back from it
	floor uint64 // epoch that the sink had at the start
	tells bool   // the sink knows what it has
	work  *signal

	held    []Change[T] // static mode: everything so far
	compact int         // static mode: rows of held at which to consolidate
	records []outboxKey // static mode: of held
	fresh   []Change[T] // static mode: what of held is not in the outbox yet
	epoch   uint64      // of fresh
	b       []byte

	mu       sync.Mutex
	batches  []*batch[T] // gathered, not taken by the sink
	released uint64
	taken    uint64      // the last epoch that the sink took
	drops    []outboxRef // taken by the sink, still in the log
}

type outboxKey struct {
	epoch uint64
	part  uint32
}

// outboxRef is a record that can go.
type outboxRef struct {
	table string
	key   outboxKey
}

const outboxRecord = 256 << 10 // bytes of a record of the outbox, about

func (k outboxKey) bytes() []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, k.epoch), k.part)
}

func (o *outlay[T]) lowest() uint64 { return o.floor }
func (o *outlay[T]) close() error   { return nil }

func (o *outlay[T]) gather(epoch uint64, last bool) {
	var rows []Change[T]
	var retracted int
	for _, w := range o.r.workers {
		c := w.outlets[o.n.id].(*collector[T])
		if len(o.r.workers) == 1 {
			rows, c.rows = c.rows, nil
			break
		}
		// All retractions of all workers before all insertions.
		k, _ := slices.BinarySearchFunc(c.rows, 0, func(r Change[T], _ int) int {
			if r.N < 0 {
				return -1
			}
			return 1
		})
		rows = slices.Insert(rows, retracted, c.rows[:k]...)
		rows = append(rows, c.rows[k:]...)
		retracted += k
		c.rows = reuse(c.rows)
	}
	if o.r.o.static {
		o.hold(epoch, rows)
		if !last {
			return
		}
		rows, o.held = consolidate(o.held, o.c), nil
	}
	b := &batch[T]{epoch: epoch, rows: rows}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.r.o.static {
		// What was held can go when this batch is taken; if it is empty, nobody
		// will take it. A sink that cannot tell must get the same epoch once more
		// after a crash, so for that it is the batch that is kept.
		if o.tells && len(rows) > 0 {
			b.saved = -1
		} else {
			o.dropHeld()
		}
	}
	if len(rows) > 0 {
		o.batches = append(o.batches, b)
	}
}

// hold adds an epoch to what static mode holds back.
func (o *outlay[T]) hold(epoch uint64, rows []Change[T]) {
	if o.r.log != nil {
		o.fresh, o.epoch = append(o.fresh, rows...), epoch
	}
	o.held = append(o.held, rows...)
	if len(o.held) > max(o.compact, 4*sliceRows) {
		o.held = consolidate(o.held, o.c)
		o.compact = 2 * len(o.held)
	}
}

func (o *outlay[T]) save(w *changelog.Writer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.drops {
		w.Delete(r.table, 0, r.key.bytes())
	}
	o.drops = nil
	if len(o.fresh) > 0 {
		n := o.put(w, o.aside, o.epoch, o.fresh)
		for i := range n {
			o.records = append(o.records, outboxKey{o.epoch, uint32(i)})
		}
		o.fresh = nil
	}
	for _, b := range o.batches {
		if b.saved == 0 {
			b.saved = o.put(w, o.table, b.epoch, b.rows)
		}
	}
}

// put writes rows to a table, in records of bounded size.
func (o *outlay[T]) put(w *changelog.Writer, table string, epoch uint64, rows []Change[T]) (records int) {
	o.b = o.b[:0]
	for i := range rows {
		k := rows[i].Key.Bytes()
		o.b = append(o.b, k[:]...)
		o.b = binary.AppendVarint(o.b, int64(rows[i].N))
		at := len(o.b)
		o.b = o.c.Append(append(o.b, 0, 0, 0, 0), &rows[i].Row)
		binary.LittleEndian.PutUint32(o.b[at:], uint32(len(o.b)-at-4))
		if len(o.b) >= outboxRecord || i == len(rows)-1 {
			w.Put(table, 0, outboxKey{epoch, uint32(records)}.bytes(), o.b)
			records++
			o.b = o.b[:0]
		}
	}
	return records
}

// loadOutbox takes up what the sink had not taken when the last run ended. What
// it may have been given goes out again as the epochs it was, so that it can
// recognise them; what static mode had held back, static mode goes on holding.
func (o *outlay[T]) loadOutbox(applied uint64) error {
	if o.r.log == nil {
		return nil
	}
	given, parts, err := o.loadParts(o.table, applied)
	if err != nil {
		return err
	}
	held, heldParts, err := o.loadParts(o.aside, applied)
	if err != nil {
		return err
	}
	for i, k := range given {
		o.sendAgain(k, parts[i])
	}
	for i, k := range held {
		if o.r.o.static {
			o.held = append(o.held, heldParts[i]...)
			o.records = append(o.records, k)
			continue
		}
		// A streaming run has no last epoch to hold it for. It saves it again as
		// its own, for the sink is about to be given it.
		o.drops = append(o.drops, outboxRef{o.aside, k})
		o.sendAgain(k, heldParts[i]).saved = 0
	}
	return nil
}

// loadParts reads the records of a table in order, without those that the sink
// has.
func (o *outlay[T]) loadParts(table string, applied uint64) (keys []outboxKey, parts [][]Change[T], err error) {
	err = loadTable(o.r.log, table, nil, func(key, value []byte) error {
		if len(key) != 12 {
			return errDamagedState
		}
		k := outboxKey{binary.BigEndian.Uint64(key), binary.BigEndian.Uint32(key[8:])}
		if k.epoch <= applied {
			o.drops = append(o.drops, outboxRef{table, k})
			return nil
		}
		rows, err := o.decode(value)
		keys, parts = append(keys, k), append(parts, rows)
		return err
	})
	return keys, parts, err
}

// sendAgain adds a part of an epoch to the batches. Parts come in order.
func (o *outlay[T]) sendAgain(k outboxKey, rows []Change[T]) *batch[T] {
	if n := len(o.batches); n == 0 || o.batches[n-1].epoch != k.epoch {
		o.batches = append(o.batches, &batch[T]{epoch: k.epoch})
	}
	b := o.batches[len(o.batches)-1]
	b.rows = append(b.rows, rows...)
	b.saved = int(k.part) + 1
	return b
}

func (o *outlay[T]) decode(value []byte) (rows []Change[T], err error) {
	b := slices.Clone(value) // rows alias it
	for len(b) > 0 {
		if len(b) < 16 {
			return nil, errDamagedState
		}
		c := Change[T]{Key: KeyFromBytes([16]byte(b))}
		n, w := binary.Varint(b[16:])
		if w <= 0 || len(b) < 20+w {
			return nil, errDamagedState
		}
		c.N, b = int(n), b[16+w:]
		size := int(binary.LittleEndian.Uint32(b))
		if b = b[4:]; size > len(b) {
			return nil, errDamagedState
		}
		if _, err := o.c.Decode(b[:size:size], &c.Row); err != nil {
			return nil, err
		}
		rows, b = append(rows, c), b[size:]
	}
	return rows, nil
}

func (o *outlay[T]) release(epoch uint64) {
	o.mu.Lock()
	o.released = epoch
	o.mu.Unlock()
	o.work.set()
}

// next returns the oldest batch; head only if it has been released.
func (o *outlay[T]) next() *batch[T] {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.batches) > 0 {
		return o.batches[0]
	}
	return nil
}

func (o *outlay[T]) head() *batch[T] {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.batches) > 0 && o.batches[0].epoch <= o.released {
		return o.batches[0]
	}
	return nil
}

// took notes that the sink has b.
func (o *outlay[T]) took(b *batch[T]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.batches, o.taken = o.batches[1:], b.epoch
	for i := range b.saved {
		o.drops = append(o.drops, outboxRef{o.table, outboxKey{b.epoch, uint32(i)}})
	}
	if b.saved < 0 {
		o.dropHeld()
	}
}

func (o *outlay[T]) tookUpTo() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken
}

// dropHeld takes what static mode has held back out of the outbox, and what was
// on its way there. REQUIRES: o.mu.
func (o *outlay[T]) dropHeld() {
	for _, k := range o.records {
		o.drops = append(o.drops, outboxRef{o.aside, k})
	}
	o.records, o.fresh = nil, nil
}

func (o *outlay[T]) done() (epoch uint64, rows, batches int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	epoch = o.released
	for _, b := range o.batches {
		rows += len(b.rows)
		batches++
	}
	if batches > 0 {
		epoch = min(epoch, o.batches[0].epoch-1)
	}
	return epoch, rows, batches
}
