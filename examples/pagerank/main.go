// Command pagerank ranks the nodes of a graph: every CSV file of edges in a folder,
// and the rank of each node after five steps as a change stream.
package main

import (
	"fmt"
	"slices"

	"github.com/ragserver/ragserver/examples/program"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/csvio"
)

// Edge is a row of the input.
type Edge struct {
	U int64 `csv:"u"`
	V int64 `csv:"v"`
}

// Rank is a row of the output, in thousandths.
type Rank struct {
	Node int64 `csv:"node" json:"node"`
	Rank int64 `csv:"rank" json:"rank"`
}

// links are where a node leads to, in order.
type links struct {
	Node int64
	To   []int64
}

// ranked is a node's links and its rank.
type ranked struct {
	links
	Rank int64
}

// flow is what a node gets of another.
type flow struct{ To, Flow int64 }

const (
	steps = 5
	start = 6000 // rank of every node before the first step
	base  = 1000 // and what it has without any flow
)

func plan(g *pipeline.Graph, f program.Files) error {
	edges := csvio.Read[Edge](g, f.Input, csvio.Exclude(f.Output, f.State), csvio.KeepIf(f.State != ""))
	out := pipeline.FoldBy(edges, func(e Edge) int64 { return e.U }, func(l *links, e Edge, n int) {
		l.Node = e.U
		at, _ := slices.BinarySearch(l.To, e.V)
		for ; n > 0; n-- {
			l.To = slices.Insert(l.To, at, e.V)
		}
		for ; n < 0; n++ {
			l.To = slices.Delete(l.To, at, at+1)
		}
	}).Named("links")
	flows := pipeline.FlatMap(out, func(l links) []flow { return l.flows(start) }).Named("flows 0")
	for step := range steps - 1 {
		outflow := pipeline.Join(out, ranks(flows), func(l links) int64 { return l.Node }, func(r Rank) int64 { return r.Node },
			func(l links, r Rank) ranked { return ranked{l, r.Rank} }).Named(fmt.Sprint("outflow ", step+1))
		flows = pipeline.FlatMap(outflow, func(r ranked) []flow { return r.flows(r.Rank) }).Named(fmt.Sprint("flows ", step+1))
	}
	return program.Write(ranks(flows), f.Output)
}

// flows divides five sixths of a node's rank among the nodes that it leads to. One of
// nothing to itself makes it a node with a rank even if none leads to it.
func (l links) flows(rank int64) []flow {
	each := rank * 5 / (int64(len(l.To)) * 6)
	out := make([]flow, 0, len(l.To)+1)
	out = append(out, flow{To: l.Node})
	for _, to := range l.To {
		out = append(out, flow{to, each})
	}
	return out
}

// ranks adds up what each node gets; base is what it has without that.
func ranks(flows *pipeline.Table[flow]) *pipeline.Table[Rank] {
	got := pipeline.FoldBy(flows, func(f flow) int64 { return f.To }, func(r *Rank, f flow, n int) {
		r.Node = f.To
		r.Rank += int64(n) * f.Flow
	})
	return pipeline.Map(got, func(r Rank) Rank { return Rank{r.Node, r.Rank + base} })
}

var pagerank = program.Program{
	Name: "pagerank",
	Plan: plan,
	About: `Reads every CSV file of edges in DIR and the folders below (u,v) and writes the
rank of each node, in thousandths, to FILE as a change stream: an edge that comes or
goes changes the ranks of the nodes it leads to, and theirs.
`,
}

func main() { pagerank.Main() }
