package parse

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strconv"
	"strings"
)

// readDOCX reads the parts of an Office Open XML text document: body with
// headings, numbering, tables and text boxes, notes and comments behind the
// paragraph that refers to them, headers and footers once, properties.
func readDOCX(b *builder, f File, _ detected) error {
	pkg, err := openPackage(f, b.lim)
	if err != nil {
		return err
	}
	x := &docx{b: b, pkg: pkg, styles: map[string]docxStyle{}}
	main := pkg.mainPart()
	if main == "" {
		return fault(Damaged, nil, "the Word document has no main part; it is damaged or was cut off")
	}
	dir := path.Dir(main)
	if err := x.prepare(dir); err != nil {
		return err
	}
	body, err := pkg.read(main)
	if err != nil {
		return err
	}
	x.paged = bytes.Contains(body, []byte("lastRenderedPageBreak"))
	if x.paged {
		x.page = 1
	}
	if err := x.around(dir, "header"); err != nil {
		return err
	}
	if err := x.part(body); err != nil {
		return err
	}
	if x.paged {
		b.meta("pages", float64(x.page))
	}
	return x.around(dir, "footer")
}

// pack is an opened zip package whose unpacking is bounded.
type pack struct {
	files map[string]*zip.File
	lim   Limits
	used  int64
	size  int64
}

func openPackage(f File, lim Limits) (*pack, error) {
	z, err := zip.NewReader(f.Data, f.Size)
	if err != nil {
		return nil, fault(Damaged, err, "the file is damaged or was cut off")
	}
	if len(z.File) > lim.Entries {
		return nil, fault(Bomb, nil, "the file has %d entries; the limit is %d", len(z.File), lim.Entries)
	}
	p := &pack{files: make(map[string]*zip.File, len(z.File)), lim: lim, size: f.Size}
	for _, e := range z.File {
		if p.files[e.Name] == nil {
			p.files[e.Name] = e
		}
	}
	return p, nil
}

// read unpacks an entry; one that is not there is nil. What the entry says of
// its size is not believed: bytes are counted as they come out.
func (p *pack) read(name string) ([]byte, error) {
	e := p.files[name]
	if e == nil {
		return nil, nil
	}
	if e.Flags&1 != 0 {
		return nil, fault(Encrypted, nil, "the file is encrypted: it can be read after its password has been removed")
	}
	r, err := e.Open()
	if err != nil {
		return nil, fault(Damaged, err, "a part of the file (%s) cannot be unpacked", cutRunes(name, 100))
	}
	defer r.Close()
	var buf bytes.Buffer
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(chunk)
		buf.Write(chunk[:n])
		p.used += int64(n)
		switch {
		case p.used > p.lim.Unpacked:
			return nil, fault(Bomb, nil, "the file of %s unpacks to more than %s", bytesText(p.size), bytesText(p.lim.Unpacked))
		case p.used > 8<<20 && p.used > p.lim.Ratio*p.size:
			return nil, fault(Bomb, nil, "the file unpacks to more than %d times its size", p.lim.Ratio)
		}
		if err == io.EOF {
			return buf.Bytes(), nil
		}
		if err != nil {
			return nil, fault(Damaged, err, "a part of the file (%s) is damaged or was cut off", cutRunes(name, 100))
		}
	}
}

// mainPart is the part that the package's relations call its document.
func (p *pack) mainPart() string {
	if rels, err := p.read("_rels/.rels"); err == nil && rels != nil {
		var r struct {
			Relationship []struct {
				Type   string `xml:",attr"`
				Target string `xml:",attr"`
			}
		}
		if newXML(rels).Decode(&r) == nil {
			for _, e := range r.Relationship {
				name := strings.TrimPrefix(path.Clean("/"+e.Target), "/")
				if strings.HasSuffix(e.Type, "/officeDocument") && p.files[name] != nil {
					return name
				}
			}
		}
	}
	if p.files["word/document.xml"] != nil {
		return "word/document.xml"
	}
	return ""
}

// names lists the entries dir/prefix*.xml in order.
func (p *pack) names(dir, prefix string) []string {
	var out []string
	for n := range p.files {
		if path.Dir(n) == dir && strings.HasPrefix(path.Base(n), prefix) && strings.HasSuffix(n, ".xml") {
			out = append(out, n)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if len(out[i]) != len(out[j]) {
			return len(out[i]) < len(out[j])
		}
		return out[i] < out[j]
	})
	return out
}

// newXML decodes XML leniently. encoding/xml resolves no entity that a file
// defines and opens nothing outside of the bytes it is given.
func newXML(b []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		raw, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		text, _, err := decode(raw)
		return strings.NewReader(text), err
	}
	return d
}

// docx is a document being read.
type docx struct {
	b      *builder
	pkg    *pack
	styles map[string]docxStyle
	nums   numbering
	notes  map[string]string // "footnote/3", "endnote/1", "comment/2" → text

	dec   *xml.Decoder
	depth int
	paged bool
	page  int
	boxes int // how many text boxes enclose the present place

	list []string // items of the list being read
	code []string // lines of the code being read
	seen map[string]bool
}

// docxStyle is what a paragraph style means, after its ancestors.
type docxStyle struct {
	based   string
	name    string
	outline int // 1-based heading level, 0 none
	num     numRef
}

type numRef struct {
	id    string
	level int
}

