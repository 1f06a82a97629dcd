package answer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/llm/llmtest"
)

// Without a model a summary is made of the texts' own central sentences.
func TestDigest(t *testing.T) {
	texts := []string{
		"# Tower bridge\n\nThe tower bridge crosses the river at the old harbour. It rained on Tuesday.\n\n- Opened: 1894",
		"The old harbour bridge was built by two engineers. A cat sat there [3].",
		"The bridge over the river opens for ships of the harbour twice a day. It rained on Tuesday.",
	}
	a := answerer(t, Options{})
	got, usage, err := a.Summarize(t.Context(), texts, "")
	if err != nil || usage.Completion != 0 {
		t.Fatal(got, usage, err)
	}
	for _, want := range []string{"crosses the river at the old harbour", "opens for ships"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if strings.Contains(got, "#") || strings.Contains(got, "[3]") || strings.Count(got, "It rained") > 1 {
		t.Errorf("%q", got)
	}
	if strings.Index(got, "crosses") > strings.Index(got, "opens for") {
		t.Errorf("out of order: %q", got)
	}
	if _, _, err := a.Summarize(t.Context(), []string{"", " \n#\n"}, ""); !errors.Is(err, ErrNoText) {
		t.Errorf("%v", err)
	}
	if got, _, err := a.Summarize(t.Context(), []string{"Short."}, ""); got != "Short." || err != nil {
		t.Errorf("%q %v", got, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Summarize(over, texts, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A digest says nothing that the texts do not, and is short.
func TestDigestOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"river ", "Brücke ", "42 ", ". ", "! ", "\n", "\n\n", "# ", "| a | b |\n", "桥梁横跨河流。", "\xff", "```", "[1]", strings.Repeat("long ", 200)})
		texts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(word, 0, 30).Draw(t, "words"), "") }), 1, 4).Draw(t, "texts")
		got, err := digest(context.Background(), texts)
		if err != nil {
			if !errors.Is(err, ErrNoText) {
				t.Fatal(err)
			}
			return
		}
		if !utf8.ValidString(got) || got == "" || utf8.RuneCountInString(got) > digestRunes+longestText+mostDigest*3 {
			t.Fatalf("%d characters: %q", utf8.RuneCountInString(got), got)
		}
		bare := strings.NewReplacer("[", "", "]", "", "(", "", ")", "") // what a mark is may differ
		whole := bare.Replace(plain(strings.ToValidUTF8(strings.Join(texts, " "), "\uFFFD")))
		for _, w := range strings.Fields(bare.Replace(got)) {
			if w != "…" && !strings.Contains(whole, w) {
				t.Fatalf("%q is in none of the texts", w)
			}
		}
	})
}

// Marks in a model's summary stand for nothing that the reader has.
func TestSummaryWithoutMarks(t *testing.T) {
	a := answerer(t, with(llmtest.Says("The bridge opened [1] in [2024]. It is old [2, 3].")))
	got, _, err := a.Summarize(t.Context(), []string{"a text"}, "")
	if err != nil || strings.Contains(got, "[1]") || strings.Contains(got, "[2,") || !strings.Contains(got, "[2024]") {
		t.Errorf("%q %v", got, err)
	}
	a = answerer(t, with(llmtest.Says(" [1] ")))
	if got, _, err := a.Summarize(t.Context(), []string{"a text"}, ""); err == nil {
		t.Errorf("%q", got)
	}
}
