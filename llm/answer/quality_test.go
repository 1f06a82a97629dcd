package answer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/internal/evaldata"
	"github.com/ragserver/ragserver/llm/answer"
	"github.com/ragserver/ragserver/llm/answer/eval"
)

// shared finds the evaluation data, which lie beside the repository.
func shared(t testing.TB) string {
	t.Helper()
	if raceDetector {
		t.Skip("thousands of questions one after the other: nothing for the race detector, ten times as slow under it")
	}
	evaldata.Dir(t, "xquad")
	return evaldata.Path()
}

func cases(t testing.TB, path string) []eval.Case {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := eval.Read(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// run puts every case to an Answerer without a model.
func run(t testing.TB, o answer.Options, cs []eval.Case) eval.Summary {
	t.Helper()
	a, err := answer.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var scores []eval.Score
	for _, c := range cs {
		got, err := a.Answer(t.Context(), c.Ask(6))
		if err != nil {
			t.Fatalf("%s: %v", c.Question, err)
		}
		scores = append(scores, eval.Judge(c, got))
	}
	return eval.Summarise(scores)
}

// tables is the closeness of the built-in embedder.
var tables = answer.Closeness{English: .53, Other: .17}

// options is what the server gives an Answerer without a model.
func (l *library) options() answer.Options {
	return answer.Options{Retriever: l, Closeness: tables, Meaning: l.embedder}
}

// article is a document of XQuAD, a chunk a paragraph.
func article(path, lang, text string) document {
	d := document{path: path, language: lang}
	for _, p := range strings.Split(text, "\n\n") {
		p = strings.TrimSpace(p)
		if after, ok := strings.CutPrefix(p, "# "); ok {
			d.title = after
		} else if p != "" {
			d.chunks = append(d.chunks, p)
		}
	}
	return d
}

// TestQualityXQuAD asks all questions of XQuAD in six languages twice: of all
// articles, and of all but the one that holds the answer, so that nothing
// relevant is there. The floors keep what was reached from being lost.
func TestQualityXQuAD(t *testing.T) {
	floors := map[string]struct{ sentence, f1, falseRefusals, falseAnswers float64 }{
		"en": {.71, .30, .065, .05}, "ru": {.69, .24, .065, .11}, "zh": {.70, .23, .04, .21},
		"de": {.63, .22, .07, .12}, "es": {.68, .27, .04, .19}, "ar": {.61, .17, .10, .14},
	}
	for _, lang := range []string{"en", "ru", "zh", "de", "es", "ar"} {
		t.Run(lang, func(t *testing.T) {
			dir := filepath.Join(shared(t), "xquad", lang)
			b := newLibrary(t)
			var all []document
			docs, err := filepath.Glob(filepath.Join(dir, "docs", "*.md"))
			if err != nil || len(docs) == 0 {
				t.Fatalf("no documents: %v", err)
			}
			for _, d := range docs {
				text, err := os.ReadFile(d)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, article(filepath.Base(d), lang, string(text)))
			}
			b.add(t, all)
			cs := cases(t, filepath.Join(dir, "qa.jsonl"))
			s := run(t, b.options(), cs)
			t.Logf("\n%s", s)
			f := floors[lang]
			if s.Sentence < f.sentence || s.F1 < f.f1 || s.FalseRefusals > f.falseRefusals || s.Citations != 1 || s.Quotes < .995 {
				t.Errorf("below the floors %+v", f)
			}
			no := false
			for i := range cs {
				cs[i].Answerable, cs[i].Glob = &no, "!"+cs[i].Docs[0]
			}
			without := run(t, b.options(), cs)
			t.Logf("with the article gone: false answers %.3f", without.FalseAnswers)
			if without.FalseAnswers > f.falseAnswers {
				t.Errorf("above the limit %+v", f)
			}
		})
	}
}

// contracts is the real index over the contracts, a chunk about 200 words.
func contracts(t testing.TB, dir string) *library {
	t.Helper()
	b := newLibrary(t)
	var all []document
	files, err := filepath.Glob(filepath.Join(dir, "text", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".txt") + ".pdf"
		d := document{path: name, language: "en"}
		var chunk strings.Builder
		for line := range strings.Lines(string(text)) {
			chunk.WriteString(line)
			if n := len(strings.Fields(chunk.String())); n > 250 || n > 150 && strings.TrimSpace(line) == "" {
				d.chunks = append(d.chunks, chunk.String())
				chunk.Reset()
			}
		}
		if strings.TrimSpace(chunk.String()) != "" {
			d.chunks = append(d.chunks, chunk.String())
		}
		all = append(all, d)
	}
	b.add(t, all)
	return b
}

// TestQualityContracts asks lawyers' questions of single contracts; half of
// them have no answer in theirs.
func TestQualityContracts(t *testing.T) {
	dir := filepath.Join(shared(t), "contracts")
	b := contracts(t, dir)
	cs := cases(t, filepath.Join(dir, "qa.jsonl"))
	for i := range cs {
		cs[i].Glob = cs[i].Docs[0]
	}
	s := run(t, b.options(), cs)
	words := run(t, answer.Options{Retriever: b}, cs)
	t.Logf("\n%sby words alone: false refusals %.3f, false answers %.3f", s, words.FalseRefusals, words.FalseAnswers)
	if s.FalseRefusals > .12 || s.FalseAnswers > .42 || s.Citations != 1 || s.Quotes < .995 {
		t.Error("worse than what was reached")
	}
}
