package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/ragserver/ragserver/indexer/index/disk"
)

// A content's record, the payload of its frame, is laid out so that a passage
// can be read without the rest:
//
//	 0   4  number of chunks n
//	 4   4  length m of the strings
//	 8   4  length of the text
//	12 32n  chunks: start, end, page, heading (offset into the strings of what
//	        precedes a length and that many bytes; 0: none), hash
//	     m  strings: one zero byte, title, language, type, attributes, headings
//	        text
const (
	contentHead = 12
	chunkSize   = 32
)

// Bounds of a content.
const (
	MaxText   = 512 << 20 // bytes
	MaxChunks = 4 << 20
)

// ErrUnfit is what storing something ends with that the index cannot hold,
// whenever it is tried.
var ErrUnfit = errors.New("the index cannot hold it")

// ErrNotFound is what asking for an unknown version or document ends with.
var ErrNotFound = errors.New("not found")

// content is a stored version. The sizes are immutable; the location changes
// when a compaction moves the record; the rest is guarded by Index.mu.
type content struct {
	version               ID
	chunks, strings, text uint32
	title, language       string
	loc                   atomic.Pointer[location]

	refs     int   // live documents, and batches that are being applied
	applied  bool  // some document had or has it
	written  int64 // Unix nanoseconds
	released int64 // when refs became 0, if it was applied
}

// location is where a record lies. Who holds a location may read from it even
// when the file has been removed.
type location struct {
	file   disk.File
	number uint64
	at     int64 // of the frame
}

func (c *content) size() int {
	return contentHead + int(c.chunks)*chunkSize + int(c.strings) + int(c.text)
}

// read reads n bytes of the record from offset at.
func (c *content) read(at, n int) ([]byte, error) {
	b := make([]byte, n)
	l := c.loc.Load()
	if _, err := l.file.ReadAt(b, l.at+disk.FrameHead+int64(at)); err != nil {
		return nil, fmt.Errorf("index: reading version %v from %s: %w", c.version, disk.FileName(textLog, l.number), err)
	}
	return b, nil
}

func (c *content) textAt() int { return contentHead + int(c.chunks)*chunkSize + int(c.strings) }

// passage is a chunk as it is stored.
type passage struct {
	start, end, page, heading uint32
	hash                      ID
}

func decodePassage(b []byte) passage {
	le := binary.LittleEndian
	return passage{le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:]), ID(b[16:32])}
}

// passages reads a part of the chunk table.
func (c *content) passages(from, to int) ([]passage, error) {
	b, err := c.read(contentHead+from*chunkSize, (to-from)*chunkSize)
	if err != nil {
		return nil, err
	}
	out := make([]passage, to-from)
	for i := range out {
		out[i] = decodePassage(b[i*chunkSize:])
	}
	return out, nil
}

// passage reads chunk i.
func (c *content) passage(i uint32) (passage, error) {
	b, err := c.read(contentHead+int(i)*chunkSize, chunkSize)
	if err != nil {
		return passage{}, err
	}
	return decodePassage(b), nil
}

// heading reads the heading of a chunk.
func (c *content) heading(p passage) (string, error) {
	if p.heading == 0 || p.heading >= c.strings {
		return "", nil
	}
	at := contentHead + int(c.chunks)*chunkSize + int(p.heading)
	b, err := c.read(at, min(256, int(c.strings-p.heading)))
	if err != nil {
		return "", err
	}
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(c.strings-p.heading) {
		return "", fmt.Errorf("index: version %v: %w", c.version, errFormat)
	}
	if k+int(n) > len(b) {
		if b, err = c.read(at, k+int(n)); err != nil {
			return "", err
		}
	}
	return string(b[k : k+int(n)]), nil
}

// span reads a part of the text.
func (c *content) span(start, end uint32) (string, error) {
	b, err := c.read(c.textAt()+int(start), int(end-start))
	return string(b), err
}

