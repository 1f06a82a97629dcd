package parse

import (
	"archive/zip"
	"bytes"
	"io"
	"path"
	"strings"
	"unicode"
)

// format is a way of reading. Its media type is what Document.Type tells.
type format string

const (
	fText  format = "text/plain"
	fMD    format = "text/markdown"
	fHTML  format = "text/html"
	fPDF   format = "application/pdf"
	fDOCX  format = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	fCSV   format = "text/csv"
	fTSV   format = "text/tab-separated-values"
	fJSON  format = "application/json"
	fJSONL format = "application/jsonl"
	fCode  format = "text/x-source"
	fSkip  format = ""
)

// detected is what a file turned out to be: a format that is read, or the
// error that says why it is not.
type detected struct {
	format format
	text   string // the decoded text, for formats that are text
	enc    string // name of the encoding the text was in
	lang   string // programming language, for source code
	err    error
}

// magics are the first bytes of types that are told apart at once and not read.
var magics = []struct {
	at     int
	prefix string
	typ    string
	what   string
}{
	{0, "\x89PNG\r\n\x1a\n", "image/png", "an image"},
	{0, "\xff\xd8\xff", "image/jpeg", "an image"},
	{0, "GIF87a", "image/gif", "an image"},
	{0, "GIF89a", "image/gif", "an image"},
	{0, "BM", "image/bmp", "an image"}, // with a check below
	{0, "II*\x00", "image/tiff", "an image"},
	{0, "MM\x00*", "image/tiff", "an image"},
	{8, "WEBP", "image/webp", "an image"},
	{8, "AVI ", "video/x-msvideo", "a video"},
	{8, "WAVE", "audio/wav", "a sound file"},
	{4, "ftypheic", "image/heic", "an image"},
	{4, "ftypavif", "image/avif", "an image"},
	{4, "ftyp", "video/mp4", "a video or sound file"},
	{0, "\x1aE\xdf\xa3", "video/x-matroska", "a video"},
	{0, "ID3", "audio/mpeg", "a sound file"},
	{0, "OggS", "audio/ogg", "a sound file"},
	{0, "fLaC", "audio/flac", "a sound file"},
	{0, "\x1f\x8b", "application/gzip", "a compressed file (gzip)"},
	{0, "BZh", "application/x-bzip2", "a compressed file (bzip2)"},
	{0, "\xfd7zXZ\x00", "application/x-xz", "a compressed file (xz)"},
	{0, "\x28\xb5\x2f\xfd", "application/zstd", "a compressed file (zstd)"},
	{0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "an archive (7z)"},
	{0, "Rar!\x1a\x07", "application/vnd.rar", "an archive (rar)"},
	{257, "ustar", "application/x-tar", "an archive (tar)"},
	{0, "\x7fELF", "application/x-executable", "a program"},
	{0, "\xcf\xfa\xed\xfe", "application/x-mach-binary", "a program"},
	{0, "\xca\xfe\xba\xbe", "application/x-mach-binary", "a program"},
	{0, "\x00asm", "application/wasm", "a program"},
	{0, "SQLite format 3\x00", "application/vnd.sqlite3", "a database"},
	{0, "PAR1", "application/vnd.apache.parquet", "a Parquet file"},
	{0, "{\\rtf", "application/rtf", "an RTF document"},
	{0, "wOFF", "font/woff", "a font"},
	{0, "wOF2", "font/woff2", "a font"},
	{0, "OTTO", "font/otf", "a font"},
	{0, "%!PS", "application/postscript", "a PostScript file"},
	{0, "AT&TFORM", "image/vnd.djvu", "a DjVu document"},
}

const headBytes = 4096

// detect finds out what a file is by its content; the name only decides
// between formats that are all plain text. It reads text whole: what is text
// can only be said of all of it.
func detect(f io.ReaderAt, size int64, name string, lim Limits) detected {
	head := make([]byte, min(size, headBytes))
	if n, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return detected{err: fault(Unreadable, err, "the file could not be read")}
	} else {
		head = head[:n]
	}
	if len(head) == 0 {
		return detected{err: &SkipError{Type: "application/x-empty", Reason: "the file is empty"}}
	}
	if i := bytes.Index(head[:min(len(head), 1024)], []byte("%PDF-")); i >= 0 {
		return detected{format: fPDF}
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return detectZip(f, size)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return detectOLE(f, size)
	case bytes.HasPrefix(head, []byte("MZ")) && bytes.IndexByte(head, 0) >= 0:
		return skip("application/vnd.microsoft.portable-executable", "a program")
	}
	for _, m := range magics {
		if len(head) < m.at+len(m.prefix) || string(head[m.at:m.at+len(m.prefix)]) != m.prefix {
			continue
		}
		if m.prefix == "BM" && bytes.IndexByte(head, 0) < 0 {
			continue // a text that begins so
		}
		return skip(m.typ, m.what)
	}
	return detectText(f, size, name, lim)
}

