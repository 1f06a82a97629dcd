package parse

import (
	"strings"
	"unicode"

	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// unescape resolves Markdown's escapes and entities unless the text is raw.
func unescape(b []byte, raw bool) []byte {
	if raw {
		return b
	}
	return util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(b)))
}

// readHTML reads a page: the main text of an article without the menus, notes
// and adverts around it, or everything if the page is no article.
func readHTML(b *builder, _ File, d detected) error {
	root, err := html.Parse(strings.NewReader(d.text))
	if err != nil {
		// The parser refuses what is nested beyond reason; the words remain.
		b.warnf("the page's structure could not be read (%v); its text was read without it", err)
		return readText(b, File{}, detected{text: tagText(d.text)})
	}
	pageMeta(b, root)
	if err := b.alive(); err != nil {
		return err
	}
	main := mainContent(b, root)
	if main != nil {
		return walkHTML(b, main)
	}
	return walkHTML(b, root)
}

// textSize is how much text a page shows: in its content, of that in tables,
// of that in stretches long enough for sentences, and in menus and links.
type textSize struct{ prose, tables, running, noise int }

// visibleText counts letters outside of menus, of parts made of links, and of
// what is never shown.
func visibleText(root *html.Node) (t textSize) {
	var walk func(n *html.Node, table, noise bool, depth int)
	walk = func(n *html.Node, table, noise bool, depth int) {
		if n.Type == html.TextNode {
			c := letters(n.Data)
			if noise {
				t.noise += c
				return
			}
			t.prose += c
			if table {
				t.tables += c
			}
			if c >= 40 {
				t.running += c
			}
			return
		}
		if n.Type == html.ElementNode {
			if unseen(n) {
				return
			}
			noise = noise || chrome[n.DataAtom] || n.DataAtom == atom.A
			table = table || n.DataAtom == atom.Td
		}
		if depth > maxHTMLDepth {
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, table, noise, depth+1)
		}
	}
	walk(root, false, false, 0)
	return t
}

func letters(s string) (n int) {
	for _, r := range s {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// chrome are the elements around a page's content.
var chrome = map[atom.Atom]bool{atom.Nav: true, atom.Header: true, atom.Footer: true, atom.Aside: true, atom.Button: true, atom.Select: true}

// unseen reports whether an element's text is never shown.
func unseen(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Noscript, atom.Template, atom.Head, atom.Iframe, atom.Object, atom.Svg, atom.Math, atom.Canvas, atom.Audio, atom.Video, atom.Datalist:
		return n.DataAtom != atom.Math
	}
	for _, a := range n.Attr {
		if a.Key == "hidden" || a.Key == "style" && strings.Contains(strings.ReplaceAll(a.Val, " ", ""), "display:none") {
			return true
		}
	}
	return false
}

// pageMeta reads title, language, author, date and description.
func pageMeta(b *builder, root *html.Node) {
	attr := func(n *html.Node, key string) string {
		for _, a := range n.Attr {
			if a.Key == key {
				return a.Val
			}
		}
		return ""
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Title:
			if b.doc.Title == "" && n.FirstChild != nil && n.Parent != nil && n.Parent.DataAtom == atom.Head {
				b.doc.Title = cutRunes(oneLine(n.FirstChild.Data), 500)
			}
		case atom.Meta:
			name := strings.ToLower(attr(n, "name") + attr(n, "property"))
			switch name {
			case "author", "article:author":
				b.meta("author", attr(n, "content"))
			case "description", "og:description":
				b.meta("description", oneLine(attr(n, "content")))
			case "date", "dc.date", "article:published_time":
				b.meta("date", attr(n, "content"))
			case "keywords":
				b.meta("keywords", attr(n, "content"))
			}
		case atom.Body:
			return
		}
	}
}

// tagText is the text between the tags of HTML, for what has no tree.
func tagText(s string) string {
	var sb strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(16 << 20)
	hidden := 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(sb.String())
		case html.TextToken:
			if hidden == 0 {
				sb.Write(z.Text())
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			switch a := atom.Lookup(name); {
			case a == atom.Script || a == atom.Style:
				hidden++
			case blockAtoms[a]:
				sb.WriteByte('\n')
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			switch a := atom.Lookup(name); {
			case (a == atom.Script || a == atom.Style) && hidden > 0:
				hidden--
			case blockAtoms[a]:
				sb.WriteByte('\n')
			}
		}
	}
}

// blockAtoms are the elements that begin a line of their own.
var blockAtoms = map[atom.Atom]bool{
	atom.P: true, atom.Div: true, atom.Section: true, atom.Article: true, atom.Main: true, atom.Header: true, atom.Footer: true, atom.Aside: true,
	atom.Nav: true, atom.Address: true, atom.Figure: true, atom.Figcaption: true, atom.Details: true, atom.Summary: true, atom.Form: true,
	atom.Fieldset: true, atom.Legend: true, atom.Dl: true, atom.Dt: true, atom.Dd: true, atom.Body: true, atom.Html: true, atom.Center: true, atom.Hr: true,
	atom.Ul: true, atom.Ol: true, atom.Li: true, atom.Table: true, atom.Tr: true, atom.Td: true, atom.Th: true, atom.Caption: true, atom.Br: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Pre: true, atom.Blockquote: true, atom.Option: true, atom.Button: true,
}
