package openai

import (
	"reflect"
	"testing"
)

// Spans and annotations count code points of the text, groups of marks share a
// span, and brackets in code are no marks.
func TestPlaces(t *testing.T) {
	list := []Source{{N: 1, Document: "A"}, {N: 2, Document: "B"}, {N: 3, Document: "A"}}
	const text = "- Größe süß [1][2][3]. Zwei\n\nLine `x[1]` is `y` [2]. [1] [7] [0]"
	want := []Span{{2, 11, "Größe süß", []string{"A", "B"}}, {29, 47, "Line `x[1]` is `y`", []string{"B", "A"}}}
	if got := spans(text, list); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	runes := []rune(text)
	var marks string
	for _, a := range annotations(text, list) {
		marks += string(runes[a.URL.Start:a.URL.End])
	}
	if marks != "[1][2][3][2][1]" {
		t.Errorf("annotated: %s", marks)
	}
	if got := spans("[1] [2] alone", list); got != nil {
		t.Errorf("nothing is said before the marks: %+v", got)
	}
}
