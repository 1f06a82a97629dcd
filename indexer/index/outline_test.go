package index

import (
	"fmt"
	"strings"
	"testing"
)

func TestAnOutlineReadsWhatTheContentHolds(t *testing.T) {
	x := open(t, Options{})
	c := &Content{Version: id("v"), Title: "Pumps", Type: "text/plain", Attributes: map[string]any{"author": "Ann"}}
	var sb strings.Builder
	for i := range 3000 { // several windows, some chunks larger than one
		n := 100 + i%7*30
		if i%1000 == 5 {
			n = 2 * windowSize
		}
		start := sb.Len()
		fmt.Fprintf(&sb, "%d %s\n", i, strings.Repeat("é", n/2))
		c.Chunks = append(c.Chunks, Chunk{Start: uint32(start), End: uint32(sb.Len() - 1), Page: uint32(i), Heading: fmt.Sprint("part ", i/100), Hash: id(fmt.Sprint(i))})
	}
	c.Text = sb.String()
	if err := x.PutContent(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	o, err := x.Outline(c.Version)
	if err != nil {
		t.Fatal(err)
	}
	if o.Version != c.Version || o.Title != c.Title || o.Attributes["author"] != "Ann" || o.Len() != len(c.Chunks) {
		t.Fatalf("the outline is %+v", o)
	}
	for k := range c.Chunks {
		i := k // forward, then back and forth
		if k > 2000 {
			i = k * 7919 % len(c.Chunks)
		}
		got, err := o.EmbedText(i)
		if err != nil || got != c.EmbedText(i) {
			t.Fatalf("chunk %d: %.60q, %v, want %.60q", i, got, err, c.EmbedText(i))
		}
		if ch, err := o.Chunk(i); err != nil || ch != c.Chunks[i] {
			t.Fatalf("chunk %d is %+v, %v, want %+v", i, ch, err, c.Chunks[i])
		}
	}
	if _, err := x.Outline(id("other")); err == nil {
		t.Error("an outline of a version that is not stored")
	}
}
