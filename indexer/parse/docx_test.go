package parse

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

const wordNS = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"`

// word wraps a body into the parts of a document.
func word(body string) map[string]string {
	return map[string]string{
		"[Content_Types].xml": `<Types/>`,
		"word/document.xml":   `<?xml version="1.0"?><w:document ` + wordNS + `><w:body>` + body + `</w:body></w:document>`,
		"word/styles.xml": `<w:styles ` + wordNS + `>
			<w:style w:type="paragraph" w:styleId="Berschrift1"><w:name w:val="heading 1"/></w:style>
			<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My head"/><w:basedOn w:val="Berschrift2"/></w:style>
			<w:style w:type="paragraph" w:styleId="Berschrift2"><w:name w:val="heading 2"/><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
			<w:style w:type="paragraph" w:styleId="Code"><w:name w:val="Source Code"/></w:style></w:styles>`,
		"word/numbering.xml": `<w:numbering ` + wordNS + `>
			<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
			<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="o"/></w:lvl></w:abstractNum>
			<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>`,
		"word/footnotes.xml": `<w:footnotes ` + wordNS + `><w:footnote w:id="2"><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnote></w:footnotes>`,
		"word/header1.xml":   `<w:hdr ` + wordNS + `><w:p><w:r><w:t>ACME manual</w:t></w:r></w:p></w:hdr>`,
		"word/footer1.xml":   `<w:ftr ` + wordNS + `><w:p><w:r><w:t>Page 3</w:t></w:r></w:p></w:ftr>`,
		"docProps/core.xml":  `<cp:coreProperties xmlns:cp="x" xmlns:dc="y" xmlns:dcterms="z"><dc:title>Pumps</dc:title><dc:creator>Ann</dc:creator><dcterms:created>2024-05-01T10:00:00Z</dcterms:created></cp:coreProperties>`,
	}
}

func p(props, text string) string {
	return `<w:p><w:pPr>` + props + `</w:pPr><w:r><w:t xml:space="preserve">` + text + `</w:t></w:r></w:p>`
}

func item(level, num, text string) string {
	return p(`<w:numPr><w:ilvl w:val="`+level+`"/><w:numId w:val="`+num+`"/></w:numPr>`, text)
}

func TestWord(t *testing.T) {
	cell := func(props, text string) string {
		return `<w:tc><w:tcPr>` + props + `</w:tcPr><w:p><w:r><w:t>` + text + `</w:t></w:r></w:p></w:tc>`
	}
	body := p(`<w:pStyle w:val="Berschrift1"/>`, "Intro") +
		`<w:p><w:r><w:t>Hel</w:t></w:r><w:r><w:t>lo</w:t><w:tab/><w:t>there</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>` +
		item("0", "1", "first") + item("1", "1", "under") + item("1", "1", "again") + item("0", "1", "second") + item("0", "2", "dot") +
		p(`<w:pStyle w:val="Mine"/>`, "Numbered") +
		p(`<w:pStyle w:val="Code"/>`, "x = 1") + p(`<w:pStyle w:val="Code"/>`, "  y = 2") +
		`<w:p><w:r><w:lastRenderedPageBreak/><mc:AlternateContent><mc:Choice><wps:txbx><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></wps:txbx></mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r><w:t>In a box</w:t></w:r></w:p></w:txbxContent></mc:Fallback></mc:AlternateContent><w:t>Beside it</w:t></w:r></w:p>` +
		`<w:tbl><w:tblPr/><w:tr>` + cell("", "k") + cell("", "v") + `</w:tr><w:tr>` + cell(`<w:vMerge w:val="restart"/>`, "1") + cell("", "2") + `</w:tr><w:tr>` + cell(`<w:vMerge/>`, "") + cell("", "3") + `</w:tr><w:tr>` + cell(`<w:gridSpan w:val="2"/>`, "wide") + `</w:tr></w:tbl>`
	raw := makeZip(t, word(body))
	d := readString(t, "a.bin", raw)
	want := `paragraph: ACME manual
heading1 p1: Intro
paragraph p1: Hello	there
paragraph p1: [2] A note.
list p1: 1. first⏎  1.a) under⏎  1.b) again⏎2. second⏎- dot
heading2 p1: 2.a) Numbered
code p2: x = 1⏎  y = 2
paragraph p2: Beside it
paragraph p2: In a box
table p2: | k | v |⏎| --- | --- |⏎| 1 | 2 |⏎| 1 | 3 |⏎| wide |  |
paragraph: Page 3
`
	if got := show(d); got != want {
		t.Errorf("read as\n%swant\n%s", got, want)
	}
	if d.Title != "Pumps" || d.Meta["author"] != "Ann" || d.Meta["created"] != "2024-05-01T10:00:00Z" || d.Meta["pages"] != 2.0 {
		t.Errorf("title %q, meta %v", d.Title, d.Meta)
	}
}

func TestWordThatIsBadOrHostile(t *testing.T) {
	deep := strings.Repeat("<w:sdt>", 2000)
	cases := map[string]struct {
		parts map[string]string
		fault Fault
	}{
		"bomb":   {word(p("", strings.Repeat("a", 40<<20))), Bomb},
		"deep":   {word(deep), Bomb},
		"nested": {word(strings.Repeat("<w:tbl><w:tr><w:tc>", 1000)), Bomb},
		"empty":  {map[string]string{"word/other.xml": "x"}, Damaged},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			raw := makeZip(t, c.parts)
			_, err := Read(context.Background(), File{Name: "a.docx", Data: strings.NewReader(raw), Size: int64(len(raw))}, Limits{})
			var e *Error
			if !asError(err, &e) || e.Fault != c.fault {
				t.Fatalf("error %v, want %s", err, c.fault)
			}
		})
	}
	t.Run("entities", func(t *testing.T) {
		parts := word(p("", "before &xxe; after"))
		parts["word/document.xml"] = strings.Replace(parts["word/document.xml"], "<w:document", `<!DOCTYPE d [<!ENTITY xxe SYSTEM "file:///etc/passwd"><!ENTITY a "aaaaaaaaaa">]><w:document`, 1)
		raw := makeZip(t, parts)
		if got := Markdown(readString(t, "a.docx", raw)); !strings.Contains(got, "before") || strings.Contains(got, "root:") {
			t.Errorf("read as %q", got)
		}
	})
	t.Run("cut", func(t *testing.T) {
		raw := makeZip(t, word(p("", "text")))
		for _, n := range []int{30, len(raw) / 2, len(raw) - 10} {
			_, err := Read(context.Background(), File{Name: "a.docx", Data: strings.NewReader(raw[:n]), Size: int64(n)}, Limits{})
			var e *Error
			if !asError(err, &e) || e.Fault != Damaged {
				t.Fatalf("cut at %d: error %v, want %s", n, err, Damaged)
			}
		}
	})
}
