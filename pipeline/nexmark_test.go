package pipeline_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// event is one of Nexmark's (Tucker et al., "NEXMark: a benchmark for queries over
// data streams", 2008): a person, an auction or a bid, with few ids and instants, so
// that they meet.
type event struct {
	Kind            string
	ID, At          int // ID is of the person or auction, or the bidder's
	State           string
	Seller, Expires int // of an auction
	Category        int
	Auction, Price  int // of a bid
}

func events() *rapid.Generator[event] {
	return rapid.Custom(func(t *rapid.T) event {
		e := event{Kind: rapid.SampledFrom([]string{"person", "auction", "bid", "bid"}).Draw(t, "kind"),
			ID: rapid.IntRange(0, 5).Draw(t, "id"), At: rapid.IntRange(0, 20).Draw(t, "at")}
		switch e.Kind {
		case "person":
			e.State = rapid.SampledFrom([]string{"OR", "ID", "CA", "NY"}).Draw(t, "state")
		case "auction":
			e.Seller, e.Category = rapid.IntRange(0, 5).Draw(t, "seller"), rapid.IntRange(9, 11).Draw(t, "category")
			e.Expires = e.At + rapid.IntRange(1, 8).Draw(t, "expires")
		default:
			e.Auction, e.Price = rapid.IntRange(0, 5).Draw(t, "auction"), rapid.IntRange(1, 50).Draw(t, "price")
		}
		return e
	})
}

func (e event) time() time.Time { return time.Unix(int64(e.At), 0) }

func kind(in *Table[event], of string) *Table[event] {
	return Filter(in, func(e event) bool { return e.Kind == of }).Named(of)
}

