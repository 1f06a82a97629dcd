package parse

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	xunicode "golang.org/x/text/encoding/unicode"
)

func readString(t testing.TB, name, s string) Document {
	t.Helper()
	res, err := Read(context.Background(), File{Name: name, Data: strings.NewReader(s), Size: int64(len(s))}, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return res.Document
}

// show writes blocks so that they can be compared: kind, level, page, text.
func show(d Document) string {
	var sb strings.Builder
	for _, b := range d.Blocks {
		fmt.Fprintf(&sb, "%s", b.Kind)
		if b.Level > 0 {
			fmt.Fprintf(&sb, "%d", b.Level)
		}
		if b.Page > 0 {
			fmt.Fprintf(&sb, " p%d", b.Page)
		}
		if b.Lang != "" {
			fmt.Fprintf(&sb, " %s", b.Lang)
		}
		fmt.Fprintf(&sb, ": %s\n", strings.ReplaceAll(b.Text, "\n", "⏎"))
	}
	return sb.String()
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ name, in, typ, want string }{
		{"notes.txt", "one\ntwo\r\n\r\n  three\n\n\n", "text/plain", "paragraph: one⏎two\nparagraph: three\n"},
		{"main.go", "package main\n\nfunc main() {}\n", "text/x-source", "code go: package main⏎⏎func main() {}\n"},
		{"a.md", "---\ntitle: The pump\nauthor: Ann\ntags: [a, b]\n---\n# Pump *one*\n\nText with `code`,\n[a link](http://x.y) and &amp; more.\n\n> said\n\n- one\n  - two\n- [x] three\n\n2. b\n3. c\n\n```go\nx := 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2\\|3 |\n",
			"text/markdown",
			"heading1: Pump one\nparagraph: Text with code,⏎a link and & more.\nquote: said\nlist: - one⏎  - two⏎- [x] three\nlist: 2. b⏎3. c\ncode go: x := 1\ntable: | a | b |⏎| --- | --- |⏎| 1 | 2\\|3 |\n"},
		{"a.csv", "name;year\nAda;1815\n\"Bob; jr\";\n", "text/csv", "table: | name | year |⏎| --- | --- |⏎| Ada | 1815 |⏎| Bob; jr |  |\n"},
		{"a.tsv", "a\tb\n1\t2\n", "text/tab-separated-values", "table: | a | b |⏎| --- | --- |⏎| 1 | 2 |\n"},
		{"table.txt", "a,b,c\n1,2,3\n4,5,6\n7,8,9\n1,2,3\n4,5,6\n", "text/csv", "table: | a | b | c |⏎| --- | --- | --- |⏎| 1 | 2 | 3 |⏎| 4 | 5 | 6 |⏎| 7 | 8 | 9 |⏎| 1 | 2 | 3 |⏎| 4 | 5 | 6 |\n"},
		{"a.json", `{"title":"T","tags":["x","y"],"deep":{"n":1.50,"ok":true,"no":null}}`, "application/json", "paragraph: title: T⏎tags[0]: x⏎tags[1]: y⏎deep.n: 1.50⏎deep.ok: true\n"},
		{"data", `[{"id":1},{"id":2}]`, "application/json", "paragraph: [0].id: 1\nparagraph: [1].id: 2\n"},
		{"data", "{\"id\":1}\n{\"id\":2}\n", "application/jsonl", "paragraph: id: 1\nparagraph: id: 2\n"},
		{"cut.json", `{"id": 1, "text": "half`, "text/plain", "paragraph: {\"id\": 1, \"text\": \"half\n"},
		{"page", "<!doctype html><title>Hi</title><h1>Head</h1><p>One<br>two <b>bold</b></p><ul><li>a<ul><li>b</ul></ul><pre><code class=language-go>x\ny</code></pre><table><tr><th>k<th>v</tr><tr><td rowspan=2>1<td>2</tr><tr><td>3</tr></table><blockquote>q</blockquote><script>no</script>",
			"text/html", "heading1: Head\nparagraph: One⏎two bold\nlist: - a⏎  - b\ncode go: x⏎y\ntable: | k | v |⏎| --- | --- |⏎| 1 | 2 |⏎| 1 | 3 |\nquote: q\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := readString(t, c.name, c.in)
			if d.Type != c.typ {
				t.Errorf("type %q, want %q", d.Type, c.typ)
			}
			if got := show(d); got != c.want {
				t.Errorf("read as\n%swant\n%s", got, c.want)
			}
		})
	}
	d := readString(t, "a.md", "---\ntitle: The pump\nauthor: Ann\ntags: [a, b]\n---\n# Pump\n")
	if d.Title != "The pump" || d.Meta["author"] != "Ann" || fmt.Sprint(d.Meta["tags"]) != "[a b]" {
		t.Errorf("front matter gave %q %v", d.Title, d.Meta)
	}
}

