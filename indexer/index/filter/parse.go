package filter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of an expression, so that neither parsing nor evaluating it is work
// that a stranger can make as large as they like.
const (
	MaxLength = 16 << 10 // bytes
	MaxDepth  = 64       // nesting of parentheses, calls and negations
	MaxTerms  = 512      // comparisons, function calls, fields and literals
	MaxCalls  = 64       // function calls
)

// SyntaxError says where an expression stops making sense. Position counts
// characters from 1.
type SyntaxError struct {
	Position int
	Problem  string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("filter: character %d: %s", e.Position, e.Problem)
}

// Parse reads an expression in the dialect of the package comment. An empty or
// blank one holds for every document. The error is a *SyntaxError.
func Parse(expr string) (Expr, error) {
	if len(expr) > MaxLength {
		return Expr{}, &SyntaxError{1, fmt.Sprintf("the expression has %d bytes, at most %d are allowed", len(expr), MaxLength)}
	}
	if !utf8.ValidString(expr) {
		return Expr{}, &SyntaxError{1, "the expression is not UTF-8"}
	}
	if strings.TrimSpace(expr) == "" {
		return Expr{}, nil
	}
	p := &parser{src: expr}
	if err := p.next(); err != nil {
		return Expr{}, err
	}
	n, err := p.or()
	if err != nil {
		return Expr{}, err
	}
	if p.tok.kind != tokEnd {
		return Expr{}, p.expected("an operator (&&, ||, ==, !=, <, <=, >, >=) or the end")
	}
	return Expr{simplify(n)}, nil
}

type parser struct {
	src   string
	at    int // byte offset of what is not read yet
	tok   token
	depth int
	terms int
	calls int
}

func (p *parser) fail(pos int, format string, args ...any) error {
	return &SyntaxError{utf8.RuneCountInString(p.src[:pos]) + 1, fmt.Sprintf(format, args...)}
}

// expected reports the current token.
func (p *parser) expected(what string) error {
	found := "the end"
	if p.tok.kind != tokEnd {
		end := min(len(p.src), p.tok.pos+20)
		for end < len(p.src) && !utf8.RuneStart(p.src[end]) {
			end++
		}
		found = strconv.Quote(p.src[p.tok.pos:end])
	}
	return p.fail(p.tok.pos, "expected %s, found %s", what, found)
}

func (p *parser) sign(s string) bool { return p.tok.kind == tokSign && p.tok.s == s }

// enter counts nesting; leave undoes it.
func (p *parser) enter() error {
	if p.depth++; p.depth > MaxDepth {
		return p.fail(p.tok.pos, "the expression is nested more than %d deep", MaxDepth)
	}
	return nil
}

func (p *parser) term() error {
	if p.terms++; p.terms > MaxTerms {
		return p.fail(p.tok.pos, "the expression has more than %d terms", MaxTerms)
	}
	return nil
}

func (p *parser) or() (node, error) {
	return p.list("||", p.and, func(args []node) node { return orNode{args} })
}

func (p *parser) and() (node, error) {
	return p.list("&&", p.comparison, func(args []node) node { return andNode{args} })
}

