package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
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

// write makes a folder of text files of the first n documents (0: all) and
// returns how many there are. Empty documents are left out.
func (s *set) write(dir string, n int) (int, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	written := 0
	for _, d := range s.docs {
		if n > 0 && written == n {
			break
		}
		text := strings.TrimSpace(d.Title + "\n\n" + d.Text)
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, d.ID+".txt"), []byte(text+"\n"), 0o644); err != nil {
			return written, err
		}
		written++
	}
	return written, nil
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