// checkContent says what makes c unfit to be stored.
func checkContent(c *Content) error {
	switch {
	case c.Version == ID{}:
		return errors.New("its version is zero")
	case len(c.Text) > MaxText:
		return fmt.Errorf("its text has %d bytes, more than %d", len(c.Text), MaxText)
	case len(c.Chunks) > MaxChunks:
		return fmt.Errorf("it has %d chunks, more than %d", len(c.Chunks), MaxChunks)
	case !utf8.ValidString(c.Text):
		return errors.New("its text is not UTF-8")
	}
	for _, s := range []struct{ name, v string }{{"title", c.Title}, {"language", c.Language}, {"type", c.Type}} {
		if len(s.v) > maxString || !utf8.ValidString(s.v) {
			return fmt.Errorf("its %s is not UTF-8 or has more than %d bytes", s.name, maxString)
		}
	}
	for i, ch := range c.Chunks {
		if ch.Start > ch.End || int(ch.End) > len(c.Text) {
			return fmt.Errorf("chunk %d goes from byte %d to %d of a text of %d", i, ch.Start, ch.End, len(c.Text))
		}
		if !border(c.Text, ch.Start) || !border(c.Text, ch.End) {
			return fmt.Errorf("chunk %d, bytes %d to %d, cuts a character", i, ch.Start, ch.End)
		}
		if len(ch.Heading) > maxString || !utf8.ValidString(ch.Heading) {
			return fmt.Errorf("the heading of chunk %d is not UTF-8 or has more than %d bytes", i, maxString)
		}
	}
	return nil
}

func border(s string, i uint32) bool { return int(i) == len(s) || utf8.RuneStart(s[i]) }

// encodeContent writes what of a record precedes the text.
func encodeContent(c *Content) ([]byte, error) {
	e := encoder{b: []byte{0}}
	e.string(c.Title)
	e.string(c.Language)
	e.string(c.Type)
	if err := e.attributes(c.Attributes, 0); err != nil {
		return nil, err
	}
	if len(e.b) > maxMeta {
		return nil, fmt.Errorf("its attributes take %d bytes, more than %d", len(e.b), maxMeta)
	}
	headings := map[string]uint32{}
	le := binary.LittleEndian
	table := make([]byte, 0, contentHead+chunkSize*len(c.Chunks))
	table = append(table, make([]byte, contentHead)...)
	for _, ch := range c.Chunks {
		h := uint32(0)
		if ch.Heading != "" {
			var ok bool
			if h, ok = headings[ch.Heading]; !ok {
				h = uint32(len(e.b))
				headings[ch.Heading] = h
				e.string(ch.Heading)
			}
		}
		table = le.AppendUint32(table, ch.Start)
		table = le.AppendUint32(table, ch.End)
		table = le.AppendUint32(table, ch.Page)
		table = le.AppendUint32(table, h)
		table = append(table, ch.Hash[:]...)
	}
	if n := len(table) + len(e.b) + len(c.Text); n > disk.MaxPayload {
		return nil, fmt.Errorf("it takes %d bytes, more than %d", n, disk.MaxPayload)
	}
	le.PutUint32(table[0:], uint32(len(c.Chunks)))
	le.PutUint32(table[4:], uint32(len(e.b)))
	le.PutUint32(table[8:], uint32(len(c.Text)))
	return append(table, e.b...), nil
}

// contentSizes reads the head of a record of size bytes and checks that it fits.
func contentSizes(b []byte, size int) (chunks, strings, text uint32, err error) {
	if len(b) < contentHead {
		return 0, 0, 0, errFormat
	}
	le := binary.LittleEndian
	chunks, strings, text = le.Uint32(b), le.Uint32(b[4:]), le.Uint32(b[8:])
	if chunks > MaxChunks || contentHead+uint64(chunks)*chunkSize+uint64(strings)+uint64(text) != uint64(size) {
		return 0, 0, 0, errFormat
	}
	return chunks, strings, text, nil
}

// decodeContent reads a record of size bytes, or what of it precedes the text,
// which is then missing.
func decodeContent(version ID, b []byte, size int) (*Content, error) {
	n, m, text, err := contentSizes(b, size)
	if err != nil {
		return nil, err
	}
	at := contentHead + n*chunkSize + m
	if len(b) < int(at) {
		return nil, errFormat
	}
	table, strs := b[contentHead:contentHead+n*chunkSize], b[contentHead+n*chunkSize:at]
	c, err := describe(version, strs)
	if err != nil {
		return nil, err
	}
	c.Text = string(b[at:])
	headings := map[uint32]string{}
	for ; len(table) > 0; table = table[chunkSize:] {
		p := decodePassage(table)
		h, ok := headings[p.heading]
		if !ok {
			if h, err = headingAt(strs, p.heading); err != nil {
				return nil, err
			}
			headings[p.heading] = h
		}
		if p.start > p.end || p.end > text {
			return nil, errFormat
		}
		c.Chunks = append(c.Chunks, Chunk{Start: p.start, End: p.end, Page: p.page, Heading: h, Hash: p.hash})
	}
	return c, nil
}

