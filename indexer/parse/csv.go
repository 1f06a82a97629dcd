package parse

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readCSV reads separated values as a table with its first row as header. The
// separator is found out. Rows that do not fit are kept: longer ones make the
// table wider, shorter ones are filled up.
func readCSV(b *builder, _ File, d detected) error {
	text := d.text
	if rest, ok := strings.CutPrefix(text, "sep="); ok && len(rest) > 1 && (rest[1] == '\n' || rest[1] == '\r') {
		text = strings.TrimLeft(rest[1:], "\r\n") // Excel names its separator so
	}
	sep, _ := sniffSeparator(cutRunes(text, 64<<10))
	if sep == 0 {
		sep = ','
		if d.format == fTSV {
			sep = '\t'
		}
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = sep, -1, true, true
	t := newTable(b, 0)
	rows, cols := 0, 0
	for {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			var pe *csv.ParseError
			if errors.As(err, &pe) {
				b.warnf("line %d: %v", pe.Line, pe.Err)
				continue
			}
			return fault(Damaged, err, "the table cannot be read")
		}
		if blankRow(rec) {
			continue
		}
		rows, cols = rows+1, max(cols, len(rec))
		if err := t.row(rec); err != nil {
			return err
		}
	}
	b.meta("rows", float64(max(rows-1, 0)))
	b.meta("columns", float64(cols))
	return t.flush()
}

func blankRow(rec []string) bool {
	for _, c := range rec {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// sniffSeparator returns the separator that parts the lines of head into the
// steadiest number of fields, and that number; 0 if none does.
func sniffSeparator(head string) (sep rune, fields int) {
	best := 0.0
	for _, c := range []rune{',', ';', '\t', '|'} {
		r := csv.NewReader(strings.NewReader(head))
		r.Comma, r.FieldsPerRecord, r.LazyQuotes = c, -1, true
		counts := map[int]int{}
		n := 0
		for n < 200 {
			rec, err := r.Read()
			if err != nil {
				break
			}
			if !blankRow(rec) {
				counts[len(rec)]++
				n++
			}
		}
		for f, k := range counts {
			if share := float64(k) / float64(n); f > 1 && share > .6 && (share > best+.1 || share > best-.1 && f > fields) {
				best, sep, fields = share, c, f
			}
		}
	}
	return sep, fields
}

// sliceBytes is how large a slice of a table grows before the next begins with
// the header again: what fits into a chunk, so that every chunk has a header.
const sliceBytes = 800

// table writes rows in pipe form into table blocks. The first row is the
// header; it is repeated at the head of every slice.
type table struct {
	b      *builder
	page   int
	header string
	rule   string
	sb     strings.Builder
	cols   int
	rows   int // in this slice
}

func newTable(b *builder, page int) *table { return &table{b: b, page: page} }

// row appends a row; the first one is the header.
func (t *table) row(cells []string) error {
	if t.header == "" {
		t.cols = max(len(cells), 1)
		t.header = pipeRow(cells, t.cols)
		t.rule = "|" + strings.Repeat(" --- |", t.cols) + "\n"
		return nil
	}
	line := pipeRow(cells, t.cols)
	if t.rows > 0 && t.sb.Len()+len(line) > max(sliceBytes, 3*len(t.header)) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	if t.rows == 0 {
		t.sb.WriteString(t.header)
		t.sb.WriteString(t.rule)
	}
	t.sb.WriteString(line)
	t.rows++
	return nil
}

// flush ends the slice. A table of a header alone is written as such.
func (t *table) flush() error {
	if t.rows == 0 && t.header != "" && t.sb.Len() == 0 {
		t.sb.WriteString(t.header)
		t.sb.WriteString(t.rule)
	}
	text := t.sb.String()
	t.sb.Reset()
	t.rows = 0
	if text == "" {
		return nil
	}
	return t.b.add(Block{Kind: Table, Page: t.page, Text: text})
}

var cellEscape = strings.NewReplacer("|", "\\|", "\r\n", " ", "\n", " ", "\r", " ", "\t", " ")

// maxFill is the widest table whose short rows are filled up: beyond it a small
// file could become a huge text.
const maxFill = 64

// pipeRow writes one row, filled up to cols cells.
func pipeRow(cells []string, cols int) string {
	var sb strings.Builder
	sb.WriteString("|")
	if cols > maxFill {
		cols = 0
	}
	for i := range max(len(cells), cols) {
		sb.WriteByte(' ')
		if i < len(cells) {
			c := strings.TrimSpace(cells[i])
			if strings.ContainsAny(c, "|\n\r\t") {
				c = cellEscape.Replace(c)
			}
			sb.WriteString(c)
		}
		sb.WriteString(" |")
	}
	sb.WriteByte('\n')
	return sb.String()
}

// pipeTable writes a whole table; rows of unlike length are filled up.
func pipeTable(rows [][]string) string {
	cols := 0
	for _, r := range rows {
		cols = max(cols, len(r))
	}
	if cols == 0 {
		return ""
	}
	var sb strings.Builder
	for i, r := range rows {
		sb.WriteString(pipeRow(r, cols))
		if i == 0 {
			fmt.Fprintf(&sb, "|%s\n", strings.Repeat(" --- |", cols))
		}
	}
	return sb.String()
}

// sliceTables parts long tables of any format as table does.
func (b *builder) sliceTables() {
	long := false
	for _, bl := range b.doc.Blocks {
		long = long || bl.Kind == Table && len(bl.Text) > 2*sliceBytes
	}
	if !long {
		return
	}
	out := make([]Block, 0, len(b.doc.Blocks))
	for _, bl := range b.doc.Blocks {
		if bl.Kind != Table || len(bl.Text) <= 2*sliceBytes {
			out = append(out, bl)
			continue
		}
		for _, s := range sliceTable(bl.Text) {
			p := bl
			p.Text = s
			out = append(out, p)
		}
	}
	b.doc.Blocks = out
}

func sliceTable(text string) []string {
	head, rest, ok := strings.Cut(text, "\n")
	rule, rest, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 || !strings.HasPrefix(rule, "| ---") {
		return []string{text}
	}
	var out []string
	var sb strings.Builder
	limit := max(sliceBytes, 3*len(head))
	for line := range strings.Lines(rest) {
		if sb.Len() > 0 && sb.Len()+len(line) > limit {
			out = append(out, strings.TrimRight(sb.String(), "\n"))
			sb.Reset()
		}
		if sb.Len() == 0 {
			sb.WriteString(head + "\n" + rule + "\n")
		}
		sb.WriteString(line)
	}
	if sb.Len() > 0 {
		out = append(out, strings.TrimRight(sb.String(), "\n"))
	}
	if len(out) == 0 {
		return []string{text}
	}
	return out
}
