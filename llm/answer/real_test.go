package answer_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
	"github.com/ragserver/ragserver/llm/answer/eval"
	"github.com/ragserver/ragserver/llm/openai"
)

// TestRealModel lets a real model answer questions of XQuAD from the passages
// of one article: RAGSERVER_TEST_LLM_URL is its server's base URL,
// RAGSERVER_TEST_LLM_MODEL its name. A small model may be wrong; its citations
// may not.
func TestRealModel(t *testing.T) {
	base := os.Getenv("RAGSERVER_TEST_LLM_URL")
	if base == "" {
		t.Skip("RAGSERVER_TEST_LLM_URL is not set: no model server to ask")
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	name := os.Getenv("RAGSERVER_TEST_LLM_MODEL")
	if name == "" {
		name = "default"
	}
	m, err := openai.New(openai.Config{BaseURL: base, Model: name, HTTP: client})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(shared(t), "xquad", "en")
	b := newLibrary(t)
	text, err := os.ReadFile(filepath.Join(dir, "docs", "00_Super_Bowl_50.md"))
	if err != nil {
		t.Fatal(err)
	}
	b.add(t, []document{article("00_Super_Bowl_50.md", "en", string(text))})
	a, err := answer.New(answer.Options{
		Retriever: b, Closeness: tables, Default: "m", Adaptive: true,
		Models: map[string]answer.Model{"m": {Model: llm.Gateway(m, llm.Limits{Concurrent: 1}, llm.Patience{})}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var scores []eval.Score
	for _, c := range cases(t, filepath.Join(dir, "qa.jsonl"))[:8] {
		q := c.Ask(4)
		q.Generate.MaxTokens = 60
		got, err := a.Answer(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s\n  want %q\n  %s %q %s (%d+%d tokens, %v)", c.Question, c.Answers, got.Kind, got.Text, got.Notices, got.Usage.Prompt, got.Usage.Completion, got.Total)
		s := eval.Judge(c, got)
		if s.Marks != s.ValidMarks {
			t.Errorf("%d of %d citations are valid", s.ValidMarks, s.Marks)
		}
		if got.Kind == answer.Generated && (got.Model != "m" || got.Usage.Prompt == 0) {
			t.Errorf("%+v", got)
		}
		scores = append(scores, s)
	}
	t.Logf("\n%s", eval.Summarise(scores))
}
