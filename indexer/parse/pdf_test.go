package parse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// makePDF writes a PDF of the given content streams, one a page, with Helvetica
// as F1 and bold as F2. In form, the text of each page stands in a form XObject.
func makePDF(form bool, pages ...string) string {
	var objs []string
	obj := func(s string) int { objs = append(objs, s); return len(objs) }
	stream := func(dict, s string) string {
		return fmt.Sprintf("<<%s /Length %d>>\nstream\n%s\nendstream", dict, len(s), s)
	}
	catalog := obj("")
	tree := obj("")
	widths := "[" + strings.Repeat("556 ", 224) + "]"
	font := func(name string) int {
		return obj("<</Type /Font /Subtype /TrueType /BaseFont /" + name + " /FirstChar 32 /LastChar 255 /Widths " + widths + " /Encoding /WinAnsiEncoding>>")
	}
	f1, f2 := font("Helvetica"), font("Helvetica-Bold")
	fonts := fmt.Sprintf("/Font <</F1 %d 0 R /F2 %d 0 R>>", f1, f2)
	var kids []string
	for _, content := range pages {
		res := fonts
		if form {
			x := obj(stream("/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources <<"+fonts+">>", content))
			content, res = "q /X Do Q", fmt.Sprintf("/XObject <</X %d 0 R>>", x)
		}
		c := obj(stream("", content))
		kids = append(kids, fmt.Sprintf("%d 0 R", obj(fmt.Sprintf("<</Type /Page /Parent %d 0 R /MediaBox [0 0 600 800] /Resources <<%s>> /Contents %d 0 R>>", tree, res, c))))
	}
	info := obj("<</Title (The pump) /Author (Ann) /CreationDate (D:20240131120000+01'00')>>")
	objs[catalog-1] = fmt.Sprintf("<</Type /Catalog /Pages %d 0 R>>", tree)
	objs[tree-1] = fmt.Sprintf("<</Type /Pages /Count %d /Kids [%s]>>", len(kids), strings.Join(kids, " "))
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, o := range objs {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objs)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d /Root %d 0 R /Info %d 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(objs)+1, catalog, info, xref)
	return b.String()
}

// textAt writes lines of text into a content stream, from the top down.
func textAt(font string, size, x, y int, lines ...string) string {
	var sb strings.Builder
	for i, l := range lines {
		fmt.Fprintf(&sb, "BT /%s %d Tf %d %d Td (%s) Tj ET\n", font, size, x, y-i*(size+2), l)
	}
	return sb.String()
}

func samplePDF(form bool) string {
	page := func(n int, body string) string {
		return textAt("F1", 8, 50, 780, "ACME pump manual") + body + textAt("F1", 8, 290, 20, fmt.Sprint(n))
	}
	filler := func(y int) string {
		return textAt("F1", 10, 50, y, "Each pump has a plate that shows its number and the year in which it was built, and a", "second plate that shows its pressure. Both plates have to be kept clean so that they", "can be read.")
	}
	return makePDF(form,
		page(1, textAt("F2", 20, 50, 740, "Pumps and valves")+textAt("F1", 10, 50, 700,
			"The pump is checked once a year by a person who was trained for it and who is inde-", "pendent of the operator. The report is kept for ten years.")+filler(640)+filler(580)),
		page(2, textAt("F2", 14, 50, 740, "Valves")+textAt("F1", 10, 50, 700, "A valve is closed before the pump is opened.")+filler(640)+filler(580)),
		page(3, textAt("F2", 14, 50, 740, "Pipes")+textAt("F1", 10, 50, 700, "A pipe is emptied before it is cut.")+filler(640)+filler(580)),
	)
}

func TestPDF(t *testing.T) {
	p := testPool(t)
	filler := "Each pump has a plate that shows its number and the year in which it was built, and a second plate that shows its pressure. Both plates have to be kept clean so that they can be read.\n"
	want := "paragraph p1: ACME pump manual\nheading1 p1: Pumps and valves\n" +
		"paragraph p1: The pump is checked once a year by a person who was trained for it and who is independent of the operator. The report is kept for ten years.\n" +
		"paragraph p1: " + filler + "paragraph p1: " + filler +
		"running p2: ACME pump manual\nheading2 p2: Valves\nparagraph p2: A valve is closed before the pump is opened.\nparagraph p2: " + filler + "paragraph p2: " + filler +
		"running p3: ACME pump manual\nheading2 p3: Pipes\nparagraph p3: A pipe is emptied before it is cut.\nparagraph p3: " + filler + "paragraph p3: " + filler
	for name, raw := range map[string]string{
		"page content":  samplePDF(false),
		"form XObjects": samplePDF(true),
		"by pdfium":     strings.ReplaceAll(samplePDF(false), "/Widths", "/Wodths"),
	} {
		t.Run(name, func(t *testing.T) {
			res, err := p.Parse(t.Context(), File{Name: "a.pdf", Data: strings.NewReader(raw), Size: int64(len(raw))})
			if err != nil {
				t.Fatal(err)
			}
			if got := show(res.Document); got != want {
				t.Errorf("read as\n%swant\n%s", got, want)
			}
			d := res.Document
			if d.Title != "The pump" || d.Meta["author"] != "Ann" || d.Meta["pages"] != 3.0 || d.Meta["created"] != "2024-01-31T12:00:00+01:00" {
				t.Errorf("title %q, meta %v", d.Title, d.Meta)
			}
		})
	}
	t.Run("the fast reader", func(t *testing.T) {
		raw := samplePDF(false)
		for _, form := range []bool{false, true} {
			raw := samplePDF(form)
			pages, info := readFast(t.Context(), File{Data: strings.NewReader(raw), Size: int64(len(raw))}, DefaultLimits)
			if len(pages) != 3 || pages[0] == nil || pages[1] == nil || pages[2] == nil || info.title != "The pump" {
				t.Fatalf("it did not read the pages it can: %v %v", pages, info)
			}
		}
		for name, raw := range map[string]string{
			"unknown glyphs": strings.ReplaceAll(raw, "/WinAnsiEncoding", "<</Type /Encoding /Differences [65 /g1 /g2]>>"),
			"no widths":      strings.ReplaceAll(raw, "/Widths", "/Wodths"),
			"inline images":  strings.ReplaceAll(raw, "BT", "EI"),
			"turned":         strings.ReplaceAll(raw, "/MediaBox", "/Rotate 90 /MediaBox"),
		} {
			pages, _ := readFast(t.Context(), File{Data: strings.NewReader(raw), Size: int64(len(raw))}, DefaultLimits)
			for _, pg := range pages {
				if pg != nil {
					t.Errorf("%s: a page was trusted", name)
				}
			}
		}
	})
	for name, c := range map[string]struct {
		raw   string
		fault Fault
	}{
		"cut":     {samplePDF(false)[:400], Damaged},
		"garbage": {"%PDF-1.4\n" + strings.Repeat("garbage ", 1000), Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.Parse(t.Context(), File{Name: "a.pdf", Data: strings.NewReader(c.raw), Size: int64(len(c.raw))})
			var e *Error
			if !asError(err, &e) || e.Fault != c.fault {
				t.Fatalf("error %v, want %s", err, c.fault)
			}
		})
	}
	t.Run("without text", func(t *testing.T) {
		raw := makePDF(false, "0 0 100 100 re f")
		_, err := p.Parse(t.Context(), File{Name: "a.pdf", Data: strings.NewReader(raw), Size: int64(len(raw))})
		if !isSkip(err) || !strings.Contains(err.Error(), "no text layer") {
			t.Fatalf("error %v", err)
		}
	})
}
