package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

// set is a retrieval set: documents, queries, judgements.
type set struct {
	docs    []entry
	queries []entry
	rels    map[string]map[string]float64 // query → document → gain
}

type entry struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

func readSet(dir string) (*set, error) {
	s := &set{rels: map[string]map[string]float64{}}
	var err error
	if s.docs, err = readEntries(filepath.Join(dir, "corpus.jsonl")); err != nil {
		return nil, err
	}
	if s.queries, err = readEntries(filepath.Join(dir, "queries.jsonl")); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "qrels.tsv"))
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if i == 0 || len(f) != 3 {
			continue
		}
		gain, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", dir, i+1, err)
		}
		if s.rels[f[0]] == nil {
			s.rels[f[0]] = map[string]float64{}
		}
		s.rels[f[0]][f[1]] = gain
	}
	return s, nil
}

func readEntries(path string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var es []entry
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		es = append(es, e)
	}
	return es, lines.Err()
}

// bm25Given reads what plain BM25 reaches on a set (nDCG@10 over the same
// queries) from the README that came with it. A set of one language has its
// figure in the folder above, behind the language.
func bm25Given(dir string) (float64, error) {
	language := ""
	b, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		language = filepath.Base(dir) + " "
		b, err = os.ReadFile(filepath.Join(filepath.Dir(dir), "README.md"))
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "Plain BM25 here") {
			continue
		}
		_, figures, _ := strings.Cut(line, "nDCG@10 ")
		if _, after, found := strings.Cut(" "+figures, " "+language); found {
			number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
			return strconv.ParseFloat(strings.TrimRight(number, ".,"), 64)
		}
	}
	return 0, fmt.Errorf("%s: its README has no figure of plain BM25", dir)
}

// write makes a folder of Markdown files of the first n documents (0: all),
// their titles in the front matter, and returns how many there are. Empty
// documents are left out: there is nothing in them to find.
func (s *set) write(dir string, n int) (int, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	written := 0
	for _, d := range s.docs {
		if n > 0 && written == n {
			break
		}
		text, err := d.markdown()
		if err != nil {
			return written, err
		}
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, d.ID+".md"), []byte(text), 0o644); err != nil {
			return written, err
		}
		written++
	}
	return written, nil
}

// markdown is the document as a file, "" if it is empty. What looks like
// Markdown in it is none and is escaped.
func (e entry) markdown() (string, error) {
	title, text := strings.TrimSpace(e.Title), strings.TrimSpace(e.Text)
	if title == "" || text == "" {
		return escape(title + text), nil
	}
	quoted, err := json.Marshal(title) // which is YAML, too
	if err != nil {
		return "", err
	}
	return "---\ntitle: " + string(quoted) + "\n---\n\n" + escape(text) + "\n", nil
}

func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ndcg10 is nDCG@10 of ranked documents (gain, discount 1/log2(rank+1)) against
// one query's judgements.
func ndcg10(ranked []string, rel map[string]float64) float64 {
	dcg := 0.0
	for i, d := range ranked {
		if i == 10 {
			break
		}
		dcg += rel[d] / math.Log2(float64(i+2))
	}
	gains := make([]float64, 0, len(rel))
	for _, g := range rel {
		gains = append(gains, g)
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(gains)))
	ideal := 0.0
	for i, g := range gains {
		if i == 10 {
			break
		}
		ideal += g / math.Log2(float64(i+2))
	}
	if ideal == 0 {
		return 0
	}
	return dcg / ideal
}
