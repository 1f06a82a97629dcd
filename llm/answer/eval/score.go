package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ragserver/ragserver/llm/answer"
)

// Score is how one answer did. Parts that the case does not allow to judge are
// left zero and not counted in a Summary.
type Score struct {
	Case    Case
	Kind    answer.Kind
	Refused bool

	Rank               int // of the first right document, 1-based; 0 if it was not found
	Recall1, Recall5   float64
	Recall10           float64
	ReciprocalRank     float64 // at 10
	NDCG               float64 // at 10
	Exact              bool    // the short answer, or the text if there is none, is a right one
	F1                 float64
	Contained          bool // a right answer stands in the text
	Sentence           bool // a right answer stands in the best sentence
	Marks, ValidMarks  int  // citations in the text; those that name a source marked as cited
	Quotes, TrueQuotes int  // sentences of an extractive answer; those that stand in the passage they cite
	CitedRight         bool // a cited source is of a right document
	Took               time.Duration
}

// Judge scores an answer to a case.
func Judge(c Case, a answer.Answer) Score {
	s := Score{Case: c, Kind: a.Kind, Refused: a.Kind == answer.Refused, Took: a.Total}
	s.retrieval(a)
	s.citations(a)
	if s.Refused || len(c.Answers) == 0 {
		return s
	}
	bare := unmarked(a.Text)
	short := bare
	if a.Kind == answer.Extracted && a.Short != "" {
		short = a.Short
	}
	s.Exact, s.F1 = ExactMatch(short, c.Answers), F1(short, c.Answers)
	s.Contained, s.Sentence = Contains(bare, c.Answers), Contains(a.Best, c.Answers)
	return s
}

// marks finds what looks like a citation, valid or not.
func marks(text string) []answer.Mark { return answer.Marks(text, 99) }

func unmarked(text string) string {
	var b strings.Builder
	at := 0
	for _, m := range marks(text) {
		b.WriteString(strings.TrimRightFunc(text[at:m.Start], unicode.IsSpace))
		at = m.End
	}
	b.WriteString(text[at:])
	return strings.TrimSpace(b.String())
}

// retrieval ranks the documents by their first passage.
func (s *Score) retrieval(a answer.Answer) {
	if len(s.Case.Docs) == 0 {
		return
	}
	seen := map[string]bool{}
	rank, gain, found := 0, 0., 0.
	all := float64(len(s.Case.Docs))
	for _, src := range a.Sources {
		key := src.Hit.Document.Source + "/" + src.Hit.Document.Path
		if seen[key] {
			continue
		}
		seen[key] = true
		rank++
		if !s.Case.right(src.Hit.Document) {
			continue
		}
		if s.Rank == 0 {
			s.Rank = rank
		}
		found++
		if rank <= 1 {
			s.Recall1 = found / all
		}
		if rank <= 5 {
			s.Recall5 = found / all
		}
		if rank <= 10 {
			s.Recall10 = found / all
			gain += 1 / math.Log2(float64(rank)+1)
		}
	}
	s.Recall5, s.Recall10 = max(s.Recall1, s.Recall5), max(s.Recall1, s.Recall5, s.Recall10)
	ideal := 0.
	for i := range min(10, len(s.Case.Docs)) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	s.NDCG = gain / ideal
	if s.Rank > 0 && s.Rank <= 10 {
		s.ReciprocalRank = 1 / float64(s.Rank)
	}
}

func (s *Score) citations(a answer.Answer) {
	byN := map[int]answer.Source{}
	for _, src := range a.Sources {
		byN[src.N] = src
		if src.Cited && s.Case.right(src.Hit.Document) {
			s.CitedRight = true
		}
	}
	from := 0
	for _, m := range marks(a.Text) {
		src, known := byN[m.N]
		s.Marks++
		if known && src.Cited {
			s.ValidMarks++
		}
		if a.Kind == answer.Extracted {
			s.Quotes++
			if known && quoted(a.Text[from:m.Start], src.Hit.Text) {
				s.TrueQuotes++
			}
		}
		from = m.End
	}
}

// quoted reports whether the words of a quotation stand in a passage in one
// piece; marks of Markdown and of omission do not count.
func quoted(quote, passage string) bool {
	q := strings.Join(normal(quote), " ")
	return q != "" && strings.Contains(strings.Join(normal(passage), " "), q)
}

