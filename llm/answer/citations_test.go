package answer

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func cite(text string, passages int) string {
	c := newCiter(passages)
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
		"Yes [9-12].":                     "Yes (9-12).",
		"Yes 【2】.":                        "Yes [2].",
		"Yes 【2†source】.":                 "Yes [2].",
		"是的［1］。":                          "是的[1]。",
		"Yes [^1] and [Source 2].":        "Yes [1] and [2].",
		"Yes [passages 1 and":             "Yes [passages 1 and",
		"No [7].":                         "No.",
		"No [7] way":                      "No way",
		"No [7] , [8]":                    "No,",
		"No[99].":                         "No.",
		"No [99999999999999999999999999]": "No [99999999999999999999999999]",
		"[[9]99] x":                       "x",
		"[[9]2024] x":                     "[2024] x",
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

		// Brackets that are no marks.
		"arr[0] = 1; arr[-1], m[1-], [007]": "arr[0] = 1; arr[-1], m[1-], [007]",
		"In [2024] and [0, 1] and [100].":   "In [2024] and [0, 1] and [100].",
		"[1, 2024] [0-2] [2, 100]":          "[1, 2024] [0-2] [2, 100]",
		"【2024】 [^0] [#1234] [Doc 2024]":    "【2024】 [^0] [#1234] [Doc 2024]",
		"From [10, 20] on [1].":             "From (10, 20) on [1].",
		"Yes [Sources 1, 3], [sources 1":    "Yes [1][3],",
		// Code.
		"Use `a[1]` and ``b`[9]`` [1].":        "Use `a[1]` and ``b`[9]`` [1].",
		"A ` alone [9] and [1]":                "A ` alone and [1]",
		"A ` alone\nand another ` [9].":        "A ` alone\nand another `.",
		"```go\nx[1] = y[9]\n```\nYes [9][1].": "```go\nx[1] = y[9]\n```\nYes [1].",
		"~~~\n``` [9]\n~~~~ \n[9] [2]":         "~~~\n``` [9]\n~~~~ \n [2]",
		"> 1. ```\n> [9]\n> ```\n> [9] a":      "> 1. ```\n> [9]\n> ```\n> a",
		"text ``` [9]\n[9] a":                  "text ```\n a",
		"```[9]``` [9] a":                      "```[9]``` a",
		"```\nnever closed [9]":                "```\nnever closed [9]",
		"``[9]`x [1]":                          "`` `x [1]",
		"[9]```\n[9]":                          "```\n[9]",
		"~~[9]~\n[9]":                          "~~~\n[9]",
		"`a[9]":                                "`a",
		"`a[9]`":                               "`a[9]`",
	} {
		if got := cite(in, 3); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestUnmark(t *testing.T) {
	for in, want := range map[string]string{
		"as shown [12, 13] and [1]": "as shown (12, 13) and (1)", "[1\n2]": "(1\n2)", "[1–3]": "(1–3)",
		"in [2024], arr[0], [0, 1]": "in [2024], arr[0], [0, 1]", "[a] [] [1a]": "[a] [] [1a]",
	} {
		if got := unmark(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestCitationsProperty: whatever a model writes, however it is cut into
// pieces, the stream is the same; what Marks finds in the text are the passages
// that count as cited; and no other number is left that looks like one.
func TestCitationsProperty(t *testing.T) {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{"[", "]", "【", "】", "［", "］", " ", "0", "1", "2", "9", "12", "2024", ",", "-", "–", "^", "†", "source", "s", ".", "\n", "а", "文", "\xe3", "\x80", "[1]", "[9]", "[0]", "[1,9]", "[0, 1]", "[10, 20]", "[[", "]]",
			"`", "``", "```", "\n```", "```\n", "~", "~~~", "\n~~~\n", "\n> ", "\n- ", "a[1]", "\x00", strings.Repeat("1", 90), strings.Repeat(" ", 90)}),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(part, 0, 30).Draw(t, "parts"), "")
		passages := rapid.SampledFrom([]int{0, 1, 2, 5, 12, 150}).Draw(t, "passages")
		size := rapid.IntRange(1, 7)
		checkCitations(t, text, passages, func() int { return size.Draw(t, "size") })
	})
}

// checkCitations streams a text in pieces of the given sizes.
func checkCitations(t interface{ Fatalf(string, ...any) }, text string, passages int, size func() int) {
	whole := cite(text, passages)
	c := newCiter(passages)
	var streamed strings.Builder
	for rest := text; rest != ""; {
		n := min(size(), len(rest))
		streamed.WriteString(c.Write(rest[:n]))
		rest = rest[n:]
	}
	streamed.WriteString(c.Close())
	if streamed.String() != whole {
		t.Fatalf("streamed %q, whole %q", streamed.String(), whole)
	}
	seen := map[int]bool{}
	for _, m := range Marks(whole, max(plausible, passages)) {
		if m.N > passages {
			t.Fatalf("%q became %q with the unknown mark %s", text, whole, whole[m.Start:m.End])
		}
		if whole[m.Start:m.End] != fmt.Sprintf("[%d]", m.N) {
			t.Fatalf("%q: %d is not at %d-%d", whole, m.N, m.Start, m.End)
		}
		seen[m.N] = true
	}
	if !maps.Equal(seen, c.cited) {
		t.Fatalf("%q became %q: %v is there, %v counts as cited", text, whole, seen, c.cited)
	}
}

func FuzzCitations(f *testing.F) {
	for _, s := range []string{"Yes [1][9], `x[1]` [0, 1].", "> 1. ```go\n[9]\n> ```\n[2–9]", "``[9]`x 【2†source】", "~~~\n~~~~", "[[9]1] [2024]", "\xe3\x80[1"} {
		f.Add(s, uint8(3), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, passages, size uint8) {
		checkCitations(t, text, int(passages), func() int { return int(size)%7 + 1 })
	})
}

// Code comes through as it is.
func TestCitationsLeaveText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringMatching(`([a-z]\[[0-9]{1,2}\]|\[[0-9, -]{1,8}\]|[ a-z=\n]){1,20}`).Draw(t, "code")
		n := rapid.IntRange(3, 5).Draw(t, "ticks")
		fence := strings.Repeat(rapid.SampledFrom([]string{"`", "~"}).Draw(t, "fence"), n)
		span := strings.ReplaceAll(code, "\n", " ")
		text := "So:\n\n" + fence + "go\n" + code + "\n" + fence + "\n\nand `" + span + "` [1]."
		if got := cite(text, 1); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
