package index

import (
	"fmt"

	"github.com/ragserver/ragserver/indexer/index/keyword"
)

// Outline is a stored version whose chunks and text stay on disk: however large
// a document is, its chunks are read one after the other, in windows. What it
// says of itself is read at once. It is used by one goroutine at a time.
type Outline struct {
	Version               ID
	Title, Language, Type string
	Attributes            map[string]any

	stored  *content
	strings []byte // of the record
	heading heading
	table   []passage // a window of the chunks
	row     int       // where it begins
	window  []byte    // of the text
	first   uint32    // where it begins
}

// heading is the one that was read last, for neighbours share theirs.
type heading struct {
	at   uint32
	text string
}

// How much is read ahead, at least.
const (
	windowSize = 256 << 10 // bytes of the text
	windowRows = 1 << 10   // chunks
)

// Outline reads a stored version but for its chunks and its text, live or not.
// The error is ErrNotFound if there is none.
func (x *Index) Outline(version ID) (*Outline, error) {
	c, err := x.stored(version)
	if err != nil {
		return nil, err
	}
	return c.outline()
}

func (x *Index) stored(version ID) (*content, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.contents[version]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("index: version %v: %w", version, ErrNotFound)
}

func (c *content) outline() (*Outline, error) {
	b, err := c.read(contentHead+int(c.chunks)*chunkSize, int(c.strings))
	if err != nil {
		return nil, err
	}
	d, err := describe(c.version, b)
	if err != nil {
		return nil, c.explain(err)
	}
	return &Outline{
		Version: d.Version, Title: d.Title, Language: d.Language, Type: d.Type, Attributes: d.Attributes,
		stored: c, strings: b,
	}, nil
}

// Len is the number of chunks.
func (o *Outline) Len() int { return int(o.stored.chunks) }

// passage reads what is stored of chunk i.
func (o *Outline) passage(i int) (passage, error) {
	if i < o.row || i >= o.row+len(o.table) {
		t, err := o.stored.passages(i, min(i+windowRows, o.Len()))
		if err != nil {
			return passage{}, err
		}
		o.table, o.row = t, i
	}
	return o.table[i-o.row], nil
}

// Chunk reads chunk i, 0 ≤ i < Len. Reading in order is fast, as it is with
// ChunkText and EmbedText.
func (o *Outline) Chunk(i int) (Chunk, error) {
	p, err := o.passage(i)
	if err != nil {
		return Chunk{}, err
	}
	if p.heading != o.heading.at {
		h, err := headingAt(o.strings, p.heading)
		if err != nil {
			return Chunk{}, o.stored.explain(err)
		}
		o.heading = heading{p.heading, h}
	}
	return Chunk{Start: p.start, End: p.end, Page: p.page, Heading: o.heading.text, Hash: p.hash}, nil
}

// ChunkText reads the text of chunk i.
func (o *Outline) ChunkText(i int) (string, error) {
	p, err := o.passage(i)
	if err != nil {
		return "", err
	}
	if p.start > p.end || p.end > o.stored.text {
		return "", o.stored.explain(errFormat)
	}
	if p.start < o.first || p.end > o.first+uint32(len(o.window)) {
		end := max(p.end, min(p.start+windowSize, o.stored.text))
		b, err := o.stored.read(o.stored.textAt()+int(p.start), int(end-p.start))
		if err != nil {
			return "", err
		}
		o.window, o.first = b, p.start
	}
	return string(o.window[p.start-o.first : p.end-o.first]), nil
}

// EmbedText is Content.EmbedText: what is embedded and searched by keyword for
// chunk i.
func (o *Outline) EmbedText(i int) (string, error) {
	ch, err := o.Chunk(i)
	if err != nil {
		return "", err
	}
	text, err := o.ChunkText(i)
	return embedText(o.Title, ch.Heading, text), err
}

// fields are what is searched by keyword of chunk i.
func (o *Outline) fields(i int) (keyword.Fields, error) {
	ch, err := o.Chunk(i)
	if err != nil {
		return keyword.Fields{}, err
	}
	text, err := o.ChunkText(i)
	return keyword.Fields{Title: o.Title, Heading: ch.Heading, Body: text}, err
}
