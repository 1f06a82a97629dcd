package api

import (
	"fmt"
	"sort"
	"sync"

	"github.com/ragserver/ragserver/indexer/index"
)

// places converts byte offsets into a version's text to code points and back.
// Counting from the start of a long text for each hit would cost more than the
// search, so that a version's counts are taken once, at marks, and kept while
// there is room; versions never change.
type places struct {
	most int // of size

	mu    sync.Mutex // guards all below
	known map[index.ID]*marks
	size  int // of all marks together
}

const (
	markStep = 1 << 10 // bytes between marks
	maxMarks = 4 << 20 // about 16 MB, marks of some 4 GB of text
)

// marks are the counts of one version. before[i] is the number of code points
// that start before byte i*markStep; nil says that every one is a byte.
type marks struct {
	bytes, runes int
	before       []uint32
}

func newPlaces(most int) *places { return &places{most: most, known: map[index.ID]*marks{}} }

// text reads a version's text: from the live document if it has that version,
// which reads no more than is asked for, else from the version as it is stored.
type text struct {
	view     View
	document index.ID
	version  index.ID
	whole    *string // nil: the live document has the version
	content  func(index.ID) (*index.Content, error)
}

// textOf returns a reader of a document's version. It reads nothing yet.
func (c *Collection) textOf(document, version index.ID) *text {
	t := &text{view: c.View(), document: document, version: version, content: c.Content}
	if d, ok := t.view.Document(document); !ok || d.Version != version {
		t.view = nil
	}
	return t
}

// all reads the whole text.
func (t *text) all() (string, error) {
	if t.whole == nil {
		c, err := t.content(t.version)
		if err != nil {
			return "", fmt.Errorf("api: reading version %s: %w", t.version, err)
		}
		t.whole = &c.Text
	}
	return *t.whole, nil
}

// part reads bytes start to end.
func (t *text) part(start, end int) (string, error) {
	if t.view != nil && t.whole == nil {
		s, err := t.view.Text(t.document, start, end)
		if err != nil {
			return "", fmt.Errorf("api: reading document %s: %w", t.document, err)
		}
		return s, nil
	}
	s, err := t.all()
	if err != nil {
		return "", err
	}
	if start < 0 || end < start || end > len(s) {
		return "", fmt.Errorf("api: version %s: bytes %d to %d do not lie in a text of %d", t.version, start, end, len(s))
	}
	return s[start:end], nil
}

// of returns the marks of a version; the error matches index.ErrNotFound if it
// is stored no more.
func (p *places) of(t *text) (*marks, error) {
	p.mu.Lock()
	m := p.known[t.version]
	p.mu.Unlock()
	if m != nil {
		return m, nil
	}
	whole, err := t.all()
	if err != nil {
		return nil, err
	}
	m = measure(whole)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[t.version] == nil {
		p.known[t.version] = m
		p.size += m.size()
	}
	for id, old := range p.known {
		if p.size <= p.most {
			break
		}
		if id != t.version {
			delete(p.known, id)
			p.size -= old.size()
		}
	}
	return m, nil
}

func (m *marks) size() int { return len(m.before) + 16 }

func measure(s string) *marks {
	m := &marks{bytes: len(s)}
	before := make([]uint32, 0, len(s)/markStep+1)
	for ; s != ""; s = s[min(markStep, len(s)):] {
		before = append(before, uint32(m.runes))
		m.runes += starts(s[:min(markStep, len(s))])
	}
	if m.runes != m.bytes {
		m.before = before
	}
	return m
}

// starts counts the code points that start in s, which may begin or end inside
// one.
func starts(s string) int {
	n := len(s)
	for i := 0; i < len(s); i++ {
		if s[i]&0xC0 == 0x80 {
			n--
		}
	}
	return n
}

// runesBefore returns how many code points start before a byte.
func (m *marks) runesBefore(t *text, at int) (int, error) {
	at = min(max(at, 0), m.bytes)
	switch {
	case m.before == nil:
		return at, nil
	case at == m.bytes:
		return m.runes, nil
	}
	i := at / markStep
	s, err := t.part(i*markStep, at)
	if err != nil {
		return 0, err
	}
	return int(m.before[i]) + starts(s), nil
}

// byteOf returns where the code point with number at starts.
func (m *marks) byteOf(t *text, at int) (int, error) {
	at = min(max(at, 0), m.runes)
	switch {
	case m.before == nil:
		return at, nil
	case at == m.runes:
		return m.bytes, nil
	}
	i := sort.Search(len(m.before), func(i int) bool { return int(m.before[i]) > at }) - 1
	from := i * markStep
	s, err := t.part(from, min(from+markStep, m.bytes))
	if err != nil {
		return 0, err
	}
	left := at - int(m.before[i])
	for j := 0; j < len(s); j++ {
		if s[j]&0xC0 == 0x80 {
			continue
		}
		if left == 0 {
			return from + j, nil
		}
		left--
	}
	return from + len(s), nil
}

// cut returns the text between two places in code points.
func (m *marks) cut(t *text, start, end int) (string, error) {
	from, err := m.byteOf(t, start)
	if err != nil {
		return "", err
	}
	to, err := m.byteOf(t, end)
	if err != nil {
		return "", err
	}
	return t.part(from, to)
}
