package parse

import (
	"strings"
	"testing"
)

// An article and what pages put around it: as long as the article, or longer.
const (
	testArticle = `<h1>The pump runs dry</h1><p>The pump on the north side ran dry on Monday, after its valve had been left open for the whole weekend.</p>` +
		`<p>Nobody was hurt, and the engineers expect to replace the seal before the end of the month, as the works told us.</p>` +
		`<p>See also <a href=/v>the manual of the valve</a>, which says how it is closed.</p>`
	wantArticle = "heading1: The pump runs dry\n" +
		"paragraph: The pump on the north side ran dry on Monday, after its valve had been left open for the whole weekend.\n" +
		"paragraph: Nobody was hurt, and the engineers expect to replace the seal before the end of the month, as the works told us.\n" +
		"paragraph: See also the manual of the valve, which says how it is closed.\n"
)

func TestMainContent(t *testing.T) {
	links := `<ul>` + strings.Repeat(`<li><a href=/x>Another page about quite another thing</a>`, 20) + `</ul>`
	opinion := `<p>I have always said that the works should buy their pumps from somebody who knows how to make them, but nobody listens to me.</p>`
	for name, page := range map[string]string{
		"menus":          `<nav>` + links + `</nav><article>` + testArticle + `</article><footer>` + links + `</footer>`,
		"menus in divs":  `<div class=topMenu>` + links + `</div><div class=story>` + testArticle + `</div><div id=side-bar class=sidebar>` + links + opinion + `</div>`,
		"many comments":  `<nav>` + links + `</nav><div class=story>` + testArticle + `</div><div class="comments-area">` + strings.Repeat(`<div class=comment>`+opinion+`</div>`, 3) + `</div>`,
		"one large form": `<form id=aspnetForm><div class=menu>` + links + `</div><div class=story>` + testArticle + `</div><div class="relatedPosts">` + opinion + `</div></form>`,
		"a strange name": `<nav>` + links + `</nav><div class="with-sidebar"><div class=story>` + testArticle + `</div></div>`,
		"buttons":        `<nav>` + links + `</nav><div class=story>` + testArticle + `<div class="share-buttons">Share this on every network there is</div></div>`,
	} {
		t.Run(name, func(t *testing.T) {
			d := readString(t, "a.html", `<html><head><title>Dry</title><meta property="og:site_name" content="Works"><meta property="article:published_time" content="2024-01-31T12:00:00Z"></head><body>`+page+`</body></html>`)
			if got := withHeading(show(d)); got != wantArticle {
				t.Errorf("read as\n%swant\n%s", got, wantArticle)
			}
			if d.Title != "Dry" || d.Meta["site"] != "Works" || d.Meta["date"] != "2024-01-31" {
				t.Errorf("title %q, meta %v", d.Title, d.Meta)
			}
		})
	}
	t.Run("no article", func(t *testing.T) {
		rows := strings.Repeat(`<tr><td>pump</td><td>12 bar</td><td>north side</td></tr>`, 30)
		d := readString(t, "a.html", `<html><body><nav>`+links+`</nav><table>`+rows+`</table><p>Prices without tax, as of the beginning of the year, for customers.</p></body></html>`)
		if got := show(d); strings.Count(got, "12 bar") != 30 || !strings.Contains(got, "without tax") {
			t.Errorf("something is missing of\n%s", got)
		}
		d = readString(t, "a.html", `<html><body><div class=menu>`+links+`</div><p>All our pages, newest first; the older ones are kept in the cellar and can be had on request, at a small fee that is paid to the keeper of the cellar, who will answer within a week of working days or sooner, if it rains.</p></body></html>`)
		if got := show(d); strings.Count(got, "Another page") != 20 {
			t.Errorf("a list of links lost some:\n%s", got)
		}
	})
}

// withHeading makes all headings of the first level: the extractor may turn
// the page's own into one of the second.
func withHeading(s string) string { return strings.ReplaceAll(s, "heading2", "heading1") }
