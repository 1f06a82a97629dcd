// Package eval scores retrieval and answers against questions whose right
// documents and answers are known, without any language model.
//
// A case is a question with what is known of it; only what is known is scored.
// Score compares one answer, Summary adds up. Retrieval is judged by document
// (the first passage of a document gives its rank), with all right documents
// of equal gain: recall at 1, 5 and 10, MRR and nDCG at 10. Answers are judged
// as SQuAD's scorer does (exact match, F1 over words, after lower-casing and
// dropping punctuation), by whether a right answer stands in them, by refusals
// (false answers to what has no answer, false refusals of what has), and by
// their citations: whether each mark names a source, whether a source of a
// right document is cited, and, of extractive answers, whether each quoted
// sentence stands in the passage it cites.
package eval

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm/answer"
)

// Case is a question, one line of a questions file in JSON.
type Case struct {
	ID       string   `json:"id"`
	Question string   `json:"question"`
	Answers  []string `json:"answers"` // any of them is right; none: not known
	// Docs are the paths of the documents that hold the answer, as they end.
	Docs Paths `json:"doc"`
	// Answerable false says that the documents hold no answer; left out, they do.
	Answerable *bool `json:"answerable"`
	// Filter and Glob restrict the search, as in a query.
	Filter string `json:"filter"`
	Glob   string `json:"glob"`
}

// Paths is one path or a list of them.
type Paths []string

// UnmarshalJSON reads a string or a list of strings.
func (p *Paths) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		if *p = nil; one != "" {
			*p = Paths{one}
		}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("doc is neither a path nor a list of paths")
	}
	*p = many
	return nil
}

// Bounds on a questions file.
const (
	maxLine  = 1 << 20
	maxCases = 1 << 20
)

// Read reads a questions file: one JSON object a line, empty lines skipped,
// unknown fields ignored. Errors name the line.
func Read(r io.Reader) ([]Case, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var out []Case
	n := 0
	for lines.Scan() {
		n++
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		var c Case
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return nil, fmt.Errorf("line %d: not a question in JSON: %w", n, err)
		}
		if strings.TrimSpace(c.Question) == "" {
			return nil, fmt.Errorf(`line %d: no "question"`, n)
		}
		if len(out) == maxCases {
			return nil, fmt.Errorf("line %d: more than %d questions", n, maxCases)
		}
		out = append(out, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	return out, nil
}

// Ask is the question to put to an Answerer; k is how many passages to retrieve.
func (c Case) Ask(k int) answer.Question {
	return answer.Question{Text: c.Question, Query: index.Query{K: k, Filter: c.Filter, Glob: c.Glob}}
}

// answerable reports whether the documents hold the answer.
func (c Case) answerable() bool { return c.Answerable == nil || *c.Answerable }

// right reports whether a document is one of the right ones: its path, or
// source/path, is the case's or ends in it after a slash.
func (c Case) right(d index.Document) bool {
	full := "/" + d.Source + "/" + d.Path
	for _, p := range c.Docs {
		if strings.HasSuffix(full, "/"+strings.TrimPrefix(p, "/")) {
			return true
		}
	}
	return false
}
