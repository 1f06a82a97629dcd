package answer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/ragserver/ragserver/llm"
)

// ErrNoText is an error of Summarize besides those of the model and of the context.
var ErrNoText = errors.New("there is nothing to summarize")

// Summarize makes one summary of texts, with the named model ("" for the
// default one). Texts that do not fit into the model's window together are
// summarized in groups, and the groups' summaries in turn. Without a model it is
// the texts' own most central sentences. No summary has citations: its reader was
// given no numbers that they could stand for.
func (a *Answerer) Summarize(ctx context.Context, texts []string, model string) (string, llm.Usage, error) {
	var usage llm.Usage
	m, err := a.model(model)
	switch {
	case err != nil:
		return "", usage, err
	case m == nil:
		text, err := digest(ctx, texts)
		return text, usage, err
	}
	system := prompt("summarize")
	limit := min(answerTokens, m.window()/4)
	room := m.window() - limit - llm.TokensOf([]llm.Message{{Role: llm.System, Text: system}, {Role: llm.User, Text: framed(nil)}})
	// Two summaries of the length allowed must fit, or rounds would not end.
	if limit = min(limit, room/2-frameTokens); limit < 16 {
		return "", usage, fmt.Errorf("answer: summarizing with %q: its window of %d tokens is too small", m.name, m.window())
	}
	for before := 0; ; {
		groups := grouped(texts, room)
		switch {
		case len(groups) == 0:
			return "", usage, ErrNoText
		case before > 0 && len(groups) >= before:
			// The model writes more than it is allowed to.
			return "", usage, fmt.Errorf("answer: summarizing with %q: its summaries do not get shorter", m.name)
		}
		before = len(groups)
		sums := make([]string, len(groups))
		for i, g := range groups {
			sums[i], err = a.summary(ctx, m, system, g, limit, &usage)
			if err != nil {
				return "", usage, err
			}
		}
		if len(sums) == 1 {
			return sums[0], usage, nil
		}
		texts = sums
	}
}

func (a *Answerer) summary(ctx context.Context, m *Model, system string, texts []string, limit int, usage *llm.Usage) (string, error) {
	text, _, err := collect(ctx, m, llm.Request{
		Messages:  []llm.Message{{Role: llm.System, Text: system}, {Role: llm.User, Text: framed(texts)}},
		MaxTokens: limit,
	}, usage)
	if err != nil {
		a.log.LogAttrs(ctx, levelOf(err), "the model failed", slog.String("model", m.name), errAttr(err))
		return "", err
	}
	marks := newCiter(0)
	if text = strings.TrimSpace(marks.Write(text) + marks.Close()); text == "" {
		return "", &llm.Error{Kind: llm.ErrIncomplete, Provider: m.name, Message: "it wrote nothing"}
	}
	return text, nil
}

// frameTokens is at least what the frame around one text costs.
const frameTokens = 32

// framed is the texts as the model reads them, with everything taken out that
// could pass for the frame around them.
func framed(texts []string) string {
	var b strings.Builder
	b.WriteString("<passages>\n")
	for i, t := range texts {
		fmt.Fprintf(&b, "<passage n=\"%d\">\n%s\n</passage>\n", i+1, fence(t))
	}
	b.WriteString("</passages>\n\nSummarize the passages.")
	return b.String()
}

// grouped puts texts, in their order, into groups of at most room tokens. A
// text that is longer alone is cut, after a sentence where it has some.
func grouped(texts []string, room int) [][]string {
	var groups [][]string
	left := 0
	add := func(t string, cost int) {
		if cost > left {
			groups, left = append(groups, nil), room
		}
		last := len(groups) - 1
		groups[last], left = append(groups[last], t), left-cost
	}
	for _, t := range texts {
		for _, p := range pieces(strings.TrimSpace(t), room-frameTokens) {
			add(p, frameTokens+llm.Tokens(fence(p)))
		}
	}
	return groups
}

// pieces cuts a text into parts of at most most tokens.
func pieces(text string, most int) []string {
	switch {
	case text == "":
		return nil
	case llm.Tokens(fence(text)) <= most:
		return []string{text}
	}
	// Whatever stands between two sentences belongs to the first.
	sentences := sentencesOf(text)
	ends := make([]int, 0, len(sentences)+1)
	for _, s := range sentences[min(1, len(sentences)):] {
		ends = append(ends, s.start)
	}
	ends = append(ends, len(text))
	var out []string
	add := func(part string) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, halves(part, most)...)
		}
	}
	from, to, cost := 0, 0, 0
	for _, end := range ends {
		n := llm.Tokens(fence(text[to:end]))
		if cost+n > most {
			add(text[from:to])
			from, cost = to, 0
		}
		to, cost = end, cost+n
	}
	add(text[from:])
	return out
}

// halves halves a text until its parts have at most most tokens.
func halves(text string, most int) []string {
	rs := []rune(text)
	if len(rs) < 2 || llm.Tokens(fence(text)) <= most {
		return []string{text}
	}
	return append(halves(string(rs[:len(rs)/2]), most), halves(string(rs[len(rs)/2:]), most)...)
}
