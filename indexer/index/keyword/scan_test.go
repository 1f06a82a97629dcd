package keyword

import (
	"slices"
	"strings"
	"testing"
)

// terms gives the terms of a text, kinds marked: +part, =whole, .char.
func termsOf(language, text string) []string {
	var out []string
	var scan scanner
	scan.scan(text, func(word []byte, kind wordKind) {
		switch kind {
		case wordPlain:
			out = append(out, stem(stemmerOf(language), string(word)))
		case wordPart:
			out = append(out, "+"+stem(stemmerOf(language), string(word)))
		case wordWhole:
			out = append(out, "="+exact(word))
		case wordPair:
			out = append(out, exact(word))
		case wordChar:
			out = append(out, "."+exact(word))
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
		{"zh", "你好，世界", ".你 你好 .好 .世 世界 .界"},
		{"ko", "한국어 문서", ".한 한국 .국 국어 .어 .문 문서 .서"},
		{"en", "🙂 — … \x00 \xff", ""},
	} {
		if got := strings.Join(termsOf(c.language, c.text), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// TestFound: what stands in a document is found by the forms people type.
func TestFound(t *testing.T) {
	x := New()
	for i, s := range []string{"upgrade to v1.2.3 now", "the error ERR_CONN_RESET is shown", "call getUserName here", "it costs 1,000 dollars", "東京都に住む",
		"Die Häuser stehen leer", "running in the rain", "los trenes de España son de la compañía"} {
		x.Add(uint32(i), "", Fields{Body: s})
	}
	s := x.Snapshot()
	for query, want := range map[string]uint32{"v1.2.3": 0, "err_conn_reset": 1, "conn": 1, "getusername": 2, "user name": 2, "1000": 3, "1,000": 3, "東京": 4, "住": 4,
		"Haus": 5, "HÄUSER": 5, "runs": 6, "españa": 7, "espana": 7} {
		hits := s.TopK(s.Parse(query), 3, nil)
		if len(hits) == 0 || hits[0].Row != want {
			t.Errorf("%q: %v, want row %d", query, hits, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"camelCase v1.2.3 l'été", "東京 水", "\xff\u0301", strings.Repeat("aB", 500)} {
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
		x := New()
		x.Add(1, "", Fields{Title: s, Body: s})
		snapshot := x.Snapshot()
		q := snapshot.Parse(s)
		if hits := snapshot.TopK(q, 1, nil); (len(hits) == 0) != q.Empty() {
			t.Fatalf("%v for %v", hits, q)
		}
		if stats := snapshot.Stats(); stats.Length > 0 && slices.Equal(nil, snapshot.TopK(q, 1, nil)) {
			t.Fatal("a text does not find itself")
		}
	})
}
