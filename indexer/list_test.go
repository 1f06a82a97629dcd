package indexer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
)

// Two files whose names are shown alike are two rows on any page.
func TestPagesOfNamesShownAlike(t *testing.T) {
	r := newRig(t)
	names := []string{"a\xfe.txt", "a\xff.txt", "b.txt"}
	for _, n := range names {
		if err := os.WriteFile(filepath.Join(r.folder, n), []byte("Text."), 0o600); err != nil {
			t.Skipf("the file system takes only names in UTF-8: %v", err)
		}
	}
	r.start()
	for _, n := range names {
		r.until(n, Live)
	}
	seen := map[index.ID]bool{}
	l := List{Limit: 1}
	for {
		rows, _ := r.x.Documents(l)
		if len(rows) == 0 {
			break
		}
		if seen[rows[0].ID] {
			t.Fatalf("%q is on two pages", rows[0].Path)
		}
		seen[rows[0].ID] = true
		l.After = rows[0].Place()
	}
	if len(seen) != len(names) {
		t.Errorf("%d rows on all pages, not %d", len(seen), len(names))
	}
}
