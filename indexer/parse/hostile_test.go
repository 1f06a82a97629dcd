package parse

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ragserver/ragserver/internal/evaldata"
)

// TestHostile reads every hostile file with real workers: each ends as text, as
// skipped, or as an error with a reason, in bounded time, and the pool goes on.
func TestHostile(t *testing.T) {
	dir := evaldata.Dir(t, "hostile")
	p := testPool(t, func(o *PoolOptions) { o.Memory = 1 << 30 })
	worst := time.Duration(0)
	worstName := ""
	for e := range evaldata.Lines[map[string]any](t, filepath.Join(dir, "manifest.jsonl")) {
		name := e["file"].(string)
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		res, err := p.Parse(context.Background(), File{Name: name, Data: f, Size: st.Size()})
		took := time.Since(begin)
		f.Close()
		if took > worst {
			worst, worstName = took, name
		}
		outcome := ""
		var skip *SkipError
		var bad *Error
		switch {
		case err == nil:
			outcome = "text"
			if w, ok := e["text_words"].(float64); ok && e["ref"] != nil {
				ref, err := os.ReadFile(filepath.Join(dir, e["ref"].(string)))
				if err != nil {
					t.Fatal(err)
				}
				_, r, _ := f1(Markdown(res.Document), string(ref))
				if outcome = "text (all words)"; r < .7 && w > 0 {
					t.Errorf("%s: only %.2f of the words that another reader finds", name, r)
				}
			}
		case errors.As(err, &skip):
			outcome = "skipped: " + skip.Reason
		case errors.As(err, &bad):
			outcome = string(bad.Fault) + ": " + bad.Reason
			if bad.Fault == Deadline || bad.Fault == Crashed || bad.Fault == Memory {
				t.Errorf("%s: %v", name, err)
			}
		default:
			t.Errorf("%s: an error without type: %v", name, err)
		}
		if strings.Contains(outcome, "\n") {
			t.Errorf("%s: the reason has lines: %q", name, outcome)
		}
		t.Logf("%6.0f ms  %-70.70s %s %v", float64(took)/1e6, filepath.Base(name), outcome, res.Document.Warnings)
	}
	t.Logf("hostile: worst time %v (%s)", worst.Round(time.Millisecond), worstName)
	if d, err := parseFile(t, p, filepath.Join(dir, "files/pdf/minimal-document.pdf")); err != nil || len(d.Blocks) == 0 {
		t.Errorf("the pool does not go on: %v", err)
	}
}

func asError(err error, e **Error) bool { return errors.As(err, e) }
