package parse

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// readMarkdown reads CommonMark with tables, task lists and front matter.
func readMarkdown(b *builder, _ File, d detected) error {
	src := normalLines(d.text)
	body := frontMatter(b, src)
	if nestsTooDeep(body) {
		b.warnf("the Markdown is nested too deeply and was read as plain text")
		return readText(b, File{}, detected{text: body})
	}
	md := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList, extension.Linkify, extension.Footnote))
	for part := range mdParts(body) {
		raw := []byte(part)
		doc := md.Parser().Parse(text.NewReader(raw), parser.WithContext(parser.NewContext()))
		w := &mdWalker{b: b, src: raw}
		if err := w.blocks(doc); err != nil {
			return err
		}
		if err := b.alive(); err != nil {
			return err
		}
	}
	return nil
}

// mdPart is the size from which a long text is parsed in parts, since its tree
// takes many times its size. A part ends before a heading, later at a blank
// line, at last at any line.
const mdPart = 1 << 20

func mdParts(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if len(s) <= mdPart {
			yield(s)
			return
		}
		start, at := 0, 0
		fenced := false
		for line := range strings.Lines(s) {
			size := at - start
			heading := !fenced && strings.HasPrefix(line, "#")
			blank := !fenced && strings.TrimSpace(line) == ""
			if size > mdPart && heading || size > 2*mdPart && blank || size > 8*mdPart {
				if !yield(s[start:at]) {
					return
				}
				start = at
			}
			if t := strings.TrimLeft(line, " "); strings.HasPrefix(t, "```") || strings.HasPrefix(t, "~~~") {
				fenced = !fenced
			}
			at += len(line)
		}
		yield(s[start:])
	}
}

// nestsTooDeep looks for lines that open very many containers or brackets,
// for which Markdown's rules cost time that grows with the square.
func nestsTooDeep(s string) bool {
	for line := range strings.Lines(s) {
		marks, brackets := 0, 0
		for i := range len(line) {
			c := line[i]
			if c == '>' || c == '\t' || c == '-' || c == '*' || c == '+' {
				marks++
			} else if c != ' ' {
				break
			}
		}
		if marks > 100 && strings.Trim(line, "-*+ \t\n") != "" {
			return true
		}
		for i := range len(line) {
			switch line[i] {
			case '[', '<', '`', '*', '_', '~', '!', '&':
				brackets++
			}
		}
		if brackets > 5000 {
			return true
		}
	}
	return false
}

// maxFront bounds front matter; yamlRisk finds anchors and aliases in it, by
// which a few lines of YAML can grow without bound.
const maxFront = 8 << 10

var yamlRisk = regexp.MustCompile(`(?m)(^|[\s\[{,:])[&*][^\s&*]`)

// frontMatter takes YAML between "---" lines at the beginning into the
// metadata and returns what follows. Broken front matter stays text.
func frontMatter(b *builder, src string) string {
	s := strings.TrimLeft(src, " \n")
	rest, ok := strings.CutPrefix(s, "---\n")
	if !ok {
		return src
	}
	end := strings.Index(rest, "\n---\n")
	if end < 0 && strings.HasSuffix(rest, "\n---") {
		end = len(rest) - 4
	}
	if end < 0 || end > maxFront || yamlRisk.MatchString(rest[:end]) || strings.Count(rest[:end], "[")+strings.Count(rest[:end], "{") > 100 {
		return src
	}
	var m map[string]any
	if err := yaml.Unmarshal([]byte(rest[:end]), &m); err != nil || m == nil {
		return src
	}
	for k, v := range m {
		if k == "title" {
			b.doc.Title = strings.TrimSpace(fmt.Sprint(v))
			continue
		}
		b.meta(k, plainValue(v, 0))
	}
	return rest[min(len(rest), end+5):]
}

// plainValue turns decoded YAML into the kinds of values that Meta holds.
func plainValue(v any, depth int) any {
	switch x := v.(type) {
	case nil, string, bool, float64:
		return x
	case int:
		return float64(x)
	case int64:
		return float64(x)
	case uint64:
		return float64(x)
	case []any:
		if depth > 8 {
			return nil
		}
		out := make([]any, 0, len(x))
		for _, e := range x {
			out = append(out, plainValue(e, depth+1))
		}
		return out
	case map[string]any:
		if depth > 8 {
			return nil
		}
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = plainValue(e, depth+1)
		}
		return out
	}
	return fmt.Sprint(v)
}

// mdWalker turns goldmark's tree into blocks.
type mdWalker struct {
	b   *builder
	src []byte
}

func (w *mdWalker) blocks(parent ast.Node) error {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if err := w.block(n); err != nil {
			return err
		}
	}
	return nil
}