// Summary is how the answers to many cases did: means over the cases that
// allow to judge each measure, between 0 and 1.
type Summary struct {
	Cases, Answerable, Unanswerable, WithDocs, WithAnswers int

	Recall1, Recall5, Recall10, MRR, NDCG float64
	FalseRefusals                         float64 // of the answerable
	FalseAnswers                          float64 // of the unanswerable
	Exact, F1, Contained, Sentence        float64 // of the answerable with known answers; a refusal counts 0
	Citations                             float64 // valid, of all marks
	Quotes                                float64 // true, of all quotations
	CitedRight                            float64 // of the answered with known documents
	P50, P95                              time.Duration
}

// Summarise adds up scores.
func Summarise(scores []Score) Summary {
	var s Summary
	var marks, valid, quotes, trueQuotes, answered float64
	var took []time.Duration
	for _, x := range scores {
		s.Cases++
		took = append(took, x.Took)
		marks, valid = marks+float64(x.Marks), valid+float64(x.ValidMarks)
		quotes, trueQuotes = quotes+float64(x.Quotes), trueQuotes+float64(x.TrueQuotes)
		if !x.Case.answerable() {
			s.Unanswerable++
			s.FalseAnswers += one(!x.Refused)
			continue
		}
		s.Answerable++
		s.FalseRefusals += one(x.Refused)
		if len(x.Case.Docs) > 0 {
			s.WithDocs++
			s.Recall1, s.Recall5, s.Recall10 = s.Recall1+x.Recall1, s.Recall5+x.Recall5, s.Recall10+x.Recall10
			s.MRR, s.NDCG = s.MRR+x.ReciprocalRank, s.NDCG+x.NDCG
			if !x.Refused {
				answered++
				s.CitedRight += one(x.CitedRight)
			}
		}
		if len(x.Case.Answers) > 0 {
			s.WithAnswers++
			s.Exact, s.F1 = s.Exact+one(x.Exact), s.F1+x.F1
			s.Contained, s.Sentence = s.Contained+one(x.Contained), s.Sentence+one(x.Sentence)
		}
	}
	over(float64(s.Unanswerable), &s.FalseAnswers)
	over(float64(s.Answerable), &s.FalseRefusals)
	over(float64(s.WithDocs), &s.Recall1, &s.Recall5, &s.Recall10, &s.MRR, &s.NDCG)
	over(float64(s.WithAnswers), &s.Exact, &s.F1, &s.Contained, &s.Sentence)
	over(answered, &s.CitedRight)
	s.Citations, s.Quotes = valid, trueQuotes
	over(marks, &s.Citations)
	over(quotes, &s.Quotes)
	if len(took) > 0 {
		slices.Sort(took)
		s.P50, s.P95 = took[len(took)/2], took[len(took)*95/100]
	}
	return s
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func over(n float64, sums ...*float64) {
	for _, s := range sums {
		if n > 0 {
			*s /= n
		}
	}
}

// String is a table for people; measures that nothing allowed to judge are
// left out.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d questions: %d with an answer, %d without\n", s.Cases, s.Answerable, s.Unanswerable)
	row := func(n int, name string, v float64, note string) {
		if n > 0 {
			fmt.Fprintf(&b, "%-18s %6.3f  %s\n", name, v, note)
		}
	}
	row(s.WithDocs, "recall@1", s.Recall1, "right documents among the first")
	row(s.WithDocs, "recall@5", s.Recall5, "")
	row(s.WithDocs, "recall@10", s.Recall10, "")
	row(s.WithDocs, "MRR@10", s.MRR, "")
	row(s.WithDocs, "nDCG@10", s.NDCG, "")
	row(s.Answerable, "false refusals", s.FalseRefusals, "of questions that have an answer")
	row(s.Unanswerable, "false answers", s.FalseAnswers, "to questions that have none")
	row(s.WithAnswers, "answer contained", s.Contained, "a right answer stands in the reply")
	row(s.WithAnswers, "in best sentence", s.Sentence, "")
	row(s.WithAnswers, "exact match", s.Exact, "of the short answer")
	row(s.WithAnswers, "F1", s.F1, "of the short answer's words")
	row(s.Cases, "citations valid", s.Citations, "marks that name a source")
	row(s.Cases, "quotes true", s.Quotes, "extracted sentences that stand in their passage")
	row(s.WithDocs, "right doc cited", s.CitedRight, "of the answered")
	fmt.Fprintf(&b, "%-18s %6s  p95 %s\n", "time p50", s.P50.Round(10*time.Microsecond), s.P95.Round(10*time.Microsecond))
	return b.String()
}