func of(rows []event, kind string) (out []event) {
	for _, e := range rows {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// sale is an auction with its winning price: the highest of its bids while it ran.
// Auctions are told apart by id, time and what they are, for ids are few here.
type sale struct {
	Auction event
	Price   int
}

func sales(in *Table[event]) *Table[sale] {
	bids := Join(kind(in, "auction"), kind(in, "bid"), func(a event) int { return a.ID }, func(b event) int { return b.Auction },
		func(a, b event) sale { return sale{a, b.Price*1000 + b.At} }).Named("bids of auctions")
	running := Filter(bids, func(s sale) bool {
		at := s.Price % 1000
		return s.Auction.At <= at && at < s.Auction.Expires
	}).Named("running")
	return GroupBy(running, func(s sale) event { return s.Auction }, func(s *sale, a event) { s.Auction = a },
		Max(func(s sale) int { return s.Price / 1000 }, func(s *sale, price int) { s.Price = price })).Named("sales")
}

func naiveSales(rows []event) (out []sale) {
	seen := map[event]bool{}
	for _, a := range of(rows, "auction") {
		best := 0
		for _, b := range of(rows, "bid") {
			if b.Auction == a.ID && a.At <= b.At && b.At < a.Expires {
				best = max(best, b.Price)
			}
		}
		if best > 0 && !seen[a] {
			seen[a] = true
			out = append(out, sale{a, best})
		}
	}
	return out
}

type nexmark struct {
	plan func(in *Table[event]) *Table[string]
	want func(rows []event) []string
}

func text[T any](t *Table[T]) *Table[string] {
	return Map(t, func(row T) string { return fmt.Sprint(row) }).Named("text")
}

var hot = Sliding(6*time.Second, 3*time.Second).At(time.Unix(0, 0))
var minutes = Tumbling(5 * time.Second).At(time.Unix(0, 0))

type bidCount struct {
	Start int64
	ID, N int
}

var queries = map[string]nexmark{
	"q0 bids": {
		func(in *Table[event]) *Table[string] { return text(kind(in, "bid")) },
		func(rows []event) (out []string) {
			for _, b := range of(rows, "bid") {
				out = append(out, fmt.Sprint(b))
			}
			return out
		},
	},
	"q1 in euros": {
		func(in *Table[event]) *Table[string] {
			return Map(kind(in, "bid"), func(b event) string { return fmt.Sprint(b.Auction, b.ID, b.At, b.Price*908/1000) })
		},
		func(rows []event) (out []string) {
			for _, b := range of(rows, "bid") {
				out = append(out, fmt.Sprint(b.Auction, b.ID, b.At, b.Price*908/1000))
			}
			return out
		},
	},
	"q2 some auctions": {
		func(in *Table[event]) *Table[string] {
			return text(Filter(kind(in, "bid"), func(b event) bool { return b.Auction%3 == 0 }))
		},
		func(rows []event) (out []string) {
			for _, b := range of(rows, "bid") {
				if b.Auction%3 == 0 {
					out = append(out, fmt.Sprint(b))
				}
			}
			return out
		},
	},
	"q3 local sellers": {
		func(in *Table[event]) *Table[string] {
			local := Filter(kind(in, "person"), func(p event) bool { return p.State != "NY" })
			tens := Filter(kind(in, "auction"), func(a event) bool { return a.Category == 10 })
			return Join(tens, local, func(a event) int { return a.Seller }, func(p event) int { return p.ID },
				func(a, p event) string { return fmt.Sprint(p.ID, p.State, a.ID) })
		},
		func(rows []event) (out []string) {
			for _, a := range of(rows, "auction") {
				for _, p := range of(rows, "person") {
					if a.Category == 10 && p.State != "NY" && a.Seller == p.ID {
						out = append(out, fmt.Sprint(p.ID, p.State, a.ID))
					}
				}
			}
			return out
		},
	},
	"q4 price of a category": {
		func(in *Table[event]) *Table[string] {
			type average struct {
				Category int
				Price    float64
			}
			return text(GroupBy(sales(in), func(s sale) int { return s.Auction.Category }, func(a *average, c int) { a.Category = c },
				Avg(func(s sale) float64 { return float64(s.Price) }, func(a *average, price float64) { a.Price = price })))
		},
		func(rows []event) (out []string) {
			sum, n := map[int]int{}, map[int]int{}
			for _, s := range naiveSales(rows) {
				sum[s.Auction.Category] += s.Price
				n[s.Auction.Category]++
			}
			for c := range n {
				out = append(out, fmt.Sprint(struct {
					C int
					P float64
				}{c, float64(sum[c]) / float64(n[c])}))
			}
			return out
		},
	},
	"q5 hot items": {
		func(in *Table[event]) *Table[string] {
			bids := Timed[event, int]{kind(in, "bid"), func(b event) int { return b.Auction }, event.time}
			counts := WindowBy(bids, hot, Behavior{}, func(c *bidCount, w Window, auction int) { c.Start, c.ID = w.Start.Unix(), auction },
				Count[event](func(c *bidCount, n int64) { c.N = int(n) }))
			most := GroupBy(counts, func(c bidCount) int64 { return c.Start }, func(c *bidCount, start int64) { c.Start = start },
				Max(func(c bidCount) int { return c.N }, func(c *bidCount, n int) { c.N = n }))
			return text(SemiJoin(counts, most, func(c bidCount) bidCount { return bidCount{c.Start, 0, c.N} }, func(c bidCount) bidCount { return c }))
		},
		func(rows []event) (out []string) {
			counts, most := map[bidCount]int{}, map[int64]int{}
			for _, b := range of(rows, "bid") {
				for _, w := range hot.Of(b.time()) {
					c := bidCount{w.Start.Unix(), b.Auction, 0}
					counts[c]++
					most[c.Start] = max(most[c.Start], counts[c])
				}
			}
			for c, n := range counts {
				if n == most[c.Start] {
					c.N = n
					out = append(out, fmt.Sprint(c))
				}
			}
			return out
		},
	},
	"q6 price of a seller": {
		func(in *Table[event]) *Table[string] {
			type last struct {
				Seller int
				Prices []int
			}
			lists := GroupBy(sales(in), func(s sale) int { return s.Auction.Seller }, func(l *last, seller int) { l.Seller = seller },
				SortedList(func(s sale) int { return s.Auction.Expires*1000 + s.Price }, func(l *last, prices []int) { l.Prices = prices }))
			return Map(lists, func(l last) string { return fmt.Sprint(l.Seller, meanOfLast(l.Prices)) })
		},
		func(rows []event) (out []string) {
			prices := map[int][]int{}
			for _, s := range naiveSales(rows) {
				prices[s.Auction.Seller] = append(prices[s.Auction.Seller], s.Auction.Expires*1000+s.Price)
			}
			for seller, p := range prices {
				slices.Sort(p)
				out = append(out, fmt.Sprint(seller, meanOfLast(p)))
			}
			return out
		},
	},
	"q7 highest bids": {
		func(in *Table[event]) *Table[string] {
			windows := IntoWindows(kind(in, "bid"), minutes, event.time)
			highest := GroupBy(windows, func(b InWindow[event]) Window { return b.Window }, func(c *bidCount, w Window) { c.Start = w.Start.Unix() },
				Max(func(b InWindow[event]) int { return b.Row.Price }, func(c *bidCount, price int) { c.N = price }))
			return Join(windows, highest, func(b InWindow[event]) bidCount { return bidCount{b.Window.Start.Unix(), 0, b.Row.Price} },
				func(c bidCount) bidCount { return c }, func(b InWindow[event], c bidCount) string { return fmt.Sprint(c.Start, b.Row) })
		},
		func(rows []event) (out []string) {
			bids := of(rows, "bid")
			for _, b := range bids {
				if !slices.ContainsFunc(bids, func(x event) bool { return priceIn(x, b) > b.Price }) {
					out = append(out, fmt.Sprint(b.At/5*5, b))
				}
			}
			return out
		},
	},
	"q8 new sellers": {
		func(in *Table[event]) *Table[string] {
			people := Timed[event, int]{kind(in, "person"), func(p event) int { return p.ID }, event.time}
			auctions := Timed[event, int]{kind(in, "auction"), func(a event) int { return a.Seller }, event.time}
			return WindowJoin(people, auctions, minutes, func(w Window, p, a event) string { return fmt.Sprint(w.Start.Unix(), p, a) })
		},
		func(rows []event) (out []string) {
			for _, p := range of(rows, "person") {
				for _, a := range of(rows, "auction") {
					if p.ID == a.Seller && p.At/5 == a.At/5 {
						out = append(out, fmt.Sprint(p.At/5*5, p, a))
					}
				}
			}
			return out
		},
	},
}

// priceIn is the price of a bid, if it is in the same window as b.
func priceIn(x, b event) int {
	if x.At/5 != b.At/5 {
		return 0
	}
	return x.Price
}

// meanOfLast is the mean price of the three auctions that closed last.
func meanOfLast(closed []int) float64 {
	closed = closed[max(0, len(closed)-3):]
	sum := 0
	for _, p := range closed {
		sum += p % 1000
	}
	return float64(sum) / float64(len(closed))
}

// TestNexmark runs queries 0 to 8 with the public operators and compares them, after
// every epoch, with what plain loops make of the events.
func TestNexmark(t *testing.T) {
	for name, q := range queries {
		t.Run(name, func(t *testing.T) {
			pipelinetest.Incremental(t, pipelinetest.Case[event, string]{
				Row: events(), Want: q.want,
				Plan: func(_ *Graph, in *Table[event]) *Table[string] { return q.plan(in) },
			})
		})
	}
}
