package answer

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A citer checks the citations of an answer while it is streamed. A bracket
// that holds numbers of passages that were sent becomes marks [n], one number
// each. Numbers up to plausible that stand for no passage are a citation gone
// wrong: they must not look like one, so a single one is dropped, several that
// have none among them, which may be an interval, get parentheses, and beside a
// passage's number they are left out. All other brackets are text: [0], [2024],
// [-1], and whatever stands in code.
//
// What may still become a mark is held back until it is decided, and so is a
// span of code until its end: a reader never sees half of one, and the stream
// says the same however it was cut into pieces.
type citer struct {
	sent    int // passages that can be cited
	cited   map[int]bool
	partial string // bytes of a character that has not come whole
	pending []rune // blanks and open brackets that are not decided
	dropped bool   // a mark was dropped behind the pending blanks
	begun   bool   // something was shown
	last    rune   // that was shown
	lines   lines  // of what was shown
	ticks   int    // backticks that may open a span of code; 0: none
	held    []rune // what came behind them
	run     int    // backticks at the end of held
}

func newCiter(sent int) *citer {
	return &citer{sent: sent, cited: map[int]bool{}}
}

// longestPending bounds what is held back of a mark, in characters.
const longestPending = 200

// plausible is the largest number that is taken for a citation even if no
// passage has it; larger ones are years and the like.
const plausible = 99

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
	for c.ticks > 0 {
		if c.run == c.ticks {
			c.code(&out)
		} else {
			c.noSpan(&out)
		}
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

// rune takes one character.
func (c *citer) rune(r rune, out *strings.Builder) {
	switch {
	case control(r):
	case c.ticks > 0:
		c.hold(r, out)
	case c.lines.fence != "":
		c.show(r, out)
	case r == '`':
		if c.dropped && len(c.pending) == 0 && c.last == '`' {
			c.show(' ', out) // a mark between two backticks, which must not become a run
		}
		c.begun = true
		c.flush(out)
		c.ticks = 1
	default:
		c.text(r, out)
	}
}

// hold takes a character behind backticks that may open a span of code.
func (c *citer) hold(r rune, out *strings.Builder) {
	switch {
	case r == '`' && len(c.held) == 0:
		c.ticks++
		return
	case r == '`':
		c.run++
	case c.run == c.ticks:
		c.code(out)
		c.rune(r, out)
		return
	default:
		c.run = 0
	}
	c.held = append(c.held, r)
	if r == '\n' || len(c.held) > longestSpan {
		c.noSpan(out)
	}
}

// code shows what is held: it is a span of code.
func (c *citer) code(out *strings.Builder) {
	for range c.ticks {
		c.show('`', out)
	}
	for _, r := range c.held {
		c.show(r, out)
	}
	c.ticks, c.run, c.held = 0, 0, nil
}

// noSpan decides on what is held and is no span of code: at the beginning of a
// line three backticks open a block, other backticks are text.
func (c *citer) noSpan(out *strings.Builder) {
	if c.ticks >= 3 && c.lines.leads() {
		c.lines.open()
		c.code(out)
		return
	}
	ticks, held := c.ticks, c.held
	c.ticks, c.run, c.held = 0, 0, nil
	for range ticks {
		c.show('`', out)
	}
	for _, r := range held {
		c.rune(r, out)
	}
}

// show puts out one character.
func (c *citer) show(r rune, out *strings.Builder) {
	out.WriteRune(r)
	c.lines.write(r)
	c.last = r
}

// text takes one character outside of code. What is pending are blanks, then,
// once a bracket was opened, characters that may be a mark from the innermost
// bracket on.
func (c *citer) text(r rune, out *strings.Builder) {
	open := c.open()
	switch {
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
		c.show(r, out)
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
	for _, r := range c.pending {
		c.begun = true
		c.show(r, out)
	}
	c.pending, c.dropped = c.pending[:0], false
}

// mark decides on the bracket that was opened at open and is closed now.
func (c *citer) mark(open int, closed rune, out *strings.Builder) {
	inside := string(c.pending[open+1:])
	all := numbers(inside)
	if len(all) == 0 || slices.ContainsFunc(all, func(n int) bool { return n < 1 || n > max(plausible, c.sent) }) {
		c.pending = append(c.pending, closed) // [], [source], [0], [2024]: text
		c.flush(out)
		return
	}
	known := slices.DeleteFunc(slices.Clone(all), func(n int) bool { return n > c.sent })
	switch {
	case len(known) > 0:
		c.pending = c.pending[:open]
		c.flush(out)
		c.begun = true
		var seen []int
		for _, n := range known {
			if slices.Contains(seen, n) {
				continue
			}
			seen = append(seen, n)
			c.cited[n] = true
			for _, r := range "[" + strconv.Itoa(n) + "]" {
				c.show(r, out)
			}
		}
	case len(all) == 1:
		c.pending, c.dropped = c.pending[:open], true
	default:
		c.pending[open] = '('
		c.pending = append(c.pending, ')')
		c.flush(out)
	}
}

// words that models put before the number inside a mark.
var markWords = []string{"^", "sources", "source", "passages", "passage", "document", "doc", "citation", "ref", "来源", "段落"}

// looksLikeMark reports whether the characters after an open bracket may be
// the beginning of a mark: perhaps one of the usual words, then numbers with
// what joins them, then perhaps what some models add behind a dagger.
func looksLikeMark(s string) bool {
	s = strings.TrimLeft(strings.ToLower(s), " ")
	s, _, more := strings.Cut(s, "†")
	if more && !strings.ContainsAny(s, "0123456789") {
		return false
	}
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

// markParts are the numbers of a mark and ranges of them.
var markParts = regexp.MustCompile(`^[\^# ]*(\d+)(?: *[-–—] *[\^#]?(\d+))? *$`)

// numbers reads the numbers inside a mark, ranges spelled out; none if it is
// not written as a mark is, and -1 for a number that is too long or begins
// with 0.
func numbers(inside string) []int {
	inside, _, _ = strings.Cut(strings.TrimSpace(strings.ToLower(inside)), "†")
	for _, w := range markWords {
		if after, ok := strings.CutPrefix(inside, w); ok {
			inside = after
			break
		}
	}
	read := func(digits string) int {
		n, err := strconv.Atoi(digits)
		if err != nil || len(digits) > 4 || digits[0] == '0' {
			return -1
		}
		return n
	}
	var out []int
	for part := range strings.FieldsFuncSeq(inside, func(r rune) bool { return r == ',' || r == ';' }) {
		m := markParts.FindStringSubmatch(part)
		if m == nil {
			return nil
		}
		from := read(m[1])
		out = append(out, from)
		if m[2] == "" {
			continue
		}
		to := read(m[2])
		for n := from + 1; from > 0 && n < to; n++ {
			out = append(out, n)
		}
		out = append(out, to)
	}
	return out
}
