package words

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// termsOf gives the terms of a text, kinds marked: +part, =whole, .char.
func termsOf(language, text string) []string {
	var out []string
	var scan Scanner
	stemmer := StemmerOf(language)
	scan.Scan(text, func(w Word) {
		switch w.Kind {
		case Plain:
			out = append(out, stemmer.Term(string(w.Text)))
		case Part:
			out = append(out, "+"+stemmer.Term(string(w.Text)))
		case Whole:
			out = append(out, "="+Exact(w.Text))
		case Pair:
			out = append(out, Exact(w.Text))
		case Char:
			out = append(out, "."+Exact(w.Text))
		}
	})
	return out
}

func TestTerms(t *testing.T) {
	for _, c := range []struct{ language, text, want string }{
		{"en", "Running files' company's don't", "run file compani don"},
		{"en", "v1.2.3", "v1 2 3 =v1.2.3"},
		{"en", "ERR_CONN_RESET", "err conn reset =err_conn_reset"},
		{"en", "snake_case, and/or well-known", "snake case =snake_case and or well known"},
		{"en", "camelCase HTTPServer Hello", "camelcas +camel +case httpserver +http +server hello"},
		{"en", "1,000 1,234.56 3.14 2024-01-15 covid-19", "1 000 =1000 1 234 56 =1234.56 3 14 =3.14 2024 01 15 =2024-01-15 covid 19 =covid-19"},
		{"en", `"1969","Title","60"`, "1969 titl 60"},
		{"en", "a@example.com std::vector", "a exampl com =a@example.com std vector =std::vector"},
		{"en", "C# C++", "c =c# c =c++"},
		{"en", "end. Next", "end next"},
		{"de", "Häuser Straße", "haus strass"},
		{"fr", "l'avion l’été aujourd'hui", "avion ete aujourd hui"},
		{"es", "acción", "accion"},
		{"ru", "Москвы йод", "москв йод"},
		{"ar", "الكِتاب", "كتاب"},
		{"", "ﬁle ＡＢＣ", "file abc"},
		{"zh", "東京都", ".東 東京 .京 京都 .都"},
		{"zh", "水", ".水"},
		{"zh", "用Go写API", ".用 go .写 api"},
		{"ko", "제2차 A한", ".제 2 .차 a .한"},
		{"zh", "你好，世界", ".你 你好 .好 .世 世界 .界"},
		{"ko", "한국어 문서", ".한 한국 .국 국어 .어 .문 문서 .서"},
		{"en", "🙂 — … \x00 \xff", ""},
	} {
		if got := strings.Join(termsOf(c.language, c.text), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// TestPlaces: words tell where they stand, also where folding changes lengths.
func TestPlaces(t *testing.T) {
	for text, want := range map[string][]string{
		"Fehler E-21, bitte":       {"Fehler", "E", "21", "E-21", "bitte"},
		" the getUserName v1.2 ":   {"the", "getUserName", "get", "User", "Name", "v1", "2", "v1.2"},
		"Straße ﬁle ＡＢＣ Été":       {"Straße", "ﬁle", "ＡＢＣ", "Été"},
		"cafe\u0301s d’été 1,000€": {"cafe\u0301s", "été", "1", "000", "1,000"},
		"用Go写API":                  {"用", "Go", "写", "API"},
		"İstanbul東京":               {"İstanbul", "東", "東京", "京"},
		"x\xffÿ":                   {"x", "ÿ"},
	} {
		var got []string
		new(Scanner).Scan(text, func(w Word) { got = append(got, text[w.Start:w.End]) })
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

// folded is a text as words are given, commas aside.
func folded(s string) string {
	s = strings.NewReplacer("’", "'", "ʼ", "'", "ʹ", "'", ",", "").Replace(norm.NFKC.String(s))
	return strings.Map(unicode.ToLower, s)
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"camelCase v1.2.3 l'été", "東京 水", "\xff\u0301", "ﬁ ǅ ½ 한글 กำ", strings.Repeat("aB", 500)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, language := range []string{"en", "ar", "tr", ""} {
			for _, term := range termsOf(language, s) {
				if len(term) > maxTerm+64 || term == "" {
					t.Fatalf("term of %d bytes", len(term))
				}
			}
		}
		start := 0
		new(Scanner).Scan(s, func(w Word) {
			if w.Start < 0 || w.End <= w.Start || w.End > len(s) {
				t.Fatalf("%q stands at %d to %d of %d", w.Text, w.Start, w.End, len(s))
			}
			if w.Kind == Plain && w.Start < start {
				t.Fatalf("%q at %d comes after %d", w.Text, w.Start, start)
			}
			start = max(start, w.Start)
			if utf8.ValidString(s) && !strings.Contains(folded(s[w.Start:w.End]), strings.ReplaceAll(string(w.Text), ",", "")) {
				t.Fatalf("%q is not in %q", w.Text, s[w.Start:w.End])
			}
		})
	})
}