// list reads operands separated by op.
func (p *parser) list(op string, operand func() (node, error), build func([]node) node) (node, error) {
	n, err := operand()
	if err != nil {
		return nil, err
	}
	args := []node{n}
	for p.sign(op) {
		if err := p.next(); err != nil {
			return nil, err
		}
		if n, err = operand(); err != nil {
			return nil, err
		}
		args = append(args, n)
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return build(args), nil
}

func (p *parser) comparison() (node, error) {
	left, err := p.unary()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokSign || strings.IndexByte("=!<>", p.tok.s[0]) < 0 || p.tok.s == "!" {
		return left, nil
	}
	op := p.tok.s
	if err := p.next(); err != nil {
		return nil, err
	}
	right, err := p.unary()
	if err != nil {
		return nil, err
	}
	if p.tok.kind == tokSign && strings.IndexByte("=<>", p.tok.s[0]) >= 0 {
		return nil, p.expected("&&, || or the end: comparisons do not chain")
	}
	return compareNode{op, left, right}, nil
}

func (p *parser) unary() (node, error) {
	if !p.sign("!") {
		return p.primary()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if err := p.next(); err != nil {
		return nil, err
	}
	n, err := p.unary()
	if err != nil {
		return nil, err
	}
	return notNode{n}, nil
}

func (p *parser) primary() (node, error) {
	if err := p.term(); err != nil {
		return nil, err
	}
	tok := p.tok
	switch {
	case tok.kind == tokText:
		return literalNode{tok.lit}, p.next()
	case tok.kind == tokNumber:
		return literalNode{tok.num}, p.next()
	case tok.kind == tokQuoted || tok.kind == tokName:
		if err := p.next(); err != nil {
			return nil, err
		}
		if tok.kind == tokName {
			if p.sign("(") {
				return p.call(tok)
			}
			switch tok.s {
			case "true", "false":
				return literalNode{tok.s == "true"}, nil
			case "null":
				return literalNode{nil}, nil
			}
		}
		return p.steps(fieldNode{name: tok.s})
	case p.sign("("):
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.sign(")") {
			return nil, p.expected(fmt.Sprintf("an operator or ) for the ( at character %d", utf8.RuneCountInString(p.src[:tok.pos])+1))
		}
		return n, p.next()
	}
	return nil, p.expected("a field, a value, a function, ! or (")
}

// steps reads .name and [n] after a field.
func (p *parser) steps(f fieldNode) (node, error) {
	for {
		switch {
		case p.sign("."):
			if err := p.next(); err != nil {
				return nil, err
			}
			if p.tok.kind != tokName && p.tok.kind != tokQuoted {
				return nil, p.expected("a name after the dot")
			}
			f.steps = append(f.steps, p.tok.s)
		case p.sign("["):
			if err := p.next(); err != nil {
				return nil, err
			}
			i := int(p.tok.num)
			if p.tok.kind != tokNumber || float64(i) != p.tok.num {
				return nil, p.expected("a position such as 0; projections and [?..] are not part of filters")
			}
			f.steps = append(f.steps, i)
			if err := p.next(); err != nil {
				return nil, err
			}
			if !p.sign("]") {
				return nil, p.expected("]")
			}
		default:
			return f, nil
		}
		if err := p.term(); err != nil {
			return nil, err
		}
		if err := p.next(); err != nil {
			return nil, err
		}
	}
}

// call reads the arguments of a function; the current token is its (.
func (p *parser) call(name token) (node, error) {
	var fn *function
	var known []string
	for _, f := range functions {
		known = append(known, f.name)
		if f.name == name.s {
			fn = f
		}
	}
	if fn == nil {
		return nil, p.fail(name.pos, "there is no function %s; there are %s", name.s, strings.Join(known, ", "))
	}
	if p.calls++; p.calls > MaxCalls {
		return nil, p.fail(name.pos, "the expression has more than %d function calls", MaxCalls)
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var args []node
	for {
		if err := p.next(); err != nil {
			return nil, err
		}
		if len(args) == 0 && p.sign(")") {
			break
		}
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		args = append(args, n)
		if p.sign(")") {
			break
		}
		if !p.sign(",") {
			return nil, p.expected(fmt.Sprintf("a comma or ) in the call of %s", fn.name))
		}
	}
	if len(args) < fn.min || fn.max >= 0 && len(args) > fn.max {
		return nil, p.fail(name.pos, "%s takes %d argument(s), not %d", fn.name, fn.min, len(args))
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if fn.call == nil {
		return p.glob(name, args)
	}
	return callNode{fn, args}, nil
}

// glob binds the pattern, which is the argument that is a text.
func (p *parser) glob(name token, args []node) (node, error) {
	pattern, arg := args[0], args[1]
	lit, ok := pattern.(literalNode)
	if !ok {
		pattern, arg = arg, pattern
		lit, ok = pattern.(literalNode)
	}
	t, isText := lit.value.(text)
	if !ok || !isText {
		return nil, p.fail(name.pos, "globmatch takes a pattern between quotes and a field, as in globmatch(`**/*.pdf`, path)")
	}
	g, err := ParseGlob(t.s)
	if err != nil {
		return nil, p.fail(name.pos, "%s", strings.TrimPrefix(err.Error(), "filter: "))
	}
	f, ok := arg.(fieldNode)
	return globNode{glob: g, arg: arg, whole: ok && f.name == "path" && len(f.steps) == 0}, nil
}
