package words

import (
	"path/filepath"
	"testing"

	"github.com/ragserver/ragserver/internal/evaldata"
)

func TestDetect(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "12 34 …": "", "🙂": "",
		"The cat sat on the mat because it was warm.":                   "en",
		"ERR_CONN_RESET at server.go:42":                                "en",
		"Paris 2024 Nadal Djokovic":                                     "en",
		"Die Katze saß auf der Matte, weil sie warm war.":               "de",
		"Le chat était assis sur le tapis parce qu'il avait chaud":      "fr",
		"El gato estaba sentado en la alfombra porque hacía calor":      "es",
		"Il gatto era seduto sul tappeto perché faceva caldo":           "it",
		"O gato estava sentado no tapete porque não estava frio":        "pt",
		"De kat zat op de mat omdat het daar warm was":                  "nl",
		"Katten satt på mattan eftersom det var varmt där och skönt":    "sv",
		"Katten sad på måtten, fordi der var varmt, og hvad så?":        "da",
		"Kissa istui matolla, koska siellä oli lämmintä ja se on hyvä":  "fi",
		"A macska a szőnyegen ült, mert ott meleg volt és jó":           "hu",
		"Pisica stătea pe covor pentru că acolo era cald și bine":       "ro",
		"Kedi halının üzerinde oturuyordu çünkü orası çok sıcak ve iyi": "tr",
		"Kot siedział na macie, ponieważ było tam ciepło i się spał":    "pl",
		"Kočka seděla na rohožce, protože tam bylo teplo a že se spí":   "cs",
		"Какая столица России?":                                         "ru",
		"Яка столиця України і її населення?":                           "uk",
		"ما هي عاصمة روسيا؟":                                            "ar",
		"پایتخت ایران چیست؟":                                            "fa",
		"俄罗斯的首都是哪里":                                                     "zh",
		"ロシアの首都はどこですか":                                                  "ja",
		"러시아의 수도는 어디입니까":                                                "ko",
		"Ποια είναι η πρωτεύουσα;":                                      "el",
		"מהי בירת רוסיה":                                                "he", "เมืองหลวง": "th", "राजधानी क्या है": "hi",
	} {
		if got := Detect(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestDetectXQuAD measures on questions and paragraphs of six languages.
func TestDetectXQuAD(t *testing.T) {
	dir := evaldata.Dir(t, "xquad")
	for _, language := range []string{"en", "de", "es", "ru", "zh", "ar"} {
		for file, least := range map[string]float64{"queries.jsonl": .98, "corpus.jsonl": 1} {
			right, all := 0, 0
			for v := range evaldata.Lines[struct{ Text string }](t, filepath.Join(dir, language, file)) {
				all++
				if Detect(v.Text) == language {
					right++
				}
			}
			t.Logf("%s %s: %d of %d", language, file, right, all)
			if float64(right) < least*float64(all) {
				t.Errorf("%s %s: %d of %d right", language, file, right, all)
			}
		}
	}
}

func FuzzDetect(f *testing.F) {
	f.Add("The cat \xff 東京")
	f.Fuzz(func(t *testing.T, s string) { Detect(s) })
}
