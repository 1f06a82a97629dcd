package answer_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/llm/answer"
	"github.com/ragserver/ragserver/llm/answer/eval"
)

// fittedOn reports whether the gate's weights were fitted on a document: every
// second one by name, of XQuAD in all languages and of the contracts.
func fittedOn(docs []string, doc string) bool { return slices.Index(docs, doc)%2 == 0 }

// judged is the gate's measure of one question.
type judged struct {
	answerable bool
	fresh      bool // of a document that nothing was fitted on
	relevance  float64
	group      string // the same question, asked of different documents
}

// judge measures cases.
func judge(t *testing.T, b *library, cs []eval.Case, fresh func(eval.Case) bool) []judged {
	t.Helper()
	var out []judged
	for _, c := range cs {
		q := c.Ask(6).Query
		q.Text = c.Question
		r, err := b.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		v, err := answer.Relevance(t.Context(), b.options(), c.Question, r.Hits)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, judged{c.Answerable == nil || *c.Answerable, fresh(c), v, c.Question})
	}
	return out
}

// auc is how likely an answerable question has the higher relevance.
func auc(js []judged) float64 {
	won, pairs := 0., 0.
	for _, a := range js {
		for _, b := range js {
			if a.answerable && !b.answerable {
				pairs++
				won += map[int]float64{1: 1, 0: .5}[cmp.Compare(a.relevance, b.relevance)]
			}
		}
	}
	return won / pairs
}

// within is the AUC among equal questions alone: how they are asked tells nothing.
func within(js []judged) float64 {
	groups := map[string][]judged{}
	for _, j := range js {
		groups[j.group] = append(groups[j.group], j)
	}
	won, pairs := 0., 0.
	for _, g := range groups {
		yes := 0.
		for _, j := range g {
			if j.answerable {
				yes++
			}
		}
		if n := yes * (float64(len(g)) - yes); n > 0 {
			won, pairs = won+n*auc(g), pairs+n
		}
	}
	return won / pairs
}

// rates are the shares of false refusals and false answers with a limit.
func rates(js []judged, limit float64) (refusals, answers float64) {
	yes, no := 0., 0.
	for _, j := range js {
		switch {
		case j.answerable:
			yes++
			if j.relevance < limit {
				refusals++
			}
		default:
			no++
			if j.relevance >= limit {
				answers++
			}
		}
	}
	return refusals / yes, answers / no
}

// roc is false refusals and false answers along the limit.
func roc(js []judged) string {
	var b strings.Builder
	for _, limit := range []float64{.1, answer.EnoughToAsk, .25, answer.EnoughToQuote, .35, .4, .5} {
		r, a := rates(js, limit)
		fmt.Fprintf(&b, "  %.2f: %.3f %.3f", limit, r, a)
	}
	return b.String()
}

// TestQualityGate measures how well the gate tells questions with an answer from
// those without: on documents that nothing was fitted on, and on all. Across
// languages, the questions of one language are asked of articles in another.
func TestQualityGate(t *testing.T) {
	dir := shared(t)
	least := map[string]float64{"contracts": .86, "en of en": .98, "de of de": .96, "ar of ar": .95, "de of en": .84, "en of de": .88, "ru of en": .80, "zh of en": .80}
	report := func(name string, b *library, docs []string, cs []eval.Case, right func(eval.Case) string) {
		all := judge(t, b, cs, func(c eval.Case) bool { return !fittedOn(docs, right(c)) })
		held := slices.DeleteFunc(slices.Clone(all), func(j judged) bool { return !j.fresh })
		t.Logf("%-10s AUC %.3f, of documents not fitted on %.3f (limit: false refusals, false answers)%s", name, auc(all), auc(held), roc(held))
		if name == "contracts" {
			t.Logf("%-10s among equal questions alone: AUC %.3f, of documents not fitted on %.3f", name, within(all), within(held))
		}
		if auc(held) < least[name] {
			t.Errorf("%s: below %.2f", name, least[name])
		}
	}
	path := filepath.Join(dir, "contracts")
	b, cs := contracts(t, path), cases(t, filepath.Join(path, "qa.jsonl"))
	var docs []string
	for i := range cs {
		cs[i].Glob = cs[i].Docs[0]
		docs = append(docs, cs[i].Docs[0])
	}
	slices.Sort(docs)
	report("contracts", b, slices.Compact(docs), cs, func(c eval.Case) string { return c.Docs[0] })
	for _, pair := range []string{"en of en", "de of de", "ar of ar", "de of en", "en of de", "ru of en", "zh of en"} {
		asked, written, _ := strings.Cut(pair, " of ")
		b, docs, home := newLibrary(t), []string(nil), map[string]string{}
		var all []document
		files, err := filepath.Glob(filepath.Join(dir, "xquad", written, "docs", "*.md"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no articles: %v", err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, filepath.Base(f))
			all = append(all, article(filepath.Base(f), written, string(text)))
		}
		b.add(t, all)
		for _, c := range cases(t, filepath.Join(dir, "xquad", written, "qa.jsonl")) {
			home[c.ID] = c.Docs[0]
		}
		cs := cases(t, filepath.Join(dir, "xquad", asked, "qa.jsonl"))
		no := false
		for _, c := range slices.Clone(cs) {
			c.Answerable, c.Glob = &no, "!"+home[c.ID]
			cs = append(cs, c)
		}
		report(pair, b, docs, cs, func(c eval.Case) string { return home[c.ID] })
	}
}
