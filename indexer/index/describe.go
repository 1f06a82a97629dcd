package index

import "fmt"

// Describe reads what a stored version says of itself: title, language, type and
// attributes. It leaves Text and Chunks alone, so it costs the same for a long
// text as for a short one. The error is ErrNotFound if the version is not stored.
func (x *Index) Describe(version ID) (*Content, error) {
	x.mu.Lock()
	c := x.contents[version]
	x.mu.Unlock()
	if c == nil {
		return nil, fmt.Errorf("index: version %v: %w", version, ErrNotFound)
	}
	return c.describe()
}

// describe reads the strings of the record as far as the headings; what those
// take is bounded by the number of chunks, not by the text.
func (c *content) describe() (*Content, error) {
	b, err := c.read(contentHead+int(c.chunks)*chunkSize, int(c.strings))
	if err != nil {
		return nil, err
	}
	d := decoder{b: b}
	d.take(1)
	out := &Content{Version: c.version, Title: d.string(), Language: d.string(), Type: d.string(), Attributes: d.attributes(0)}
	if d.err != nil {
		return nil, fmt.Errorf("index: version %v: %w", c.version, d.err)
	}
	return out, nil
}
