package parse

// Kind is what a block is.
type Kind string

// The kinds of blocks.
const (
	Heading   Kind = "heading"
	Paragraph Kind = "paragraph"
	List      Kind = "list"
	Table     Kind = "table"
	Code      Kind = "code"
	Quote     Kind = "quote"
	// Running is what a page repeats at its edge and an earlier page said
	// first. It is part of the text, and not of what is searched.
	Running Kind = "running"
)

// Document is what was read of a file.
type Document struct {
	Type     string         `json:"type"` // media type that was detected
	Title    string         `json:"title,omitempty"`
	Meta     map[string]any `json:"meta,omitempty"` // author, dates, pages …: strings, float64, bool, []any
	Blocks   []Block        `json:"blocks"`
	Warnings []string       `json:"warnings,omitempty"` // what could not be read, e.g. "page 3 has no text"
}

// Block is a piece of a document in reading order. Text is UTF-8 in Markdown's
// manner for its kind: a list with "- " or "1. " before its items, a table in
// pipe form with its header row, everything else plain.
type Block struct {
	Kind  Kind   `json:"kind"`
	Level int    `json:"level,omitempty"` // of a heading, 1 is the outermost
	Page  int    `json:"page,omitempty"`  // 1-based, 0 if the format has no pages
	Lang  string `json:"lang,omitempty"`  // of code
	Text  string `json:"text"`
}