// describe reads what a version says of itself from the strings of its record.
func describe(version ID, strings []byte) (*Content, error) {
	d := decoder{b: strings}
	d.take(1)
	c := &Content{Version: version, Title: d.string(), Language: d.string(), Type: d.string(), Attributes: d.attributes(0)}
	return c, d.err
}

// headingAt reads a heading from the strings of a record.
func headingAt(strings []byte, at uint32) (string, error) {
	if at == 0 {
		return "", nil
	}
	if int64(at) >= int64(len(strings)) {
		return "", errFormat
	}
	d := decoder{b: strings[at:]}
	return d.string(), d.err
}

// PutContent stores a version durably, ahead of the batch that makes it live.
// What is stored already is not stored again. A version that no batch makes
// live is kept for a day. The error is ErrUnfit if c is not as it must be; any
// other may pass.
func (x *Index) PutContent(ctx context.Context, c *Content) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkContent(c); err != nil {
		return fmt.Errorf("index: storing version %v: %w: %w", c.Version, ErrUnfit, err)
	}
	_, err, _ := x.putting.Do(string(c.Version[:]), func() (any, error) {
		now := time.Now().UnixNano()
		x.mu.Lock()
		if old := x.contents[c.Version]; old != nil {
			old.written = now // its day begins anew
			x.mu.Unlock()
			return nil, nil
		}
		x.mu.Unlock()
		b, err := encodeContent(c)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
		}
		f := disk.Frame{Kind: kindContent, ID: c.Version, Time: now, Payload: b, Tail: c.Text}
		x.inflight.RLock()
		defer x.inflight.RUnlock()
		pos, err := x.text.Append(f)
		if err != nil {
			return nil, err
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		return nil, x.addContent(pos[0], f, x.text.File(pos[0].File))
	})
	if err != nil {
		return fmt.Errorf("index: storing version %v: %w", c.Version, explain(err))
	}
	return nil
}

// addContent enters a record that is in the log. The last one of a version
// counts. Caller holds mu.
func (x *Index) addContent(p disk.Pos, f disk.Frame, file disk.File) error {
	chunks, strings, text, err := contentSizes(f.Payload, len(f.Payload)+len(f.Tail))
	if err != nil {
		return err
	}
	c := x.contents[f.ID]
	if c == nil {
		d := decoder{b: f.Payload[contentHead+chunks*chunkSize:][:strings]}
		d.take(1)
		c = &content{version: f.ID, chunks: chunks, strings: strings, text: text, written: f.Time, title: d.string(), language: d.string()}
		if d.err != nil {
			return d.err
		}
		x.contents[f.ID] = c
	} else if c.chunks != chunks || c.strings != strings || c.text != text {
		return fmt.Errorf("version %v is there twice, with different contents", c.version)
	}
	c.loc.Store(&location{file: file, number: p.File, at: p.At})
	return nil
}

// HasContent tells whether a version is stored.
func (x *Index) HasContent(version ID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.contents[version] != nil
}

// Content reads a stored version, live or not. The error is ErrNotFound if
// there is none.
func (x *Index) Content(version ID) (*Content, error) {
	c, err := x.stored(version)
	if err != nil {
		return nil, err
	}
	return c.whole()
}

// whole reads all of a content.
func (c *content) whole() (*Content, error) {
	b, err := c.read(0, c.textAt())
	if err != nil {
		return nil, err
	}
	full, err := decodeContent(c.version, b, c.size())
	if err != nil {
		return nil, c.explain(err)
	}
	full.Text, err = c.span(0, c.text)
	return full, err
}

func (c *content) explain(err error) error {
	return fmt.Errorf("index: version %v: %w", c.version, err)
}
