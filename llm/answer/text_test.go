package answer

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ragserver/ragserver/indexer/index"
)

func TestSentences(t *testing.T) {
	for text, want := range map[string][]string{
		"One. Two! Three?":                                  {"One.", "Two!", "Three?"},
		"Dr. Smith met J. R. Tolkien. They left.":           {"Dr. Smith met J. R. Tolkien.", "They left."},
		"It costs 3.5 million, e.g. in the U.S. Army. Yes.": {"It costs 3.5 million, e.g. in the U.S. Army.", "Yes."},
		"broken by\nthe width of\na page. Next.":            {"broken by\nthe width of\na page.", "Next."},
		"# Heading\nText under it.":                         {"Heading", "Text under it."},
		"- first item\n- second item\n1. third":             {"first item", "second item", "1. third"},
		"| a | b |\n|---|---|\n| 1 | 2 |":                   {"a | b", "1 | 2"},
		"Абз. Это было в 1945 г. в Москве. Потом ушли.":     {"Абз.", "Это было в 1945 г. в Москве.", "Потом ушли."},
		"他来了。她走了！":                                          {"他来了。", "她走了！"},
		"para one\n\npara two":                              {"para one", "para two"},
		"-5 degrees":                                        {"-5 degrees"},
		"":                                                  nil,
		"*** --- |":                                         nil,
	} {
		var got []string
		for _, s := range sentencesOf(text) {
			got = append(got, text[s.start:s.end])
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

func TestKindOfQuestion(t *testing.T) {
	for text, want := range map[string]kind{
		"Who wrote it?": who, "When was it written?": when, "Where does he live?": where, "How many are there?": number,
		"Why?": why, "What is it?": anything, "In what year did he die?": when, "What country is it in?": where,
		"Wer hat das geschrieben?": who, "In welchem Jahr starb er?": when, "Wie viele gibt es?": number, "Wo liegt das?": where,
		"¿Quién lo escribió?": who, "¿En qué año murió?": when, "¿Cuántos hay?": number, "¿Dónde está?": where,
		"Qui l'a écrit ?": who, "Combien y en a-t-il ?": number, "Кто это написал?": who, "В каком году он умер?": when,
		"Сколько их?": number, "Где это?": where, "谁写的？": who, "哪一年？": when, "有多少人？": number, "من هو مؤسس الشركة؟": who, "متى ولد؟": when, "كم عدد السكان؟": number,
	} {
		if got, _ := languageOf(text).kindOf(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// gathered is the evidence by letters alone.
func gathered(t testing.TB, a *asked, hits []index.Hit) *evidence {
	t.Helper()
	e, err := gather(t.Context(), a, hits, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestShortAnswers(t *testing.T) {
	for _, tt := range []struct{ question, passage, want string }{
		{"How many points did the Panthers surrender?", "The Panthers gave up just 308 points, with 24 interceptions.", "308"},
		{"Who founded the company?", "The company was founded by Maria Keller in 1987.", "Maria Keller"},
		{"When was the company founded?", "The company was founded by Maria Keller on 3 May 1987.", "3 May 1987"},
		{"Where was the company founded?", "Keller founded the company in Old Harbour with three friends.", "Old Harbour"},
		{"В каком году была основана компания?", "Компания была основана в 1987 году в Твери.", "1987"},
		{"公司成立于哪一年？", "公司成立于1987年。", "1987年"},
		{"Wie viele Tage Urlaub gibt es?", "Es gibt 28 Tage Urlaub im Jahr.", "28"},
	} {
		e := gathered(t, analyse(tt.question, ""), []index.Hit{{Text: tt.passage}})
		if got := e.short(e.best()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.question, got, tt.want)
		}
	}
}

func TestFollowsUp(t *testing.T) {
	for text, want := range map[string]bool{
		"And in Germany?": true, "What about trains booked by the traveller himself?": true, "Who wrote it?": true, "Why?": true,
		"Android phones need which kind of encryption settings?": false, "When is the company canteen open on Fridays?": false,
		"И что с ними?": true, "Какие документы нужны для оформления отпуска в компании?": false, "那德国呢？": true, "Und die Bahn?": true,
	} {
		if got := followsUp(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestLanguageFiles(t *testing.T) {
	first := map[string]string{"en": "the", "de": "der", "es": "el", "fr": "le", "it": "il", "pt": "o", "nl": "het", "ru": "не", "ar": "من", "zh": "的", "ja": "は"}
	for code, l := range languages() {
		if !l.small(first[code]) || len(l.ask) == 0 || len(l.refer) == 0 || len(l.begin) == 0 || len(l.numbers) < 10 || len(l.months) != 12 && code != "ru" && code != "ar" || l.nothing == "" {
			t.Errorf("%s is not complete", code)
		}
		for _, k := range []kind{who, when, where, number, why} {
			if len(l.cues[k]) == 0 {
				t.Errorf("%s has no cue for %q", code, k)
			}
		}
		if got := languageOf(l.nothing).code; got != code {
			t.Errorf("%s's refusal is taken for %s", code, got)
		}
	}
	for _, bad := range []string{"no colon", "unknown: x"} {
		if _, err := parseLanguage("xx", bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// FuzzEvidence: whatever passages and questions hold, sentences are parts of
// their passage in order, quotes stand in it, and the measures stay in range.
func FuzzEvidence(f *testing.F) {
	f.Add("Who wrote it?", "It was written by A. B. Clark.\n\n- list\n| t | u |")
	f.Add("谁写的？", "鲁迅写的。\x00\xff")
	f.Add("¿?", strings.Repeat("a ", 700))
	f.Add("How many?", "1,2.3.4-5 【1】 [2]\r\n#\n>\n1) x")
	f.Fuzz(func(t *testing.T, question, text string) {
		if !utf8.ValidString(text) || !utf8.ValidString(question) || len(text) > 5000 {
			t.Skip() // the index holds valid text in chunks of bounded size
		}
		e := gathered(t, analyse(question, "carried Words"), []index.Hit{{Text: text, Title: "T"}, {Text: text}})
		last := 0
		for _, s := range sentencesOf(text) {
			if s.start < last || s.end <= s.start || s.end > len(text) {
				t.Fatalf("span %v after %d of %d bytes", s, last, len(text))
			}
			last = s.end
		}
		for i := range e.sentences {
			s := &e.sentences[i]
			if s.cover < 0 || s.cover > 1.000001 || s.score < 0 {
				t.Errorf("cover %v, score %v", s.cover, s.score)
			}
			if short := e.short(s); !strings.Contains(text, short) {
				t.Errorf("short answer %q is not in the passage", short)
			}
		}
		if r := e.relevance(Closeness{}); r < 0 || r > 1.2 {
			t.Errorf("relevance %v", r)
		}
		for _, q := range e.quotes() {
			if q.n < 1 || q.n > 2 || !utf8.ValidString(q.text) || utf8.RuneCountInString(q.text) > 2*longestText {
				t.Errorf("quote %+v", q)
			}
		}
	})
}

// A day before its month ends no sentence; a number at the end of one does.
func TestDaysOfMonths(t *testing.T) {
	for text, want := range map[string]int{
		"Gilt für alle Dienstreisen ab dem 1. Januar 2026.": 1,
		"Er kam am 3. Mai. Sie ging am 4. Juni.":            2,
		"Es sind 12. Morgen kommen mehr.":                   2,
		"In 1999. Januar war kalt.":                         2,
	} {
		if got := sentencesOf(text); len(got) != want {
			t.Errorf("%q: %d sentences, want %d", text, len(got), want)
		}
	}
}

// What asks is no topic: it would match where it means something else.
func TestAskingIsNoTopic(t *testing.T) {
	for text, want := range map[string]string{
		"Wie lange habe ich Garantie?":   "garanti",
		"How long is the notice period?": "notic period",
		"What is the long jump record?":  "long jump record",
		"Wie hoch ist der hohe Turm?":    "hoh turm",
	} {
		var got []string
		for _, x := range analyse(text, "").terms {
			got = append(got, x.key)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The sentence that holds what is asked for goes before one of a better passage
// that only speaks of it.
func TestHowLong(t *testing.T) {
	hits := []index.Hit{
		{Text: "# Übertragung\n\nDie Garantie geht beim Verkauf auf den neuen Besitzer über, wenn der Kaufbeleg vorliegt."},
		{Text: "# Dauer\n\nAuf den Rahmen und die starre Gabel geben wir zehn Jahre Garantie, auf Motor, Display und Ladegerät zwei Jahre."},
	}
	e, err := gather(t.Context(), analyse("Wie lange habe ich Garantie?", ""), hits, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.text(e.best()); !strings.Contains(got, "zehn Jahre") {
		t.Errorf("%q", got)
	}
}
