package indexer

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ragserver/ragserver/indexer/parse"
)

// TestMachineLacks: a document that cannot be read for want of something of the
// machine's waits, says for what, and is read when it is there; others go on,
// and what is wrong with a document is still its own.
func TestMachineLacks(t *testing.T) {
	r := newRig(t)
	var lacks atomic.Bool
	lacks.Store(true)
	r.parser.fail = func(f parse.File) error {
		switch {
		case strings.HasPrefix(f.Name, "big") && lacks.Load():
			return &parse.Error{Fault: parse.Lacking, Reason: "no process can be started", Err: syscall.EAGAIN}
		case strings.HasPrefix(f.Name, "many") && lacks.Load():
			return syscall.EMFILE
		case strings.HasPrefix(f.Name, "closed") && lacks.Load():
			return parse.ErrClosed
		case strings.HasPrefix(f.Name, "bad"):
			return &parse.Error{Fault: parse.Damaged, Reason: "it is cut off"}
		}
		return nil
	}
	for _, name := range []string{"big.txt", "bigger.txt", "many.txt", "closed.txt", "bad.txt", "good.txt"} {
		r.write(name, "Apples of "+name) // each its own text, or it is known already and not parsed
	}
	r.start()
	r.until("good.txt", Live)
	if s := r.until("bad.txt", Failed); s.Reason != "it is cut off" {
		t.Errorf("a damaged document: %q", s.Reason)
	}
	for name, why := range map[string]string{
		"big.txt": "no process can be started", "many.txt": syscall.EMFILE.Error(), "closed.txt": parse.ErrClosed.Error(),
	} {
		r.eventually(name+" waiting", func() bool {
			s, _ := r.x.Document(DocumentID("docs", name))
			return s.State == Parsing && strings.Contains(s.Reason, why)
		})
	}
	if ts := r.x.Troubles(); len(ts) != 1 || ts[0].Part != "reading" {
		t.Errorf("troubles while documents wait: %v", ts)
	}
	if r.x.Trouble() == nil {
		t.Error("no trouble while documents wait")
	}
	r.remove("bigger.txt")
	r.gone("bigger.txt")
	lacks.Store(false)
	for _, name := range []string{"big.txt", "many.txt", "closed.txt"} {
		r.until(name, Live)
	}
	r.eventually("no trouble", func() bool { return len(r.x.Troubles()) == 0 })
}
