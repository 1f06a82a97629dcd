package split

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/indexer/parse"
)

// checkChunks verifies what the package promises of any document.
func checkChunks(t interface{ Fatalf(string, ...any) }, doc parse.Document, opt Options) {
	text, chunks := Split(doc, opt)
	if want := parse.Markdown(doc); text != want {
		t.Fatalf("the text is not the document's Markdown")
	}
	searched := []byte(text) // but for what pages repeat
	_, spans := parse.Render(doc)
	for i, b := range doc.Blocks {
		if b.Kind == parse.Running {
			clear(searched[spans[i].Start:spans[i].End])
		}
	}
	leftOut := func(from, to int) string { return strings.Trim(string(searched[from:to]), "\x00 \t\r\n") }
	at := 0
	for i, c := range chunks {
		switch {
		case c.Start < at || c.End <= c.Start || c.End > len(text):
			t.Fatalf("chunk %d is [%d,%d) after %d of %d", i, c.Start, c.End, at, len(text))
		case leftOut(at, c.Start) != "":
			t.Fatalf("text is left out before chunk %d: %q", i, text[at:c.Start])
		case leftOut(c.Start, c.End) == "":
			t.Fatalf("chunk %d has nothing to be searched: %q", i, text[c.Start:c.End])
		case !utf8.ValidString(text[c.Start:c.End]):
			t.Fatalf("chunk %d parts a rune", i)
		case tokens(text[c.Start:c.End]) > opt.Tokens*tableShare+8:
			t.Fatalf("chunk %d has %d tokens of %d: %.200q", i, tokens(text[c.Start:c.End]), opt.Tokens, text[c.Start:c.End])
		}
		at = c.End
	}
	if leftOut(at, len(text)) != "" {
		t.Fatalf("text is left out at the end: %q", text[at:])
	}
}

// headingsOf is the plain way to the heading path of a range: the headings open
// at each of its characters, as far as they agree.
func headingsOf(doc parse.Document, start, end int) string {
	text, spans := parse.Render(doc)
	var levels []int
	var path []string
	var common, heads []string
	first := true
	for i, b := range doc.Blocks {
		if b.Kind == parse.Heading {
			for len(levels) > 0 && levels[len(levels)-1] >= b.Level {
				levels, path = levels[:len(levels)-1], path[:len(path)-1]
			}
			levels, path = append(levels, b.Level), append(path, headText(b.Text))
		}
		if spans[i].End <= start || spans[i].Start >= end || b.Kind == parse.Running || strings.TrimSpace(text[spans[i].Start:spans[i].End]) == "" {
			continue
		}
		if b.Kind == parse.Heading && first {
			heads = append([]string(nil), path...)
			continue
		}
		if first {
			common, first = append([]string(nil), path...), false
			continue
		}
		n := 0
		for n < len(common) && n < len(path) && common[n] == path[n] {
			n++
		}
		common = common[:n]
	}
	if first {
		common = heads
	}
	return joinPath(common)
}

var genBlock = rapid.Custom(func(t *rapid.T) parse.Block {
	kind := rapid.SampledFrom([]parse.Kind{parse.Heading, parse.Paragraph, parse.Paragraph, parse.List, parse.Table, parse.Code, parse.Quote, parse.Running}).Draw(t, "kind")
	word := rapid.SampledFrom([]string{"a", "word", "Übermut", "internationalisation", "数据库", "это", "12345", "end.", "Why?", "x\ny", "|", "```", "\t", "🙂", "# no"})
	s := strings.Join(rapid.SliceOfN(word, 1, 60).Draw(t, "words"), rapid.SampledFrom([]string{" ", "", "\n"}).Draw(t, "join"))
	b := parse.Block{Kind: kind, Text: s, Page: rapid.IntRange(0, 5).Draw(t, "page")}
	if kind == parse.Heading {
		b.Level = rapid.IntRange(1, 4).Draw(t, "level")
		b.Text = strings.Join(strings.Fields(cutAt(s, 60)), " ")
		if b.Text == "" {
			b.Text = "h"
		}
	}
	return b
})

func cutAt(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// TestChunksThatWereTooLarge has what random documents show rarely.
func TestChunksThatWereTooLarge(t *testing.T) {
	long := strings.Repeat("internationalisation ", 8)
	h := parse.Block{Kind: parse.Heading, Level: 1, Text: "a a a a internationalisation"}
	for name, blocks := range map[string][]parse.Block{
		"repeated by the page": {h, {Kind: parse.Running, Text: long}, {Kind: parse.Paragraph, Text: long}},
		"a table with heading": {h, {Kind: parse.Table, Text: "a a a a " + long + "# no # no"}},
	} {
		t.Run(name, func(t *testing.T) { checkChunks(t, parse.Document{Blocks: blocks}, Options{Tokens: 20}) })
	}
}

func TestWhiteSpaceOpensNothing(t *testing.T) {
	_, chunks := Split(parse.Document{Blocks: []parse.Block{{Kind: parse.Paragraph, Text: "\t"}, {Kind: parse.Heading, Level: 1, Text: "a"}}}, Options{})
	if len(chunks) != 1 || chunks[0].Heading != "a" {
		t.Errorf("got %+v", chunks)
	}
}

func TestChunksOfAnyDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := parse.Document{Blocks: rapid.SliceOfN(genBlock, 0, 30).Draw(t, "blocks")}
		opt := Options{Tokens: rapid.IntRange(20, 120).Draw(t, "tokens")}
		checkChunks(t, doc, opt)
		text, chunks := Split(doc, opt)
		for _, c := range chunks {
			// A heading too large to be one is cut as text and opens no section.
			large := false
			for _, b := range doc.Blocks {
				large = large || b.Kind == parse.Heading && tokens("# "+b.Text)+8 > opt.Tokens/2
			}
			if want := headingsOf(doc, c.Start, c.End); !large && c.Heading != want {
				t.Fatalf("heading %q, want %q, of %q", c.Heading, want, text[c.Start:c.End])
			}
		}
		again, same := Split(doc, opt)
		if again != text || fmt.Sprint(same) != fmt.Sprint(chunks) {
			t.Fatalf("another result for the same document")
		}
	})
}

