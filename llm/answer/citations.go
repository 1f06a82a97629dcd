package answer

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A citer checks the citations of an answer while it is streamed: marks of
// passages that were sent come out as [n], one number a mark; other numbers in
// brackets are dropped. What may still become a mark is held back until it is
// decided, so that a reader never sees half of one, and the stream says the
// same however it was cut into pieces.
type citer struct {
	valid   func(n int) bool
	cited   map[int]bool
	partial string // bytes of a character that has not come whole
	pending []rune // blanks and open brackets that are not decided
	dropped bool   // a mark was dropped behind the pending blanks
	begun   bool   // something was shown
}

func newCiter(valid func(n int) bool) *citer {
	return &citer{valid: valid, cited: map[int]bool{}}
}

// longestPending bounds what is held back, in characters.
const longestPending = 200

// Write takes a piece of the answer and returns what can be shown now.
func (c *citer) Write(text string) string {
	text, c.partial = cutPartial(c.partial + text)
	var out strings.Builder
	for _, r := range text {
		c.rune(r, &out)
	}
	return out.String()
}

// Close ends the answer and returns what was held back, without blanks at the
// end and without a mark that was not finished.
func (c *citer) Close() string {
	var out strings.Builder
	if c.partial != "" {
		c.rune(utf8.RuneError, &out)
	}
	if i := slices.IndexFunc(c.pending, opens); i >= 0 {
		c.pending = c.pending[:i]
	}
	out.WriteString(strings.TrimRight(string(c.pending), " "))
	c.partial, c.pending = "", nil
	return out.String()
}

// cutPartial splits off the beginning of a character at the end of a piece.
func cutPartial(s string) (whole, partial string) {
	for i := 1; i <= min(3, len(s)); i++ {
		if utf8.RuneStart(s[len(s)-i]) {
			if !utf8.FullRuneInString(s[len(s)-i:]) {
				return s[:len(s)-i], s[len(s)-i:]
			}
			break
		}
	}
	return s, ""
}

func opens(r rune) bool  { return r == '[' || r == '【' || r == '［' }
func closes(r rune) bool { return r == ']' || r == '】' || r == '］' }

// control reports whether a character has no place in an answer.
func control(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r == 0x7f
}

// rune takes one character. What is pending are blanks, then, once a bracket
// was opened, characters that may be a mark from the innermost bracket on.
func (c *citer) rune(r rune, out *strings.Builder) {
	open := c.open()
	switch {
	case control(r):
	case opens(r):
		c.pending = append(c.pending, r)
	case open < 0 && r == ' ':
		if c.begun && (!c.dropped || len(c.pending) == 0) { // the blanks around a dropped mark become one
			c.pending = append(c.pending, r)
		}
	case open < 0:
		if c.dropped && strings.ContainsRune(".,;:!?)。，；：！？）\n", r) {
			c.pending = c.pending[:0]
			if !c.begun {
				return // the full stop of a mark that was all there was
			}
		}
		c.begun = true
		c.flush(out)
		out.WriteRune(r)
	case closes(r):
		c.mark(open, r, out)
	case looksLikeMark(string(c.pending[open+1:]) + string(r)):
		c.pending = append(c.pending, r)
	default:
		c.flush(out)
		c.rune(r, out)
	}
	if len(c.pending) > longestPending {
		// No mark is as long. Its brackets go, so that what follows cannot
		// make one of it after all.
		c.pending = slices.DeleteFunc(c.pending, opens)
		c.flush(out)
	}
}

// open returns where the innermost open bracket is pending, -1 if none is.
func (c *citer) open() int {
	for i := len(c.pending) - 1; i >= 0; i-- {
		if opens(c.pending[i]) {
			return i
		}
	}
	return -1
}

func (c *citer) flush(out *strings.Builder) {
	out.WriteString(string(c.pending))
	c.pending, c.dropped = c.pending[:0], false
}

// mark decides on the bracket that was opened at open and is closed now.
func (c *citer) mark(open int, closed rune, out *strings.Builder) {
	inside := string(c.pending[open+1:])
	if !strings.ContainsAny(inside, "0123456789") { // [] or [source]: text
		c.begun = true
		c.pending = append(c.pending, closed)
		c.flush(out)
		return
	}
	c.pending = c.pending[:open]
	marks := numbers(inside, c.valid)
	if len(marks) == 0 {
		c.dropped = true
		return
	}
	c.begun = true
	c.flush(out)
	for _, n := range marks {
		c.cited[n] = true
		out.WriteString("[" + strconv.Itoa(n) + "]")
	}
}

// words that models put before the number inside a mark.
var markWords = []string{"^", "source", "sources", "passage", "passages", "document", "doc", "citation", "ref", "来源", "段落"}

// looksLikeMark reports whether the characters after an open bracket may be
// the beginning of a mark: perhaps one of the usual words, then numbers with
// what joins them, then perhaps what some models add behind a dagger.
func looksLikeMark(s string) bool {
	s = strings.TrimLeft(strings.ToLower(s), " ")
	s, _, _ = strings.Cut(s, "†")
	for _, w := range markWords {
		if strings.HasPrefix(w, s) {
			return true
		}
	}
	for _, w := range markWords {
		if after, ok := strings.CutPrefix(s, w); ok {
			s = after
			break
		}
	}
	return strings.Trim(s, "0123456789 ,;-–—^#") == ""
}

// numbers reads the valid numbers inside a mark, ranges spelled out.
func numbers(inside string, valid func(int) bool) []int {
	inside, _, _ = strings.Cut(inside, "†")
	var out []int
	seen := map[int]bool{}
	add := func(n int) {
		if valid(n) && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	from, ranged := 0, false
	for _, f := range fields(inside) {
		if f == "-" {
			ranged = true
			continue
		}
		n, err := strconv.Atoi(f)
		if err != nil {
			n = 0 // too many digits: no passage has that number
		}
		if ranged && from > 0 && n > from && n-from < 1000 {
			for i := from + 1; i < n; i++ {
				add(i)
			}
		}
		add(n)
		from, ranged = n, false
	}
	return out
}

// fields cuts a mark into its numbers and the dashes between them.
func fields(s string) []string {
	var out []string
	digits := ""
	end := func() {
		if digits != "" {
			out = append(out, digits)
			digits = ""
		}
	}
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits += string(r)
		case r == '-' || r == '–' || r == '—':
			end()
			out = append(out, "-")
		default:
			end()
		}
	}
	end()
	return out
}
