package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxGlob is the longest pattern that is accepted, in bytes.
const MaxGlob = 1024

// Glob is a compiled path pattern. The zero Glob matches the empty text alone.
// It is immutable.
type Glob struct {
	pattern string
	toks    []globToken
	prefix  string // literal text that every match starts with
	suffix  string // literal text that every match ends with
	tail    int    // the token that suffix starts at
}

type globKind uint8

const (
	globRune globKind = iota // one given character
	globAny                  // ?
	globSet                  // [..]
	globStar                 // any characters
	globDirs                 // any number of whole segments, each with its slash
)

type globToken struct {
	kind   globKind
	r      rune
	not    bool
	ranges []rune // pairs: first, last
}

// ParseGlob compiles a pattern; the package comment says what it may hold. The
// error names the position, in characters from 1.
func ParseGlob(pattern string) (*Glob, error) {
	if len(pattern) > MaxGlob {
		return nil, fmt.Errorf("filter: glob of %d bytes: at most %d are allowed", len(pattern), MaxGlob)
	}
	g := &Glob{pattern: pattern}
	rs := []rune(pattern)
	for i := 0; i < len(rs); {
		switch r := rs[i]; r {
		case '*':
			j := i
			for j < len(rs) && rs[j] == '*' {
				j++
			}
			if j-i >= 2 && j < len(rs) && rs[j] == '/' && (i == 0 || rs[i-1] == '/') {
				g.toks = append(g.toks, globToken{kind: globDirs})
				j++
			} else {
				g.toks = append(g.toks, globToken{kind: globStar})
			}
			i = j
		case '?':
			g.toks = append(g.toks, globToken{kind: globAny})
			i++
		case '[':
			t, n, err := parseSet(rs[i:])
			if err != nil {
				return nil, fmt.Errorf("filter: glob %q, character %d: %w", pattern, i+1, err)
			}
			g.toks = append(g.toks, t)
			i += n
		default:
			g.toks = append(g.toks, globToken{kind: globRune, r: r})
			i++
		}
	}
	g.affixes()
	return g, nil
}

// parseSet reads a [..] at the start of rs and says how many characters it takes.
func parseSet(rs []rune) (globToken, int, error) {
	t := globToken{kind: globSet}
	i := 1
	if i < len(rs) && (rs[i] == '!' || rs[i] == '^') {
		t.not = true
		i++
	}
	for first := true; ; first = false {
		if i >= len(rs) {
			return t, 0, fmt.Errorf("the set opened by [ is not closed; write [[] for the character itself")
		}
		if rs[i] == ']' && !first {
			break
		}
		lo, hi := rs[i], rs[i]
		i++
		if i+1 < len(rs) && rs[i] == '-' && rs[i+1] != ']' {
			hi = rs[i+1]
			i += 2
		}
		if lo > hi {
			return t, 0, fmt.Errorf("the range %c-%c is empty", lo, hi)
		}
		t.ranges = append(t.ranges, lo, hi)
	}
	return t, i + 1, nil
}

// affixes finds the literal ends of the pattern, which rule out most texts
// without a look at the rest.
func (g *Glob) affixes() {
	lit := func(t globToken) bool { return t.kind == globRune && t.r != utf8.RuneError }
	i := 0
	var b strings.Builder
	for i < len(g.toks) && lit(g.toks[i]) {
		b.WriteRune(g.toks[i].r)
		i++
	}
	g.prefix = b.String()
	j := len(g.toks)
	for j > i && lit(g.toks[j-1]) {
		j--
	}
	b.Reset()
	for _, t := range g.toks[j:] {
		b.WriteRune(t.r)
	}
	g.suffix, g.tail = b.String(), j
}

// String returns the pattern.
func (g *Glob) String() string { return g.pattern }

// Match says whether the whole of s matches. It takes at most len(pattern) ×
// len(s) steps: a match that fails goes back to the last wildcard only, which is
// enough because an earlier wildcard could only leave less of s for the rest.
func (g *Glob) Match(s string) bool {
	if !strings.HasPrefix(s, g.prefix) || !strings.HasSuffix(s, g.suffix) {
		return false
	}
	toks := g.toks
	si, ti := 0, 0
	backS, backT := -1, -1 // where to resume in s, and after which wildcard
	for {
		if ti < len(toks) {
			switch t := &toks[ti]; t.kind {
			case globStar, globDirs:
				if ti++; t.kind == globStar && ti == g.tail {
					return len(s)-si >= len(g.suffix) // which s ends with
				}
				backS, backT = si, ti-1
				continue
			default:
				if si < len(s) {
					r, n := utf8.DecodeRuneInString(s[si:])
					if t.matches(r) {
						si += n
						ti++
						continue
					}
				}
			}
		} else if si == len(s) {
			return true
		}
		if backT < 0 {
			return false
		}
		// The last wildcard takes one step more: a character, or a segment.
		if toks[backT].kind == globStar {
			if backS >= len(s) {
				return false
			}
			_, n := utf8.DecodeRuneInString(s[backS:])
			backS += n
		} else {
			k := strings.IndexByte(s[backS:], '/')
			if k < 0 {
				return false
			}
			backS += k + 1
		}
		si, ti = backS, backT+1
	}
}

func (t *globToken) matches(r rune) bool {
	switch t.kind {
	case globRune:
		return t.r == r
	case globAny:
		return true
	case globSet:
		for i := 0; i < len(t.ranges); i += 2 {
			if t.ranges[i] <= r && r <= t.ranges[i+1] {
				return !t.not
			}
		}
		return t.not
	}
	return false
}
