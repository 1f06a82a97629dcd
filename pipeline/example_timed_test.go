package pipeline_test

import (
	"fmt"
	"time"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

type price struct {
	Symbol string
	At     string
	Cents  int
}

func symbol(p price) string { return p.Symbol }

func clock(p price) time.Time {
	t, _ := time.Parse("15:04:05", p.At)
	return t
}

func prices(g *pipeline.Graph, table string, ps ...price) pipeline.Timed[price, string] {
	feed := pipelinetest.NewFeed[price]()
	for i, p := range ps {
		feed.Send(pipeline.Change[price]{Key: pipeline.KeyOf(table, fmt.Sprint(i)), Row: p, N: 1})
	}
	feed.End()
	return pipeline.Timed[price, string]{Table: pipeline.From(g, table, feed), Key: symbol, At: clock}
}

// Each trade with the quote that held when it was made.
func ExampleAsOfJoin() {
	g := pipeline.New(pipeline.Static())
	trades := prices(g, "trades", price{"ACME", "09:00:05", 101}, price{"ACME", "09:00:12", 99})
	quotes := prices(g, "quotes", price{"ACME", "09:00:00", 100}, price{"ACME", "09:00:10", 98})
	printed(g, pipeline.AsOfJoin(trades, quotes, pipeline.Backward, func(t, q price) string {
		return fmt.Sprintf("%s: %d, quoted %d", t.At, t.Cents, q.Cents)
	}))
	// Unordered output:
	// 09:00:05: 101, quoted 100
	// 09:00:12: 99, quoted 98
}

// Orders that were paid within ten seconds, and those that were not.
func ExampleLeftIntervalJoin() {
	g := pipeline.New(pipeline.Static())
	orders := prices(g, "orders", price{"a", "09:00:00", 10}, price{"b", "09:00:00", 20})
	payments := prices(g, "payments", price{"a", "09:00:08", 10}, price{"b", "09:00:30", 20})
	within := pipeline.Interval{Lower: 0, Upper: 10 * time.Second}
	printed(g, pipeline.LeftIntervalJoin(orders, payments, within, func(o price, p *price) string {
		if p == nil {
			return o.Symbol + " is not paid in time"
		}
		return o.Symbol + " is paid at " + p.At
	}))
	// Unordered output:
	// a is paid at 09:00:08
	// b is not paid in time
}

// Visits of a page: what follows within five seconds belongs to one.
func ExampleSessions() {
	g := pipeline.New(pipeline.Static())
	clicks := prices(g, "clicks", price{"a", "09:00:00", 1}, price{"a", "09:00:20", 1}, price{"a", "09:00:04", 1})
	type visit struct {
		Who  string
		When pipeline.Window
	}
	type count struct {
		Of     visit
		Clicks int
	}
	visits := pipeline.FoldBy(pipeline.Sessions(clicks, 5*time.Second),
		func(c pipeline.InWindow[price]) visit { return visit{c.Row.Symbol, c.Window} },
		func(n *count, c pipeline.InWindow[price], by int) {
			n.Of = visit{c.Row.Symbol, c.Window}
			n.Clicks += by
		})
	printed(g, pipeline.Map(visits, func(c count) string {
		return fmt.Sprintf("%d from %s to %s", c.Clicks, c.Of.When.Start.Format(time.TimeOnly), c.Of.When.End.Format(time.TimeOnly))
	}))
	// Unordered output:
	// 2 from 09:00:00 to 09:00:09
	// 1 from 09:00:20 to 09:00:25
}
