package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// largePDF writes a PDF of about size bytes: pages of text with much of it, so
// that reading takes its time.
func largePDF(path string, size int64) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	lines := make([]string, 60)
	for i := range lines {
		lines[i] = sentence(i, "page")
	}
	w := bufio.NewWriterSize(f, 1<<20)
	writePDF(w, int(size/int64(len(pageOf(lines))+260)), lines)
	return w.Flush()
}

// pageOf is the content of a page.
func pageOf(lines []string) string {
	page := ""
	for i, line := range lines {
		page += fmt.Sprintf("BT /F1 9 Tf 40 %d Td (%s) Tj ET\n", 780-12*i, line)
	}
	return page
}

// writePDF writes a valid PDF of equal pages.
func writePDF(w io.Writer, pages int, lines []string) {
	page := pageOf(lines)
	var at int64
	var offsets []int64
	put := func(format string, a ...any) {
		n, _ := fmt.Fprintf(w, format, a...)
		at += int64(n)
	}
	object := func(format string, a ...any) {
		offsets = append(offsets, at)
		put("%d 0 obj\n", len(offsets))
		put(format, a...)
		put("\nendobj\n")
	}
	put("%%PDF-1.4\n")
	object("<< /Type /Catalog /Pages 2 0 R >>")
	kids := ""
	for i := range pages {
		kids += fmt.Sprintf("%d 0 R ", 4+2*i)
	}
	object("<< /Type /Pages /Count %d /Kids [%s] >>", pages, kids)
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	for range pages {
		n := len(offsets)
		object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", n+2)
		object("<< /Length %d >>\nstream\n%s\nendstream", len(page), page)
	}
	start := at
	put("xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		put("%010d 00000 n \n", o)
	}
	put("trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, start)
}
