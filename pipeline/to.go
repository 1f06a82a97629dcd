package pipeline

import (
	"context"
	"fmt"
	"strings"
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

func (subscriber[T]) Applied(context.Context) (uint64, error) { return 0, nil }

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
		col := &collector[T]{c: c, once: t.n.once}
		col.route = newRouter(w, func(c *Change[T]) Key { return c.Key }, col.take)
		subscribe(w, n, t.n, col.route.put)
		w.outlets[n.id] = col
		w.ends = append(w.ends, func(uint64) { col.settle() })
	}
	n.sink = func(r *run) sinkRun {
		return make(&outlay[T]{r: r, n: n, c: c, table: n.tableName("outbox"), work: newSignal()})
	}
}

// applying is a sink that takes epochs after their commit.
type applying[T any] struct {
	*outlay[T]
	sink Sink[T]
}

func (a *applying[T]) recover(ctx context.Context) error {
	applied, err := a.sink.Applied(ctx)
	if err != nil {
		return fmt.Errorf("pipeline: sink %s: ask for the last epoch it has: %w", a.n, err)
	}
	if last := a.r.epoch; a.r.log != nil && applied > last {
		return fmt.Errorf("pipeline: sink %s has epoch %d, but the state in %s ends at epoch %d: %w; restore that, or empty the sink and the state together",
			a.n, applied, a.r.o.state, last, ErrOtherState)
	}
	a.floor = applied
	return a.loadOutbox(applied)
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
