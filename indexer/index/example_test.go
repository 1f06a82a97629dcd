package index_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/ragserver/ragserver/indexer/index"
)

// A document goes in, is found by keyword, and goes.
func Example() {
	dir, err := os.MkdirTemp("", "index")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	x, err := index.Open(index.Options{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer x.Close()

	ctx := context.Background()
	text := "The invoice is due within 30 days."
	version, document := index.ID{1}, index.ID{2} // hashes, in real use
	content := &index.Content{
		Version: version, Title: "Terms", Language: "en", Text: text,
		Chunks: []index.Chunk{{Start: 0, End: uint32(len(text)), Page: 1, Hash: index.ID{3}}},
	}
	if err := x.PutContent(ctx, content); err != nil {
		log.Fatal(err)
	}
	put := index.Document{ID: document, Source: "contracts", Path: "terms.txt", Version: version}
	if _, err := x.Apply(ctx, index.Batch{Epoch: 1, Put: []index.Document{put}}); err != nil {
		log.Fatal(err)
	}

	query := index.Query{Text: "when is the invoice due?", K: 3, Glob: "*.txt"}
	before := x.View()
	if _, err := x.Apply(ctx, index.Batch{Epoch: 2, Delete: []index.ID{document}}); err != nil {
		log.Fatal(err)
	}
	for _, v := range []*index.View{before, x.View()} {
		result, err := v.Search(ctx, query)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("epoch", result.Epoch)
		for _, h := range result.Hits {
			fmt.Printf("%s/%s, page %d: %s\n", h.Document.Source, h.Document.Path, h.Page, h.Text)
		}
	}
	// Output:
	// epoch 1
	// contracts/terms.txt, page 1: The invoice is due within 30 days.
	// epoch 2
}
