package index

import "fmt"

// Outline is a stored version whose text stays on disk: however large a
// document is, its chunks are read one after the other. It is used by one
// goroutine at a time.
type Outline struct {
	Content // without Text
	stored  *content
	window  string // of the text
	first   uint32 // where it begins
}

// windowSize is how many bytes are read ahead, at least.
const windowSize = 256 << 10

// Outline reads a stored version but for its text, live or not. The error is
// ErrNotFound if there is none.
func (x *Index) Outline(version ID) (*Outline, error) {
	x.mu.Lock()
	c := x.contents[version]
	x.mu.Unlock()
	if c == nil {
		return nil, fmt.Errorf("index: version %v: %w", version, ErrNotFound)
	}
	return c.outline()
}

func (c *content) outline() (*Outline, error) {
	b, err := c.read(0, c.textAt())
	if err != nil {
		return nil, err
	}
	head, err := decodeContent(c.version, b, c.size())
	if err != nil {
		return nil, fmt.Errorf("index: version %v: %w", c.version, err)
	}
	return &Outline{Content: *head, stored: c}, nil
}

// ChunkText reads the text of chunk i. Reading in order is fast.
func (o *Outline) ChunkText(i int) (string, error) {
	ch := o.Chunks[i]
	if ch.Start < o.first || ch.End > o.first+uint32(len(o.window)) {
		end := max(ch.End, min(ch.Start+windowSize, o.stored.text))
		s, err := o.stored.span(ch.Start, end)
		if err != nil {
			return "", err
		}
		o.window, o.first = s, ch.Start
	}
	return o.window[ch.Start-o.first : ch.End-o.first], nil
}

// EmbedText is Content.EmbedText: what is embedded and searched by keyword for
// chunk i.
func (o *Outline) EmbedText(i int) (string, error) {
	text, err := o.ChunkText(i)
	return embedText(o.Title, o.Chunks[i].Heading, text), err
}
