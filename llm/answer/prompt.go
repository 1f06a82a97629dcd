package answer

import (
	"embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
)

//go:embed prompts/*.txt
var promptFiles embed.FS

func prompt(name string) string {
	b, err := promptFiles.ReadFile("prompts/" + name + ".txt")
	if err != nil {
		panic(err) // embedded: cannot be missing
	}
	return strings.TrimSpace(string(b))
}

// lacking is what a model writes when the passages do not hold the answer.
const lacking = "NO_ANSWER"

// answerTokens is the room left for the answer when the caller sets no limit.
const answerTokens = 1024

// messages builds the prompt from as many of the first hits as fit into the
// window, and returns how many those are. The rules stand first and never
// change, so that providers can cache them; then the conversation, as far as a
// quarter of the window holds it; then passages and question.
func messages(q Question, hits []index.Hit, window int) ([]llm.Message, int) {
	system := prompt("system")
	if q.System != "" {
		system += "\n\nFurther instructions of the operator:\n" + q.System
	}
	reserve := q.Generate.MaxTokens
	if reserve <= 0 {
		reserve = answerTokens
	}
	reserve = min(reserve, window/2)
	history := recent(q.History, window/4)
	room := window - reserve - llm.TokensOf(append([]llm.Message{{Role: llm.System, Text: system}, {Role: llm.User, Text: ask("", q.Text)}}, history...))
	var b strings.Builder
	sent := 0
	for i, h := range hits {
		p := passageText(i+1, h)
		cost := llm.Tokens(p)
		if cost > room && i == 0 && room > 64 { // a huge passage is better cut than left out
			p = passageText(1, cut(h, float64(room-32)/float64(cost)))
			cost = min(room, llm.Tokens(p))
		}
		if cost > room {
			break
		}
		room -= cost
		b.WriteString(p)
		sent++
	}
	out := append([]llm.Message{{Role: llm.System, Text: system}}, history...)
	return append(out, llm.Message{Role: llm.User, Text: ask(b.String(), q.Text)}), sent
}

// recent returns the latest turns of a conversation that fit into room tokens.
func recent(history []llm.Message, room int) []llm.Message {
	if len(history) == 0 {
		return nil
	}
	out, _ := llm.Fit(history, room)
	if llm.TokensOf(out) > room { // the last turn alone is too long
		return nil
	}
	return out
}

// ask is the last message. It repeats the two rules that small models forget
// over long passages.
func ask(passages, question string) string {
	return "<passages>\n" + passages + "</passages>\n\nQuestion: " + fence(question) +
		"\n\nAnswer from the passages, and cite after each statement like this: [1]. If the answer is not in them, reply " + lacking + "."
}

// cut shortens a passage to a share of its text.
func cut(h index.Hit, share float64) index.Hit {
	rs := []rune(h.Text)
	h.Text = string(rs[:int(share*float64(len(rs)))]) + " …"
	return h
}

// passageText is a passage as the model reads it: numbered, with where it is
// from, and with everything taken out that could pass for the frame around it.
func passageText(n int, h index.Hit) string {
	from := []string{h.Title, h.Heading}
	if h.Page > 0 {
		from = append(from, fmt.Sprintf("page %d", h.Page))
	}
	var where []string
	for _, f := range from {
		if f != "" && (len(where) == 0 || where[len(where)-1] != f) {
			where = append(where, attribute(f))
		}
	}
	return fmt.Sprintf("<passage n=\"%d\" from=\"%s\">\n%s\n</passage>\n", n, strings.Join(where, ", "), fence(unmark(strings.TrimSpace(h.Text))))
}

var (
	frame  = regexp.MustCompile(`(?i)<(\s*/?\s*passages?\b)`)
	braces = regexp.MustCompile(`\[\s*\d[\d\s,;–-]*\]`)
)

// fence keeps a text from opening or closing the frame of passages.
func fence(s string) string { return frame.ReplaceAllString(s, "&lt;$1") }

// unmark turns numbers in brackets, as books and encyclopedias have them, into
// numbers in parentheses: copied by the model, they would cite our passages.
// What is no mark, [0] and [2024], stays.
func unmark(s string) string {
	return braces.ReplaceAllStringFunc(s, func(in string) string {
		inside := in[1 : len(in)-1]
		for _, n := range numbers(inside) {
			if n < 1 || n > plausible {
				return in
			}
		}
		return "(" + inside + ")"
	})
}

// attribute makes a text fit between the quotes of the frame.
func attribute(s string) string {
	return fence(strings.NewReplacer("\"", "'", "\n", " ", "\r", " ", "<", "‹", ">", "›").Replace(s))
}
