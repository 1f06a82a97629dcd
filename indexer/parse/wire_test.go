package parse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func resultOf(d Document) Result {
	r := Result{Document: d, Hash: [16]byte{1}, Size: 2}
	r.Text, r.Spans = Render(d)
	return r
}

// transport sends a result as a worker does and puts it together again.
func transport(t interface{ Fatal(...any) }, in Result) (Result, error) {
	var buf bytes.Buffer
	w := bufio.NewWriter(&buf)
	if err := sendResult(w, in); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	r := bufio.NewReader(&buf)
	kind, n, err := readHead(r, 1<<30)
	if err != nil || kind != frameText {
		t.Fatal(kind, err)
	}
	text, err := receiveText(r, n, in.Size)
	if err != nil {
		t.Fatal(err)
	}
	kind, raw, err := readFrame(r, 1<<30)
	if err != nil || kind != frameDone {
		t.Fatal(kind, err)
	}
	var rp reply
	if err := json.Unmarshal(raw, &rp); err != nil {
		t.Fatal(err)
	}
	return rp.result(text)
}

func TestResultsOfAnyDocumentComeThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		block := rapid.Custom(func(t *rapid.T) Block {
			b := Block{
				Kind:  rapid.SampledFrom([]Kind{Heading, Paragraph, List, Table, Code, Quote, Running}).Draw(t, "kind"),
				Level: rapid.IntRange(0, 8).Draw(t, "level"),
				Page:  rapid.IntRange(0, 3).Draw(t, "page"),
				Text:  strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "é", "\n", "> ", "```", "`", "# ", " ", "\n> "})).Draw(t, "text"), ""),
			}
			if b.Kind == Code {
				b.Lang = rapid.SampledFrom([]string{"", "go", "c++", "`x", "```"}).Draw(t, "lang")
			}
			return b
		})
		in := resultOf(Document{Type: "text/plain", Title: "T", Blocks: rapid.SliceOfN(block, 1, 8).Draw(t, "blocks")})
		out, err := transport(t, in)
		if err != nil || !reflect.DeepEqual(in, out) {
			t.Fatalf("sent %+v, got %+v: %v", in, out, err)
		}
	})
}

func TestARepliesSpansAreChecked(t *testing.T) {
	const text = "one\n\n# two\n"
	blocks := []Block{{Kind: Paragraph}, {Kind: Heading, Level: 1}}
	for name, r := range map[string]reply{
		"too few":      {Document: Document{Blocks: blocks}, Spans: []Span{{0, 3}}},
		"overlap":      {Document: Document{Blocks: blocks}, Spans: []Span{{0, 6}, {5, 10}}},
		"backwards":    {Document: Document{Blocks: blocks}, Spans: []Span{{3, 0}, {5, 10}}},
		"negative":     {Document: Document{Blocks: blocks}, Spans: []Span{{-1, 3}, {5, 10}}},
		"beyond":       {Document: Document{Blocks: blocks}, Spans: []Span{{0, 3}, {5, 12}}},
		"another kind": {Document: Document{Blocks: []Block{{Kind: Code}, {Kind: Heading, Level: 1}}}, Spans: []Span{{0, 3}, {5, 10}}},
		"other level":  {Document: Document{Blocks: []Block{{Kind: Paragraph}, {Kind: Heading, Level: 2}}}, Spans: []Span{{0, 3}, {5, 10}}},
	} {
		if res, err := r.result(text); err == nil {
			t.Errorf("%s: taken as %+v", name, res)
		}
	}
	r := reply{Document: Document{Blocks: blocks}, Spans: []Span{{0, 3}, {5, 10}}}
	if res, err := r.result(text); err != nil || res.Document.Blocks[1].Text != "two" || res.Text != text {
		t.Errorf("a good reply: %+v, %v", res, err)
	}
}
