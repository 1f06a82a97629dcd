package answer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
)

// A span is a part of a passage, in bytes.
type span struct{ start, end int }

// sentencesOf cuts a passage's text, which is Markdown-like, into sentences:
// first into blocks (paragraphs, list items, table rows, headings), since none
// of them runs into the next, then by Unicode's rules, mended for abbreviations.
// Lines of a paragraph that were broken by a page's width belong together.
func sentencesOf(text string) []span {
	var out []span
	for _, b := range blocks(text) {
		flat := strings.Map(func(r rune) rune {
			if r == '\n' || r == '\r' || r == '\t' {
				return ' ' // one byte for one byte: offsets stay
			}
			return r
		}, text[b.start:b.end])
		at, from := b.start, b.start
		it := sentences.FromString(flat)
		for it.Next() {
			s := it.Value()
			at += len(s)
			if before := strings.TrimRight(text[from:at], " "); at < b.end && (abbreviated(before) || dayOfMonth(before, flat[at-b.start:])) {
				continue
			}
			out = appendTrimmed(out, text, span{from, at})
			from = at
		}
		out = appendTrimmed(out, text, span{from, b.end})
	}
	return out
}

// blocks cuts a text at empty lines and before lines that begin something new.
func blocks(text string) []span {
	var out []span
	start, pos := 0, 0
	alone := false // the block before is a single line by its nature
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || alone || startsBlock(trimmed) {
			if start < pos {
				out = append(out, span{start, pos})
			}
			start = pos
			if trimmed == "" {
				start = pos + len(line)
			}
		}
		alone = strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "|")
		pos += len(line)
	}
	if start < pos {
		out = append(out, span{start, pos})
	}
	return out
}

// startsBlock reports whether a trimmed line is a heading, a list item or a
// table row.
func startsBlock(line string) bool {
	switch line[0] {
	case '#', '|', '>':
		return true
	case '-', '*', '+':
		return len(line) > 1 && line[1] == ' '
	}
	if strings.HasPrefix(line, "•") {
		return true
	}
	digits := strings.TrimLeft(line, "0123456789")
	return len(digits) < len(line) && len(line)-len(digits) <= 3 && (strings.HasPrefix(digits, ". ") || strings.HasPrefix(digits, ") "))
}

// abbreviations that a sentence goes on after, besides single letters.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "st": true, "jr": true, "sr": true, "vs": true, "no": true, "nos": true, "vol": true, "inc": true, "co": true, "corp": true, "ltd": true, "gen": true, "col": true, "capt": true, "lt": true, "sgt": true, "rev": true, "hon": true, "fig": true, "sec": true, "art": true, "approx": true, "ca": true, "cf": true, "eg": true, "ie": true, "jan": true, "feb": true, "aug": true, "sept": true, "oct": true, "nov": true, "dec": true,
	"bzw": true, "nr": true, "abs": true, "str": true, "usw": true, "sog": true, "geb": true, "gest": true, "jh": true, "chr": true, "hl": true,
	"sra": true, "dra": true, "ud": true, "uds": true, "núm": true, "pág": true,
	"г": true, "гг": true, "в": true, "вв": true, "им": true, "ул": true, "тыс": true, "млн": true, "млрд": true, "руб": true, "стр": true, "др": true, "св": true,
}

// abbreviated reports whether s ends in an abbreviation's full stop, so that
// the sentence goes on.
func abbreviated(s string) bool {
	if !strings.HasSuffix(s, ".") {
		return false
	}
	s = s[:len(s)-1]
	i := strings.LastIndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
	word := s[i+1:]
	if word == "" {
		return false
	}
	if r, n := utf8.DecodeRuneInString(word); n == len(word) && (unicode.IsUpper(r) || i >= 0 && s[i] == '.') {
		return true // an initial, or the last letter of "e.g."
	}
	return abbreviations[strings.ToLower(word)]
}

// dayOfMonth reports whether s ends in an ordinal, as in "ab dem 1.", and a month
// comes next.
func dayOfMonth(s, next string) bool {
	s, ok := strings.CutSuffix(s, ".")
	digits := len(s) - len(strings.TrimRight(s, "0123456789"))
	if !ok || digits < 1 || digits > 2 {
		return false
	}
	next = strings.TrimLeft(next, " ")
	if i := strings.IndexFunc(next, func(r rune) bool { return !unicode.IsLetter(r) }); i >= 0 {
		next = next[:i]
	}
	next = strings.ToLower(next)
	for _, l := range languages() {
		if l.months[next] {
			return true
		}
	}
	return false
}

// appendTrimmed appends the span without blanks and list marks around it, if
// it holds a letter or digit.
func appendTrimmed(out []span, text string, s span) []span {
	part := text[s.start:s.end]
	lead := len(part) - len(strings.TrimLeft(part, " \t\r\n#>*+-•|"))
	if lead > 0 && strings.HasPrefix(part[lead-1:], "-") && lead < len(part) && part[lead] >= '0' && part[lead] <= '9' {
		lead-- // a minus sign
	}
	s.start += lead
	s.end = s.start + len(strings.TrimRight(text[s.start:s.end], " \t\r\n|"))
	if !strings.ContainsFunc(text[s.start:s.end], func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return out
	}
	return append(out, s)
}

// plain is a sentence as it is shown: on one line, without Markdown's marks.
func plain(s string) string {
	s = strings.NewReplacer("**", "", "__", "", "`", "", "|", " ").Replace(s)
	return strings.Join(strings.Fields(s), " ")
}
