package parse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// fuzzLimits keep a fuzzing process small.
var fuzzLimits = Limits{Unpacked: 4 << 20, Text: 8 << 20, Blocks: 100_000}

// checkRead verifies what holds for whatever is read of any bytes.
func checkRead(t *testing.T, name string, raw []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := Read(ctx, File{Name: name, Data: bytes.NewReader(raw), Size: int64(len(raw))}, fuzzLimits)
	checkOutcome(t, raw, res, err)
}

func checkOutcome(t *testing.T, raw []byte, res Result, err error) {
	var skip *SkipError
	var bad *Error
	switch {
	case err == nil:
		checkDocument(t, res.Document)
	case errors.As(err, &skip):
		if skip.Reason == "" || skip.Type == "" {
			t.Errorf("skipped without saying why: %+v", skip)
		}
	case errors.As(err, &bad):
		if bad.Reason == "" || bad.Fault == Crashed {
			t.Errorf("%s: %v", bad.Fault, err)
		}
	default:
		t.Errorf("an error without type: %v", err)
	}
	if res.Size != int64(len(raw)) {
		t.Errorf("read %d of %d bytes", res.Size, len(raw))
	}
}

func checkDocument(t *testing.T, d Document) {
	text, spans := Render(d)
	at := 0
	for i, b := range d.Blocks {
		if strings.TrimSpace(b.Text) == "" || !utf8.ValidString(b.Text) {
			t.Errorf("block %d is %q", i, b.Text)
		}
		if b.Kind == Heading && (b.Level < 1 || strings.Contains(b.Text, "\n")) {
			t.Errorf("heading %d of level %d is %q", i, b.Level, b.Text)
		}
		if s := spans[i]; s.Start < at || s.End < s.Start || strings.TrimSpace(text[at:s.Start]) != "" {
			t.Errorf("block %d is at [%d,%d) after %d", i, s.Start, s.End, at)
		}
		at = spans[i].End
	}
	if strings.TrimSpace(text[at:]) != "" {
		t.Errorf("text behind the last block: %q", text[at:])
	}
	if _, err := json.Marshal(d); err != nil {
		t.Errorf("the document cannot be written as JSON: %v", err)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"one\n\ntwo", "\xff\xfea\x00", "\xfe\xff\x00a", "\xe9t\xe9", "a\x00b", "\xef\xbb\xbfx", "From: a\nTo: b\nDate: c\n\n", "\xcf\xf0\xe8\xe2\xe5\xf2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkRead(t, "a.txt", raw); checkRead(t, "a.go", raw) })
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"# a\n\n- b\n  - c\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "---\na: [1, {b: c}]\n---\n> q\n\n```go\nx\n```\n", "[^1]: n\n\nx[^1] <br> &amp; ~~y~~ <div>z</div>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkRead(t, "a.md", raw) })
}

