package openai

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/selection"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

const (
	maxBody     = 8 << 20
	maxMessages = 2048
	maxQuestion = 256 << 10 // code points
	defaultK    = 6
	maxK        = 50
)

// chatRequest is what is read of a request; all other fields are ignored, as
// programs send many that mean nothing here.
type chatRequest struct {
	Model         string        `json:"model"`
	Messages      []chatMessage `json:"messages"`
	Stream        bool          `json:"stream"`
	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	MaxTokens           int      `json:"max_tokens"`
	MaxCompletionTokens int      `json:"max_completion_tokens"`
	Temperature         *float64 `json:"temperature"`
	Stop                texts    `json:"stop"`
	N                   *int     `json:"n"`
	// Documents are passages to answer from, as Cohere takes them.
	Documents []json.RawMessage `json:"documents"`
	// Ragserver says which passages to answer from; clients send it as an
	// extra field.
	Ragserver struct {
		K        *int   `json:"k"`
		Filter   string `json:"filter"`
		Glob     string `json:"glob"`
		MinEpoch uint64 `json:"min_epoch"`
		Model    string `json:"model"` // that writes the answer
	} `json:"ragserver"`
}

type chatMessage struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is a message's text: a string, an array of parts, or null.
type content struct {
	text  string
	other string // type of a part that is no text, "" if there is none
}

// UnmarshalJSON reads a string, parts, or null.
func (c *content) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		return json.Unmarshal(data, &c.text)
	}
	var parts []struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	var b strings.Builder
	for _, p := range parts {
		switch p.Type {
		case "text", "input_text", "output_text":
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(p.Text)
		case "refusal":
			b.WriteString(p.Refusal)
		default:
			c.other = p.Type
		}
	}
	c.text = b.String()
	return nil
}

// texts is a string or an array of strings.
type texts []string

// UnmarshalJSON reads a string, an array of strings, or null.
func (t *texts) UnmarshalJSON(data []byte) error {
	if data[0] != '"' {
		return json.Unmarshal(data, (*[]string)(t))
	}
	*t = texts{""}
	return json.Unmarshal(data, &(*t)[0])
}

func readChat(w http.ResponseWriter, r *http.Request) (*chatRequest, error) {
	data, err := body.Read(w, r, maxBody)
	if err != nil {
		return nil, err
	}
	return parseChat(data)
}

func parseChat(data []byte) (*chatRequest, error) {
	var req chatRequest
	if err := body.JSON(data, &req, false); err != nil {
		return nil, err
	}
	return &req, req.check()
}

func (req *chatRequest) check() error {
	switch {
	case req.Model == "":
		return fault.Missing("model")
	case len(req.Messages) == 0:
		return fault.Missing("messages")
	case len(req.Messages) > maxMessages:
		return fault.Bad("messages", "there are %d messages; at most %d are allowed", len(req.Messages), maxMessages)
	case req.N != nil && *req.N != 1:
		return fault.Bad("n", "`n` must be 1: one answer is given")
	case len(req.Documents) > 0:
		return fault.Bad("documents", "`documents` are not read from the request: put them into the collection (PUT /api/sources/uploads/documents/NAME), answers come from there")
	case req.MaxTokens < 0 || req.MaxCompletionTokens < 0:
		return fault.Bad("max_tokens", "`max_tokens` must not be negative")
	case req.Temperature != nil && (*req.Temperature < 0 || *req.Temperature > 2):
		return fault.Bad("temperature", "`temperature` must be from 0 to 2")
	case len(req.Stop) > 16:
		return fault.Bad("stop", "`stop` has %d texts; at most 16 are allowed", len(req.Stop))
	}
	for i, m := range req.Messages {
		switch m.Role {
		case "system", "developer", "user", "assistant", "tool", "function":
		default:
			return fault.Bad("messages", "the role of message %d must be system, developer, user or assistant, not %.40q", i+1, m.Role)
		}
		if m.Content.other != "" {
			return fault.Bad("messages", "message %d has a part of type %.40q; only text is understood", i+1, m.Content.other)
		}
	}
	if _, err := selection.K("ragserver.k", req.Ragserver.K, defaultK, maxK); err != nil {
		return err
	}
	_, err := selection.Parse(req.Ragserver.Filter, req.Ragserver.Glob)
	return err
}

func (req *chatRequest) generate() llm.Request {
	g := llm.Request{MaxTokens: req.MaxCompletionTokens, Temperature: req.Temperature, Stop: req.Stop}
	if g.MaxTokens == 0 {
		g.MaxTokens = req.MaxTokens
	}
	return g
}

// question makes the last turn of the user the question, what came before it
// the history, and all system messages one instruction.
func (req *chatRequest) question() (answer.Question, error) {
	last := -1
	for i, m := range req.Messages {
		if m.Role == "user" {
			last = i
		}
	}
	q := answer.Question{Generate: req.generate(), Model: req.Ragserver.Model}
	if last < 0 || strings.TrimSpace(req.Messages[last].Content.text) == "" {
		return q, fault.Bad("messages", "there is no message of the user to answer")
	}
	q.Text = req.Messages[last].Content.text
	if n := utf8.RuneCountInString(q.Text); n > maxQuestion {
		f := fault.Bad("messages", "the question has %d characters; at most %d are allowed", n, maxQuestion)
		f.Code = "context_length_exceeded"
		return q, f
	}
	var system []string
	for i, m := range req.Messages {
		switch m.Role {
		case "system", "developer":
			system = append(system, m.Content.text)
		case "user", "assistant":
			if i < last && m.Content.text != "" {
				q.History = append(q.History, llm.Message{Role: llm.Role(m.Role), Text: m.Content.text})
			}
		}
	}
	q.System = strings.Join(system, "\n\n")
	q.Query = index.Query{Filter: req.Ragserver.Filter, Glob: req.Ragserver.Glob, MinEpoch: req.Ragserver.MinEpoch}
	var err error
	q.Query.K, err = selection.K("ragserver.k", req.Ragserver.K, defaultK, maxK)
	return q, err
}

// direct is the conversation as it is, for a language model alone.
func (req *chatRequest) direct() llm.Request {
	g := req.generate()
	for _, m := range req.Messages {
		role := llm.Role(m.Role)
		switch m.Role {
		case "developer":
			role = llm.System
		case "tool", "function":
			role = llm.User
		}
		g.Messages = append(g.Messages, llm.Message{Role: role, Text: m.Content.text})
	}
	return g
}
