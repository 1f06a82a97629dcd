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

// What Surely says is right, and it says something of nearly all paragraphs.
func TestSurelyXQuAD(t *testing.T) {
	dir := evaldata.Dir(t, "xquad")
	for _, language := range []string{"en", "de", "es", "ru", "zh", "ar"} {
		for file, least := range map[string]float64{"queries.jsonl": 0, "corpus.jsonl": .9} {
			said, all := 0, 0
			for v := range evaldata.Lines[struct{ Text string }](t, filepath.Join(dir, language, file)) {
				all++
				got, sure := Surely(v.Text)
				if sure {
					said++
				}
				if sure && got != language {
					t.Errorf("%s is said to be %s: %s", language, got, v.Text)
				}
			}
			t.Logf("%s %s: %d of %d", language, file, said, all)
			if float64(said) < least*float64(all) {
				t.Errorf("%s %s: sure of %d of %d", language, file, said, all)
			}
		}
	}
}

// Texts in languages that Detect does not know, relations of those it knows, and
// texts that are hardly in any.
func TestSurelyDoubts(t *testing.T) {
	for name, text := range map[string]string{
		"af":     "Die kat sit op die mat omdat dit daar warm is, en hy wil nie weer buite toe gaan nie, want dit reën al die hele dag en die honde is nog in die tuin. Ons sal môre sien of dit beter gaan.",
		"no":     "Katten satt på matten fordi det var varmt der, og den ville ikke gå ut igjen, for det hadde regnet hele dagen og hundene var fremdeles i hagen. Vi får se i morgen om det går bedre.",
		"id":     "Kucing itu duduk di atas tikar karena di sana hangat, dan ia tidak mau keluar lagi, sebab hujan turun sepanjang hari dan anjing-anjing masih berada di kebun. Besok kita akan melihat apakah keadaannya lebih baik.",
		"sw":     "Paka alikaa juu ya mkeka kwa sababu palikuwa na joto, na hakutaka kutoka tena nje, kwa kuwa mvua ilinyesha siku nzima na mbwa walikuwa bado bustanini. Kesho tutaona kama hali itakuwa nzuri zaidi.",
		"vi":     "Con mèo ngồi trên tấm thảm vì ở đó ấm áp, và nó không muốn ra ngoài nữa, vì trời mưa suốt cả ngày và những con chó vẫn còn ở trong vườn. Ngày mai chúng ta sẽ xem mọi việc có tốt hơn không.",
		"et":     "Kass istus mati peal, sest seal oli soe, ja ta ei tahtnud enam välja minna, sest terve päeva oli sadanud vihma ja koerad olid ikka veel aias. Homme näeme, kas asjad lähevad paremini.",
		"sk":     "Mačka sedela na rohožke, pretože tam bolo teplo, a už nechcela ísť von, lebo celý deň pršalo a psy boli ešte stále v záhrade. Zajtra uvidíme, či to bude lepšie.",
		"ht":     "Chat la te chita sou kapèt la paske li te fè cho la, epi li pa t vle soti deyò ankò, paske lapli te tonbe tout jounen an e chen yo te toujou nan jaden an. Demen n ap wè si sa pral pi byen.",
		"eo":     "La kato sidis sur la mato ĉar tie estis varme, kaj ĝi ne volis denove eliri, ĉar pluvis la tutan tagon kaj la hundoj estis ankoraŭ en la ĝardeno. Morgaŭ ni vidos, ĉu la afero iras pli bone.",
		"bg":     "Котката седеше на рогозката, защото там беше топло, и не искаше да излиза отново навън, защото цял ден валеше и кучетата още бяха в градината. Утре ще видим дали ще бъде по-добре.",
		"uk":     "Кішка сиділа на килимку, бо там було тепло, і вона не хотіла знову виходити надвір, бо цілий день ішов дощ, а собаки ще були в саду. Завтра побачимо, чи буде краще.",
		"fa":     "گربه روی حصیر نشسته بود چون آنجا گرم بود و دیگر نمی‌خواست بیرون برود، زیرا تمام روز باران باریده بود و سگ‌ها هنوز در باغ بودند. فردا خواهیم دید که آیا وضع بهتر می‌شود.",
		"ur":     "بلی چٹائی پر بیٹھی تھی کیونکہ وہاں گرم تھا، اور وہ دوبارہ باہر نہیں جانا چاہتی تھی، کیونکہ سارا دن بارش ہوئی تھی اور کتے ابھی تک باغ میں تھے۔ کل دیکھیں گے کہ کیا حالات بہتر ہوتے ہیں۔",
		"names":  "Novak Djokovic, Rafael Nadal, Roger Federer, Andy Murray, Stan Wawrinka, Juan Martin del Potro, Marin Cilic, Dominic Thiem, Daniil Medvedev, Alexander Zverev, Stefanos Tsitsipas",
		"code":   "func main() { x := make([]byte, 10); for i := range x { x[i] = byte(i) }; fmt.Println(x, len(x), cap(x)); os.Exit(0) } // TODO err != nil return fmt.Errorf(msg, err) }",
		"short":  "The cat sat on the mat because it was warm.",
		"two":    "The cat sat on the mat because it was warm there and it did not want to go out again. Die Katze saß auf der Matte, weil es dort warm war, und sie wollte nicht wieder hinaus, denn es regnete.",
		"digits": "12 34 56 78", "": "",
	} {
		if got, sure := Surely(text); sure && got != name {
			t.Errorf("%s is surely %q", name, got)
		}
	}
}

func FuzzDetect(f *testing.F) {
	f.Add("The cat \xff 東京")
	f.Fuzz(func(t *testing.T, s string) { Detect(s); Surely(s) })
}