func skip(typ, what string) detected {
	return detected{err: &SkipError{Type: typ, Reason: "not read: this is " + what}}
}

// detectZip tells Office documents and e-books from other archives by the
// names of their entries.
func detectZip(f io.ReaderAt, size int64) detected {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return detected{err: &Error{Type: "application/zip", Fault: Damaged, Err: err,
			Reason: "the file is damaged or was cut off: it begins as a ZIP or Office file, but its list of contents cannot be read"}}
	}
	for _, e := range z.File {
		switch {
		case e.Name == "word/document.xml", strings.HasPrefix(e.Name, "word/"):
			return detected{format: fDOCX}
		case strings.HasPrefix(e.Name, "ppt/"):
			return skip("application/vnd.openxmlformats-officedocument.presentationml.presentation", "a PowerPoint presentation, which is not supported yet")
		case strings.HasPrefix(e.Name, "xl/"):
			return skip("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "an Excel workbook, which is not supported yet")
		case e.Name == "mimetype" && e.UncompressedSize64 < 200:
			if d, ok := detectMimetype(e); ok {
				return d
			}
		case e.Name == "AndroidManifest.xml", e.Name == "META-INF/MANIFEST.MF":
			return skip("application/java-archive", "a program (Java or Android archive)")
		}
	}
	return skip("application/zip", "an archive (zip)")
}

// detectMimetype reads the entry by which e-books and OpenDocument files name
// their type.
func detectMimetype(e *zip.File) (detected, bool) {
	r, err := e.Open()
	if err != nil {
		return detected{}, false
	}
	defer r.Close()
	b, _ := io.ReadAll(io.LimitReader(r, 200))
	switch typ := strings.TrimSpace(string(b)); {
	case typ == "application/epub+zip":
		return skip(typ, "an e-book (EPUB), which is not supported yet"), true
	case strings.HasPrefix(typ, "application/vnd.oasis.opendocument."):
		return skip(typ, "an OpenDocument file, which is not supported yet"), true
	}
	return detected{}, false
}

// detectOLE looks for the streams that old Office files and encrypted new ones
// keep in their directory, whose names are UTF-16.
func detectOLE(f io.ReaderAt, size int64) detected {
	b := make([]byte, min(size, 8<<20))
	n, _ := f.ReadAt(b, 0)
	b = b[:n]
	has := func(s string) bool {
		w := make([]byte, 0, 2*len(s))
		for i := range len(s) {
			w = append(w, s[i], 0)
		}
		return bytes.Contains(b, w)
	}
	switch {
	case has("EncryptedPackage"):
		return detected{err: &Error{Type: "application/x-ole-storage", Fault: Encrypted,
			Reason: "the Office document is encrypted: it can be read after its password has been removed"}}
	case has("WordDocument"):
		return skip("application/msword", "a Word document of the old format (.doc): save it as .docx")
	case has("Workbook"), has("Book"):
		return skip("application/vnd.ms-excel", "an Excel workbook of the old format (.xls)")
	case has("PowerPoint Document"):
		return skip("application/vnd.ms-powerpoint", "a PowerPoint presentation of the old format (.ppt)")
	case has("__properties_version1.0"):
		return skip("application/vnd.ms-outlook", "an Outlook message (.msg)")
	}
	return skip("application/x-ole-storage", "a file of an old Office or Windows format")
}

// codeByExt names the language of source files, which no content tells.
var codeByExt = map[string]string{
	".go": "go", ".py": "python", ".js": "javascript", ".mjs": "javascript", ".ts": "typescript", ".tsx": "tsx", ".jsx": "jsx",
	".java": "java", ".kt": "kotlin", ".scala": "scala", ".c": "c", ".h": "c", ".cc": "cpp", ".cpp": "cpp", ".hpp": "cpp", ".cs": "csharp",
	".rs": "rust", ".rb": "ruby", ".php": "php", ".swift": "swift", ".sh": "sh", ".bash": "sh", ".ps1": "powershell", ".sql": "sql",
	".r": "r", ".lua": "lua", ".pl": "perl", ".ex": "elixir", ".erl": "erlang", ".hs": "haskell", ".ml": "ocaml", ".clj": "clojure",
	".zig": "zig", ".dart": "dart", ".css": "css", ".scss": "scss", ".proto": "protobuf", ".tf": "hcl", ".yaml": "yaml", ".yml": "yaml",
	".toml": "toml", ".ini": "ini", ".cfg": "ini", ".xml": "xml", ".tex": "latex", ".vue": "vue", ".svelte": "svelte",
	".dockerfile": "dockerfile", ".mk": "make", ".cmake": "cmake", ".gradle": "gradle",
}

