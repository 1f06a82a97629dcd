package parse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Version names what this package makes of files. It changes whenever the same
// file could yield another document.
const Version = "2"

// File is a file to read. Its content is read by position, so that the reader
// may be shared; an *os.File is handed to a worker process by descriptor where
// the system can do that.
type File struct {
	Name string // a path or plain name; only its extension matters, and little
	Data io.ReaderAt
	Size int64
	// Backlog says that others may be read first.
	Backlog bool
}

// Large is the size in bytes from which reading a file counts as slow.
const Large = 8 << 20

// Result is what was read of a file, and of which bytes. The texts of the blocks
// are parts of Text where they stand in it as they are: a large document is
// held once.
type Result struct {
	Document Document
	Text     string   // what Render writes of the document
	Spans    []Span   // where its blocks are in Text
	Hash     [16]byte // SHA-256 of the bytes that were read, cut to 128 bits
	Size     int64
}

// reader is what one kind of file is read with.
type reader func(b *builder, f File, d detected) error

var readers = map[format]reader{
	fText: readText, fCode: readCode, fMD: readMarkdown, fHTML: readHTML, fDOCX: readDOCX,
	fCSV: readCSV, fTSV: readCSV, fJSON: readJSON, fJSONL: readJSONL,
}

// Read reads a file in this process, without the protection of a worker: what
// a malicious file can make its parser do, it does here. PDF is read by a Pool
// only. The error is a *SkipError, an *Error or the context's; the result's
// Hash and Size are set whenever the file itself could be read.
func Read(ctx context.Context, f File, lim Limits) (Result, error) {
	return read(ctx, f, lim.withDefaults(), nil)
}

// read is Read with a reader for PDF.
func read(ctx context.Context, f File, lim Limits, pdf reader) (res Result, err error) {
	if f.Size > lim.Bytes {
		return Result{Size: f.Size}, fault(TooLarge, nil, "the file has %s; the limit is %s", bytesText(f.Size), bytesText(lim.Bytes))
	}
	var typ format
	defer func() {
		if p := recover(); p != nil {
			err = fault(Crashed, fmt.Errorf("%v\n%s", p, debug.Stack()), "the reader for this type of file failed on it; the file is probably damaged")
		}
		var e *Error
		if errors.As(err, &e) && e.Type == "" {
			e.Type = string(typ)
		}
	}()
	res.Hash, res.Size, err = hash(ctx, f)
	if err != nil {
		return res, err
	}
	d := detect(f.Data, f.Size, f.Name, lim)
	if d.err != nil {
		return res, d.err
	}
	typ = d.format
	rd := readers[d.format]
	if d.format == fPDF {
		rd = pdf
	}
	if rd == nil {
		return res, fault(Unreadable, nil, "this type of file (%s) is only read by a worker process", d.format)
	}
	b := newBuilder(ctx, lim, string(d.format))
	b.join = f.Size > joinBeyond
	if err := rd(b, f, d); err != nil {
		return res, err
	}
	if d.enc != "" && d.enc != "utf-8" {
		b.meta("encoding", d.enc)
	}
	again, _, err := hash(ctx, f)
	if err == nil && again != res.Hash {
		err = fault(Changed, nil, "the file changed while it was being read")
	}
	if err != nil {
		return res, err
	}
	if err := b.finish(); err != nil {
		return res, err
	}
	res.Document = b.doc
	res.Text, res.Spans = Render(b.doc)
	if int64(len(res.Text)) > lim.Text {
		return Result{Hash: res.Hash, Size: res.Size}, b.tooMuchText()
	}
	return res, nil
}

// hash reads the file once; reading and hashing again afterwards tells whether
// it stayed what it was (twice 1 GB/s is little beside parsing).
func hash(ctx context.Context, f File) (h [16]byte, n int64, err error) {
	s := sha256.New()
	buf := make([]byte, min(f.Size+1, 1<<20))
	r := io.NewSectionReader(f.Data, 0, f.Size)
	for err == nil {
		var k int
		k, err = r.Read(buf)
		s.Write(buf[:k])
		n += int64(k)
		if ctx.Err() != nil {
			return h, n, ctx.Err()
		}
	}
	copy(h[:], s.Sum(nil))
	switch {
	case err != io.EOF:
		return h, n, unreadable(err)
	case n != f.Size:
		return h, n, fault(Changed, nil, "the file became shorter while it was being read")
	}
	return h, n, nil
}

// finish is what all formats share once their blocks are there.
func (b *builder) finish() error {
	b.sliceTables()
	if len(b.doc.Blocks) == 0 && len(b.doc.Warnings) == 0 {
		return &SkipError{Type: b.doc.Type, Reason: "there is no text in the file"}
	}
	if b.doc.Title == "" {
		b.doc.Title = b.firstHeading()
	}
	return nil
}

// firstHeading is the title of a document that names none: a heading near its
// beginning, if no other of its rank follows. PDF has no ranks to trust: there
// it is the first heading of the first page that is no number or exhibit.
func (b *builder) firstHeading() string {
	title, level := "", 0
	for i, bl := range b.doc.Blocks {
		if bl.Kind != Heading {
			continue
		}
		switch {
		case b.doc.Type == string(fPDF):
			if i < 8 && bl.Page == 1 && len(bl.Text) <= 200 && titleLike(bl.Text) {
				return bl.Text
			}
			if bl.Page > 1 {
				return ""
			}
		case title == "" && i < 5 && len(bl.Text) <= 200:
			title, level = bl.Text, bl.Level
		case title == "" || bl.Level <= level:
			return ""
		}
	}
	return title
}

// titleLike reports whether a heading could be a title: it has words, and does
// not begin with a number or call itself an exhibit or page.
func titleLike(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	l := strings.ToLower(s)
	if !unicode.IsLetter(first) || strings.HasPrefix(l, "exhibit") || strings.HasPrefix(l, "page ") {
		return false
	}
	n := 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n >= 4
}
