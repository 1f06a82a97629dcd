package filter

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Expr is a parsed filter: plain data, immutable, safe for concurrent use. The
// zero Expr holds for every document.
type Expr struct {
	root node
}

// node is one of the types below.
type node any

type (
	orNode  struct{ args []node }
	andNode struct{ args []node }
	notNode struct{ arg node }

	// compareNode is left op right.
	compareNode struct {
		op          string // == != < <= > >=
		left, right node
	}

	// fieldNode is a field and the steps into its value: string keys, int
	// positions (negative from the end).
	fieldNode struct {
		name  string
		steps []any
	}

	// literalNode holds nil, bool, float64 or text.
	literalNode struct{ value any }

	callNode struct {
		fn   *function
		args []node
	}

	// globNode matches arg; if whole is set, arg is the field path and
	// source/path will do as well.
	globNode struct {
		glob  *Glob
		arg   node
		whole bool
	}
)

// PathGlob is the filter that holds for documents whose path, or source/path,
// matches.
func PathGlob(g *Glob) Expr {
	return Expr{globNode{glob: g, arg: fieldNode{name: "path"}, whole: true}}
}

// And is the filter that holds if all of es hold.
func And(es ...Expr) Expr {
	var args []node
	for _, e := range es {
		if e.root != nil {
			args = append(args, e.root)
		}
	}
	if len(args) == 0 {
		return Expr{}
	}
	return Expr{simplify(andNode{args})}
}

// Everything says that the filter holds for every document.
func (e Expr) Everything() bool { return e.root == nil }

// Match says whether the filter holds for a document with these fields.
func (e Expr) Match(doc Fields) bool {
	if e.root == nil {
		return true
	}
	return truthy(eval(e.root, func(name string) any { return normal(doc[name]) }))
}

// eval gives the value of n, where get gives the normal value of a field, nil
// if there is none.
func eval(n node, get func(string) any) any {
	switch n := n.(type) {
	case literalNode:
		return n.value
	case fieldNode:
		return n.descend(get(n.name))
	case orNode:
		var v any
		for _, a := range n.args {
			if v = eval(a, get); truthy(v) {
				break
			}
		}
		return v
	case andNode:
		var v any
		for _, a := range n.args {
			if v = eval(a, get); !truthy(v) {
				break
			}
		}
		return v
	case notNode:
		return !truthy(eval(n.arg, get))
	case compareNode:
		return compare(n.op, eval(n.left, get), eval(n.right, get))
	case callNode:
		vs := make([]any, len(n.args))
		for i, a := range n.args {
			vs[i] = eval(a, get)
		}
		return n.fn.call(vs)
	case globNode:
		s, ok := asText(eval(n.arg, get))
		if !ok {
			return nil
		}
		if n.glob.Match(s) || !n.whole {
			return n.glob.Match(s)
		}
		source, ok := asText(get("source"))
		return ok && source != "" && n.glob.Match(source+"/"+s)
	}
	panic("filter: unknown node")
}

