package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// To gives the changes of a table to a sink, once a commit has made them
// durable. With State, what the sink has not taken yet is kept in the graph's
// own commit and sent again after a crash. The name is that of the sink: in
// errors and figures, and for what a restart finds of it.
func To[T any](t *Table[T], name string, s Sink[T]) {
	addSink(t, "to", name, func(out *outlay[T]) sinkRun { return &applying[T]{outlay: out, sink: s} })
}

// Subscribe calls f with the changes of each epoch in which there are any, in
// the order of epochs, ordered as for Sink, after their commit; f must not keep
// the slice. With State, an epoch whose call had not returned when the process
// died is sent again. An error from f ends the run. The name, at most one, tells
// several subscribers of one table apart; it is needed only when state is kept.
func Subscribe[T any](t *Table[T], f func(epoch uint64, changes []Change[T]) error, name ...string) {
	addSink(t, "subscribe", strings.Join(name, " "), func(out *outlay[T]) sinkRun { return &applying[T]{outlay: out, sink: subscriber[T](f)} })
}

type subscriber[T any] func(uint64, []Change[T]) error

func (f subscriber[T]) Apply(_ context.Context, epoch uint64, changes []Change[T]) error {
	return f(epoch, changes)
}

func (subscriber[T]) Applied(context.Context) (uint64, error) { return CannotTell, nil }

func addSink[T any](t *Table[T], op, name string, make func(*outlay[T]) sinkRun) {
	n := t.n.g.add(op, typeOf[T](), t.n)
	n.keeps = "output that the sink has not taken yet"
	if name != "" || op != "subscribe" {
		(&Table[T]{n}).Named(name)
	}
	c := codecFor[T](n)
	if c != nil {
		n.fingerprint = op + " " + c.Fingerprint()
	}
	n.start = func(w *worker) {
		col := &collector[T]{c: c, once: t.n.once && !t.n.twice}
		col.route = newRouter(w, func(c *Change[T]) Key { return c.Key }, col.take)
		subscribe(w, n, t.n, col.route.put)
		w.outlets[n.id] = col
		w.ends = append(w.ends, func(uint64) { col.settle() })
	}
	n.sink = func(r *run) sinkRun {
		return make(&outlay[T]{r: r, n: n, c: c, table: n.tableName("outbox"), aside: n.tableName("held"), work: newSignal()})
	}
}

// applying is a sink that takes epochs after their commit. The commit that drops
// an epoch from the outbox says so under takenKey: a sink that has less at the
// next start has lost what nobody can send it again.
type applying[T any] struct {
	*outlay[T]
	sink  Sink[T]
	saved uint64 // what the log says under takenKey
}

const takenTable = "taken"

var takenKey = []byte("epoch")

// loadTaken reads what save has noted; 0 if nothing.
func loadTaken(l *changelog.Log, table string) (epoch uint64, err error) {
	err = loadTable(l, table, nil, func(_, value []byte) error {
		if len(value) != 8 {
			return errDamagedState
		}
		epoch = binary.BigEndian.Uint64(value)
		return nil
	})
	return epoch, err
}

func (a *applying[T]) recover(ctx context.Context) error {
	applied, err := a.sink.Applied(ctx)
	if err != nil {
		return fmt.Errorf("pipeline: sink %s: ask for the last epoch it has: %w", a.n, err)
	}
	if applied == CannotTell {
		return a.loadOutbox(0)
	}
	if a.r.log != nil {
		if err := a.checkApplied(applied); err != nil {
			return err
		}
	}
	a.floor, a.tells = applied, true
	return a.loadOutbox(applied)
}

// checkApplied compares what the sink has with what it has been given.
func (a *applying[T]) checkApplied(applied uint64) error {
	const remedy = "restore both from one backup, or empty the sink and the state together"
	if last := a.r.epoch; applied > last {
		return fmt.Errorf("pipeline: sink %s has epoch %d, but the state in %s ends at epoch %d: %w; "+remedy,
			a.n, applied, a.r.o.state, last, ErrOtherState)
	}
	var err error
	if a.saved, err = loadTaken(a.r.log, a.n.tableName(takenTable)); err != nil {
		return err
	}
	if applied < a.saved {
		return fmt.Errorf("pipeline: sink %s has nothing after epoch %d, but the state in %s has given it epoch %d: %w; "+remedy,
			a.n, applied, a.r.o.state, a.saved, ErrOtherState)
	}
	a.taken = applied
	return nil
}

// save also notes what the sink has, in the commit that forgets how to send it.
func (a *applying[T]) save(w *changelog.Writer) {
	a.outlay.save(w)
	if taken := a.tookUpTo(); a.tells && taken > a.saved {
		w.Put(a.n.tableName(takenTable), 0, takenKey, binary.BigEndian.AppendUint64(nil, taken))
		a.saved = taken
	}
}

func (a *applying[T]) stage(context.Context) error { return nil }

func (a *applying[T]) flush(context.Context) error { return nil }

func (a *applying[T]) start(ctx context.Context) {
	a.r.goroutines.Go(func() {
		for {
			b := a.head()
			if b == nil {
				if !a.work.wait(ctx) {
					return
				}
				continue
			}
			if err := a.apply(ctx, b); err != nil {
				if ctx.Err() == nil {
					a.r.fail(fmt.Errorf("pipeline: sink %s: epoch %d: %w", a.n, b.epoch, err))
				}
				return
			}
			a.took(b)
			a.r.wake()
		}
	})
}

func (a *applying[T]) apply(ctx context.Context, b *batch[T]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return a.sink.Apply(ctx, b.epoch, b.rows)
}
