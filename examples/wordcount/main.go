// Command wordcount counts words: every file of JSON lines in a folder, one
// object with a "word" a line, and how often each word occurs as a change stream.
package main

import (
	"github.com/ragserver/ragserver/examples/program"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/jsonio"
)

// Line is a row of the input: an object with a member "word".
type Line struct {
	Word string `json:"word"`
}

// Count is a row of the output; there is one for each word.
type Count struct {
	Word  string `csv:"word" json:"word"`
	Count int    `csv:"count" json:"count"`
}

func plan(g *pipeline.Graph, f program.Files) error {
	lines := jsonio.Read[Line](g, f.Input, jsonio.Exclude(f.Output, f.State), jsonio.KeepIf(f.State != ""))
	counts := pipeline.FoldBy(lines, func(l Line) string { return l.Word }, func(c *Count, l Line, n int) {
		c.Word = l.Word
		c.Count += n
	})
	return program.Write(counts, f.Output)
}

var wordcount = program.Program{
	Name: "wordcount",
	Plan: plan,
	About: `Reads every file of JSON lines in DIR and the folders below ({"word":"x"}, one
a line) and writes how often each word occurs to FILE as a change stream: the
line "x,7,3,1" says that from epoch 3 on x occurs 7 times, and the same with -1
at its end that it no longer does.
`,
}

func main() { wordcount.Main() }
