package parse

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// htmlWalker turns a tree of HTML into blocks. Inline text gathers in sb until
// an element that stands on lines of its own ends it.
type htmlWalker struct {
	b     *builder
	sb    strings.Builder
	err   error
	quote int
}

func walkHTML(b *builder, root *html.Node) error {
	w := &htmlWalker{b: b}
	w.node(root, 0)
	w.flush()
	return w.err
}

func (w *htmlWalker) add(bl Block) {
	if w.err == nil {
		w.err = w.b.add(bl)
	}
}

// flush ends a paragraph.
func (w *htmlWalker) flush() {
	s := squeeze(w.sb.String())
	w.sb.Reset()
	kind := Paragraph
	if w.quote > 0 {
		kind = Quote
	}
	w.add(Block{Kind: kind, Text: s})
}

// squeeze folds spaces, and keeps line breaks that br made (as \v) as lines.
func squeeze(s string) string {
	if !strings.Contains(s, "\v") {
		return oneLine(s)
	}
	var out []string
	for line := range strings.SplitSeq(s, "\v") {
		if line = oneLine(line); line != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

const maxHTMLDepth = 600 // the parser itself stops at 512

func (w *htmlWalker) node(n *html.Node, depth int) {
	if w.err != nil || depth > maxHTMLDepth {
		return
	}
	switch n.Type {
	case html.TextNode:
		w.sb.WriteString(n.Data)
		return
	case html.ElementNode:
	default:
		w.children(n, depth)
		return
	}
	if unseen(n) {
		return
	}
	switch a := n.DataAtom; a {
	case atom.Br:
		w.sb.WriteByte('\v')
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.flush()
		w.add(Block{Kind: Heading, Level: int(n.Data[1] - '0'), Text: oneLine(w.inline(n, depth))})
	case atom.Ul, atom.Ol, atom.Menu, atom.Dir:
		w.flush()
		w.add(Block{Kind: List, Text: w.list(n, depth, 0)})
	case atom.Table:
		w.flush()
		w.table(n, depth)
	case atom.Pre:
		w.flush()
		w.add(Block{Kind: Code, Lang: codeLang(n), Text: rawText(n)})
	case atom.Blockquote:
		w.flush()
		w.quote++
		w.children(n, depth)
		w.flush()
		w.quote--
	case atom.Img:
		for _, at := range n.Attr {
			if at.Key == "alt" && len(at.Val) < 500 {
				w.sb.WriteString(" " + at.Val + " ")
			}
		}
	case atom.Textarea, atom.Input:
	default:
		if blockAtoms[a] {
			w.flush()
			w.children(n, depth)
			w.flush()
			return
		}
		w.children(n, depth)
	}
}

func (w *htmlWalker) children(n *html.Node, depth int) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c, depth+1)
	}
}

// inline is the text of an element, elements inside it parted by spaces.
func (w *htmlWalker) inline(n *html.Node, depth int) string {
	var sb strings.Builder
	var walk func(n *html.Node, depth int)
	walk = func(n *html.Node, depth int) {
		if depth > maxHTMLDepth {
			return
		}
		switch {
		case n.Type == html.TextNode:
			sb.WriteString(n.Data)
			return
		case n.Type == html.ElementNode && unseen(n):
			return
		case n.Type == html.ElementNode && n.DataAtom == atom.Br:
			sb.WriteByte('\v')
			return
		case n.Type == html.ElementNode && blockAtoms[n.DataAtom]:
			sb.WriteByte('\v')
			defer sb.WriteByte('\v')
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, depth+1)
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, depth+1)
	}
	return squeeze(sb.String())
}

// list writes the items of a list; lists inside are indented below their item.
func (w *htmlWalker) list(n *html.Node, depth, nest int) string {
	if depth > maxHTMLDepth {
		return ""
	}
	var out []string
	number := 1
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			if c.Type == html.TextNode && strings.TrimSpace(c.Data) != "" {
				out = append(out, "- "+oneLine(c.Data))
			}
			continue
		}
		if unseen(c) {
			continue
		}
		if c.DataAtom == atom.Ul || c.DataAtom == atom.Ol {
			if s := w.list(c, depth+1, nest+1); s != "" {
				out = append(out, indent("  "+s, 2, nest))
			}
			continue
		}
		mark := "- "
		if n.DataAtom == atom.Ol {
			mark = strconv.Itoa(number) + ". "
		}
		if s := w.item(c, depth+1, nest); s != "" {
			out = append(out, mark+indent(s, len(mark), nest))
			number++
		}
	}
	return strings.Join(out, "\n")
}

// item is an item's own text, followed by the lists and tables inside it.
func (w *htmlWalker) item(n *html.Node, depth, nest int) string {
	var own strings.Builder
	var parts []string
	end := func() {
		if s := squeeze(own.String()); s != "" {
			parts = append(parts, s)
		}
		own.Reset()
	}
	var walk func(n *html.Node, depth int)
	walk = func(n *html.Node, depth int) {
		if depth > maxHTMLDepth {
			return
		}
		switch {
		case n.Type == html.TextNode:
			own.WriteString(n.Data)
			return
		case n.Type != html.ElementNode:
			return
		case unseen(n):
			return
		}
		switch n.DataAtom {
		case atom.Br:
			own.WriteByte('\v')
			return
		case atom.Ul, atom.Ol:
			end()
			if s := w.list(n, depth+1, nest+1); s != "" {
				parts = append(parts, s)
			}
			return
		case atom.Table:
			end()
			if s := pipeTable(w.rows(n, depth)); s != "" {
				parts = append(parts, strings.TrimRight(s, "\n"))
			}
			return
		}
		if blockAtoms[n.DataAtom] {
			own.WriteByte('\v')
			defer own.WriteByte('\v')
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, depth+1)
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, depth+1)
	}
	end()
	return strings.Join(parts, "\n")
}

// rawText is the text of a preformatted element as it stands.
func rawText(n *html.Node) string {
	var sb strings.Builder
	for c := range n.Descendants() {
		switch {
		case c.Type == html.TextNode:
			sb.WriteString(c.Data)
		case c.DataAtom == atom.Br:
			sb.WriteByte('\n')
		}
	}
	return normalLines(sb.String())
}

// codeLang reads the language off a class such as "language-go".
func codeLang(n *html.Node) string {
	for c := n; c != nil && c.Type == html.ElementNode; c = c.FirstChild {
		for _, a := range c.Attr {
			if a.Key != "class" {
				continue
			}
			for f := range strings.FieldsSeq(a.Val) {
				if l, ok := strings.CutPrefix(f, "language-"); ok {
					return cutRunes(l, 40)
				}
			}
		}
	}
	return ""
}
