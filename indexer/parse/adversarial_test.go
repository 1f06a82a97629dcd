package parse

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// adversarial are inputs that have brought readers of their kind to a halt by
// recursion or by work that grows with the square, at the sizes that are read
// within the server.
func adversarial() map[string]string {
	fill := func(unit string, n int) string { return strings.Repeat(unit, n/len(unit)) }
	const md = inlineMarkdown - 100
	const big = inlineBytes - 100
	return map[string]string{
		"quotes.md":       fill(">", md),
		"quote steps.md":  fill("> ", md),
		"lists.md":        fill("- ", md),
		"list steps.md":   nestedList(md),
		"brackets.md":     fill("[", md),
		"links.md":        fill("[a](", md),
		"images.md":       fill("![", md),
		"stars.md":        fill("*a **a ", md),
		"underlines.md":   fill("a_", md),
		"ticks.md":        ticks(md),
		"entities.md":     fill("&#", md),
		"autolinks.md":    fill("<a", md),
		"tables.md":       fill("|", md/2) + "\n" + fill("|-", md/2),
		"table rows.md":   "|a|b|\n|-|-|\n" + fill("|\n", md),
		"references.md":   fill("[a]: b\n", md/2) + fill("[a]", md/2),
		"footnotes.md":    fill("[^a]: b\n", md/2) + fill("[^a]", md/2),
		"headings.md":     fill("# a\n", md),
		"setext.md":       fill("a\n-\n", md),
		"html.md":         fill("<!--", md),
		"tabs.md":         fill("\t", md) + "x",
		"tildes.md":       fill("~~a", md),
		"mails.md":        fill("a@", md),
		"front matter.md": "---\na: &a [x]\nb: [" + fill("*a,", 60<<10) + "]\n---\ntext",
		"yaml bomb.md":    "---\na: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c]\n---\ntext",
		"yaml deep.md":    "---\na: " + fill("[", 60<<10) + "\n---\ntext",
		"commas.csv":      fill(",", big/2) + "\n" + fill("a\n", big/2),
		"quotes.csv":      fill("\"", big),
		"fields.csv":      fill("\"a\",", big),
		"deep.json":       fill("[", big),
		"objects.json":    fill(`{"a":`, big),
		"wide keys.json":  `{"` + fill("k", big/2) + `":[` + fill("1,", big/2-10) + `1]}`,
		"deep keys.json":  deepKeys(big),
		"lines.jsonl":     fill("{}\n", big),
		"blank lines.txt": fill("\n \n", big),
		"stops.txt":       fill("1. ", big),
		"marks.txt":       "e" + fill("\u0301", big),
		"code.go":         fill("{\n", big),
		"brackets.txt":    fill("[", big),
	}
}

func nestedList(n int) string {
	var sb strings.Builder
	for i := 0; sb.Len() < n; i++ {
		sb.WriteString(strings.Repeat(" ", 2*i) + "- a\n")
	}
	return sb.String()
}

func ticks(n int) string {
	var sb strings.Builder
	for i := 1; sb.Len() < n; i++ {
		sb.WriteString(strings.Repeat("`", i) + " ")
	}
	return sb.String()
}

func deepKeys(n int) string {
	key := `{"` + strings.Repeat("k", 1000) + `":`
	var sb strings.Builder
	for range 400 {
		sb.WriteString(key)
	}
	sb.WriteString("[" + strings.Repeat("1,", (n-sb.Len())/2-500) + "1]")
	sb.WriteString(strings.Repeat("}", 400))
	return sb.String()
}

func TestAdversarialTextIsReadInBounds(t *testing.T) {
	for name, s := range adversarial() {
		t.Run(name, func(t *testing.T) {
			f := File{Name: name, Data: strings.NewReader(s), Size: int64(len(s))}
			res, err := Read(context.Background(), f, Limits{})
			if err != nil {
				if Reason(err) == "" || strings.Contains(err.Error(), "panic") {
					t.Fatalf("error without a reason: %v", err)
				}
				return
			}
			if n := len(Markdown(res.Document)); n > 100*len(s)+1000 {
				t.Errorf("%d bytes became a text of %d", len(s), n)
			}
		})
	}
}

func TestReadChecksThatTheFileStayed(t *testing.T) {
	f := &changing{text: []byte("first version of the text")}
	_, err := Read(context.Background(), File{Name: "a.txt", Data: f, Size: int64(len(f.text))}, Limits{})
	var e *Error
	if !asError(err, &e) || e.Fault != Changed {
		t.Fatalf("error %v, want %s", err, Changed)
	}
}

// changing is a file that is another after it was read twice.
type changing struct {
	text  []byte
	reads int
}

func (c *changing) ReadAt(p []byte, off int64) (int, error) {
	if off == 0 {
		c.reads++
	}
	if c.reads > 3 {
		return bytes.NewReader(bytes.ToUpper(c.text)).ReadAt(p, off)
	}
	return bytes.NewReader(c.text).ReadAt(p, off)
}
