package parse

import "strings"

// Span is where a block's text stands in the text of its document: bytes from
// Start to End, without the marks that Markdown puts around it and without
// the blank line behind it.
type Span struct{ Start, End int }

// Markdown writes a document as Markdown. It is the text that is indexed, and
// offsets of passages count in it.
func Markdown(doc Document) string {
	text, _ := Render(doc)
	return text
}

// Render is Markdown with the place of each block: spans[i] includes the marks
// of doc.Blocks[i], so that all text but blank lines lies in one span. It is
// deterministic.
func Render(doc Document) (text string, spans []Span) {
	n := 0
	for _, b := range doc.Blocks {
		n += len(b.Text) + 16
	}
	var sb strings.Builder
	sb.Grow(n)
	spans = make([]Span, len(doc.Blocks))
	for i, b := range doc.Blocks {
		if sb.Len() > 0 {
			sb.WriteString("\n\n")
		}
		start := sb.Len()
		writeBlock(&sb, b)
		spans[i] = Span{start, sb.Len()}
	}
	if sb.Len() > 0 {
		sb.WriteByte('\n')
	}
	return sb.String(), spans
}

// Placed is a block with its place in Markdown's text.
type Placed struct {
	Block
	Start int `json:"start"` // bytes
	End   int `json:"end"`
}

// WithPlaces returns a document's blocks with their places, for output as JSON.
func WithPlaces(doc Document) []Placed {
	_, spans := Render(doc)
	out := make([]Placed, len(doc.Blocks))
	for i, b := range doc.Blocks {
		out[i] = Placed{b, spans[i].Start, spans[i].End}
	}
	return out
}

func writeBlock(sb *strings.Builder, b Block) {
	switch b.Kind {
	case Heading:
		sb.WriteString(headingMark(b))
		sb.WriteString(b.Text)
	case Code:
		f := fence(b.Text)
		sb.WriteString(f + b.Lang + "\n")
		sb.WriteString(b.Text)
		sb.WriteString("\n" + f)
	case Quote:
		sb.WriteString("> ")
		sb.WriteString(strings.ReplaceAll(b.Text, "\n", "\n> "))
	default:
		sb.WriteString(b.Text)
	}
}

func headingMark(b Block) string { return strings.Repeat("#", min(max(b.Level, 1), 6)) + " " }

// readBlock is the inverse of writeBlock: the text of b, of which it gets the
// rest. It is a part of written unless b is a quote of several lines. ok is
// false if writeBlock cannot have written that.
func readBlock(b Block, written string) (text string, ok bool) {
	switch b.Kind {
	case Heading:
		return strings.CutPrefix(written, headingMark(b))
	case Code:
		last := strings.LastIndexByte(written, '\n')
		if text, ok = strings.CutPrefix(written, written[last+1:]+b.Lang+"\n"); !ok {
			return "", false
		}
		return strings.CutSuffix(text, written[max(last, 0):])
	case Quote:
		text, ok = strings.CutPrefix(written, "> ")
		return strings.ReplaceAll(text, "\n> ", "\n"), ok
	}
	return written, true
}

// fence is a row of backticks longer than any in s.
func fence(s string) string {
	longest, run := 2, 0
	for i := range len(s) {
		if s[i] == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return strings.Repeat("`", longest+1)
}
