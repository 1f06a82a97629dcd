package parse

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// docxPara is a paragraph being gathered.
type docxPara struct {
	text    strings.Builder
	style   string
	outline int
	num     numRef
	hasNum  bool
	page    int      // on which it began
	notes   []string // referred to
	boxes   []string // paragraphs of text boxes anchored in it
	hidden  bool     // inside a hidden run
}

// part reads a part's paragraphs and tables into blocks.
func (x *docx) part(body []byte) error {
	x.dec = newXML(body)
	err := x.content("", func(p *docxPara) error { return x.emit(p) }, func(rows [][]string, page int) error {
		if err := x.flush(); err != nil {
			return err
		}
		return x.emitTable(rows, page)
	})
	if err == io.EOF {
		err = nil
	}
	if err != nil {
		var e *Error
		if errors.As(err, &e) || x.b.ctx.Err() != nil {
			return err
		}
		if len(x.b.doc.Blocks) == 0 && len(x.list) == 0 {
			return fault(Damaged, err, "the Word document's text is damaged or was cut off")
		}
		x.b.warnf("the document is damaged; what follows the text that was read is missing (%v)", err)
	}
	return x.flush()
}

// next gives the next token and keeps the depth of nesting in bounds.
func (x *docx) next() (xml.Token, error) {
	t, err := x.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t.(type) {
	case xml.StartElement:
		if x.depth++; x.depth > x.b.lim.Depth {
			return nil, fault(Bomb, nil, "the document is nested more than %d deep", x.b.lim.Depth)
		}
	case xml.EndElement:
		x.depth--
	}
	return t, nil
}

// skipElement passes over the element whose start was just read.
func (x *docx) skipElement() error {
	for n := 1; n > 0; {
		t, err := x.next()
		if err != nil {
			return err
		}
		switch t.(type) {
		case xml.StartElement:
			n++
		case xml.EndElement:
			n--
		}
	}
	return nil
}

// content reads paragraphs and tables until the end of the element it is in.
func (x *docx) content(end string, para func(*docxPara) error, table func([][]string, int) error) error {
	level := 0
	for {
		t, err := x.next()
		if err != nil {
			return err
		}
		switch el := t.(type) {
		case xml.EndElement:
			if level == 0 && end != "" {
				return nil
			}
			level--
		case xml.StartElement:
			switch el.Name.Local {
			case "p":
				p, err := x.paragraph()
				if err != nil {
					return err
				}
				if err := para(p); err != nil {
					return err
				}
			case "tbl":
				page := x.page
				rows, err := x.table()
				if err != nil {
					return err
				}
				if err := table(rows, page); err != nil {
					return err
				}
			case "Fallback", "sectPr", "tblPr", "tcPr", "trPr":
				if err := x.skipElement(); err != nil {
					return err
				}
			default:
				level++
			}
		}
	}
}

// paragraph reads to the end of a paragraph whose start was just read.
func (x *docx) paragraph() (*docxPara, error) {
	p := &docxPara{page: x.page}
	err := x.runs(p)
	return p, err
}

// runs reads inline content until the end of the element it is in.
func (x *docx) runs(p *docxPara) error {
	level := 0
	inText := false
	for {
		t, err := x.next()
		if err != nil {
			return err
		}
		switch el := t.(type) {
		case xml.CharData:
			if inText && !p.hidden {
				p.text.Write(el)
			}
		case xml.EndElement:
			if level == 0 {
				return nil
			}
			level--
			if el.Name.Local == "r" {
				p.hidden = false
			}
			inText = false
		case xml.StartElement:
			done, err := x.run(p, el)
			if err != nil {
				return err
			}
			if !done {
				level++
				inText = el.Name.Local == "t"
			}
		}
	}
}

// run handles an element inside a paragraph; done says that it was read to its
// end.
func (x *docx) run(p *docxPara, el xml.StartElement) (done bool, err error) {
	switch el.Name.Local {
	case "pPr":
		return true, x.paraProps(p)
	case "tab":
		p.text.WriteByte('\t')
	case "cr":
		p.text.WriteByte('\n')
	case "br":
		if attrOf(el, "type") == "" || attrOf(el, "type") == "textWrapping" {
			p.text.WriteByte('\n')
		} else {
			p.text.WriteByte(' ')
		}
	case "noBreakHyphen":
		p.text.WriteByte('-')
	case "lastRenderedPageBreak":
		if x.boxes == 0 && x.paged {
			if x.page++; x.page > x.b.lim.Pages {
				return false, fault(TooLarge, nil, "the document has more than %d pages", x.b.lim.Pages)
			}
			if strings.TrimSpace(p.text.String()) == "" {
				p.page = x.page
			}
		}
	case "vanish":
		p.hidden = attrOf(el, "val") != "0" && attrOf(el, "val") != "false"
	case "footnoteReference", "endnoteReference", "commentReference":
		kind := strings.TrimSuffix(el.Name.Local, "Reference")
		if s := x.notes[kind+"/"+attrOf(el, "id")]; s != "" {
			p.notes = append(p.notes, s)
			delete(x.notes, kind+"/"+attrOf(el, "id"))
		}
	case "txbxContent":
		x.boxes++
		defer func() { x.boxes-- }()
		err := x.content("txbxContent", func(q *docxPara) error {
			p.boxes = append(p.boxes, strings.TrimSpace(q.text.String()))
			p.boxes = append(p.boxes, q.boxes...)
			p.notes = append(p.notes, q.notes...)
			return nil
		}, func(rows [][]string, _ int) error {
			p.boxes = append(p.boxes, pipeTable(rows))
			return nil
		})
		return true, err
	case "Fallback", "instrText", "delText", "del", "moveFrom", "delInstrText":
		return true, x.skipElement()
	case "docPr":
		// A picture's description is all that can be read of it.
		if d := attrOf(el, "descr"); d != "" && len(d) < 2000 {
			p.text.WriteString(" " + d + " ")
		}
	}
	return false, nil
}

