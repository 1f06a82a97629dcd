package indexer

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/pipeline"
)

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := func(n string) pipeline.Key { return pipeline.KeyOf(n) }
	add := func(name, text string) string {
		t.Helper()
		ref := s.add(key(name), []byte(text))
		if err := s.flush(); err != nil {
			t.Fatal(err)
		}
		return ref
	}
	body := func(ref string) string {
		t.Helper()
		r, c, err := s.open(ref)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	a, b, empty := add("a", "apple"), add("b", "banana"), add("empty", "")
	big := add("big", strings.Repeat("x", spoolSegment))
	c := add("c", "cherry") // in the next segment
	if body(a) != "apple" || body(b) != "banana" || body(empty) != "" || len(body(big)) != spoolSegment || body(c) != "cherry" {
		t.Error("bodies are not what was added")
	}
	for _, n := range []string{"a", "empty", "big", "a", "a", "nobody"} { // releasing twice is once
		s.release(key(n), "")
	}
	s.release(key("b"), c) // another version's
	if body(b) != "banana" {
		t.Error("a segment went while something in it was waited for")
	}
	add("b", "blueberry") // a newer version lets the old one go
	if _, _, err := s.open(b); !errors.Is(err, errNoBody) {
		t.Errorf("the segment is still there: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}

	// A restart keeps what is held and sweeps the rest.
	if s, err = openSpool(dir); err != nil {
		t.Fatal(err)
	}
	defer s.close()
	d := add("d", "dates")
	s.hold(key("c"), c)
	if err := s.sweep(); err != nil {
		t.Fatal(err)
	}
	if body(c) != "cherry" || body(d) != "dates" {
		t.Error("held bodies were swept")
	}
	s.release(key("c"), c)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("segments left: %v, %v", left, err)
	}
	for _, bad := range []string{"", "1.2", "a.b.c", "1.2.3.4"} {
		if _, _, err := s.open(bad); err == nil || errors.Is(err, errNoBody) {
			t.Errorf("open(%q): %v", bad, err)
		}
	}
}

// What cannot be written waits in memory, and what nobody waits for any more is
// not written.
func TestSpoolOnFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := openSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := os.Remove(dir); err != nil { // stands for a disk that takes nothing
		t.Fatal(err)
	}
	a := s.add(pipeline.KeyOf("a"), []byte("apple"))
	s.add(pipeline.KeyOf("big"), make([]byte, spoolSegment))
	b := s.add(pipeline.KeyOf("b"), []byte("banana"))
	s.release(pipeline.KeyOf("a"), "")
	s.release(pipeline.KeyOf("big"), "")
	for range 2 {
		if err := s.flush(); err == nil {
			t.Fatal("a spool without a directory was flushed")
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	r, c, err := s.open(b)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "banana" {
		t.Errorf("%q, %v", text, err)
	}
	if _, _, err := s.open(a); !errors.Is(err, errNoBody) {
		t.Errorf("a segment that nobody waits for was written: %v", err)
	}
}
