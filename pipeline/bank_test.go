package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// transfer moves money from one account to another.
type transfer struct{ From, To, Amount int }

// TestBank is the consistency test of Jamie Brandon's "Internal consistency in
// streaming systems" (scattered-thoughts.net, 2021): balances are made of debits and
// credits, two ways through the plan that a join brings together again, and the total
// of them is 0 in every epoch that anybody sees, however transfers come, change and
// are taken back.
func TestBank(t *testing.T) {
	const accounts, steps = 20, 60
	for workers := 1; workers <= 4; workers++ {
		t.Run(fmt.Sprint(workers, " workers"), func(t *testing.T) {
			type account struct{ ID, Sum int }
			feed := pipelinetest.NewFeed[transfer]()
			g := New(Workers(workers))
			in := From(g, "transfers", feed)
			add := func(id func(transfer) int) *Table[account] {
				return FoldBy(in, id, func(a *account, x transfer, n int) {
					a.ID = id(x)
					a.Sum += n * x.Amount
				})
			}
			debits := add(func(x transfer) int { return x.From }).Named("debits")
			credits := add(func(x transfer) int { return x.To }).Named("credits")
			id := func(a account) int { return a.ID }
			balances := OuterJoin(credits, debits, id, id, func(c, d *account) account {
				switch {
				case c == nil:
					return account{d.ID, -d.Sum}
				case d == nil:
					return *c
				}
				return account{c.ID, c.Sum - d.Sum}
			})
			total := Aggregate(balances, Sum(func(a account) int64 { return int64(a.Sum) }, func(r *int64, sum int64) { *r = sum }))
			sink := &pipelinetest.Collect[account]{}
			To(balances, "balances", sink)
			var seen []string
			Subscribe(total, func(epoch uint64, changes []Change[int64]) error {
				for _, c := range changes {
					if c.Row != 0 {
						return fmt.Errorf("epoch %d: the total is %d (%+d)", epoch, c.Row, c.N)
					}
					seen = append(seen, fmt.Sprint(c.N))
				}
				return nil
			})
			done := make(chan error, 1)
			go func() { done <- g.Run(context.Background()) }()

			random := rand.New(rand.NewPCG(1, uint64(workers)))
			live := map[Key]transfer{}
			want := func() map[string]int {
				sums := map[int]int{}
				for _, x := range live {
					sums[x.From] -= x.Amount
					sums[x.To] += x.Amount
				}
				rows := map[string]int{}
				for id, sum := range sums {
					rows[fmt.Sprintf("%+v", account{id, sum})]++
				}
				return rows
			}
			for step := range steps {
				var changes []Change[transfer]
				for range 1 + random.IntN(40) {
					key := KeyOf(fmt.Sprint(random.IntN(300)))
					if old, ok := live[key]; ok {
						changes = append(changes, Change[transfer]{key, old, -1})
						delete(live, key)
					}
					if random.IntN(4) > 0 {
						x := transfer{random.IntN(accounts), random.IntN(accounts), 1 + random.IntN(100)}
						live[key] = x
						changes = append(changes, Change[transfer]{key, x, 1})
					}
				}
				wait := feed.Send(changes...)
				if step%3 > 0 { // several sent, perhaps in one epoch
					continue
				}
				<-wait
				if got, want := sink.Rows(), want(); fmt.Sprint(got) != fmt.Sprint(want) || sink.Err() != nil {
					t.Fatalf("step %d: %v\nwant %v %v", step, got, want, sink.Err())
				}
			}
			feed.End()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if len(seen) == 0 {
				t.Fatal("no total was seen")
			}
		})
	}
}
