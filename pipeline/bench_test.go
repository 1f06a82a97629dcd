package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/ragserver/ragserver/pipeline"
)

// Benchmarks report rows per second of processor time of the whole process,
// garbage collector included, which other work on the machine disturbs less
// than the time on the clock.

// given is a source of rows that are ready in memory, committed in epochs.
type given[T any] struct {
	rows  []Change[T]
	epoch int
}

func (s given[T]) Run(ctx context.Context, in Input[T]) error {
	for i, c := range s.rows {
		in.Add(c.Key, c.Row, c.N)
		if (i+1)%s.epoch == 0 || i == len(s.rows)-1 {
			if err := in.Commit(ctx, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// words draws words. Their letters lie side by side in the order in which they
// come, as in a file that has been read.
func words(n, different int) []Change[string] {
	r := rand.New(rand.NewPCG(1, 2))
	dict := make([]string, different)
	for i := range dict {
		dict[i] = fmt.Sprintf("w%06x", r.Uint32()&0xffffff)
	}
	var text strings.Builder
	rows := make([]Change[string], n)
	for i := range rows {
		rows[i] = Change[string]{Key{r.Uint64(), r.Uint64()}, dict[r.IntN(different)], 1}
		text.WriteString(rows[i].Row)
	}
	all := text.String()
	for i := range rows {
		k := len(rows[i].Row)
		rows[i].Row, all = all[:k], all[k:]
	}
	return rows
}

type count struct {
	Word string
	N    int
}

// measure runs the graph that build makes and reports rows per CPU second.
func measure(b *testing.B, rows int, build func(g *Graph), opts ...func() Option) {
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		all := []Option{Workers(1)}
		for _, o := range opts {
			all = append(all, o())
		}
		g := New(all...)
		build(g)
		if err := g.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	if used := cpuTime() - start; used > 0 {
		b.ReportMetric(float64(rows)*float64(b.N)/used.Seconds()/1e6, "Mrows/cpu-s")
	}
}

func BenchmarkWordCount(b *testing.B) {
	const n = 2_000_000
	for _, different := range []int{5_000, 1_000_000} {
		in := words(n, different)
		for _, epoch := range []int{10_000, 100_000} {
			for _, mode := range []string{"static", "streaming", "state"} {
				b.Run(fmt.Sprintf("words=%d/epoch=%d/%s", different, epoch, mode), func(b *testing.B) {
					opt := func() Option { return EpochEvery(1) }
					switch mode {
					case "static":
						opt = Static
					case "state":
						opt = func() Option { return State(b.TempDir()) }
					}
					measure(b, n, func(g *Graph) {
						counts := FoldBy(From(g, "words", given[string]{in, epoch}), func(w string) string { return w }, func(c *count, w string, n int) {
							c.Word = w
							c.N += n
						})
						Subscribe(counts, func(uint64, []Change[count]) error { return nil })
					}, opt)
				})
			}
		}
	}
}

type order struct{ ID, Customer, Amount int64 }
type customer struct{ ID, City int64 }

func BenchmarkJoin(b *testing.B) {
	const orders, customers = 1_000_000, 100_000
	r := rand.New(rand.NewPCG(3, 4))
	l := make([]Change[order], orders)
	for i := range l {
		l[i] = Change[order]{Key{r.Uint64(), r.Uint64()}, order{int64(i), r.Int64N(customers), 1}, 1}
	}
	m := make([]Change[customer], customers)
	for i := range m {
		m[i] = Change[customer]{Key{r.Uint64(), r.Uint64()}, customer{int64(i), r.Int64N(50)}, 1}
	}
	for name, mode := range map[string]func() Option{"static": Static, "streaming": func() Option { return EpochEvery(1) }} {
		b.Run(name, func(b *testing.B) {
			measure(b, orders+customers, func(g *Graph) {
				j := Join(From(g, "orders", given[order]{l, 100_000}), From(g, "customers", given[customer]{m, 100_000}),
					func(o order) int64 { return o.Customer }, func(c customer) int64 { return c.ID },
					func(o order, c customer) [2]int64 { return [2]int64{c.City, o.Amount} })
				sums := FoldBy(j, func(x [2]int64) int64 { return x[0] }, func(s *[2]int64, x [2]int64, n int) { s[0] = x[0]; s[1] += int64(n) * x[1] })
				Subscribe(sums, func(uint64, []Change[[2]int64]) error { return nil })
			}, mode)
		})
	}
}

// BenchmarkPassing is what it costs a row to come in and go through a chain of
// operators without state.
func BenchmarkPassing(b *testing.B) {
	in := words(2_000_000, 5000)
	measure(b, len(in), func(g *Graph) {
		t := From(g, "words", given[string]{in, 10_000})
		t = Filter(t, func(w string) bool { return w != "" })
		n := Map(t, func(w string) int { return len(w) })
		n = Filter(n, func(n int) bool { return n < 0 })
		Subscribe(n, func(uint64, []Change[int]) error { return nil })
	}, Static)
}

// BenchmarkTinyEpochs is the time of an epoch of one row, on one and two
// workers, without and with state.
func BenchmarkTinyEpochs(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprint("workers=", workers), func(b *testing.B) {
			g := New(Workers(workers), EpochEvery(1))
			next := make(chan Change[string])
			seen := make(chan uint64)
			counts := FoldBy(From(g, "words", oneByOne{next, seen}), func(w string) string { return w }, func(c *count, w string, n int) { c.N += n })
			Subscribe(counts, func(uint64, []Change[count]) error { return nil })
			done := make(chan error, 1)
			go func() { done <- g.Run(b.Context()) }()
			for b.Loop() {
				next <- Change[string]{KeyOf("a"), "a", 1}
				<-seen
			}
			close(next)
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

type oneByOne struct {
	next chan Change[string]
	seen chan uint64
}

func (s oneByOne) Run(ctx context.Context, in Input[string]) error {
	for c := range s.next {
		in.Add(c.Key, c.Row, c.N)
		if err := in.Commit(ctx, func(e uint64) { s.seen <- e }); err != nil {
			return err
		}
	}
	return nil
}
