package answer

import (
	"strings"
	"testing"
)

// A refusal while documents are on their way says so, in its language and to
// programs; an answer says so if many are.
func TestBacklog(t *testing.T) {
	const known, unknown = "How many vacation days do employees get?", "Who won the chess championship of Iceland?"
	for name, c := range map[string]struct {
		question string
		backlog  Backlog
		kind     Kind
		says     string // in the text
		notice   string // "" for none
	}{
		"refused, none":        {unknown, Backlog{Found: 9}, Refused, "", ""},
		"refused, one":         {unknown, Backlog{Documents: 1, Found: 9000}, Refused, "ask again in a moment", "one document is"},
		"refused, listing":     {unknown, Backlog{Listing: true}, Refused, "ask again in a moment", "looked through"},
		"refused in German":    {"Wer hat die Schachmeisterschaft von Island gewonnen?", Backlog{Documents: 7}, Refused, "fragen Sie", "7 documents are"},
		"refused in Chinese":   {"谁赢得了冰岛国际象棋锦标赛？", Backlog{Documents: 7}, Refused, "。仍有文档", "7 documents are"},
		"answered, few":        {known, Backlog{Documents: 90, Found: 9000}, Extracted, "", ""},
		"answered, many":       {known, Backlog{Documents: 91, Found: 9000}, Extracted, "", "91 documents are"},
		"answered, listing":    {known, Backlog{Found: 9, Listing: true}, Extracted, "", "looked through"},
		"answered, up to date": {known, Backlog{Found: 9}, Extracted, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Backlog: func() Backlog { return c.backlog }}
			got, err := play(t, answerer(t, o), Question{Text: c.question})
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != c.kind || !strings.Contains(got.Text, c.says) {
				t.Errorf("%s %q", got.Kind, got.Text)
			}
			n, ok := got.Notice(Pending)
			if ok != (c.notice != "") || !strings.Contains(n.Message, c.notice) {
				t.Errorf("notices %v", got.Notices)
			}
		})
	}
}

// Every language can say that it is worth asking again.
func TestAgainInEveryLanguage(t *testing.T) {
	for _, code := range append(listed, "", "sv") {
		if l := languageNamed(code); l.nothing == "" || l.again == "" {
			t.Errorf("%q: %q %q", code, l.nothing, l.again)
		}
	}
}