func compare(op string, a, b any) any {
	switch op {
	case "==":
		return equal(a, b)
	case "!=":
		return !equal(a, b)
	}
	c, ok := order(a, b)
	if !ok {
		return nil
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// descend follows the steps into v.
func (f fieldNode) descend(v any) any {
	for _, step := range f.steps {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			a, _ := v.([]any)
			if step < 0 {
				step += len(a)
			}
			if step < 0 || step >= len(a) {
				return nil
			}
			v = a[step]
		}
	}
	return v
}

// fields adds the names of the fields that n reads.
func fields(n node, into []string) []string {
	add := func(name string) {
		if !slices.Contains(into, name) {
			into = append(into, name)
		}
	}
	switch n := n.(type) {
	case fieldNode:
		add(n.name)
	case orNode:
		for _, a := range n.args {
			into = fields(a, into)
		}
	case andNode:
		for _, a := range n.args {
			into = fields(a, into)
		}
	case notNode:
		into = fields(n.arg, into)
	case compareNode:
		into = fields(n.right, fields(n.left, into))
	case callNode:
		for _, a := range n.args {
			into = fields(a, into)
		}
	case globNode:
		into = fields(n.arg, into)
		if n.whole {
			add("source")
		}
	}
	return into
}

// simplify flattens nested conjunctions and disjunctions, takes double negations
// off where only the truth matters, and evaluates what reads no field.
func simplify(n node) node {
	switch m := n.(type) {
	case orNode:
		var args []node
		for _, a := range m.args {
			if o, ok := simplify(a).(orNode); ok {
				args = append(args, o.args...)
			} else {
				args = append(args, simplify(a))
			}
		}
		n = orNode{args}
		if len(args) == 1 {
			n = args[0]
		}
	case andNode:
		var args []node
		for _, a := range m.args {
			if o, ok := simplify(a).(andNode); ok {
				args = append(args, o.args...)
			} else {
				args = append(args, simplify(a))
			}
		}
		n = andNode{args}
		if len(args) == 1 {
			n = args[0]
		}
	case notNode:
		n = notNode{simplify(m.arg)}
		if inner, ok := n.(notNode).arg.(notNode); ok {
			if boolean(inner.arg) {
				n = inner.arg
			}
		}
	case compareNode:
		n = compareNode{m.op, simplify(m.left), simplify(m.right)}
	case callNode:
		args := make([]node, len(m.args))
		for i, a := range m.args {
			args[i] = simplify(a)
		}
		n = callNode{m.fn, args}
	case globNode:
		n = globNode{m.glob, simplify(m.arg), m.whole}
	}
	if _, ok := n.(literalNode); !ok && len(fields(n, nil)) == 0 {
		return literalNode{eval(n, func(string) any { return nil })}
	}
	return n
}

// boolean says that n is true or false, whatever the document.
func boolean(n node) bool {
	switch n := n.(type) {
	case notNode:
		return true
	case compareNode:
		return n.op == "==" || n.op == "!="
	}
	return false
}

// function is one of the functions of the dialect. Arguments may be text.
type function struct {
	name     string
	min, max int // number of arguments; max -1: any
	call     func(args []any) any
}

var functions = []*function{
	{"abs", 1, 1, onNumber(math.Abs)},
	{"ceil", 1, 1, onNumber(math.Ceil)},
	{"contains", 2, 2, contains},
	{"ends_with", 2, 2, onTexts(strings.HasSuffix)},
	{"floor", 1, 1, onNumber(math.Floor)},
	{"globmatch", 2, 2, nil}, // becomes a globNode
	{"length", 1, 1, length},
	{"lower", 1, 1, onText(strings.ToLower)},
	{"not_null", 1, -1, notNull},
	{"starts_with", 2, 2, onTexts(strings.HasPrefix)},
	{"to_number", 1, 1, toNumber},
	{"to_string", 1, 1, toString},
	{"type", 1, 1, typeName},
	{"upper", 1, 1, onText(strings.ToUpper)},
}

func onNumber(f func(float64) float64) func([]any) any {
	return func(args []any) any {
		if x, ok := asNumber(args[0]); ok {
			return f(x)
		}
		return nil
	}
}

func onText(f func(string) string) func([]any) any {
	return func(args []any) any {
		if s, ok := asText(args[0]); ok {
			return f(s)
		}
		return nil
	}
}

func onTexts(f func(a, b string) bool) func([]any) any {
	return func(args []any) any {
		a, ok := asText(args[0])
		b, ok2 := asText(args[1])
		if !ok || !ok2 {
			return nil
		}
		return f(a, b)
	}
}

// contains looks for a part of a text or a member of an array.
func contains(args []any) any {
	if a, ok := plain(args[0]).([]any); ok {
		return slices.ContainsFunc(a, func(v any) bool { return equal(v, args[1]) })
	}
	return onTexts(strings.Contains)(args)
}

// length counts characters, members or keys.
func length(args []any) any {
	switch v := plain(args[0]).(type) {
	case string:
		return float64(utf8.RuneCountInString(v))
	case []any:
		return float64(len(v))
	case map[string]any:
		return float64(len(v))
	}
	return nil
}

func notNull(args []any) any {
	for _, v := range args {
		if v != nil {
			return v
		}
	}
	return nil
}

func toNumber(args []any) any {
	if x, ok := asNumber(args[0]); ok {
		return x
	}
	if s, ok := args[0].(string); ok {
		if x, ok := parseNumber(s); ok {
			return x
		}
	}
	return nil
}

func toString(args []any) any {
	switch v := plain(args[0]).(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return canonical(v)
	}
}

func typeName(args []any) any {
	switch plain(args[0]).(type) {
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}
