package csvio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/csvio"
)

type Sale struct {
	City   string
	Amount float64
}

type Total struct {
	City  string  `csv:"city"`
	Total float64 `csv:"total"`
}

// Sales in, totals by city out.
func Example() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "sales.csv"), filepath.Join(dir, "totals.csv")
	os.WriteFile(in, []byte("city,amount\nBern,2.5\nBern,4\n"), 0o644)

	g := pipeline.New(pipeline.Static())
	sales := csvio.Read[Sale](g, in)
	totals := pipeline.FoldBy(sales, func(s Sale) string { return s.City }, func(t *Total, s Sale, n int) {
		t.City = s.City
		t.Total += float64(n) * s.Amount
	})
	csvio.Write(totals, out)
	if err := g.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	text, _ := os.ReadFile(out)
	fmt.Print(string(text))
	// Output:
	// city,total,time,diff
	// Bern,6.5,1,1
}