func TestEncodings(t *testing.T) {
	german := "Über die Brücke führt ein schöner Weg. Die Straße ist gesperrt, größere Fahrzeuge müssen außen herum.\n"
	russian := "Насос проверяют один раз в год. Клапан должен быть закрыт, когда система не работает.\n"
	japanese1 := "ポンプは一年に一度点検します。バルブは閉じてください。名前は佐藤太郎です。\n"
	enc := func(b []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, c := range map[string][2]string{
		"utf-8":        {german, german},
		"utf-8 bom":    {"\ufeff" + german, german},
		"windows-1252": {enc(charmap.Windows1252.NewEncoder().Bytes([]byte(german))), german},
		"macintosh":    {enc(charmap.Macintosh.NewEncoder().Bytes([]byte(german))), german},
		"windows-1251": {enc(charmap.Windows1251.NewEncoder().Bytes([]byte(russian))), russian},
		"koi8-r":       {enc(charmap.KOI8R.NewEncoder().Bytes([]byte(russian))), russian},
		"ibm866":       {enc(charmap.CodePage866.NewEncoder().Bytes([]byte(russian))), russian},
		"iso-8859-5":   {enc(charmap.ISO8859_5.NewEncoder().Bytes([]byte(russian))), russian},
		"shift_jis":    {enc(japanese.ShiftJIS.NewEncoder().Bytes([]byte(japanese1))), japanese1},
		"euc-jp":       {enc(japanese.EUCJP.NewEncoder().Bytes([]byte(japanese1))), japanese1},
		"utf-16le":     {enc(xunicode.UTF16(xunicode.LittleEndian, xunicode.IgnoreBOM).NewEncoder().Bytes([]byte(russian))), russian},
		"utf-16be bom": {enc(xunicode.UTF16(xunicode.BigEndian, xunicode.UseBOM).NewEncoder().Bytes([]byte(japanese1))), japanese1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Markdown(readString(t, "a.txt", c[0])); got != c[1] {
				t.Errorf("read as %q", got)
			}
		})
	}
	page := "<html><head><meta charset=windows-1251></head><body><p>" + enc(charmap.Windows1251.NewEncoder().Bytes([]byte("да"))) + "</p></body></html>"
	if got := Markdown(readString(t, "a.html", page)); got != "да\n" {
		t.Errorf("the page's own charset was not followed: %q", got)
	}
}

func TestWhatIsNotRead(t *testing.T) {
	noise := make([]byte, 5000)
	x := uint32(1)
	for i := range noise {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	zipOf := func(name, body string) string { return makeZip(t, map[string]string{name: body}) }
	for name, c := range map[string]struct{ in, typ, reason string }{
		"empty.txt":  {"", "application/x-empty", "empty"},
		"blank.txt":  {" \n\t\n", "text/plain", "white space"},
		"noise.txt":  {string(noise), "application/octet-stream", "neither text"},
		"nul.txt":    {strings.Repeat("\x00", 100), "application/octet-stream", "neither text"},
		"photo.pdf":  {"\x89PNG\r\n\x1a\n", "image/png", "an image"},
		"a.docx":     {zipOf("ppt/presentation.xml", "x"), "application/vnd.openxmlformats-officedocument.presentationml.presentation", "PowerPoint"},
		"b.docx":     {zipOf("xl/workbook.xml", "x"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "Excel"},
		"c.txt":      {zipOf("some.txt", "x"), "application/zip", "archive"},
		"book":       {zipOf("mimetype", "application/epub+zip"), "application/epub+zip", "EPUB"},
		"mail.txt":   {"From: a@b.c\nTo: d@e.f\nSubject: hi\n\ntext", "message/rfc822", "e-mail"},
		"prog":       {"\x7fELF\x02\x01\x01", "application/x-executable", "program"},
		"packed.txt": {"\x1f\x8b\x08\x00", "application/gzip", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := Read(context.Background(), File{Name: name, Data: strings.NewReader(c.in), Size: int64(len(c.in))}, Limits{})
			s, ok := err.(*SkipError)
			if !ok {
				t.Fatalf("error %v, want to be skipped", err)
			}
			if s.Type != c.typ || !strings.Contains(s.Reason, c.reason) {
				t.Errorf("skipped as %s: %s", s.Type, s.Reason)
			}
			if res.Size != int64(len(c.in)) || res.Hash == [16]byte{} {
				t.Errorf("the result does not say what was read: %+v", res)
			}
		})
	}
}

func makeZip(t testing.TB, files map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range sortedKeys(files) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(files[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}
