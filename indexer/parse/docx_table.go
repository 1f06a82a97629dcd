package parse

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// table reads the rows of a table whose start was just read. Cells merged down
// repeat their text in each row, so that each row reads alone.
func (x *docx) table() ([][]string, error) {
	var rows [][]string
	var above []string
	level := 0
	for {
		t, err := x.next()
		if err != nil {
			return rows, err
		}
		switch el := t.(type) {
		case xml.EndElement:
			if level == 0 {
				return rows, nil
			}
			level--
		case xml.StartElement:
			if el.Name.Local != "tr" {
				if el.Name.Local == "tblPr" || el.Name.Local == "tblGrid" {
					if err := x.skipElement(); err != nil {
						return rows, err
					}
					continue
				}
				level++
				continue
			}
			row, err := x.row(above)
			if err != nil {
				return rows, err
			}
			above = row
			if !blankRow(row) {
				rows = append(rows, row)
			}
		}
	}
}

func (x *docx) row(above []string) ([]string, error) {
	var row []string
	level := 0
	for {
		t, err := x.next()
		if err != nil {
			return row, err
		}
		switch el := t.(type) {
		case xml.EndElement:
			if level == 0 {
				return row, nil
			}
			level--
		case xml.StartElement:
			switch el.Name.Local {
			case "gridBefore":
				row = append(row, make([]string, atoiBound(attrOf(el, "val"), maxSpan))...)
				level++
			case "tc":
				text, span, merged, err := x.cell()
				if err != nil {
					return row, err
				}
				if merged && text == "" && len(row) < len(above) {
					text = above[len(row)]
				}
				row = append(row, text)
				for range span - 1 {
					row = append(row, "")
				}
			default:
				level++
			}
		}
	}
}

// cell reads a cell: its text on one line, how many columns it spans, and
// whether it continues the cell above.
func (x *docx) cell() (text string, span int, merged bool, err error) {
	span = 1
	var parts []string
	level := 0
	for {
		t, err := x.next()
		if err != nil {
			return "", span, merged, err
		}
		switch el := t.(type) {
		case xml.EndElement:
			if level == 0 {
				return strings.Join(parts, " "), span, merged, nil
			}
			level--
		case xml.StartElement:
			switch el.Name.Local {
			case "gridSpan":
				span = max(atoiBound(attrOf(el, "val"), maxSpan), 1)
				level++
			case "vMerge":
				merged = attrOf(el, "val") != "restart"
				level++
			case "p":
				p, err := x.paragraph()
				if err != nil {
					return "", span, merged, err
				}
				for _, s := range append(append([]string{oneLine(p.text.String())}, p.boxes...), p.notes...) {
					if s = oneLine(s); s != "" {
						parts = append(parts, s)
					}
				}
			case "tbl":
				rows, err := x.table()
				if err != nil {
					return "", span, merged, err
				}
				for _, r := range rows {
					parts = append(parts, oneLine(strings.Join(r, " ")))
				}
			case "Fallback":
				if err := x.skipElement(); err != nil {
					return "", span, merged, err
				}
			default:
				level++
			}
		}
	}
}

// emitTable writes a table; one of a single column is a frame around text.
func (x *docx) emitTable(rows [][]string, page int) error {
	cols := 0
	for _, r := range rows {
		cols = max(cols, len(r))
	}
	if cols > 1 {
		return x.b.add(Block{Kind: Table, Page: page, Text: pipeTable(rows)})
	}
	for _, r := range rows {
		if err := x.b.add(Block{Kind: Paragraph, Page: page, Text: strings.Join(r, " ")}); err != nil {
			return err
		}
	}
	return nil
}

// numbering are the lists of a document and how far each has counted.
type numbering struct {
	nums  map[string]string // numId → abstractNumId
	kinds map[string]map[int]numLevel
	at    map[string]*[9]int // by abstractNumId
}

type numLevel struct {
	format, text string
	start        int
}

func (n *numbering) read(part []byte) error {
	type val struct {
		Val string `xml:"val,attr"`
	}
	var d struct {
		Abstract []struct {
			ID    string `xml:"abstractNumId,attr"`
			Level []struct {
				Level  string `xml:"ilvl,attr"`
				Start  val    `xml:"start"`
				Format val    `xml:"numFmt"`
				Text   val    `xml:"lvlText"`
			} `xml:"lvl"`
		} `xml:"abstractNum"`
		Num []struct {
			ID       string `xml:"numId,attr"`
			Abstract val    `xml:"abstractNumId"`
		} `xml:"num"`
	}
	if err := newXML(part).Decode(&d); err != nil {
		return err
	}
	n.nums, n.kinds, n.at = map[string]string{}, map[string]map[int]numLevel{}, map[string]*[9]int{}
	for _, a := range d.Abstract {
		levels := map[int]numLevel{}
		for _, l := range a.Level {
			start := 1
			if l.Start.Val != "" {
				start = atoiBound(l.Start.Val, 1<<20)
			}
			levels[atoiBound(l.Level, 8)] = numLevel{l.Format.Val, l.Text.Val, start}
		}
		n.kinds[a.ID] = levels
	}
	for _, v := range d.Num {
		n.nums[v.ID] = v.Abstract.Val
	}
	return nil
}

// label counts on and returns the number or mark of an item of list r; "" if r
// is no list.
func (n *numbering) label(r numRef) (label string, bullet bool) {
	if r.id == "" || r.id == "0" {
		return "", false
	}
	r.level = min(max(r.level, 0), 8)
	abs := n.nums[r.id]
	l, ok := n.kinds[abs][r.level]
	if !ok || l.format == "bullet" || l.format == "" {
		return "-", true
	}
	if l.format == "none" {
		return "", false
	}
	c := n.at[abs]
	if c == nil {
		c = new([9]int)
		for i := range c {
			c[i] = -1
		}
		n.at[abs] = c
	}
	for i := 0; i <= r.level; i++ {
		switch {
		case c[i] < 0:
			c[i] = n.kinds[abs][i].start
		case i == r.level:
			c[i]++
		}
	}
	for i := r.level + 1; i < len(c); i++ {
		c[i] = -1
	}
	out := l.text
	for i := range c {
		out = strings.ReplaceAll(out, "%"+strconv.Itoa(i+1), count(n.kinds[abs][i].format, c[i]))
	}
	if strings.TrimSpace(out) == "" {
		return "", false
	}
	return cutRunes(out, 60), false
}

// count writes n in a numbering format.
func count(format string, n int) string {
	switch format {
	case "lowerLetter", "upperLetter":
		if n < 1 {
			return strconv.Itoa(n)
		}
		s := strings.Repeat(string(rune('a'+(n-1)%26)), min((n-1)/26+1, 8))
		if format == "upperLetter" {
			s = strings.ToUpper(s)
		}
		return s
	case "lowerRoman", "upperRoman":
		s := roman(n)
		if format == "upperRoman" {
			s = strings.ToUpper(s)
		}
		return s
	}
	return strconv.Itoa(n)
}

func roman(n int) string {
	if n < 1 || n > 3999 {
		return strconv.Itoa(n)
	}
	var sb strings.Builder
	for i, v := range []int{1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1} {
		for n >= v {
			sb.WriteString([]string{"m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"}[i])
			n -= v
		}
	}
	return sb.String()
}

// atoiBound reads a number from 0 to most; what is none is 0.
func atoiBound(s string, most int) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 0
	}
	return min(max(n, 0), most)
}
