package glob

import (
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// slow is the definition, exponential as it is.
func slow(pattern, parts []string) bool {
	if len(pattern) == 0 {
		return len(parts) == 0
	}
	if pattern[0] == "**" {
		least := 0
		if len(pattern) == 1 {
			least = 1
		}
		for n := least; n <= len(parts); n++ {
			if slow(pattern[1:], parts[n:]) {
				return true
			}
		}
		return false
	}
	if len(parts) == 0 {
		return false
	}
	ok, _ := path.Match(pattern[0], parts[0])
	return ok && slow(pattern[1:], parts[1:])
}

func TestPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "**", "?", "a*"}), 1, 6).Draw(t, "pattern")
		for i := 1; i < len(pattern); i++ {
			if pattern[i] == "**" && pattern[i-1] == "**" {
				t.Skip("one ** after another means nothing")
			}
		}
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", "c"}), 1, 7).Draw(t, "parts")
		if got, want := Path(pattern, parts), slow(pattern, parts); got != want {
			t.Fatalf("%v matches %v: %t", pattern, parts, got)
		}
	})
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ pattern, folder, rest string }{
		{"a/b", "a/b", ""}, {"a/*.csv", "a", "*.csv"}, {"*.csv", "", "*.csv"},
		{"/a/**/b?/c", "/a", "**/b?/c"}, {"/*", "", "*"},
	} {
		folder, rest := Split(c.pattern)
		if folder != c.folder || strings.Join(rest, "/") != c.rest {
			t.Errorf("%q: %q and %q", c.pattern, folder, rest)
		}
	}
}