func TestStructureIsKept(t *testing.T) {
	para := strings.Repeat("The pump is checked once a year. ", 12)
	doc := parse.Document{Blocks: []parse.Block{
		{Kind: parse.Heading, Level: 1, Text: "Manual", Page: 1},
		{Kind: parse.Heading, Level: 2, Text: "Pumps", Page: 1},
		{Kind: parse.Paragraph, Text: para, Page: 1},
		{Kind: parse.Heading, Level: 2, Text: "Valves", Page: 2},
		{Kind: parse.Paragraph, Text: para, Page: 2},
		{Kind: parse.Heading, Level: 1, Text: "Appendix", Page: 3},
		{Kind: parse.Paragraph, Text: "Short.", Page: 3},
	}}
	text, chunks := Split(doc, Options{Tokens: 150})
	want := []struct {
		heading string
		page    int
		begins  string
	}{{"Manual > Pumps", 1, "# Manual\n\n## Pumps\n\nThe pump"}, {"Manual > Valves", 2, "## Valves\n\nThe pump"}, {"Appendix", 3, "# Appendix\n\nShort."}}
	if len(chunks) != len(want) {
		t.Fatalf("%d chunks, want %d: %+v", len(chunks), len(want), chunks)
	}
	for i, w := range want {
		c := chunks[i]
		if c.Heading != w.heading || c.Page != w.page || !strings.HasPrefix(text[c.Start:c.End], w.begins) {
			t.Errorf("chunk %d is %+v %.40q, want %+v", i, c, text[c.Start:c.End], w)
		}
	}
}

func TestWhatPagesRepeatIsNotSearched(t *testing.T) {
	doc := parse.Document{Blocks: []parse.Block{
		{Kind: parse.Paragraph, Text: "ACME manual", Page: 1},
		{Kind: parse.Paragraph, Text: "The pump is checked once a year.", Page: 1},
		{Kind: parse.Running, Text: "ACME manual", Page: 2},
		{Kind: parse.Paragraph, Text: "The valve is closed.", Page: 2},
		{Kind: parse.Heading, Level: 1, Text: "Pipes", Page: 2},
		{Kind: parse.Running, Text: "confidential", Page: 2},
		{Kind: parse.Running, Text: "ACME manual", Page: 3},
		{Kind: parse.Paragraph, Text: "A pipe is emptied.", Page: 3},
	}}
	text, chunks := Split(doc, Options{})
	got := ""
	for _, c := range chunks {
		got += fmt.Sprintf("p%d %q\n", c.Page, text[c.Start:c.End])
	}
	want := `p1 "ACME manual\n\nThe pump is checked once a year."
p2 "The valve is closed."
p2 "# Pipes\n\nconfidential\n\nACME manual\n\nA pipe is emptied."
`
	if got != want || strings.Count(text, "ACME manual") != 3 {
		t.Errorf("chunks\n%swant\n%s", got, want)
	}
}

func TestTablesKeepTheirHeader(t *testing.T) {
	var rows strings.Builder
	rows.WriteString("name,city,year\n")
	for i := range 500 {
		fmt.Fprintf(&rows, "person %d,Vienna,19%02d\n", i, i%100)
	}
	f := parse.File{Name: "people.csv", Data: strings.NewReader(rows.String()), Size: int64(rows.Len())}
	res, err := parse.Read(context.Background(), f, parse.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	text, chunks := Split(res.Document, Options{})
	for _, c := range chunks {
		if !strings.HasPrefix(text[c.Start:c.End], "| name | city | year |\n| --- |") {
			t.Fatalf("a chunk without header: %.100q", text[c.Start:c.End])
		}
	}
	if len(chunks) < 10 {
		t.Fatalf("%d chunks", len(chunks))
	}
}

func TestLongLines(t *testing.T) {
	for name, s := range map[string]string{
		"one word":     strings.Repeat("a", 1<<18),
		"ideographs":   strings.Repeat("数据", 1<<15),
		"full stops":   strings.Repeat("1. ", 1<<18),
		"sentences":    strings.Repeat("This is one sentence. ", 1<<15),
		"emoji":        strings.Repeat("👩‍👩‍👧", 1<<13),
		"no-break":     strings.Repeat("a\u00a0", 1<<18),
		"code":         strings.Repeat("x=1;", 1<<15),
		"combining":    "e" + strings.Repeat("\u0301", 1<<15),
		"thai letters": strings.Repeat("ก", 1<<15),
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []parse.Kind{parse.Paragraph, parse.Code, parse.Table} {
				checkChunks(t, parse.Document{Blocks: []parse.Block{{Kind: kind, Text: s}}}, Options{Tokens: 300})
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("# A\n\ntext\n\n## B\n\n- one\n- two\n\n```go\nx := 1\n```\n", 30)
	f.Add("Satz. Noch ein Satz! 句子。", 20)
	f.Fuzz(func(t *testing.T, s string, n int) {
		file := parse.File{Name: "a.md", Data: strings.NewReader(s), Size: int64(len(s))}
		res, err := parse.Read(context.Background(), file, parse.Limits{})
		if err != nil {
			return
		}
		checkChunks(t, res.Document, Options{Tokens: 20 + int(uint(n)%500)})
	})
}
