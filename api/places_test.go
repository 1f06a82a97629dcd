package api

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ragserver/ragserver/indexer/index"
)

// Places agree with counting from the start, whether the version is live or
// only stored.
func TestPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "ä", "語", "😀", "word ", "\n\n", strings.Repeat("x", 600), strings.Repeat("ö", 500)})
		text := strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "text"), "")
		e := newEngine()
		id := e.add("docs", "a", text, nil)
		c := e.collection("default")
		version := e.docs[id].Version
		if rapid.Bool().Draw(t, "replaced") {
			e.add("docs", "a", "another text", nil)
		}
		p := newPlaces(maxMarks)
		read := c.textOf(id, version)
		m, err := p.of(read)
		if err != nil {
			t.Fatal(err)
		}
		runes := []rune(text)
		if m.runes != len(runes) || m.bytes != len(text) {
			t.Fatalf("%d code points in %d bytes, want %d in %d", m.runes, m.bytes, len(runes), len(text))
		}
		fresh := c.textOf(id, version) // has read nothing yet
		for range 5 {
			at := rapid.IntRange(0, len(runes)).Draw(t, "at")
			b := len(string(runes[:at]))
			if got, err := m.byteOf(fresh, at); err != nil || got != b {
				t.Fatalf("byteOf(%d) = %d, want %d (%v)", at, got, b, err)
			}
			if got, err := m.runesBefore(fresh, b); err != nil || got != at {
				t.Fatalf("runesBefore(%d) = %d, want %d (%v)", b, got, at, err)
			}
			end := rapid.IntRange(at, len(runes)).Draw(t, "end")
			if got, err := m.cut(fresh, at, end); err != nil || got != string(runes[at:end]) {
				t.Fatalf("cut(%d, %d) = %q (%v)", at, end, got, err)
			}
		}
	})
}

// What is kept stays within its bound, and a version that is gone is an error
// that can be told apart.
func TestPlacesAreBounded(t *testing.T) {
	e := newEngine()
	c := e.collection("default")
	const most = 1000
	p := newPlaces(most)
	text := strings.Repeat("ä", 100*markStep/2)
	for i := range 20 {
		id := e.add("docs", "big", text+string(rune('a'+i)), nil)
		if _, err := p.of(c.textOf(id, e.docs[id].Version)); err != nil {
			t.Fatal(err)
		}
		delete(e.texts, e.docs[id].Version)
	}
	if p.size > most || len(p.known) == 20 || len(p.known) == 0 {
		t.Errorf("%d marks of %d versions, at most %d", p.size, len(p.known), most)
	}
	var id index.ID
	if _, err := p.of(c.textOf(id, id)); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("%v", err)
	}
}

// A hit of a version that was replaced meanwhile still has its passage, and a
// span of its length.
func TestHitOfAReplacedVersion(t *testing.T) {
	e, s := newServer(t)
	c := &s.o.Collections[0]
	res, err := e.Search(t.Context(), index.Query{Text: "Kinder", K: 1})
	if err != nil {
		t.Fatal(err)
	}
	h := &res.Hits[0]
	delete(e.texts, h.Document.Version)
	e.add("docs", h.Document.Path, "other", nil)
	src, err := s.source(c, 1, false, h)
	if err != nil {
		t.Fatal(err)
	}
	if src.Text != h.Text || src.End-src.Start != utf8.RuneCountInString(h.Text) || src.Version != h.Document.Version.String() {
		t.Errorf("%+v", src)
	}
}
