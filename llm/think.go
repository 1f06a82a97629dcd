package llm

import "strings"

// Thinking takes a reasoning model's thoughts out of a stream: some servers
// send them inside the answer, as a leading <think>…</think> block. The zero
// value is ready; one Thinking serves one answer.
type Thinking struct {
	state   int // 0: the answer has not begun, 1: inside the block, 2: past it
	pending string
}

const (
	thinkOpen  = "<think>"
	thinkClose = "</think>"
)

// Write takes the next piece of the stream and returns what of it belongs to
// the answer. It holds back what may still turn out to be a mark.
func (t *Thinking) Write(text string) string {
	if t.state == 2 {
		return text
	}
	t.pending += text
	if t.state == 0 {
		head := strings.TrimLeft(t.pending, " \t\r\n")
		switch {
		case strings.HasPrefix(head, thinkOpen):
			t.state, t.pending = 1, head[len(thinkOpen):]
		case strings.HasPrefix(thinkOpen, head):
			return ""
		default:
			return t.rest()
		}
	}
	if _, after, found := strings.Cut(t.pending, thinkClose); found {
		t.pending = strings.TrimLeft(after, " \t\r\n")
		return t.rest()
	}
	if keep := len(t.pending) - len(thinkClose) + 1; keep > 0 {
		t.pending = t.pending[keep:]
	}
	return ""
}

// Flush ends the stream and returns what was held back for nothing.
func (t *Thinking) Flush() string {
	if t.state != 0 {
		return ""
	}
	return t.rest()
}

func (t *Thinking) rest() string {
	text := t.pending
	t.state, t.pending = 2, ""
	return text
}