// paraProps reads a paragraph's style, numbering and outline level.
func (x *docx) paraProps(p *docxPara) error {
	level := 0
	for {
		t, err := x.next()
		if err != nil {
			return err
		}
		switch el := t.(type) {
		case xml.EndElement:
			if level == 0 {
				return nil
			}
			level--
		case xml.StartElement:
			level++
			v := attrOf(el, "val")
			switch el.Name.Local {
			case "pStyle":
				p.style = v
			case "outlineLvl":
				if len(v) == 1 && v[0] >= '0' && v[0] <= '8' {
					p.outline = int(v[0]-'0') + 1
				}
			case "ilvl":
				p.num.level = atoiBound(v, 8)
			case "numId":
				p.num.id, p.hasNum = v, true
			case "pPrChange", "rPr":
				level--
				if err := x.skipElement(); err != nil {
					return err
				}
			}
		}
	}
}

// flat reads everything to the end of the present element, or of the part, as
// one text.
func (x *docx) flat() (string, error) {
	var parts []string
	err := x.content("flat", func(p *docxPara) error {
		parts = append(parts, strings.TrimSpace(p.text.String()))
		parts = append(parts, p.boxes...)
		return nil
	}, func(rows [][]string, _ int) error {
		for _, r := range rows {
			parts = append(parts, oneLine(strings.Join(r, " ")))
		}
		return nil
	})
	if err == io.EOF {
		err = nil
	}
	var out []string
	for _, s := range parts {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\n"), err
}

// emit turns a paragraph into a block, or into a part of a list or of code.
func (x *docx) emit(p *docxPara) error {
	st := x.style(p.style)
	num := st.num
	if p.hasNum {
		num = p.num
	}
	if p.outline > 0 && st.outline == 0 {
		st.outline = p.outline
	}
	text := strings.TrimRight(p.text.String(), " \t\n")
	label, bullet := "", false
	if strings.TrimSpace(text) != "" {
		label, bullet = x.nums.label(num)
	}
	var err error
	switch {
	case strings.TrimSpace(text) == "":
		if len(x.code) > 0 {
			x.code = append(x.code, "")
		}
	case st.outline > 0:
		if label != "" && !bullet {
			text = label + " " + text
		}
		if err = x.flush(); err == nil {
			err = x.b.add(Block{Kind: Heading, Level: min(st.outline, 9), Page: p.page, Text: oneLine(text)})
		}
	case isCodeStyle(st.name):
		if len(x.list) > 0 {
			err = x.flush()
		}
		x.code = append(x.code, text)
	case label != "":
		if len(x.code) > 0 {
			err = x.flush()
		}
		if bullet {
			label = "-"
		}
		pad := strings.Repeat("  ", num.level)
		x.list = append(x.list, pad+label+" "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+pad+"  "))
	default:
		kind := Paragraph
		if strings.Contains(st.name, "quote") {
			kind = Quote
		}
		if err = x.flush(); err == nil {
			err = x.b.add(Block{Kind: kind, Page: p.page, Text: text})
		}
	}
	if err != nil {
		return err
	}
	return x.emitBeside(p)
}

// emitBeside adds the text boxes anchored in a paragraph and the notes it
// refers to behind it.
func (x *docx) emitBeside(p *docxPara) error {
	if len(p.boxes)+len(p.notes) == 0 {
		return nil
	}
	if err := x.flush(); err != nil {
		return err
	}
	for _, s := range append(p.boxes, p.notes...) {
		kind := Paragraph
		if strings.HasPrefix(s, "| ") && strings.Contains(s, "\n| ---") {
			kind = Table
		}
		if err := x.b.add(Block{Kind: kind, Page: p.page, Text: s}); err != nil {
			return err
		}
	}
	return nil
}

func isCodeStyle(name string) bool {
	return strings.Contains(name, "source code") || strings.Contains(name, "preformatted") || name == "code" || strings.HasPrefix(name, "code ")
}

// flush writes the list or code that was being gathered.
func (x *docx) flush() error {
	if len(x.list) > 0 {
		text := strings.Join(x.list, "\n")
		x.list = x.list[:0]
		if err := x.b.add(Block{Kind: List, Page: x.page, Text: text}); err != nil {
			return err
		}
	}
	if len(x.code) > 0 {
		text := strings.Join(x.code, "\n")
		x.code = x.code[:0]
		return x.b.add(Block{Kind: Code, Page: x.page, Text: text})
	}
	return nil
}
