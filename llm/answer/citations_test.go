package answer

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func upTo(n int) func(int) bool { return func(i int) bool { return i >= 1 && i <= n } }

func cite(text string, passages int) string {
	c := newCiter(upTo(passages))
	out := c.Write(text)
	return out + c.Close()
}

func TestCitations(t *testing.T) {
	for in, want := range map[string]string{
		"Plain text.":                     "Plain text.",
		"Yes [1].":                        "Yes [1].",
		"Yes [1][3].":                     "Yes [1][3].",
		"Yes [1, 3].":                     "Yes [1][3].",
		"Yes [1;2] and [3,3].":            "Yes [1][2] and [3].",
		"Yes [1-3].":                      "Yes [1][2][3].",
		"Yes [2–9].":                      "Yes [2][3].",
		"Yes [9-12].":                     "Yes.",
		"Yes 【2】.":                        "Yes [2].",
		"Yes 【2†source】.":                 "Yes [2].",
		"是的［1］。":                          "是的[1]。",
		"Yes [^1] and [Source 2].":        "Yes [1] and [2].",
		"Yes [passages 1 and":             "Yes [passages 1 and",
		"No [7].":                         "No.",
		"No [7] way":                      "No way",
		"No [7] , [8]":                    "No,",
		"No[0].":                          "No.",
		"No [99999999999999999999999999]": "No",
		"[[9]99] x":                       "x",
		"[9]. Yes.":                       "Yes.",
		"[1]. Yes.":                       "[1]. Yes.",
		"[[9]1]":                          "[1]",
		"[[1]]":                           "[[1]]",
		"A [link](http://x/1) [text]":     "A [link](http://x/1) [text]",
		"a[] [ ] [source]":                "a[] [ ] [source]",
		"unfinished [1":                   "unfinished",
		"unfinished [":                    "unfinished",
		"blanks  stay  inside":            "blanks  stay  inside",
		"line [9]\nnext":                  "line\nnext",
		"control\x00\x1b[9] gone":         "control gone",
		"- [ ] task\n- [x] done":          "- [ ] task\n- [x] done",
	} {
		if got := cite(in, 3); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

var mark = regexp.MustCompile(`\[\s*(\d+)\s*\]`)

// TestCitationsProperty: whatever a model writes, however it is cut into
// pieces, the stream is the same, holds only numbers of passages that were
// sent, and every one of them is known as cited.
func TestCitationsProperty(t *testing.T) {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"[", "]", "【", "】", "［", "］", " ", "1", "2", "9", "12", ",", "-", "–", "^", "†", "source", "s", ".", "\n", "а", "文", "\xe3", "\x80", "[1]", "[9]", "[1,9]", "[[", "]]", strings.Repeat("1", 90), strings.Repeat(" ", 90)}),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(part, 0, 30).Draw(t, "parts"), "")
		passages := rapid.IntRange(0, 12).Draw(t, "passages")
		whole := cite(text, passages)

		c := newCiter(upTo(passages))
		var streamed strings.Builder
		for rest := text; rest != ""; {
			n := min(rapid.IntRange(1, 7).Draw(t, "size"), len(rest))
			streamed.WriteString(c.Write(rest[:n]))
			rest = rest[n:]
		}
		streamed.WriteString(c.Close())
		if streamed.String() != whole {
			t.Fatalf("streamed %q, whole %q", streamed.String(), whole)
		}
		seen := map[int]bool{}
		for _, m := range mark.FindAllStringSubmatch(whole, -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil || n < 1 || n > passages {
				t.Fatalf("%q became %q with the unknown mark %s", text, whole, m[0])
			}
			seen[n] = true
		}
		for n := range c.cited {
			if !seen[n] {
				t.Fatalf("%q became %q: %d counts as cited but is not there", text, whole, n)
			}
		}
		for n := range seen {
			if !c.cited[n] {
				t.Fatalf("%q became %q: %d is there but does not count as cited", text, whole, n)
			}
		}
	})
}