func (w *mdWalker) block(n ast.Node) error {
	switch x := n.(type) {
	case *ast.Heading:
		return w.b.add(Block{Kind: Heading, Level: x.Level, Text: oneLine(w.inline(x))})
	case *ast.FencedCodeBlock:
		return w.b.add(Block{Kind: Code, Lang: cutRunes(string(x.Language(w.src)), 40), Text: w.lines(x)})
	case *ast.CodeBlock:
		return w.b.add(Block{Kind: Code, Text: w.lines(x)})
	case *ast.Blockquote:
		return w.b.add(Block{Kind: Quote, Text: w.plain(x, 0)})
	case *ast.List:
		return w.b.add(Block{Kind: List, Text: w.list(x, 0)})
	case *east.Table:
		return w.b.add(Block{Kind: Table, Text: w.table(x)})
	case *ast.HTMLBlock:
		return w.html(x)
	case *ast.ThematicBreak:
		return nil
	case *ast.Paragraph, *ast.TextBlock:
		return w.b.add(Block{Kind: Paragraph, Text: w.inline(x)})
	default:
		if n.Type() == ast.TypeBlock && n.HasChildren() {
			return w.blocks(n)
		}
		return nil
	}
}

func (w *mdWalker) lines(n ast.Node) string {
	var sb strings.Builder
	for i := range n.Lines().Len() {
		s := n.Lines().At(i)
		sb.Write(s.Value(w.src))
	}
	return sb.String()
}

// html reads raw HTML in Markdown for its text: details, tables and so on.
func (w *mdWalker) html(n *ast.HTMLBlock) error {
	s := w.lines(n)
	if n.HasClosure() {
		s += string(n.ClosureLine.Value(w.src))
	}
	if t := tagText(s); t != "" {
		return w.b.add(Block{Kind: Paragraph, Text: t})
	}
	return nil
}

// maxNest bounds the indentation that is written for nested lists.
const maxNest = 12

// list writes items with their marks; what they hold is indented below them.
func (w *mdWalker) list(l *ast.List, depth int) string {
	var sb strings.Builder
	i := l.Start
	if l.IsOrdered() && i == 0 && l.Start != 0 {
		i = 1
	}
	for item := l.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "- "
		if l.IsOrdered() {
			mark = strconv.Itoa(i) + ". "
			i++
		}
		body := strings.TrimSpace(w.plain(item, depth+1))
		sb.WriteString(mark)
		sb.WriteString(indent(body, len(mark), depth))
		sb.WriteByte('\n')
	}
	return strings.TrimRight(sb.String(), "\n")
}

// indent puts n spaces before all lines but the first.
func indent(s string, n, depth int) string {
	if depth > maxNest || !strings.Contains(s, "\n") {
		return s
	}
	return strings.ReplaceAll(s, "\n", "\n"+strings.Repeat(" ", n))
}

// plain writes a container's blocks as text.
func (w *mdWalker) plain(parent ast.Node, depth int) string {
	var parts []string
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		var s string
		switch x := n.(type) {
		case *ast.List:
			s = w.list(x, depth)
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			s = strings.TrimRight(w.lines(n), "\n")
		case *east.Table:
			s = w.table(x)
		case *ast.HTMLBlock:
			s = tagText(w.lines(x))
		case *ast.Paragraph, *ast.TextBlock, *ast.Heading:
			s = w.inline(n)
		default:
			if n.Type() == ast.TypeBlock {
				s = w.plain(n, depth+1)
			}
		}
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "\n")
}

func (w *mdWalker) table(t *east.Table) string {
	var rows [][]string
	for r := t.FirstChild(); r != nil; r = r.NextSibling() {
		var cells []string
		for c := r.FirstChild(); c != nil; c = c.NextSibling() {
			cells = append(cells, oneLine(w.inline(c)))
		}
		rows = append(rows, cells)
	}
	return pipeTable(rows)
}

// inline writes the text of a block's inline content without its marks.
func (w *mdWalker) inline(n ast.Node) string {
	var sb strings.Builder
	_ = ast.Walk(n, func(c ast.Node, in bool) (ast.WalkStatus, error) {
		if !in {
			return ast.WalkContinue, nil
		}
		switch x := c.(type) {
		case *ast.Text:
			sb.Write(unescape(x.Value(w.src), x.IsRaw() || c.Parent() != nil && c.Parent().Kind() == ast.KindCodeSpan))
			switch {
			case x.HardLineBreak(), x.SoftLineBreak():
				sb.WriteByte('\n')
			}
		case *ast.String:
			sb.Write(x.Value)
		case *ast.AutoLink:
			sb.Write(x.Label(w.src))
		case *ast.RawHTML:
			var tag bytes.Buffer
			for i := range x.Segments.Len() {
				s := x.Segments.At(i)
				tag.Write(s.Value(w.src))
			}
			if bytes.HasPrefix(bytes.ToLower(tag.Bytes()), []byte("<br")) {
				sb.WriteByte('\n')
			}
		case *east.TaskCheckBox:
			if x.IsChecked {
				sb.WriteString("[x] ")
			} else {
				sb.WriteString("[ ] ")
			}
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(sb.String())
}

// oneLine folds white space.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
