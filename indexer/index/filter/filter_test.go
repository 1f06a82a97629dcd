package filter

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var report = Fields{
	"path": "data/2024/it's a report.pdf", "source": "docs", "title": `Say "yes"`, "type": "application/pdf",
	"language": "en", "owner": "legal", "size": int64(1234), "created_at": nil,
	"modified_at": time.Unix(1718000000, 0), "seen_at": 1718000009,
	"tags": []string{"a", "b"}, "draft": false, "nested": map[string]any{"a": map[string]any{"b": 5}},
	"page": "12", "odd name": "x", "empty": "", "score": -2.5,
}

func TestMatch(t *testing.T) {
	for expr, want := range map[string]bool{
		"": true, "  ": true,
		"owner == `legal`": true, "owner == `\"legal\"`": true, "owner != `legal`": false,
		"`legal` == owner": true, "owner == 'legal'": true, `"owner" == 'legal'`: true,
		"owner == `james`": false, "owner": true, "!owner": false, "empty": false, "missing": false, "!missing": true,
		"path == `data/2024/it's a report.pdf`":                     true,
		`path == 'data/2024/it\'s a report.pdf'`:                    true,
		"contains(path, `it's`)":                                    true,
		"contains(path, `2024`)":                                    true,
		"contains(path, 2024)":                                      false,
		"owner == `legal` && contains(path, `2024`)":                true,
		"owner == `james` || contains(path, `2024`)":                true,
		"owner == `james` || owner == `x` && size > `1`":            false,
		"!(owner == `james`) && !(size < 10)":                       true,
		"modified_at >= `1702672093`":                               true,
		"modified_at < `1702672093`":                                false,
		"to_number(`1702672093`) <= modified_at":                    true,
		"modified_at >= 1702672093":                                 true,
		"modified_at == 1718000000":                                 true,
		"modified_at >= '2024-06-01' && modified_at < '2024-07-01'": true,
		"modified_at > `2024-06-11T00:00:00Z`":                      false,
		"size == `1234`":                                            true, "size == '1234'": false, "size > 1e3": true, "size <= 1233": false,
		"score < 0": true, "score == -2.5": true, "abs(score) == 2.5": true, "floor(score) == -3": true, "ceil(score) == -2": true,
		"created_at == null": true, "created_at == `null`": true, "created_at == 'null'": false, "missing == null": true, "missing != `x`": true,
		"draft == false": true, "draft == `false`": true, "!draft": true, "draft != true": true,
		"owner < 5": false, "!(owner < 5)": true, "owner > `a`": true, "page == `12`": true, "to_number(page) > 9": true,
		"nested.a.b == 5": true, "nested.a.b == `5`": true, "nested.a.c": false, "nested.a == `{\"b\": 5}`": true,
		"tags[0] == `a`": true, "tags[-1] == `b`": true, "tags[7] == null": true,
		"contains(tags, `b`)": true, "contains(tags, 'c')": false, "contains(`[\"legal\",\"hr\"]`, owner)": true,
		"tags == `[\"a\",\"b\"]`": true, "length(tags) == 2": true, "length(owner) == 5": true, "length(size) == null": true,
		`"odd name" == 'x'`: true, "starts_with(path, `data/`)": true, "ends_with(path, '.pdf')": true, "starts_with(size, `1`)": false,
		"lower(`ABC`) == 'abc'": true, "upper(owner) == 'LEGAL'": true, "type(size) == 'number'": true, "not_null(missing, owner) == 'legal'": true,
		"to_string(size) == '1234'": true, "type == `application/pdf`": true,
		"title == `Say yes`": false, `title == 'Say "yes"'`: true,
		"globmatch(`**/*.pdf`, path)": true, "globmatch(`*.pdf`, path)": true, "globmatch(path, '**/*report*')": true,
		"globmatch(`docs/data/**`, path)": true, "globmatch(`data/**`, path)": true, "globmatch(`*.docx`, path)": false,
		"globmatch(`leg*`, owner)": true, "globmatch(`*`, size)": false, "globmatch(`*`, missing)": false,
		"(owner == `x` || owner) == `legal`": true, "owner == title": false, "page == to_string(12)": true,
		"!!owner": true, "!owner == false": true, "size > seen_at || size == `1234`": true,
		"true": true, "false": false, "null": false, "`false`": false, "'false'": true, "1": true,
	} {
		e, err := Parse(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := e.Match(report); got != want {
			t.Errorf("%s: %v, want %v", expr, got, want)
		}
		x := New()
		x.Put(3, report)
		if got := x.Snapshot().Select(e).Contains(3); got != want {
			t.Errorf("%s: Select %v, want %v", expr, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"owner = `x`":                        "character 7: unexpected character '='; did you mean ==?",
		"owner == ":                          "character 10: expected a field, a value, a function, ! or (, found the end",
		"owner == `x":                        "character 10: the text opened by ` is not closed",
		"é":                                  "character 1: unexpected character 'é'",
		"`é` owner":                          `character 5: expected an operator (&&, ||, ==, !=, <, <=, >, >=) or the end, found "owner"`,
		"(owner == `x`":                      "expected an operator or ) for the ( at character 1, found the end",
		"size > 12abc":                       "character 8: expected a number",
		"a < b < c":                          "comparisons do not chain",
		"foo(a)":                             "character 1: there is no function foo; there are abs, ceil, contains",
		"contains(path)":                     "contains takes 2 argument(s), not 1",
		"contains(path `x`)":                 "expected a comma or ) in the call of contains",
		"globmatch(path, owner)":             "globmatch takes a pattern between quotes and a field",
		"globmatch(5, path)":                 "globmatch takes a pattern",
		"globmatch(`a[b`, path)":             "glob \"a[b\", character 2: the set opened by [ is not closed",
		"tags[*]":                            "unexpected character '*'",
		"tags[?x]":                           "unexpected character '?'",
		"tags[1.5]":                          "expected a position",
		"a.":                                 "expected a name after the dot",
		"a | b":                              "did you mean ||",
		strings.Repeat("(", 100):             "nested more than 64 deep",
		strings.Repeat("!", 100):             "nested more than 64 deep",
		strings.Repeat("a", 1<<15):           "at most 16384",
		strings.Repeat("a||", 1000):          "more than 512 terms",
		strings.Repeat("abs(a)||", 70) + "a": "more than 64 function calls",
		"a\xff":                              "not UTF-8",
	} {
		_, err := Parse(expr)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %s", expr, err, want)
		}
	}
}

func TestAnd(t *testing.T) {
	g, err := ParseGlob("*.pdf")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := Parse("owner == `legal`")
	b, _ := Parse("owner == `hr` || size == 1")
	for _, c := range []struct {
		e    Expr
		want bool
	}{{And(), true}, {And(a), true}, {And(a, PathGlob(g)), true}, {And(Expr{}, b), false}, {And(a, b), false}} {
		if got := c.e.Match(report); got != c.want {
			t.Errorf("%v: %v", c.e, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"owner == `a` && !(b.c[0] >= -1.5e3)", "globmatch('*[a-z]', path)", "contains(`[1,\"x\"]`, a)", "\"q\\\"\" == null", "((("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Position < 1 {
				t.Fatalf("error without a position: %v", err)
			}
			return
		}
		x := New()
		x.Put(1, report)
		x.Put(2, Fields{"a": "x"})
		got := x.Snapshot().Select(e)
		if got.Contains(1) != e.Match(report) || got.Contains(2) != e.Match(Fields{"a": "x"}) {
			t.Fatal("Select and Match differ")
		}
	})
}
