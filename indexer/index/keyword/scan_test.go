package keyword

import (
	"slices"
	"strings"
	"testing"
)

// TestFound: what stands in a document is found by the forms people type.
func TestFound(t *testing.T) {
	x := New()
	for i, s := range []string{"upgrade to v1.2.3 now", "the error ERR_CONN_RESET is shown", "call getUserName here", "it costs 1,000 dollars", "東京都に住む",
		"Die Häuser stehen leer", "running in the rain", "los trenes de España son de la compañía"} {
		x.Add(uint32(i), "", Fields{Body: s})
	}
	s := x.Snapshot()
	for query, want := range map[string]uint32{"v1.2.3": 0, "err_conn_reset": 1, "conn": 1, "getusername": 2, "user name": 2, "1000": 3, "1,000": 3, "東京": 4, "住": 4,
		"Haus": 5, "HÄUSER": 5, "runs": 6, "españa": 7, "espana": 7} {
		hits := s.TopK(s.Parse(query), 3, nil)
		if len(hits) == 0 || hits[0].Row != want {
			t.Errorf("%q: %v, want row %d", query, hits, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"camelCase v1.2.3 l'été", "東京 水", "\xff\u0301", strings.Repeat("aB", 500)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x := New()
		x.Add(1, "", Fields{Title: s, Body: s})
		snapshot := x.Snapshot()
		q := snapshot.Parse(s)
		if hits := snapshot.TopK(q, 1, nil); (len(hits) == 0) != q.Empty() {
			t.Fatalf("%v for %v", hits, q)
		}
		if stats := snapshot.Stats(); stats.Length > 0 && slices.Equal(nil, snapshot.TopK(q, 1, nil)) {
			t.Fatal("a text does not find itself")
		}
	})
}
