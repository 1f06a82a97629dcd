package parse

import (
	"strings"
)

// readText reads plain text: paragraphs are parted by blank lines, lines stay
// as they are.
func readText(b *builder, _ File, d detected) error {
	for para := range paragraphs(d.text) {
		if err := b.add(Block{Kind: Paragraph, Text: para}); err != nil {
			return err
		}
	}
	return nil
}

// readCode reads source code as one block, so that its lines and indentation
// stay together; the splitter parts it at blank lines.
func readCode(b *builder, _ File, d detected) error {
	text := normalLines(d.text)
	return b.add(Block{Kind: Code, Lang: d.lang, Text: strings.TrimRight(text, " \t\n")})
}

// normalLines makes all line ends \n and drops what no text needs.
func normalLines(s string) string {
	if strings.ContainsRune(s, '\r') {
		s = strings.ReplaceAll(s, "\r\n", "\n")
		s = strings.ReplaceAll(s, "\r", "\n")
	}
	if strings.ContainsAny(s, "\x00\f") {
		s = strings.NewReplacer("\x00", "", "\f", "\n\n").Replace(s)
	}
	return s
}

// paragraphs yields the parts of a text that blank lines separate.
func paragraphs(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		text := normalLines(text)
		start := -1
		at := 0
		for line := range strings.Lines(text) {
			blank := strings.TrimSpace(line) == ""
			switch {
			case blank && start >= 0:
				if !yield(strings.TrimRight(text[start:at], " \t\n")) {
					return
				}
				start = -1
			case !blank && start < 0:
				start = at
			}
			at += len(line)
		}
		if start >= 0 {
			yield(strings.TrimRight(text[start:], " \t\n"))
		}
	}
}
