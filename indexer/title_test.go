package indexer

import (
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
)

// TestTitleOfSource: a title that the source gives is searched and embedded like
// one that stands in the text, and so is another one of the same text.
func TestTitleOfSource(t *testing.T) {
	r := newRig(t)
	put := r.topic()
	r.topics[0].TitleField = "title"
	r.start()
	r.put("a.txt", "Something red.", index.Meta{Title: "Zucchini"})
	put("k", `{"title": "Quinces", "text": "Something green."}`)
	r.untilRecord("k", Live)
	finds := func(what string, m index.Mode, want string) {
		t.Helper()
		r.eventually(what+" finding "+want, func() bool {
			hits := r.hits(what, m)
			return len(hits) > 0 && hits[0].Document.Path == want
		})
	}
	finds("zucchini", index.Keyword, "a.txt")
	finds("quinces", index.Keyword, "k")
	before := r.embedder.texts.Load()
	r.put("a.txt", "Something red.", index.Meta{Title: "Jujube"})
	finds("jujube", index.Keyword, "a.txt")
	if hits := r.hits("zucchini", index.Keyword); len(hits) != 0 {
		t.Errorf("found by the title of before: %v", hits)
	}
	r.eventually("vectors with the new title", func() bool { return r.embedder.texts.Load() > before })
	finds("jujube", index.Vector, "a.txt")
}
