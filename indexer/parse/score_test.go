package parse

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/internal/evaldata"
)

func list(v any) (out []string) {
	if a, ok := v.([]any); ok {
		for _, e := range a {
			out = append(out, e.(string))
		}
	}
	return out
}

var wordRE = regexp.MustCompile(`[\p{L}\p{N}\p{M}_]+`)

func words(s string) []string { return wordRE.FindAllString(strings.ToLower(s), -1) }

// f1 compares two texts as multisets of words.
func f1(got, want string) (p, r, f float64) {
	count := map[string]int{}
	w := words(want)
	for _, x := range w {
		count[x]++
	}
	g := words(got)
	hit := 0
	for _, x := range g {
		if count[x] > 0 {
			count[x]--
			hit++
		}
	}
	if hit == 0 {
		return 0, 0, 0
	}
	p, r = float64(hit)/float64(len(g)), float64(hit)/float64(len(w))
	return p, r, 2 * p * r / (p + r)
}

// testPDF reads PDF in the test's own process, with a shared pdfium.
func parseFile(t testing.TB, p *Pool, path string) (Document, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.Parse(context.Background(), File{Name: filepath.Base(path), Data: f, Size: st.Size()})
	return res.Document, err
}

// TestScoreContracts measures the words of 20 contracts against another reader's.
// The lowest: in ScansourceInc… the other reader takes spaced letters apart ("b
// y", "o r"); in ANIXA… a hyphen at the end of a line was part of the word
// (protein-protein); there, in PANDION… and the other contracts below 1, page
// numbers are repeated at the pages' edge and not part of the text, as meant.
func TestScoreContracts(t *testing.T) {
	dir := evaldata.Dir(t, "contracts")
	p := testPool(t)
	files, _ := filepath.Glob(filepath.Join(dir, "docs", "*.pdf"))
	sum, least := 0.0, 1.0
	for _, file := range files {
		doc, err := parseFile(t, p, file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		want, err := os.ReadFile(filepath.Join(dir, "text", strings.TrimSuffix(filepath.Base(file), ".pdf")+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		pr, r, f := f1(Markdown(doc), string(want))
		t.Logf("%.4f (p %.4f r %.4f) %s", f, pr, r, filepath.Base(file))
		sum += f
		least = min(least, f)
		if f < .995 {
			t.Errorf("%s: word F1 %.4f is below .995", filepath.Base(file), f)
		}
	}
	if mean := sum / float64(len(files)); mean < .999 {
		t.Errorf("word F1 is %.4f in the mean, below .999", mean)
	}
	t.Logf("contracts: word F1 mean %.4f, min %.4f over %d", sum/float64(len(files)), least, len(files))
}

func TestScoreDocs(t *testing.T) {
	dir := evaldata.Dir(t, "docs")
	p := testPool(t)
	must, found, recall, precision, n := 0, 0, 0.0, 0.0, 0
	for e := range evaldata.Lines[map[string]any](t, filepath.Join(dir, "expect.jsonl")) {
		name := e["file"].(string)
		switch e["format"] {
		case "pptx", "xlsx", "epub", "eml":
			if _, err := parseFile(t, p, filepath.Join(dir, name)); !isSkip(err) {
				t.Errorf("%s: %v, want to be skipped", name, err)
			}
			continue
		}
		doc, err := parseFile(t, p, filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := strings.ToLower(oneLine(doc.Title + "\n" + Markdown(doc)))
		for _, m := range append(list(e["must"]), list(e["must_hard"])...) {
			must++
			if strings.Contains(text, strings.ToLower(oneLine(m))) {
				found++
			} else {
				t.Logf("%s: missing %q", name, m)
			}
		}
		for _, m := range list(e["must_not"]) {
			if strings.Contains(text, strings.ToLower(oneLine(m))) {
				t.Errorf("%s: has %q", name, m)
			}
		}
		if ref, ok := e["ref"].(string); ok {
			raw, err := os.ReadFile(filepath.Join(dir, ref))
			if err != nil {
				t.Fatal(err)
			}
			g, w := set(words(text)), set(words(string(raw)))
			hit := 0
			for x := range w {
				if g[x] {
					hit++
				}
			}
			r, pr := float64(hit)/float64(len(w)), float64(hit)/float64(max(len(g), 1))
			recall, precision, n = recall+r, precision+pr, n+1
			if r < .98 || pr < .9 {
				var miss []string
				for x := range w {
					if !g[x] {
						miss = append(miss, x)
					}
				}
				slices.Sort(miss)
				t.Logf("%s: recall %.3f precision %.3f, missing %.150s", name, r, pr, strings.Join(miss, " "))
			}
		}
	}
	t.Logf("docs: %d of %d must strings; distinct words against %d references: recall %.3f precision %.3f", found, must, n, recall/float64(n), precision/float64(n))
	if found < must {
		t.Errorf("%d strings that must be found are missing", must-found)
	}
}

func set(w []string) map[string]bool {
	m := map[string]bool{}
	for _, x := range w {
		m[x] = true
	}
	return m
}

func isSkip(err error) bool { _, ok := err.(*SkipError); return ok }

func TestScoreEncodings(t *testing.T) {
	dir := evaldata.Dir(t, "encodings")
	right, n := 0, 0
	for e := range evaldata.Lines[map[string]any](t, filepath.Join(dir, "expect.jsonl")) {
		raw, err := os.ReadFile(filepath.Join(dir, e["file"].(string)))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(dir, e["ref"].(string)))
		if err != nil {
			t.Fatal(err)
		}
		res, err := Read(context.Background(), File{Name: filepath.Base(e["file"].(string)), Data: bytes.NewReader(raw), Size: int64(len(raw))}, DefaultLimits)
		if err != nil {
			t.Errorf("%s: %v", e["file"], err)
			continue
		}
		n++
		if oneLine(Markdown(res.Document)) == oneLine(string(want)) {
			right++
		} else {
			t.Errorf("%s: not the text it should be; read as %v", e["file"], res.Document.Meta["encoding"])
		}
	}
	t.Logf("encodings: %d of %d", right, n)
}

// TestScoreArticles measures as the data's own benchmark does: shingles of four
// words, precision and recall averaged over pages.
func TestScoreArticles(t *testing.T) {
	dir := evaldata.Dir(t, "articles")
	p := testPool(t)
	var ps, rs, n float64
	for e := range evaldata.Lines[map[string]any](t, filepath.Join(dir, "truth.jsonl")) {
		name := filepath.Base(e["file"].(string))
		f, err := os.Open(filepath.Join(dir, "html", name))
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(z)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		res, err := p.Parse(context.Background(), File{Name: strings.TrimSuffix(name, ".gz"), Data: bytes.NewReader(raw), Size: int64(len(raw))})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, want := shingles(Markdown(res.Document)), shingles(e["articleBody"].(string))
		tp, gn, wn := 0.0, 0.0, 0.0
		for k, v := range got {
			tp += math.Min(v, want[k])
			gn += v
		}
		for v := range maps.Values(want) {
			wn += v
		}
		pr, r := 1.0, 1.0
		if gn > 0 {
			pr = tp / gn
		}
		if wn > 0 {
			r = tp / wn
		}
		if pr < .9 || r < .9 {
			t.Logf("%s: precision %.3f recall %.3f %s", name[:12], pr, r, e["url"])
		}
		ps, rs, n = ps+pr, rs+r, n+1
	}
	pr, r := ps/n, rs/n
	t.Logf("articles: precision %.3f recall %.3f F1 %.3f over %.0f pages", pr, r, 2*pr*r/(pr+r), n)
	if 2*pr*r/(pr+r) < .958 {
		t.Error("articles are read worse than they were")
	}
}

func shingles(s string) map[string]float64 {
	w := wordRE.FindAllString(s, -1)
	out := map[string]float64{}
	for i := 0; i+4 <= len(w); i++ {
		out[strings.Join(w[i:i+4], " ")]++
	}
	if len(w) > 0 && len(w) < 4 {
		out[strings.Join(w, " ")]++
	}
	return out
}
