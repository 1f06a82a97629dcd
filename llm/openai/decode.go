package openai

import (
	"bytes"
	"encoding/json"
	"net/http"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/internal/wire"
)

// done is the protocol's end mark.
const done = "[DONE]"

// event checks one event of a stream.
func event(g *wire.Guard, data []byte) ([]byte, error) {
	if string(data) == done {
		return data, nil
	}
	var e struct {
		Error   json.RawMessage `json:"error"`
		Choices []struct {
			Delta struct {
				Content json.RawMessage `json:"content"`
			} `json:"delta"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, g.Error(llm.ErrGarbage, 0, "an event that is not a chunk of an answer: "+string(data))
	}
	if len(e.Error) > 0 && string(e.Error) != "null" {
		words, code := wire.ErrorWords(data)
		return nil, g.Error(llm.KindOf(http.StatusInternalServerError, code+" "+words), 0, words)
	}
	for _, c := range e.Choices {
		if bytes.HasPrefix(c.Delta.Content, []byte("[")) {
			return flatten(g, data)
		}
	}
	return data, nil
}

// flatten makes a string of a content that comes in parts, of which those that
// are not text are thoughts.
func flatten(g *wire.Guard, data []byte) ([]byte, error) {
	var chunk map[string]any
	_ = json.Unmarshal(data, &chunk)       // it was decoded before
	choices, _ := chunk["choices"].([]any) // not there if it is called CHOICES
	for _, c := range choices {
		choice, _ := c.(map[string]any)
		delta, _ := choice["delta"].(map[string]any)
		parts, _ := delta["content"].([]any)
		var text string
		for _, p := range parts {
			part, _ := p.(map[string]any)
			s, _ := part["text"].(string)
			text += s
		}
		if parts != nil {
			delta["content"] = text
		}
	}
	out, err := json.Marshal(chunk)
	if err != nil {
		return nil, g.Error(llm.ErrGarbage, 0, err.Error())
	}
	return out, nil
}

// whole makes a stream of an answer that came in one piece.
func whole(g *wire.Guard, body []byte) ([][]byte, error) {
	if _, err := event(g, body); err != nil {
		return nil, err
	}
	var r goopenai.ChatCompletionResponse
	if err := json.Unmarshal(body, &r); err != nil || len(r.Choices) == 0 {
		return nil, g.Error(llm.ErrGarbage, 0, "neither a stream nor an answer: "+string(body))
	}
	c := r.Choices[0]
	finish := c.FinishReason
	if finish == "" || finish == goopenai.FinishReasonNull {
		finish = goopenai.FinishReasonStop
	}
	chunk, err := json.Marshal(map[string]any{
		"choices": []any{map[string]any{"delta": map[string]any{"content": c.Message.Content}, "finish_reason": finish}},
		"usage":   r.Usage,
	})
	if err != nil {
		return nil, g.Error(llm.ErrGarbage, 0, err.Error())
	}
	return [][]byte{chunk, []byte(done)}, nil
}
