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
	mu    sync.Mutex // guards all below
	known map[index.ID]*marks
	size  int // of all marks together
}

const (
	markStep  = 1 << 10 // bytes between marks
	markPiece = 64 << 10
	maxMarks  = 4 << 20 // about 16 MB, marks of some 4 GB of text
)

// marks are the counts of one version. before[i] is the number of code points
// that start before byte i*markStep; nil says that every one is a byte.
type marks struct {
	bytes, runes int
	before       []uint32
}

func newPlaces() *places { return &places{known: map[index.ID]*marks{}} }

// of returns the marks of a version, nil if its text is not stored any more.
func (p *places) of(t Texts, version index.ID) (*marks, error) {
	p.mu.Lock()
	m := p.known[version]
	p.mu.Unlock()
	if m != nil {
		return m, nil
	}
	m, err := measure(t, version)
	if m == nil || err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[version] == nil {
		p.known[version] = m
		p.size += m.size()
	}
	for id, old := range p.known {
		if p.size <= maxMarks {
			break
		}
		if id != version {
			delete(p.known, id)
			p.size -= old.size()
		}
	}
	return m, nil
}

func (m *marks) size() int { return len(m.before) + 16 }

func measure(t Texts, version index.ID) (*marks, error) {
	n, ok := t.TextLen(version)
	if !ok {
		return nil, nil
	}
	m := &marks{bytes: n}
	before := make([]uint32, 0, n/markStep+1)
	for at := 0; at < n; at += markPiece {
		s, err := t.Text(version, at, min(at+markPiece, n))
		if err != nil {
			return nil, fmt.Errorf("api: reading the text of version %s: %w", version, err)
		}
		for ; s != ""; s = s[min(markStep, len(s)):] {
			before = append(before, uint32(m.runes))
			m.runes += starts(s[:min(markStep, len(s))])
		}
	}
	if m.runes != m.bytes {
		m.before = before
	}
	return m, nil
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
func (m *marks) runesBefore(t Texts, version index.ID, at int) (int, error) {
	at = min(max(at, 0), m.bytes)
	switch {
	case m.before == nil:
		return at, nil
	case at == m.bytes:
		return m.runes, nil
	}
	i := at / markStep
	s, err := t.Text(version, i*markStep, at)
	if err != nil {
		return 0, fmt.Errorf("api: reading the text of version %s: %w", version, err)
	}
	return int(m.before[i]) + starts(s), nil
}

// byteOf returns where the code point with number at starts.
func (m *marks) byteOf(t Texts, version index.ID, at int) (int, error) {
	at = min(max(at, 0), m.runes)
	switch {
	case m.before == nil:
		return at, nil
	case at == m.runes:
		return m.bytes, nil
	}
	i := sort.Search(len(m.before), func(i int) bool { return int(m.before[i]) > at }) - 1
	from := i * markStep
	s, err := t.Text(version, from, min(from+markStep, m.bytes))
	if err != nil {
		return 0, fmt.Errorf("api: reading the text of version %s: %w", version, err)
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
