package fsio

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rules, path string
		dir, want   bool
	}{
		{"a", "a", false, true},
		{"a", "x/a", false, true},
		{"a", "ab", false, false},
		{"/a", "a", false, true},
		{"/a", "x/a", false, false},
		{"x/a", "x/a", false, true},
		{"x/a", "y/x/a", false, false},
		{"a/", "a", true, true},
		{"a/", "a", false, false},
		{"*.txt", "d/e.txt", false, true},
		{"*.txt\n!keep.txt", "keep.txt", false, false},
		{"!keep.txt\n*.txt", "keep.txt", false, true},
		{"**/a", "a", false, true},
		{"**/a", "x/y/a", false, true},
		{"a/**", "a", true, false},
		{"a/**", "a/b/c", false, true},
		{"a/**/b", "a/b", false, true},
		{"a/**/b", "a/x/y/b", false, true},
		{"a/**/b", "a/x/y/c", false, false},
		{"a/*/b", "a/x/b", false, true},
		{"a/*/b", "a/x/y/b", false, false},
		{"**/x/**/y/**", "1/x/2/x/3/y/4", false, true},
		{"[a-c]?", "bz", false, true},
		{"[!a-c]", "b", false, false},
		{"[!a-c]", "d", false, true},
		{"\\#a", "#a", false, true},
		{"#a", "#a", false, false},
		{"\\!a", "!a", false, true},
		{"a ", "a", false, true},
		{"a\\ ", "a ", false, true},
		{"a\r\nb", "a", false, true},
		{"", "a", false, false},
		{"/", "a", true, false},
		{"日?語", "日本語", false, true},
		{"***", "a", false, true},
		{"a***b", "axxb", false, true},
	} {
		rs, err := parseRules([]byte(c.rules))
		if err != nil {
			t.Fatalf("%q: %v", c.rules, err)
		}
		if got, _ := rs.match(c.path, c.dir); got != c.want {
			t.Errorf("rules %q, path %q: ignored %t", c.rules, c.path, got)
		}
	}
}

func TestBadRules(t *testing.T) {
	rs, err := parseRules([]byte("good\n[bad\n\nalso.good"))
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v", err)
	}
	for _, p := range []string{"good", "also.good"} {
		if ignored, _ := rs.match(p, false); !ignored {
			t.Errorf("a bad line made %s count for nothing", p)
		}
	}
	for _, text := range []string{strings.Repeat("a\n", maxIgnoreRules+1), strings.Repeat("#", maxIgnoreBytes+1)} {
		if _, err := parseRules([]byte(text)); err == nil {
			t.Error("an endless ignore file was accepted")
		}
	}
}

// TestRulesTakeBoundedTime gives patterns that make naive matchers exponential.
func TestRulesTakeBoundedTime(t *testing.T) {
	rs, err := parseRules([]byte(strings.Repeat("*a", 200) + "b\n/" + strings.Repeat("**/a/", 200) + "b"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool, 1)
	go func() {
		rs.match(strings.Repeat("a", 255), false)
		ignored, _ := rs.match(strings.Repeat("a/", 500)+"c", false)
		done <- ignored
	}()
	select {
	case ignored := <-done:
		if ignored {
			t.Error("it does not match")
		}
	case <-time.After(patience):
		t.Fatal("matching takes for ever")
	}
}

// TestRulesAsGit compares with git itself.
func TestRulesAsGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("no git here")
	}
	dir := t.TempDir()
	cmd := func(stdin string, args ...string) string {
		c := exec.Command(git, append([]string{"-c", "core.excludesFile=", "-C", dir}, args...)...)
		c.Stdin = strings.NewReader(stdin)
		out, _ := c.Output() // status 1 means that nothing matched
		return string(out)
	}
	cmd("", "init", "-q")
	if err := os.RemoveAll(filepath.Join(dir, ".git", "info")); err != nil {
		t.Fatal(err)
	}
	segment := rapid.SampledFrom([]string{"a", "b", "ab", "*", "?", "**", "a*", "*b", "[ab]", "[!a]", "\\a", "a.b", ""})
	name := rapid.SampledFrom([]string{"a", "b", "ab", "ba", "a.b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		var lines []string
		for range rapid.IntRange(1, 4).Draw(t, "rules") {
			s := strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "pattern"), "/")
			lines = append(lines, rapid.SampledFrom([]string{"", "", "!", "/"}).Draw(t, "mark")+s)
		}
		text := strings.Join(lines, "\n") + "\n"
		path := strings.Join(rapid.SliceOfN(name, 1, 4).Draw(t, "path"), "/")
		if strings.Contains(text, "//") {
			t.Skip("empty names: git has no rule for them")
		}
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		want := cmd(path+"\n", "check-ignore", "--stdin", "--no-index") != ""
		if got := ignoredFromTop(text, path); got != want {
			t.Fatalf("rules %q, path %q: we ignore it: %t, git: %t", text, path, got, want)
		}
	})
}

// ignoredFromTop asks for each directory on the way, as a walk does.
func ignoredFromTop(text, path string) bool {
	rs, _ := parseRules([]byte(text))
	parts := strings.Split(path, "/")
	for i := range parts {
		if ignored, _ := rs.match(strings.Join(parts[:i+1], "/"), i < len(parts)-1); ignored {
			return true
		}
	}
	return false
}

func FuzzRules(f *testing.F) {
	f.Add([]byte("*.txt\n!/a/**/b/\n[x-\n\\ \n"), "a/x/b")
	f.Add([]byte("\xff\xfe**/**\n/"), "\xff")
	f.Fuzz(func(t *testing.T, text []byte, path string) {
		rs, err := parseRules(text)
		if rs == nil {
			if err == nil {
				t.Fatal("neither rules nor an error")
			}
			return
		}
		if len(text) < 1000 && len(path) < 200 {
			rs.match(path, true)
			rs.match(path, false)
		}
	})
}
