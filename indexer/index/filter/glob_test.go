package filter

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*.pdf", "a/b.pdf", true}, {"**/*.pdf", "a/b.pdf", true}, {"**/*.pdf", "b.pdf", true}, {"**/x.txt", "x.txt", true},
		{"**/x.txt", "a/b/x.txt", true}, {"**/x.txt", "ax.txt", false}, {"x.txt", "a/x.txt", false}, {"data/**", "data/a/b", true},
		{"data/**", "database/a", false}, {"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "ab", false}, {"a/**/b", "a/xb", false},
		{"a**b", "axyb", true}, {"?", "é", true}, {"?", "", false}, {"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false}, {"[^a]", "b", true},
		{"[]]", "]", true}, {"[a-]", "-", true}, {"[[]x", "[x", true}, {"it's.txt", "it's.txt", true}, {"", "", true}, {"", "a", false},
		{"*", "", true}, {"**", "a/b", true}, {"ab*ba", "aba", false}, {"A", "a", false}, {`a\b`, `a\b`, true}, {"***/a", "x/a", true},
		{"**/**/a", "a", true}, {"**/**/a", "x/a", true}, {"**/a*/**/b", "q/ax/y/b", true},
	} {
		g, err := ParseGlob(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Match(c.s); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.s, got)
		}
	}
	for _, bad := range []string{"[", "a[b", "[b-a]", "[]", strings.Repeat("a", MaxGlob+1)} {
		if _, err := ParseGlob(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestGlobRegexp compares with the same pattern as a regular expression.
func TestGlobRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOf(rapid.SampledFrom([]rune("ab/**?[]!-é"))).Draw(t, "pattern")
		s := rapid.StringOf(rapid.SampledFrom([]rune("aabb//é-"))).Draw(t, "s")
		g, err := ParseGlob(pattern)
		if err != nil {
			t.Skip()
		}
		if got, want := g.Match(s), g.regexp().MatchString(s); got != want {
			t.Fatalf("%q %q: %v, want %v", pattern, s, got, want)
		}
	})
}

func (g *Glob) regexp() *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for _, t := range g.toks {
		switch t.kind {
		case globRune:
			b.WriteString(regexp.QuoteMeta(string(t.r)))
		case globAny:
			b.WriteString(".")
		case globStar:
			b.WriteString(".*")
		case globDirs:
			b.WriteString("(?:.*/)?")
		case globSet:
			b.WriteString("[")
			if t.not {
				b.WriteString("^")
			}
			for i := 0; i < len(t.ranges); i += 2 {
				b.WriteString(`\` + hex(t.ranges[i]) + `-\` + hex(t.ranges[i+1]))
			}
			b.WriteString("]")
		}
	}
	return regexp.MustCompile(b.String() + `\z`)
}

func hex(r rune) string {
	const digits = "0123456789abcdef"
	s := ""
	for ; r > 0; r >>= 4 {
		s = digits[r&15:r&15+1] + s
	}
	return "x{" + s + "}"
}

func FuzzGlob(f *testing.F) {
	f.Add("**/a*[b-d]?", "x/y/abc")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if g, err := ParseGlob(pattern); err == nil {
			g.Match(s)
		}
	})
}
