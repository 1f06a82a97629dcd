package parse

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// bullets are the signs that mark items of lists.
const bullets = "•●▪■◦‣·\uf0b7"

// bulleted reports whether a line begins an item of a list.
func bulleted(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return strings.ContainsRune(bullets, r)
}

// listItem turns a paragraph behind a bullet into an item of a list.
func listItem(s string) (string, bool) {
	if !bulleted(s) {
		return "", false
	}
	text := strings.TrimSpace(strings.TrimLeft(s, bullets+" "))
	if text == "" {
		return "", false
	}
	return "- " + strings.ReplaceAll(text, "\n", "\n  "), true
}

// extendList adds an item to the list that was just read on the same page.
func (b *builder) extendList(page int, item string) bool {
	n := len(b.doc.Blocks)
	if n == 0 || b.doc.Blocks[n-1].Kind != List || b.doc.Blocks[n-1].Page != page || len(b.doc.Blocks[n-1].Text) > 4*blockBytes {
		return false
	}
	b.doc.Blocks[n-1].Text += "\n" + item
	b.text += int64(len(item)) + 1
	return true
}

// tabular reports whether a line looks like a row of a table: it ends in two
// numbers or more.
func tabular(s string) bool {
	f := strings.Fields(s)
	n := 0
	for i := len(f) - 1; i >= 0; i-- {
		w := strings.Trim(f[i], "$€£¥()%,.-–—+")
		if w == "" {
			continue // a sign of its own
		}
		if strings.IndexFunc(w, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' && r != ',' }) >= 0 {
			break
		}
		n++
	}
	return n >= 2
}

// joinLines makes a paragraph of lines: a line that fills its column runs on
// into the next, one that ends early ended for a reason. Words parted by a
// hyphen are put together.
func joinLines(lines []pdfLine) string {
	var sb strings.Builder
	for i, l := range lines {
		text := l.text
		if i == len(lines)-1 {
			sb.WriteString(strings.ReplaceAll(text, string(hyphen), "-"))
			break
		}
		next := []rune(lines[i+1].text)
		last, _ := lastRune(text)
		switch {
		case last == hyphen:
			sb.WriteString(strings.TrimSuffix(text, string(hyphen)))
			if !unicode.IsLower(next[0]) {
				sb.WriteByte('-')
			}
		case last == '-' && partsWord(text) && unicode.IsLower(next[0]):
			sb.WriteString(strings.TrimSuffix(text, "-"))
		case l.fullLine && !tabular(text) && !tabular(lines[i+1].text):
			sb.WriteString(text)
			if !(isCJK(last) && isCJK(next[0])) {
				sb.WriteByte(' ')
			}
		default:
			sb.WriteString(text)
			sb.WriteByte('\n')
		}
	}
	return strings.ReplaceAll(sb.String(), string(hyphen), "")
}

// partsWord reports whether the hyphen at the end of s follows a word without
// another hyphen in it: "state-of-the-" keeps its own.
func partsWord(s string) bool {
	s = strings.TrimSuffix(s, "-")
	w := s[strings.LastIndexByte(s, ' ')+1:]
	if len(w) < 2 || strings.Contains(w, "-") {
		return false
	}
	for _, r := range w {
		if !unicode.IsLetter(r) {
			return false
		}
	}
	return true
}

func isCJK(r rune) bool {
	return r >= 0x2e80 && r < 0xa4d0 || r >= 0xf900 && r < 0xfb00 || r >= 0xff00 && r < 0xffa0 || r >= 0x20000 && r < 0x32000
}
