package eval_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm/answer"
	"github.com/ragserver/ragserver/llm/answer/eval"
)

func TestMeasures(t *testing.T) {
	for _, tt := range []struct {
		answer   string
		right    []string
		exact    bool
		f1       float64
		contains bool
	}{
		{"The Cat!", []string{"cat"}, true, 1, true},
		{"a black cat", []string{"dog", "black cat"}, true, 1, true},
		{"in 1987", []string{"1987"}, false, 2. / 3, true},
		{"1987", []string{"in May 1987"}, false, .5, false},
		{"concatenate", []string{"cat"}, false, 0, false},
		{"", []string{"x"}, false, 0, false},
		{"x", nil, false, 0, false},
		{"公司成立于1987年。", []string{"1987年"}, false, 2 * (2. / 7) / (2./7 + 1), true},
	} {
		if got := eval.ExactMatch(tt.answer, tt.right); got != tt.exact {
			t.Errorf("ExactMatch(%q, %q) = %v", tt.answer, tt.right, got)
		}
		if got := eval.F1(tt.answer, tt.right); math.Abs(got-tt.f1) > 1e-9 {
			t.Errorf("F1(%q, %q) = %v, want %v", tt.answer, tt.right, got, tt.f1)
		}
		if got := eval.Contains(tt.answer, tt.right); got != tt.contains {
			t.Errorf("Contains(%q, %q) = %v", tt.answer, tt.right, got)
		}
	}
}

func source(n int, path, text string, cited bool) answer.Source {
	return answer.Source{N: n, Cited: cited, Hit: index.Hit{Text: text, Document: index.Document{Source: "docs", Path: path}}}
}

func TestJudge(t *testing.T) {
	a := answer.Answer{
		Kind: answer.Extracted, Text: "It is 28 days. [2] Not in there. [1][9]", Short: "28", Best: "It is 28 days.",
		Sources: []answer.Source{source(1, "a.md", "x", true), source(2, "sub/b.md", "So: It is **28** days.", true), source(3, "sub/b.md", "y", false), source(4, "c.md", "", false)},
		Total:   time.Second,
	}
	s := eval.Judge(eval.Case{Question: "?", Answers: []string{"28"}, Docs: eval.Paths{"b.md", "c.md"}}, a)
	if s.Rank != 2 || s.Recall1 != 0 || s.Recall5 != 1 || s.ReciprocalRank != .5 || !s.Exact || s.F1 != 1 || !s.Contained || !s.Sentence || s.Marks != 3 || s.ValidMarks != 2 || s.Quotes != 3 || s.TrueQuotes != 1 || !s.CitedRight || s.Took != time.Second {
		t.Errorf("%+v", s)
	}
	want := (1/math.Log2(3) + 1/math.Log2(4)) / (1 + 1/math.Log2(3))
	if math.Abs(s.NDCG-want) > 1e-9 {
		t.Errorf("nDCG %v, want %v", s.NDCG, want)
	}
	for path, right := range map[string]bool{"b.md": true, "sub/b.md": true, "docs/sub/b.md": true, "/sub/b.md": true, "xb.md": false, "ub/b.md": false} {
		if got := eval.Judge(eval.Case{Docs: eval.Paths{path}}, a).Rank > 0; got != right {
			t.Errorf("%s found: %v", path, got)
		}
	}
}

func TestSummary(t *testing.T) {
	no := false
	s := eval.Summarise([]eval.Score{
		{Case: eval.Case{Answers: []string{"x"}, Docs: eval.Paths{"d"}}, Recall1: 1, Recall5: 1, Recall10: 1, ReciprocalRank: 1, NDCG: 1, Exact: true, F1: 1, Contained: true, Marks: 2, ValidMarks: 2, CitedRight: true, Took: 3},
		{Case: eval.Case{Answers: []string{"x"}, Docs: eval.Paths{"d"}}, Refused: true, Took: 1},
		{Case: eval.Case{Answerable: &no}, Refused: true, Took: 2},
		{Case: eval.Case{Answerable: &no}, Marks: 2, ValidMarks: 1, Took: 2},
	})
	want := eval.Summary{Cases: 4, Answerable: 2, Unanswerable: 2, WithDocs: 2, WithAnswers: 2, Recall1: .5, Recall5: .5, Recall10: .5, MRR: .5, NDCG: .5, FalseRefusals: .5, FalseAnswers: .5, Exact: .5, F1: .5, Contained: .5, Citations: .75, CitedRight: 1, P50: 2, P95: 3}
	if s != want {
		t.Errorf("%+v\nwant %+v", s, want)
	}
	if text := s.String(); !strings.Contains(text, "false refusals") || !strings.Contains(text, "0.500") {
		t.Error(text)
	}
	if text := eval.Summarise(nil).String(); strings.Contains(text, "NaN") {
		t.Error(text)
	}
}

func TestRead(t *testing.T) {
	cs, err := eval.Read(strings.NewReader(`{"id":"1","question":"Q?","answers":["a"],"doc":"d.pdf","answerable":false,"extra":[1]}` + "\n\n" + `{"question":"R?","doc":["x","y"],"filter":"owner == 'a'","glob":"**/*.md"}`))
	if err != nil || len(cs) != 2 || cs[0].Docs[0] != "d.pdf" || *cs[0].Answerable || len(cs[1].Docs) != 2 {
		t.Fatalf("%+v, %v", cs, err)
	}
	if q := cs[1].Ask(7); q.Text != "R?" || q.Query.K != 7 || q.Query.Filter != "owner == 'a'" || q.Query.Glob != "**/*.md" {
		t.Errorf("%+v", q)
	}
	for text, want := range map[string]string{
		"{":                              "line 1",
		"\n{\"question\":\" \"}":         "line 2",
		`{"question":"q","doc":3}`:       "neither a path",
		strings.Repeat("x", 2<<20):       "line 1",
		`{"question":"q"}` + "\n[\"q\"]": "line 2",
	} {
		if _, err := eval.Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"question":"Q","doc":["a"],"answers":["x"],"answerable":true}`)
	f.Add("{\"question\":\"Q\",\"doc\":null}\n\n[]")
	f.Fuzz(func(t *testing.T, text string) {
		cs, err := eval.Read(strings.NewReader(text))
		if err != nil && cs != nil {
			t.Error("cases and an error")
		}
		for _, c := range cs {
			eval.Judge(c, answer.Answer{Kind: answer.Generated, Text: text, Sources: []answer.Source{source(1, text, text, true)}})
		}
	})
}
