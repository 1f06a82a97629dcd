package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokName             // bare identifier
	tokQuoted           // "identifier"
	tokText             // `..` or '..'
	tokNumber
	tokSign // operators, parentheses, comma, dot, brackets
)

type token struct {
	kind tokenKind
	pos  int    // byte offset
	s    string // name, sign, or text without quotes
	lit  text
	num  float64
}

// next reads a token.
func (p *parser) next() error {
	for p.at < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.at]) >= 0 {
		p.at++
	}
	start := p.at
	p.tok = token{pos: start}
	if start == len(p.src) {
		return nil
	}
	c := p.src[start]
	switch {
	case nameStart(c):
		for p.at < len(p.src) && (nameStart(p.src[p.at]) || digit(p.src[p.at])) {
			p.at++
		}
		p.tok.kind, p.tok.s = tokName, p.src[start:p.at]
	case digit(c) || c == '-' && start+1 < len(p.src) && digit(p.src[start+1]):
		return p.number()
	case c == '`' || c == '\'' || c == '"':
		return p.quoted(c)
	default:
		for _, s := range []string{"||", "&&", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", ",", ".", "[", "]"} {
			if strings.HasPrefix(p.src[start:], s) {
				p.at += len(s)
				p.tok.kind, p.tok.s = tokSign, s
				return nil
			}
		}
		r, _ := utf8.DecodeRuneInString(p.src[start:])
		hint := ""
		switch r {
		case '=', '&', '|':
			hint = fmt.Sprintf("; did you mean %c%c?", r, r)
		case '@', '*', '?', '{':
			hint = "; of JMESPath, projections, pipes and @ are not part of filters"
		}
		return p.fail(start, "unexpected character %q%s", r, hint)
	}
	return nil
}

func nameStart(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func digit(c byte) bool { return '0' <= c && c <= '9' }

func (p *parser) number() error {
	start := p.at
	p.at++
	for p.at < len(p.src) {
		c, prev := p.src[p.at], p.src[p.at-1]
		if digit(c) || c == '.' || c == 'e' || c == 'E' || (c == '-' || c == '+') && (prev == 'e' || prev == 'E') {
			p.at++
			continue
		}
		break
	}
	f, err := strconv.ParseFloat(p.src[start:p.at], 64)
	if err != nil || p.at < len(p.src) && nameStart(p.src[p.at]) {
		return p.fail(start, "expected a number; text goes between back-quotes, `like this`")
	}
	p.tok.kind, p.tok.num = tokNumber, f
	return nil
}

// quoted reads `text`, 'text' or "name". In all three a backslash before the
// closing quote makes it an ordinary character; '..' and ".." have \\ as well.
func (p *parser) quoted(q byte) error {
	start := p.at
	var b strings.Builder
	for p.at++; ; p.at++ {
		if p.at >= len(p.src) {
			return p.fail(start, "the text opened by %c is not closed", q)
		}
		c := p.src[p.at]
		if c == q {
			break
		}
		if c == '\\' && p.at+1 < len(p.src) {
			if d := p.src[p.at+1]; d == q || d == '\\' && q != '`' {
				b.WriteByte(d)
				p.at++
				continue
			}
		}
		b.WriteByte(c)
	}
	p.at++
	s := b.String()
	switch q {
	case '"':
		p.tok.kind = tokQuoted
	case '\'':
		p.tok.kind, p.tok.lit = tokText, newText(s, true)
	default:
		p.tok.kind = tokText
		p.tok.lit = newText(s, false)
		if p.tok.lit.json == nil {
			// Pathway's clients write `"text"` for `text`.
			s = strings.ReplaceAll(s, `"`, "")
			p.tok.lit = newText(s, false)
		}
	}
	p.tok.s = s
	return nil
}
