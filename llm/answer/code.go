package answer

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// Code in an answer is a block between fences of ``` or ~~~, or a span between
// equal runs of backticks on one line: there [1] means something else than
// passage 1. Indented lines are text, as most of them belong to lists.

// Bounds on what is looked at, in characters: the beginning of a line, and a
// span.
const (
	longestStart = 60
	longestSpan  = 2000
)

var (
	// lead is what may stand before a fence: the signs of quotes and lists.
	lead        = regexp.MustCompile(`^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*$`)
	fenceOpens  = regexp.MustCompile("^([^`~]*)(`{3,}|~{3,})")
	fenceCloses = regexp.MustCompile("^[ \\t>]*(`{3,}|~{3,})[ \\t]*$")
)

// opensBlock returns the fence that a line begins with, "" if it begins with
// none. One of backticks opens a block only if the line does not close it.
func opensBlock(line string) string {
	m := fenceOpens.FindStringSubmatch(headOf(line))
	if m == nil || !lead.MatchString(m[1]) {
		return ""
	}
	return m[2]
}

// closesBlock tells whether a line closes the block that a fence opened.
func closesBlock(line, fence string) bool {
	if utf8.RuneCountInString(line) > longestStart {
		return false
	}
	m := fenceCloses.FindStringSubmatch(line)
	return m != nil && strings.HasPrefix(m[1], fence)
}

func headOf(line string) string {
	n := 0
	for i := range line {
		if n++; n > longestStart+1 {
			return line[:i]
		}
	}
	return line
}

// lines follows the lines of a text and knows whether it is in a block of code.
type lines struct {
	head    []rune // how the line begins, up to longestStart+1
	fence   string // that opened the block, "" outside of one
	opening bool   // the line is the one of the fence
}

func (l *lines) write(r rune) {
	if r == '\n' {
		switch line := string(l.head); {
		case l.opening:
			l.fence, l.opening = opensBlock(line), false
		case l.fence != "" && closesBlock(line, l.fence):
			l.fence = ""
		}
		l.head = l.head[:0]
		return
	}
	if len(l.head) <= longestStart {
		l.head = append(l.head, r)
		if r == '~' && l.fence == "" && strings.HasPrefix(opensBlock(string(l.head)), "~") {
			l.open()
		}
	}
}

// open makes the line one that opens a block.
func (l *lines) open() { l.fence, l.opening = "```", true } // the fence itself is read when the line is whole

// leads tells whether a fence may stand here.
func (l *lines) leads() bool { return len(l.head) <= longestStart && lead.MatchString(string(l.head)) }
