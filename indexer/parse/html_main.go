package parse

import (
	"slices"
	"strings"
	"unicode"

	readability "codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// mainContent returns the article in a page, or nil if there is none: when the
// extractor finds little of what the page shows outside its menus, the page is
// a list, a table, a form, and nothing of it is noise. The page itself stays as
// it is.
func mainContent(b *builder, root *html.Node) *html.Node {
	shown := visibleText(root)
	if shown.prose < 200 || shown.noise*10 < shown.prose {
		return nil // hardly anything surrounds the text
	}
	page := cloneTree(root)
	tidy(page, shown.prose/2, false)
	all := visibleText(page)
	article := readable(page)
	if article.Node == nil {
		article = readable(cloneTree(root))
	}
	if article.Node == nil {
		return nil
	}
	for n := range article.Node.Descendants() {
		n.DataAtom = atom.Lookup([]byte(n.Data)) // the extractor renames elements
	}
	got := visibleText(article.Node)
	most := got.prose*10 >= all.prose*3 || got.running >= 400 && got.running*10 >= all.running*6
	if !most || got.tables*2 < all.tables && all.tables > all.prose/4 {
		return nil
	}
	articleMeta(b, article)
	return article.Node
}

// readable is what the extractor makes of a page, which it changes.
func readable(page *html.Node) readability.Article {
	p := readability.NewParser()
	article, err := p.ParseAndMutate(page, nil)
	if err != nil {
		return readability.Article{} // it found no article
	}
	return article
}

// articleMeta adds what the page says of itself elsewhere than in its head's
// plain fields.
func articleMeta(b *builder, a readability.Article) {
	if b.doc.Title == "" {
		b.doc.Title = cutRunes(oneLine(a.Title()), 500)
	}
	if b.doc.Meta["author"] == nil {
		b.meta("author", oneLine(a.Byline()))
	}
	b.meta("site", oneLine(a.SiteName()))
	if t, err := a.PublishedTime(); err == nil && !t.IsZero() {
		b.meta("date", t.Format("2006-01-02"))
	}
}

func cloneTree(n *html.Node) *html.Node {
	c := &html.Node{Type: n.Type, DataAtom: n.DataAtom, Data: n.Data, Namespace: n.Namespace, Attr: slices.Clone(n.Attr)}
	for k := n.FirstChild; k != nil; k = k.NextSibling {
		c.AppendChild(cloneTree(k))
	}
	return c
}

// tidy takes out of a page what its own names call something else than its
// content: comments, links to other pages, adverts, captions, buttons. An
// element with the page's main heading or more than most letters of its text is
// the content, whatever it is called. It returns the letters that are left, but
// for links, and whether main headings are among them.
func tidy(n *html.Node, most int, link bool) (prose int, main bool) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch c.Type {
		case html.TextNode:
			if !link {
				prose += letters(c.Data)
			}
		case html.ElementNode:
			if unseen(c) {
				break
			}
			p, m := tidy(c, most, link || c.DataAtom == atom.A)
			if beside(c) && !m && p <= most {
				n.RemoveChild(c)
				break
			}
			prose += p
			main = main || m
		}
		c = next
	}
	switch n.DataAtom {
	case atom.H1, atom.Main, atom.Article:
		main = true
	}
	return prose, main
}

// beside reports whether an element calls itself something beside the content.
func beside(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Html, atom.Head, atom.Body, atom.P:
		return false
	case atom.Nav, atom.Aside, atom.Footer, atom.Button, atom.Form, atom.Figcaption:
		return true
	}
	for _, a := range n.Attr {
		switch a.Key {
		case "class", "id":
			for w := range nameWords(a.Val) {
				if besideWords[w] {
					return true
				}
			}
		case "role":
			if besideRoles[a.Val] {
				return true
			}
		}
	}
	return false
}

var besideRoles = wordSet("navigation complementary dialog search contentinfo menu")

// besideWords are found in the names of classes; which ones tell was tried out
// on the pages of the articles' benchmark that the tests do not use.
var besideWords = wordSet(`
	nav navigation menu breadcrumb breadcrumbs pagination pager toolbar footer sidebar tags tagcloud
	comment comments commentlist disqus respond reply replies rating
	share sharing shares sharebar sharedaddy addtoany addthis social
	related recommended recommendation recommendations trending popular teaser teasers
	promo newsletter subscribe signup cookie cookies consent popup modal overlay tooltip
	ad ads advert advertisement advertising sponsor sponsored outbrain taboola
	byline bio caption credit credits copyright`)

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		m[w] = true
	}
	return m
}

// nameWords are the words that a class or id is made of: of "relatedPosts-2",
// related and posts.
func nameWords(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, prev := 0, rune(0)
		for i, r := range s {
			letter := unicode.IsLetter(r)
			if !letter || unicode.IsUpper(r) && unicode.IsLower(prev) {
				if i > start && !yield(strings.ToLower(s[start:i])) {
					return
				}
				if start = i; !letter {
					start = i + len(string(r))
				}
			}
			prev = r
		}
		if start < len(s) {
			yield(strings.ToLower(s[start:]))
		}
	}
}
