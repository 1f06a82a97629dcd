package answer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/llm/answer"
)

// TestAcrossLanguages asks the example documents, which are in two languages,
// in the other one, and for things that are in neither.
func TestAcrossLanguages(t *testing.T) {
	b := newLibrary(t)
	var all []document
	for path, language := range map[string]string{"handbook/leave.md": "en", "handbook/security.md": "en", "handbook/reisekosten.md": "de", "it/incident-2026-03-12.txt": "en", "minutes/2026-10-06-team.md": "en"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", "docs", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, article(path, language, string(text)))
	}
	all = append(all, document{path: "products/e3.md", language: "en", title: "E3 coffee machine manual", chunks: []string{
		"Error codes. E-11 means that the water tank is empty. E-14 means that the drip tray is full.",
		"E-21 means that the pump has no pressure: switch the machine off, wait a minute and start it again.",
		"Descale the machine every 300 cups. Use the descaler of article 48-1102 only."}})
	b.add(t, all)
	a, err := answer.New(b.options())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ question, want string }{
		{"Was bedeutet Fehler E-21?", "pump has no pressure"},
		{"¿Qué significa el error E-21?", "pump has no pressure"},
		{"Что означает ошибка E-21?", "pump has no pressure"},
		{"E-21 是什么错误？", "pump has no pressure"},
		{"What does error E-21 mean?", "pump has no pressure"},
		{"Wie hoch darf eine Hotelübernachtung in München sein?", "bis 160 Euro"}, // written together in the question alone
		{"Wie hoch darf ein Bewirtungsbeleg in München sein?", ""},
		{"Was bedeutet Fehler E-77?", ""},
		{"What does error E-77 mean?", ""},
		{"Wie heißt die Hauptstadt der Mongolei?", ""},
		{"¿Cuántos habitantes tiene Chile?", ""},
	} {
		got, err := a.Answer(t.Context(), answer.Question{Text: tt.question})
		if err != nil {
			t.Fatal(err)
		}
		if tt.want == "" && got.Kind != answer.Refused || !strings.Contains(got.Text, tt.want) {
			t.Errorf("%s: %s %q, want %q", tt.question, got.Kind, got.Text, tt.want)
		}
	}
}
