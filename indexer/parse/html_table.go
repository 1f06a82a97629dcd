package parse

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// table writes a table's caption and rows. One that only lays a page out (one
// column, or whole blocks and tables in its cells) is read as the text it holds.
func (w *htmlWalker) table(n *html.Node, depth int) {
	if layout(n) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			w.node(c, depth+1)
		}
		w.flush()
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom == atom.Caption {
			w.add(Block{Kind: Paragraph, Text: w.inline(c, depth)})
		}
	}
	w.add(Block{Kind: Table, Text: pipeTable(w.rows(n, depth))})
}

// layout reports whether a table is there for looks.
func layout(n *html.Node) bool {
	widest, headers := 0, false
	for c := range n.Descendants() {
		switch c.DataAtom {
		case atom.Table, atom.H1, atom.H2, atom.H3, atom.Pre:
			if c != n && insideCell(c, n) {
				return true
			}
		case atom.Th:
			headers = true
		case atom.Tr:
			cells := 0
			for d := c.FirstChild; d != nil; d = d.NextSibling {
				if d.DataAtom == atom.Td || d.DataAtom == atom.Th {
					cells++
				}
			}
			widest = max(widest, cells)
		}
	}
	return widest < 2 && !headers
}

func insideCell(n, table *html.Node) bool {
	for p := n.Parent; p != nil && p != table; p = p.Parent {
		if p.DataAtom == atom.Td {
			return true
		}
	}
	return false
}

// maxSpan bounds how far a cell's text is repeated over the cells it spans.
const maxSpan = 50

// rows reads the rows of a table. A cell that spans rows or columns is written
// into the first of its places in each row, so that each row reads alone.
func (w *htmlWalker) rows(n *html.Node, depth int) [][]string {
	var rows [][]string
	type down struct {
		text string
		left int
	}
	open := map[int]down{} // by column: cells that reach into rows below
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			switch c.DataAtom {
			case atom.Thead, atom.Tbody, atom.Tfoot:
				walk(c)
			case atom.Tr:
				if unseen(c) {
					continue
				}
				var row []string
				fill := func() {
					for {
						d, ok := open[len(row)]
						if !ok {
							return
						}
						if d.left--; d.left == 0 {
							delete(open, len(row))
						} else {
							open[len(row)] = d
						}
						row = append(row, d.text)
					}
				}
				for d := c.FirstChild; d != nil; d = d.NextSibling {
					if d.DataAtom != atom.Td && d.DataAtom != atom.Th || unseen(d) {
						continue
					}
					fill()
					text := strings.ReplaceAll(w.item(d, depth+1, 0), "\n", " ")
					if r := span(d, "rowspan"); r > 1 {
						open[len(row)] = down{text, r - 1}
					}
					row = append(row, text)
					for range span(d, "colspan") - 1 {
						row = append(row, "")
					}
				}
				fill()
				if !blankRow(row) {
					rows = append(rows, row)
				}
			}
		}
	}
	walk(n)
	return rows
}

func span(n *html.Node, key string) int {
	for _, a := range n.Attr {
		if a.Key == key {
			if v, err := strconv.Atoi(strings.TrimSpace(a.Val)); err == nil {
				return min(max(v, 1), maxSpan)
			}
		}
	}
	return 1
}
