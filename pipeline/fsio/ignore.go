package fsio

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/ragserver/ragserver/pipeline/internal/glob"
)

// ignoreFile is the name of a file with ignore rules for its folder and those below.
const ignoreFile = ".ragignore"

// Limits of an ignore file. What is beyond them is an error, not cut off.
const (
	maxIgnoreBytes = 1 << 20
	maxIgnoreRules = 10_000
	maxRuleBytes   = 4096
)

// rules are the lines of one ignore file, in the syntax of gitignore.
type rules struct{ list []rule }

type rule struct {
	negate   bool
	dirOnly  bool
	anchored bool     // matches the path from the rules' folder, not just a name
	segments []string // each for path.Match, or "**"
}

// parseRules reads an ignore file. Lines that are no pattern are left out and
// told of in the error, which does not keep the others from working.
func parseRules(text []byte) (*rules, error) {
	if len(text) > maxIgnoreBytes {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), maxIgnoreBytes)
	}
	rs := &rules{}
	var bad error
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		r, ok, err := parseRule(strings.TrimRight(line, "\r\n"))
		if err == nil && len(rs.list) == maxIgnoreRules {
			return nil, fmt.Errorf("it has more than %d rules", maxIgnoreRules)
		}
		if err != nil {
			bad = fmt.Errorf("line %d: %w", n, err)
		} else if ok {
			rs.list = append(rs.list, r)
		}
	}
	return rs, bad
}

// CheckRule says why a line cannot be one of Options.Ignore, or of a .ragignore.
func CheckRule(line string) error {
	_, _, err := parseRule(line)
	return err
}

func parseRule(line string) (r rule, ok bool, err error) {
	line = trimSpaces(line)
	if line == "" || line[0] == '#' {
		return r, false, nil
	}
	if len(line) > maxRuleBytes {
		return r, false, fmt.Errorf("a pattern of %d bytes is too long", len(line))
	}
	if line[0] == '!' {
		r.negate, line = true, line[1:]
	}
	if strings.HasSuffix(line, "/") {
		r.dirOnly, line = true, strings.TrimRight(line, "/")
	}
	r.anchored = strings.Contains(line, "/")
	for _, s := range strings.Split(strings.TrimPrefix(line, "/"), "/") {
		if s == "**" && len(r.segments) > 0 && r.segments[len(r.segments)-1] == "**" {
			continue
		}
		s = strings.ReplaceAll(s, "[!", "[^")
		if _, err := path.Match(s, ""); err != nil {
			return r, false, fmt.Errorf("%q is not a pattern: %w", line, err)
		}
		if s != "**" {
			s = collapse(s)
		}
		r.segments = append(r.segments, s)
	}
	return r, line != "", nil
}

// trimSpaces removes trailing spaces that no backslash protects.
func trimSpaces(s string) string {
	for strings.HasSuffix(s, " ") || strings.HasSuffix(s, "\t") {
		if strings.HasSuffix(s, `\ `) {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// collapse makes one star of several, which mean the same within a name.
func collapse(s string) string {
	for strings.Contains(s, "**") && !strings.Contains(s, `\`) && !strings.Contains(s, "[") {
		s = strings.ReplaceAll(s, "**", "*")
	}
	return s
}

// match returns what the last rule that fits says of a path relative to the
// rules' folder.
func (rs *rules) match(rel string, dir bool) (ignored, found bool) {
	if rs == nil {
		return false, false
	}
	parts := strings.Split(rel, "/")
	for i := len(rs.list) - 1; i >= 0; i-- {
		if r := &rs.list[i]; (dir || !r.dirOnly) && r.match(parts) {
			return !r.negate, true
		}
	}
	return false, false
}

func (r *rule) match(parts []string) bool {
	if !r.anchored {
		return glob.Name(r.segments[0], parts[len(parts)-1])
	}
	return glob.Path(r.segments, parts)
}

// defaults are the lowest rules: a .ragignore can take them back.
var defaults = mustRules(`
.*
*~
\#*#
~$*
*.swp
*.swo
*.swx
*.tmp
*.temp
*.part
*.partial
*.crdownload
*.download
*.opdownload
4913
___jb_*___
thumbs.db
ehthumbs.db
desktop.ini
_darcs/
$recycle.bin/
system volume information/
lost+found/
__macosx/
`)

func mustRules(text string) *rules {
	rs, err := parseRules([]byte(text))
	if err != nil {
		panic(err)
	}
	return rs
}

// versionControl are folders that are never looked into.
var versionControl = map[string]bool{".git": true, ".hg": true, ".svn": true, ".bzr": true, ".jj": true, "CVS": true}

// ignored reports whether name in d, all of whose parents are not ignored, is.
func (d *dir) ignored(name string, isDir bool, lowest *rules) bool {
	if isDir && versionControl[name] || name == ignoreFile {
		return true
	}
	rel := name
	for at := d; at != nil; at = at.parent {
		if ignored, found := at.rules.match(rel, isDir); found {
			return ignored
		}
		rel = at.name + "/" + rel
	}
	if ignored, found := lowest.match(strings.TrimPrefix(rel, "/"), isDir); found {
		return ignored
	}
	ignored, _ := defaults.match(strings.ToLower(name), isDir)
	return ignored
}
