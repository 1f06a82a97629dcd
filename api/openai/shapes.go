package openai

import "github.com/ragserver/ragserver/llm"

// Completion answers a chat request that does not stream.
type Completion struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Created           int64    `json:"created"`
	Model             string   `json:"model"`
	Choices           []Choice `json:"choices"`
	Usage             Usage    `json:"usage"`
	SystemFingerprint *string  `json:"system_fingerprint,omitempty"`
	*Cited
}

// Choice is the one answer.
type Choice struct {
	Index        int     `json:"index"`
	Message      Message `json:"message"`
	Logprobs     *string `json:"logprobs"`
	FinishReason string  `json:"finish_reason"`
}

// Message is the assistant's turn.
type Message struct {
	Role        string       `json:"role"`
	Content     string       `json:"content"`
	Refusal     *string      `json:"refusal"`
	Annotations []Annotation `json:"annotations"`
	Citations   []Span       `json:"citations,omitempty"`
}

// Chunk is a piece of a stream.
type Chunk struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"`
	Model   string        `json:"model"`
	Choices []ChunkChoice `json:"choices"`
	Usage   *Usage        `json:"usage,omitempty"`
	*Cited
}

// chunkNoUsage is a Chunk of a stream that will tell its usage at the end.
type chunkNoUsage struct {
	Chunk
	Usage *Usage `json:"usage"`
}

// ChunkChoice is the one answer, in part.
type ChunkChoice struct {
	Index        int     `json:"index"`
	Delta        Delta   `json:"delta"`
	Logprobs     *string `json:"logprobs"`
	FinishReason *string `json:"finish_reason"`
}

// Delta is what a chunk adds.
type Delta struct {
	Role        string       `json:"role,omitempty"`
	Content     *string      `json:"content,omitempty"`
	Annotations []Annotation `json:"annotations,omitempty"`
	Citations   []Span       `json:"citations,omitempty"`
}

// Usage counts tokens as the language model's provider does; it is zero for
// answers that no language model wrote.
type Usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

func usage(u llm.Usage) Usage { return Usage{u.Prompt, u.Completion, u.Prompt + u.Completion} }

// Annotation marks a place in the text that a source stands behind; the
// indexes count code points.
type Annotation struct {
	Type string      `json:"type"`
	URL  URLCitation `json:"url_citation"`
}

// URLCitation is where the source is shown.
type URLCitation struct {
	URL   string `json:"url"`
	Title string `json:"title"`
	Start int    `json:"start_index"`
	End   int    `json:"end_index"`
}

// Span is a part of the text and the documents that support it, as Cohere's
// citations are; the offsets count code points.
type Span struct {
	Start     int      `json:"start"`
	End       int      `json:"end"`
	Text      string   `json:"text"`
	Documents []string `json:"document_ids"`
}

// Cited is what stands beside the choices.
type Cited struct {
	Citations []string       `json:"citations,omitempty"` // URLs; the mark [n] is the nth
	Results   []SearchResult `json:"search_results,omitempty"`
	Sources   []SourceEvent  `json:"sources,omitempty"`
	Resources []Resource     `json:"retriever_resources,omitempty"`
	Ragserver *Details       `json:"ragserver,omitempty"`
}

// SourceEvent is the data of Open WebUI's event "source": a passage in parallel
// lists of one.
type SourceEvent struct {
	Source    EventSource     `json:"source"`
	Document  []string        `json:"document"`
	Metadata  []EventMetadata `json:"metadata"`
	Distances []float64       `json:"distances"` // scores: larger is nearer, as Open WebUI has them
}

// EventSource names what a passage is from.
type EventSource struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// EventMetadata says where in it the passage stands.
type EventMetadata struct {
	Source string `json:"source"`
	Name   string `json:"name"`
	Page   int    `json:"page,omitempty"`
}

// Resource is a passage as Dify ends a message with.
type Resource struct {
	Position     int     `json:"position"`
	DatasetID    string  `json:"dataset_id"`
	DatasetName  string  `json:"dataset_name"`
	DocumentID   string  `json:"document_id"`
	DocumentName string  `json:"document_name"`
	SegmentID    string  `json:"segment_id"`
	Score        float64 `json:"score"`
	Content      string  `json:"content"`
}

// SearchResult is a source in brief.
type SearchResult struct {
	Title   string `json:"title"`
	URL     string `json:"url"`
	Date    string `json:"date,omitempty"`
	Snippet string `json:"snippet"`
}

// Notice says one way in which an answer is less than asked for.
type Notice struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Details are the native API's view of the answer.
type Details struct {
	Kind    string   `json:"kind,omitempty"`
	Model   string   `json:"model,omitempty"`
	Notices []Notice `json:"notices,omitempty"`
	Epoch   uint64   `json:"epoch"`
	Query   string   `json:"query,omitempty"`
	Sources []any    `json:"sources"`
}