// prepare reads styles, numbering, notes, comments and properties. A damaged
// one costs its part, not the document.
func (x *docx) prepare(dir string) error {
	for _, step := range []struct {
		name string
		read func([]byte) error
	}{
		{path.Join(dir, "styles.xml"), x.readStyles},
		{path.Join(dir, "numbering.xml"), x.nums.read},
		{path.Join(dir, "footnotes.xml"), func(p []byte) error { return x.readNotes(p, "footnote") }},
		{path.Join(dir, "endnotes.xml"), func(p []byte) error { return x.readNotes(p, "endnote") }},
		{path.Join(dir, "comments.xml"), func(p []byte) error { return x.readNotes(p, "comment") }},
		{"docProps/core.xml", x.readCore},
	} {
		part, err := x.pkg.read(step.name)
		if err == nil && part != nil {
			err = step.read(part)
		}
		var e *Error
		if errors.As(err, &e) && e.Fault != Damaged {
			return err
		}
		if err != nil {
			x.b.warnf("a part of the document could not be read: %s", step.name)
		}
	}
	return x.b.alive()
}

func (x *docx) readCore(part []byte) error {
	var c struct {
		Title    string `xml:"title"`
		Creator  string `xml:"creator"`
		Subject  string `xml:"subject"`
		Keywords string `xml:"keywords"`
		Created  string `xml:"created"`
		Modified string `xml:"modified"`
	}
	if err := newXML(part).Decode(&c); err != nil {
		return err
	}
	x.b.doc.Title = cutRunes(oneLine(c.Title), 500)
	x.b.meta("author", c.Creator)
	x.b.meta("subject", c.Subject)
	x.b.meta("keywords", c.Keywords)
	x.b.meta("created", c.Created)
	x.b.meta("modified", c.Modified)
	return nil
}

func (x *docx) readStyles(part []byte) error {
	type val struct {
		Val string `xml:"val,attr"`
	}
	var s struct {
		Style []struct {
			ID      string `xml:"styleId,attr"`
			Type    string `xml:"type,attr"`
			Name    val    `xml:"name"`
			BasedOn val    `xml:"basedOn"`
			PPr     struct {
				Outline *val `xml:"outlineLvl"`
				Num     struct {
					Level val `xml:"ilvl"`
					ID    val `xml:"numId"`
				} `xml:"numPr"`
			} `xml:"pPr"`
		} `xml:"style"`
	}
	if err := newXML(part).Decode(&s); err != nil {
		return err
	}
	for _, st := range s.Style {
		d := docxStyle{based: st.BasedOn.Val, name: strings.ToLower(st.Name.Val)}
		if n, ok := strings.CutPrefix(d.name, "heading "); ok {
			d.outline, _ = strconv.Atoi(n)
		}
		if d.name == "title" {
			d.outline = 1
		}
		if o := st.PPr.Outline; o != nil && d.outline == 0 {
			if n, err := strconv.Atoi(o.Val); err == nil && n >= 0 && n < 9 {
				d.outline = n + 1
			}
		}
		d.num.id = st.PPr.Num.ID.Val
		d.num.level, _ = strconv.Atoi(st.PPr.Num.Level.Val)
		x.styles[st.ID] = d
	}
	return nil
}

// style resolves a style through those it is based on.
func (x *docx) style(id string) docxStyle {
	out := docxStyle{name: strings.ToLower(id)}
	for hops := 0; hops < 20 && id != ""; hops++ {
		s, ok := x.styles[id]
		if !ok {
			break
		}
		if hops == 0 {
			out.name = s.name
		}
		if out.outline == 0 {
			out.outline = s.outline
		}
		if out.num.id == "" {
			out.num = s.num
		}
		id = s.based
	}
	return out
}

// readNotes keeps the text of each note or comment until it is referred to.
func (x *docx) readNotes(part []byte, kind string) error {
	if x.notes == nil {
		x.notes = map[string]string{}
	}
	dec := newXML(part)
	for {
		t, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		st, ok := t.(xml.StartElement)
		if !ok || st.Name.Local != kind || attrOf(st, "type") != "" && attrOf(st, "type") != "normal" {
			continue
		}
		sub := &docx{b: x.b, dec: dec, styles: x.styles}
		text, err := sub.flat()
		if err != nil {
			return err
		}
		id := attrOf(st, "id")
		switch {
		case text == "":
		case kind == "comment":
			who := attrOf(st, "author")
			if who != "" {
				who = " (" + who + ")"
			}
			x.notes["comment/"+id] = "[Comment" + who + ": " + text + "]"
		default:
			x.notes[kind+"/"+id] = fmt.Sprintf("[%s] %s", id, text)
		}
	}
}

// around adds what stands at the head or foot of pages, each text once.
func (x *docx) around(dir, prefix string) error {
	if x.seen == nil {
		x.seen = map[string]bool{}
	}
	for _, name := range x.pkg.names(dir, prefix) {
		part, err := x.pkg.read(name)
		if err != nil {
			return err
		}
		sub := &docx{b: x.b, styles: x.styles, dec: newXML(part)}
		text, err := sub.flat()
		if err != nil {
			x.b.warnf("a page %s could not be read", prefix)
			continue
		}
		if strings.Trim(text, " 0123456789-–—/|") == "" || x.seen[text] {
			continue
		}
		x.seen[text] = true
		if err := x.b.add(Block{Kind: Paragraph, Text: text}); err != nil {
			return err
		}
	}
	return nil
}

func attrOf(st xml.StartElement, local string) string {
	for _, a := range st.Attr {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}
