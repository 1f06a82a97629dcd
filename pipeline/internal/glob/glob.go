// Package glob matches paths with patterns in which "**" stands for any number
// of names. A name is matched as by path.Match. The time of a match is bounded
// by the product of the lengths.
package glob

import (
	"path"
	"strings"
)

// Name reports whether one name matches one part of a pattern.
func Name(pattern, name string) bool {
	if pattern == "**" {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Path matches whole paths, split into their names. "**" stands for any number
// of names, but at the end for at least one. Only the last one met is ever
// tried again.
func Path(pattern, parts []string) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(parts) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			if p == len(pattern)-1 {
				return true
			}
			star, from = p, i
			p++
		case p < len(pattern) && Name(pattern[p], parts[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return p == len(pattern)
}

// Split cuts a path pattern with slashes into the folder before the first part
// that is a pattern, and the rest. A path without a pattern has no rest.
func Split(pattern string) (folder string, rest []string) {
	parts := strings.Split(pattern, "/")
	for i, p := range parts {
		if strings.ContainsAny(p, `*?[`) {
			return strings.Join(parts[:i], "/"), parts[i:]
		}
	}
	return pattern, nil
}
