package answer

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mark is a citation in the text of an answer: [N], at bytes Start to End.
type Mark struct{ N, Start, End int }

var written = regexp.MustCompile(`^\[([1-9]\d{0,3})\]`)

// Marks finds the citations of passages 1 to sources in the text of an answer.
// Brackets in code are none, nor are those around other numbers.
func Marks(text string, sources int) []Mark {
	var out []Mark
	fence, at := "", 0
	for line := range strings.Lines(text) {
		start := at
		at += len(line)
		line = strings.TrimSuffix(line, "\n")
		switch opened := opensBlock(line); {
		case fence != "":
			if closesBlock(line, fence) {
				fence = ""
			}
			continue
		case strings.HasPrefix(opened, "~"):
			fence = opened
			continue
		}
		for i := 0; i < len(line); {
			if line[i] == '`' {
				size := ticksOf(line[i:])
				if end := spanEnd(line[i+size:], size); end >= 0 {
					i += size + end
				} else if size >= 3 && utf8.RuneCountInString(line[:i]) <= longestStart && lead.MatchString(line[:i]) {
					fence = opensBlock(line)
					break
				} else {
					i += size
				}
				continue
			}
			if m := written.FindStringSubmatch(line[i:]); m != nil {
				if n, _ := strconv.Atoi(m[1]); n <= sources {
					out = append(out, Mark{n, start + i, start + i + len(m[0])})
				}
				i += len(m[0])
				continue
			}
			i++
		}
	}
	return out
}

// ticksOf counts the backticks that a text begins with.
func ticksOf(s string) int { return len(s) - len(strings.TrimLeft(s, "`")) }

// spanEnd returns where the span of code ends whose opening backticks stand
// before a text, -1 if it does not.
func spanEnd(line string, size int) int {
	for i := 0; i < len(line); {
		n := ticksOf(line[i:])
		if i += n; n == size && utf8.RuneCountInString(line[:i]) <= longestSpan {
			return i
		} else if n == 0 {
			i++
		}
	}
	return -1
}