func FuzzHTML(f *testing.F) {
	for _, s := range []string{"<html><p>a<table><tr><td rowspan=9>b<td colspan=99999>c</table><ul><li>d<ol><li>e</ul>", "<!doctype html><meta charset=koi8-r><pre class=language-x>a\n</pre><h1>h<br>i</h1>", "<html><nav>n</nav><article><h2>x</h2><p>" + strings.Repeat("long enough text. ", 30) + "</article>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkRead(t, "a.html", raw) })
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a;b\n\"x;\n\"\"y\";2\n", "sep=|\na|b\n1|2|3\n", "a\tb\n\n1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkRead(t, "a.csv", raw); checkRead(t, "a.tsv", raw) })
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":null}],"c":"d"}`, "[]", `[[[1]]]`, "{\"a\":1}\n{\"b\":2}\nnot\n", `{"a":`, `{"":{"":"x"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkRead(t, "a.json", raw); checkRead(t, "a.jsonl", raw) })
}

// FuzzDOCX fuzzes the parts that are read, in an honest archive, and the
// archive itself.
func FuzzDOCX(f *testing.F) {
	parts := word(p(`<w:pStyle w:val="Mine"/>`, "a") + item("1", "1", "b") + "<w:tbl><w:tr><w:tc/></w:tr></w:tbl>")
	f.Add(parts["word/document.xml"], parts["word/styles.xml"], parts["word/numbering.xml"], []byte(makeZip(f, parts)))
	f.Fuzz(func(t *testing.T, doc, styles, nums string, archive []byte) {
		checkRead(t, "a.docx", []byte(makeZip(t, map[string]string{"word/document.xml": doc, "word/styles.xml": styles, "word/numbering.xml": nums, "docProps/core.xml": styles})))
		checkRead(t, "a.docx", archive)
	})
}

// FuzzPDF goes through a real worker: the readers of PDF may end or halt their
// process, which only costs the worker.
func FuzzPDF(f *testing.F) {
	f.Add([]byte(samplePDF(false)))
	f.Add([]byte(samplePDF(true)))
	f.Add([]byte("%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages 1 0 R /Kids [1 0 R]>>\nendobj\ntrailer <</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"))
	pool := testPool(f, func(o *PoolOptions) { o.Deadline = 5 * time.Second; o.Memory = 768 << 20 })
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<20 {
			return
		}
		raw = append([]byte("%PDF-1.4\n"), raw...)
		res, err := pool.Parse(t.Context(), File{Name: "a.pdf", Data: bytes.NewReader(raw), Size: int64(len(raw))})
		var bad *Error
		if errors.As(err, &bad) && (bad.Fault == Crashed || bad.Fault == Deadline || bad.Fault == Memory) {
			return // a lost worker is what it is for
		}
		checkOutcome(t, raw, res, err)
	})
}

// FuzzLayout puts lines anywhere on pages.
func FuzzLayout(f *testing.F) {
	f.Add("one\ntwo-\nthree\n\x00four\n1\n\x00one\ntwo", 12.0, 700.0, -14.0)
	f.Fuzz(func(t *testing.T, text string, size, y, step float64) {
		if math.IsNaN(size+y+step) || math.IsInf(size+y+step, 0) {
			return
		}
		var pages []*pdfPage
		for i, pg := range strings.Split(text, "\x00") {
			page := &pdfPage{}
			for j, l := range strings.Split(pg, "\n") {
				if l = cleanPDF(l); l != "" {
					page.lines = append(page.lines, pdfLine{text: l, x0: float64(j % 7), x1: float64(len(l)), y: y + float64(j)*step, size: size + float64(i%3), bold: j%5 == 0})
				}
			}
			pages = append(pages, page)
		}
		b := newBuilder(context.Background(), DefaultLimits, "x")
		if err := layoutPDF(b, pages); err != nil {
			t.Fatal(err)
		}
		checkDocument(t, b.doc)
	})
}

// FuzzFrames reads what a worker that went mad might send.
func FuzzFrames(f *testing.F) {
	var buf bytes.Buffer
	w := bufio.NewWriter(&buf)
	if err := sendResult(w, resultOf(Document{Blocks: []Block{{Kind: Paragraph, Text: "x"}, {Kind: Quote, Text: "a\nb"}}})); err != nil {
		f.Fatal(err)
	}
	w.Flush()
	f.Add(buf.Bytes())
	f.Add([]byte("r\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bufio.NewReader(bytes.NewReader(raw))
		var text string
		for {
			kind, n, err := readHead(r, 1<<30)
			if err != nil {
				return
			}
			if kind == frameText {
				if text, err = receiveText(r, n, 0); err != nil {
					return
				}
				continue
			}
			payload, err := readPayload(r, n)
			if err != nil {
				return
			}
			var rp reply
			if kind == frameDone && json.Unmarshal(payload, &rp) == nil {
				if res, err := rp.result(text); err == nil && len(res.Spans) != len(res.Document.Blocks) {
					t.Fatal("a result that does not fit together")
				}
			}
		}
	})
}
