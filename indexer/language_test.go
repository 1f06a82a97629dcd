package indexer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/RadhiFadlillah/whatlanggo"

	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/internal/evaldata"
)

func paragraph(text string) []parse.Block { return []parse.Block{{Kind: parse.Paragraph, Text: text}} }

// A language is told at least as often as by trigrams alone, and of a paragraph
// always.
func TestLanguage(t *testing.T) {
	dir := evaldata.Dir(t, "xquad")
	for _, language := range []string{"en", "de", "es", "ru", "zh", "ar"} {
		for _, file := range []string{"queries.jsonl", "corpus.jsonl"} {
			right, trigrams, all := 0, 0, 0
			for v := range evaldata.Lines[struct{ Text string }](t, filepath.Join(dir, language, file)) {
				all++
				if Language(paragraph(v.Text)) == language {
					right++
				}
				if info := whatlanggo.Detect(prose(paragraph(v.Text))); info.IsReliable() && info.Lang.Iso6391() == language {
					trigrams++
				}
			}
			t.Logf("%s %s: %d right, %d by trigrams alone, of %d", language, file, right, trigrams, all)
			if right < trigrams || file == "corpus.jsonl" && right < all {
				t.Errorf("%s %s: %d right, %d by trigrams alone, of %d", language, file, right, trigrams, all)
			}
		}
	}
}

func TestLanguageOfFiles(t *testing.T) {
	dir := evaldata.Dir(t, "encodings")
	for e := range evaldata.Lines[struct{ File, Lang string }](t, filepath.Join(dir, "expect.jsonl")) {
		f, err := os.Open(filepath.Join(dir, e.File))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		res, err := parse.Read(t.Context(), parse.File{Name: e.File, Data: f, Size: st.Size()}, parse.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if got := Language(res.Document.Blocks); got != e.Lang {
			t.Errorf("%s: %q, want %q", e.File, got, e.Lang)
		}
	}
}

func TestLanguageIsThatOfTheProse(t *testing.T) {
	blocks := []parse.Block{
		{Kind: parse.Running, Text: "Page 3 of the annual report of the company that is in the city"},
		{Kind: parse.Code, Text: "for the if not and while do else of the is in this that it was"},
		{Kind: parse.Paragraph, Text: "Die Katze saß auf der Matte, weil es dort warm war, und sie wollte nicht wieder hinaus, denn es hatte den ganzen Tag geregnet und die Hunde waren noch im Garten."},
	}
	if got := Language(blocks); got != "de" {
		t.Errorf("%q", got)
	}
	if got := Language(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func BenchmarkLanguage(b *testing.B) {
	blocks := paragraph("The cat sat on the mat because it was warm there, and it did not want to go out again, for it had rained all day and the dogs were still in the garden. We shall see tomorrow whether things have become any better than they are.")
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			Language(blocks)
		}
	})
	b.Run("trigrams", func(b *testing.B) {
		for b.Loop() {
			whatlanggo.Detect(prose(blocks))
		}
	})
}