// detectText decodes and tells the formats apart that are made of text.
func detectText(f io.ReaderAt, size int64, name string, lim Limits) detected {
	raw, err := readAll(f, size)
	if err != nil {
		return detected{err: err}
	}
	text, enc, err := decode(raw)
	if err != nil {
		return detected{err: err}
	}
	if strings.TrimSpace(text) == "" {
		return detected{err: &SkipError{Type: string(fText), Reason: "the file holds nothing but white space"}}
	}
	ext := strings.ToLower(path.Ext(strings.ReplaceAll(name, "\\", "/")))
	d := detected{text: text, enc: enc}
	switch {
	case looksHTML(text, ext):
		d.format = fHTML
		if enc != "utf-8" && !strings.HasPrefix(enc, "utf-16") || ext == ".html" || ext == ".htm" {
			// The page may name its encoding itself; that beats a guess.
			if t, e, ok := decodeHTML(raw, enc); ok {
				d.text, d.enc = t, e
			}
		}
	case looksMail(text, ext):
		return skip("message/rfc822", "an e-mail message, which is not supported yet")
	case codeByExt[ext] != "" && !strings.HasPrefix(strings.TrimSpace(text), "{"):
		d.format, d.lang = fCode, codeByExt[ext]
	case looksJSON(text):
		d.format = jsonFormat(text, ext)
	case codeByExt[ext] != "":
		d.format, d.lang = fCode, codeByExt[ext]
	case ext == ".md" || ext == ".markdown" || ext == ".mdx" || ext == "" && looksMarkdown(text):
		d.format = fMD
	case ext == ".csv":
		d.format = fCSV
	case ext == ".tsv" || ext == ".tab":
		d.format = fTSV
	default:
		d.format = looksTabular(text)
	}
	return d
}

func looksHTML(text, ext string) bool {
	s := strings.ToLower(cutRunes(strings.TrimSpace(text), 4096))
	for {
		switch {
		case strings.HasPrefix(s, "<!--"):
			_, rest, ok := strings.Cut(s, "-->")
			if !ok {
				return ext == ".html" || ext == ".htm"
			}
			s = strings.TrimSpace(rest)
			continue
		case strings.HasPrefix(s, "<?xml"):
			_, rest, ok := strings.Cut(s, ">")
			if !ok {
				return false
			}
			s = strings.TrimSpace(rest)
			continue
		}
		break
	}
	for _, p := range []string{"<!doctype html", "<html", "<head", "<body"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	if ext == ".html" || ext == ".htm" || ext == ".xhtml" {
		return strings.Contains(s, "<")
	}
	if ext != "" && ext != ".txt" || !strings.HasPrefix(s, "<") {
		return false
	}
	n := 0
	for _, t := range []string{"<p", "<div", "<table", "<ul", "<h1", "<br", "<span", "<a "} {
		n += strings.Count(s, t)
	}
	return n >= 3
}

// looksMail reports whether a text begins with the header of a message.
func looksMail(text, ext string) bool {
	known, lines := 0, 0
	mbox := strings.HasPrefix(text, "From ") && strings.Contains(cutRunes(text, 200), "@")
	for line := range strings.Lines(cutRunes(text, 8192)) {
		line = strings.TrimRight(line, "\r\n")
		if lines == 0 && mbox {
			lines++
			continue
		}
		if line == "" {
			break
		}
		lines++
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		field, _, ok := strings.Cut(line, ":")
		if !ok || strings.ContainsAny(field, " \t") {
			return false
		}
		switch strings.ToLower(field) {
		case "from", "to", "subject", "date", "message-id", "received", "return-path", "mime-version", "content-type", "delivered-to", "x-mailer":
			known++
		}
	}
	return known >= 3 || known >= 1 && (ext == ".eml" || ext == ".mbox" || mbox)
}

// looksMarkdown counts the marks that plain prose does not have.
func looksMarkdown(text string) bool {
	marks := 0
	for line := range strings.Lines(cutRunes(text, 64<<10)) {
		switch t := strings.TrimRight(line, "\r\n"); {
		case strings.HasPrefix(t, "# "), strings.HasPrefix(t, "## "), strings.HasPrefix(t, "```"):
			marks += 2
		case strings.HasPrefix(t, "- "), strings.HasPrefix(t, "* "), strings.HasPrefix(t, "> "), strings.Contains(t, "]("):
			marks++
		}
	}
	return marks >= 4
}

// looksTabular recognises separated values by lines of equal, plural fields.
func looksTabular(text string) format {
	head := cutRunes(text, 32<<10)
	if len(head) < len(text) {
		head = head[:max(strings.LastIndexByte(head, '\n'), 0)]
	}
	sep, n := sniffSeparator(head)
	lines := strings.Count(head, "\n")
	switch {
	case sep == '\t' && n >= 2 && lines >= 3:
		return fTSV
	case sep != 0 && n >= 3 && lines >= 5 && !strings.ContainsFunc(head, func(r rune) bool { return r == '。' }):
		return fCSV
	}
	return fText
}

func looksJSON(text string) bool {
	t := strings.TrimLeftFunc(text, unicode.IsSpace)
	return t != "" && (t[0] == '{' || t[0] == '[')
}
