package answer

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ragserver/ragserver/llm"
)

const (
	rewriteTime   = 10 * time.Second // a slow model is not waited for: the words are carried instead
	rewriteTokens = 120
	longestQuery  = 400 // characters of a rewritten question
	mostCarried   = 8   // words
	fewTerms      = 2   // topic words up to which a question may hang on what was said before
)

// A searched question: what is searched for, and which of its words come from
// earlier in the conversation.
type searched struct {
	text    string
	carried string
}

func (s searched) query() string { return strings.TrimSpace(s.text + " " + s.carried) }

// followsUp reports whether a question may need the conversation to be
// understood: it points back, begins like a continuation, or says little.
func followsUp(text string) bool {
	l := languageOf(text)
	low := strings.ToLower(strings.TrimSpace(text))
	for _, b := range l.begin {
		if after, ok := strings.CutPrefix(low, b); ok {
			if r, _ := utf8.DecodeRuneInString(after); l.undivided || !unicode.IsLetter(r) {
				return true
			}
		}
	}
	if len(keys(l.topic(text))) <= fewTerms {
		return true
	}
	if l.undivided {
		for w := range l.refer {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	for _, w := range wordsOf(text) {
		if l.refer[w] {
			return true
		}
	}
	return false
}

// carry makes a follow-up question searchable without a model: it adds the
// topic words of the question before, and the names of the answer to it.
func carry(q Question) searched {
	s := searched{text: q.Text}
	l := languageOf(q.Text)
	have := map[string]bool{}
	for _, k := range keys(l.topic(q.Text)) {
		have[k] = true
	}
	var words []string
	add := func(text string, ts []token) {
		for i, t := range ts {
			ks := keys(ts[i : i+1])
			if len(words) < mostCarried && !have[ks[0]] {
				have[ks[0]] = true
				words = append(words, text[t.start:t.end])
			}
		}
	}
	for i := len(q.History) - 1; i >= 0; i-- {
		m := q.History[i]
		switch m.Role {
		case llm.Assistant:
			add(m.Text, namesIn(l, m.Text))
			continue
		case llm.User:
			topic := l.topic(m.Text)
			if l.undivided { // characters alone mean nothing: the question is carried whole
				words = append(words, m.Text)
			}
			add(m.Text, topic)
		}
		if !followsUp(m.Text) {
			break
		}
	}
	s.carried = strings.Join(words, " ")
	return s
}

// namesIn returns the words of a text's first sentence that are written like
// names inside it.
func namesIn(l *language, text string) []token {
	spans := sentencesOf(text)
	if len(spans) == 0 || l.undivided {
		return nil
	}
	first := text[:spans[0].end]
	var out []token
	for i, t := range l.tokens(first) {
		if r, _ := utf8.DecodeRuneInString(first[t.start:]); unicode.IsUpper(r) && !l.small(t.word) && (i > 0 || l.code != "de") {
			out = append(out, t)
		}
	}
	return out
}

// rewrite makes a question of a conversation stand alone: by the model if
// there is one, else by carrying words over.
func (a *Answerer) rewrite(ctx context.Context, m *Model, q Question, usage *llm.Usage) searched {
	if len(q.History) == 0 || !followsUp(q.Text) {
		return searched{text: q.Text}
	}
	if m == nil {
		return carry(q)
	}
	short, cancel := context.WithTimeout(ctx, rewriteTime)
	defer cancel()
	var b strings.Builder
	for _, t := range recent(q.History, m.window()/2) {
		b.WriteString(map[llm.Role]string{llm.User: "User: ", llm.Assistant: "Assistant: "}[t.Role] + t.Text + "\n")
	}
	cold := 0.
	text, _, err := collect(short, m, llm.Request{
		Messages: []llm.Message{
			{Role: llm.System, Text: prompt("rewrite")},
			{Role: llm.User, Text: "<conversation>\n" + b.String() + "</conversation>\n\nLast question: " + q.Text},
		},
		MaxTokens: rewriteTokens, Temperature: &cold,
	}, usage)
	if text = oneQuestion(text); err != nil || text == "" {
		a.log.LogAttrs(ctx, levelOf(err), "rewriting the question failed, words of the conversation are used", errAttr(err))
		return carry(q)
	}
	return searched{text: text}
}

// oneQuestion takes the question out of what a model wrote; "" if it is none.
func oneQuestion(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	}
	s = strings.Trim(s, "\"'“”„«»` ")
	if n := utf8.RuneCountInString(s); n == 0 || n > longestQuery {
		return ""
	}
	return s
}
