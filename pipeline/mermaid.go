package pipeline

import (
	"fmt"
	"strings"
)

// Mermaid draws the plan as a Mermaid flowchart, which GitHub and many editors
// show: sources as cylinders, sinks as rounded boxes, an arrow for each table
// that an operator reads. While the graph runs, arrows have the number of changes
// that passed and boxes the size of the state.
func (g *Graph) Mermaid() string {
	g.mu.Lock()
	running := g.run != nil
	g.mu.Unlock()
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, n := range g.order() {
		label := n.op
		if n.name != "" {
			label += "<br>" + mermaidText(n.name)
		}
		label += "<br>" + mermaidText(n.row.String())
		s := n.stats()
		if running && s.StateRows > 0 {
			label += fmt.Sprintf("<br>%d rows, %d kB", s.StateRows, (s.StateBytes+1023)/1024)
		}
		if running && s.Errors > 0 {
			label += fmt.Sprintf("<br>%d failed", s.Errors)
		}
		left, right := "[", "]"
		switch {
		case n.source != nil:
			left, right = "[(", ")]"
		case n.sink != nil:
			left, right = "([", "])"
		}
		fmt.Fprintf(&b, "    n%d%s\"%s\"%s\n", n.id, left, label, right)
		for _, in := range n.in {
			arrow := "-->"
			if running {
				arrow = fmt.Sprintf("-->|%d|", in.stats().RowsOut)
			}
			fmt.Fprintf(&b, "    n%d %s n%d\n", in.id, arrow, n.id)
		}
	}
	return b.String()
}

// mermaidText writes what has a meaning in a label as an entity: Mermaid takes
// Markdown and HTML there.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\"<>&#;`*_[](){}|\\", r) || r < ' ' {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
