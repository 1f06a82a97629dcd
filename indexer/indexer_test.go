package indexer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/parse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counting parses in this process and counts; before is called first, if set.
type counting struct {
	n      atomic.Int64
	before func(f parse.File)
	gate   chan struct{}            // calls wait until it is closed, nil: none; set between runs
	fail   func(f parse.File) error // what is said instead, if it is not nil; set between runs
}

func (c *counting) Parse(ctx context.Context, f parse.File) (parse.Result, error) {
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return parse.Result{}, ctx.Err()
		}
	}
	c.n.Add(1)
	if c.before != nil {
		c.before(f)
	}
	if c.fail != nil {
		if err := c.fail(f); err != nil {
			return parse.Result{}, err
		}
	}
	return parse.Read(ctx, f, parse.Limits{})
}

// letters embeds a text as its counts of letters, counts calls, and waits or
// fails when told to.
type letters struct {
	texts atomic.Int64
	mu    sync.Mutex
	gate  chan struct{} // calls wait until it is closed, nil: none
	err   error
	// judge, if set, is asked what to say to texts.
	judge func(texts []string) ([][]float32, error)
	dims  int // 32 if less
}

func (l *letters) set(gate chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate, l.err = gate, err
}

func (l *letters) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	l.mu.Lock()
	gate, err, judge := l.gate, l.err, l.judge
	l.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	if judge != nil {
		if vs, err := judge(texts); vs != nil || err != nil {
			return vs, err
		}
	}
	l.texts.Add(int64(len(texts)))
	vs := make([][]float32, len(texts))
	for i, t := range texts {
		vs[i] = make([]float32, max(32, l.dims))
		for _, r := range strings.ToLower(t) {
			if r >= 'a' && r <= 'z' {
				vs[i][r-'a']++
			}
		}
		var norm float64
		for _, v := range vs[i] {
			norm += float64(v) * float64(v)
		}
		for k := range vs[i] {
			vs[i][k] /= float32(max(1e-9, math.Sqrt(norm)))
		}
	}
	return vs, nil
}

// rig is a collection under test.
type rig struct {
	t        testing.TB
	dir      string // data
	folder   string
	parser   *counting
	embedder *letters
	space    string
	folders  []Folder
	topics   []Topic
	keep     bool  // documents of other sources
	may      error // end Run
	x        *Indexer
	stop     func()
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, dir: t.TempDir(), folder: t.TempDir(), parser: &counting{}, embedder: &letters{}, space: "letters"}
	r.folders = []Folder{{Name: "docs", Path: r.folder}}
	return r
}

// start opens the collection and runs it until stop or the end of the test.
func (r *rig) start() {
	r.t.Helper()
	x, err := Open(Options{
		Dir: r.dir, Folders: r.folders, Topics: r.topics, Withdraw: !r.keep, Parser: r.parser,
		Space: Space{Name: r.space, Dims: max(32, r.embedder.dims), Weight: .3, Embedder: r.embedder},
		Log:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	r.x = x
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && (r.may == nil || !errors.Is(err, r.may)) {
				r.t.Errorf("Run: %v", err)
			}
			if err := x.Close(); err != nil {
				r.t.Errorf("Close: %v", err)
			}
		})
	}
	r.t.Cleanup(r.stop)
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) remove(name string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.folder, name)); err != nil {
		r.t.Fatal(err)
	}
}

// eventually waits until yes, and only as long as it takes unless something is
// broken.
func (r *rig) eventually(what string, yes func() bool) {
	r.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !yes(); {
		if time.Now().After(end) {
			r.t.Fatalf("%s: not within two minutes", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (r *rig) state(name string) State {
	s, _ := r.x.Document(DocumentID("docs", name))
	return s.State
}

func (r *rig) until(name string, want State) Status {
	r.t.Helper()
	r.eventually(name+" "+string(want), func() bool { return r.state(name) == want })
	s, _ := r.x.Document(DocumentID("docs", name))
	return s
}

func (r *rig) gone(name string) {
	r.t.Helper()
	r.eventually(name+" gone", func() bool { _, ok := r.x.Document(DocumentID("docs", name)); return !ok })
}

func (r *rig) hits(text string, mode index.Mode) []index.Hit {
	r.t.Helper()
	res, err := r.x.Search(r.t.Context(), index.Query{Text: text, K: 10, Mode: mode})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.Hits
}

func TestLife(t *testing.T) {
	r := newRig(t)
	r.write("a.md", "# Apples\n\nApples are red.")
	r.start()
	s := r.until("a.md", Live)
	if s.Title != "Apples" || s.Chunks != 1 || s.Epoch == 0 || s.LiveVersion != s.Version {
		t.Errorf("status of a live document: %+v", s)
	}
	r.write("sub/b.txt", "Pears are green.")
	r.until("sub/b.txt", Live)
	if hits := r.hits("pears", index.Keyword); len(hits) != 1 || hits[0].Document.Path != "sub/b.txt" {
		t.Errorf("hits of pears: %v", hits)
	}
	if hits := r.hits("Pears are green.", index.Vector); len(hits) == 0 || hits[0].Document.Path != "sub/b.txt" {
		t.Errorf("nearest to the text of b.txt: %v", hits)
	}
	r.write("a.md", "# Apples\n\nApples are yellow.")
	r.eventually("the new version", func() bool { h := r.hits("yellow", index.Keyword); return len(h) == 1 })
	if hits := r.hits("red", index.Keyword); len(hits) != 0 {
		t.Errorf("the old version answers: %v", hits)
	}
	r.remove("a.md")
	r.gone("a.md")
	if hits := r.hits("apples", index.Keyword); len(hits) != 0 {
		t.Errorf("a deleted document answers: %v", hits)
	}
	states, pending := r.x.Counts()
	if states[Live] != 1 || len(states) != 1 || pending != 0 {
		t.Errorf("counts: %v, %d pending", states, pending)
	}
}

// Unreadable documents stay in the list, with the reason, also after a restart.
func TestUnread(t *testing.T) {
	r := newRig(t)
	r.write("image.bin", "\x89PNG\r\n\x1a\n"+strings.Repeat("\x00\x01\x02", 100))
	r.write("empty.txt", "")
	r.start()
	for _, name := range []string{"image.bin", "empty.txt"} {
		if s := r.until(name, Skipped); s.Reason == "" {
			t.Errorf("%s was skipped without a reason", name)
		}
	}
	r.write("read.txt", "Words.")
	r.until("read.txt", Live)
	for _, s := range r.x.Sources() {
		if want := map[string]int{"docs": 1}[s.Name]; s.Documents != want {
			t.Errorf("of the documents of source %s, %d count as found by a search, not %d", s.Name, s.Documents, want)
		}
	}
	r.stop()
	r.start()
	if s := r.until("image.bin", Skipped); s.Reason == "" {
		t.Error("the reason is gone after a restart")
	}
	r.write("image.bin", "It is text now.")
	r.until("image.bin", Live)
}

// A document that the index cannot hold as it is has a row that says why, and
// keeps no other one out.
func TestUnfit(t *testing.T) {
	r := newRig(t)
	if err := os.WriteFile(filepath.Join(r.folder, "na\xffme.txt"), []byte("A name in another encoding."), 0o600); err != nil {
		t.Skipf("the file system takes only names in UTF-8: %v", err)
	}
	r.start()
	r.until("na\xffme.txt", Live)
	if s, _ := r.x.Document(DocumentID("docs", "na\xffme.txt")); s.Path != "na\uFFFDme.txt" {
		t.Errorf("its path is shown as %q", s.Path)
	}
	var deep any
	for range 200 {
		deep = []any{deep}
	}
	s, err := r.x.Put(t.Context(), UploadsName, "deep", strings.NewReader("Something."), index.Meta{Attributes: map[string]any{"deep": deep}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.x.Settle(t.Context(), s); err != nil || s.State != Failed || !strings.Contains(s.Reason, "deep") {
		t.Errorf("a document with deep metadata: %+v, %v", s, err)
	}
	s, err = r.x.Put(t.Context(), UploadsName, strings.Repeat("k", 2<<20), strings.NewReader("Something."), index.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.x.Settle(t.Context(), s); err != nil || s.State != Failed || !strings.Contains(s.Reason, "path") {
		t.Errorf("a document with a huge key: %s %s, %v", s.State, s.Reason, err)
	}
	r.write("good.txt", "Good.")
	r.until("good.txt", Live)
}

// What was parsed before the process died is not parsed again, and what was not
// embedded is.
func TestKillBetweenParseAndEmbed(t *testing.T) {
	r := newRig(t)
	gate := make(chan struct{})
	r.embedder.set(gate, nil)
	r.write("a.txt", "Apples are red.")
	r.start()
	// The embedder does not answer: the document answers by keyword.
	r.eventually("an answer by keyword", func() bool { return len(r.hits("apples", index.Keyword)) == 1 })
	if !r.hits("apples", index.Keyword)[0].Unembedded {
		t.Error("the hit does not say that its vector is missing")
	}
	if s := r.state("a.txt"); s != Embedding {
		t.Errorf("state while the vector is missing: %s", s)
	}
	// What is on the disk now is what a kill would leave.
	image := t.TempDir()
	if err := os.CopyFS(image, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if n := r.parser.n.Load(); n != 1 {
		t.Fatalf("parsed %d times before the kill", n)
	}
	r.dir = image
	r.embedder.set(nil, nil)
	r.start()
	r.until("a.txt", Live)
	if n := r.parser.n.Load(); n != 1 {
		t.Errorf("parsed %d times after the restart", n-1)
	}
	if hits := r.hits("Apples are red.", index.Vector); len(hits) != 1 {
		t.Errorf("not found by its vector: %v", hits)
	}
	if n := r.embedder.texts.Load(); n < 1 {
		t.Errorf("embedded %d texts", n)
	}
}

// The same text is embedded once, wherever it stands, and a restart embeds
// nothing.
func TestNothingTwice(t *testing.T) {
	r := newRig(t)
	r.write("a.txt", "Apples are red.")
	r.start()
	r.until("a.txt", Live)
	parsed, embedded := r.parser.n.Load(), r.embedder.texts.Load()
	r.write("copy.txt", "Apples are red.")
	r.until("copy.txt", Live)
	if n := r.parser.n.Load(); n != parsed {
		t.Errorf("a copy was parsed %d times", n-parsed)
	}
	r.stop()
	r.start()
	r.until("copy.txt", Live)
	r.write("new.txt", "Pears.")
	r.until("new.txt", Live)
	if n := r.parser.n.Load(); n != parsed+1 {
		t.Errorf("parsed %d times after the restart, want once for the new file", n-parsed)
	}
	if n := r.embedder.texts.Load(); n != embedded+1 {
		t.Errorf("embedded %d texts, want one for the new file", n-embedded)
	}
}

// Another embedder embeds again from the stored text, without parsing: one of
// another name, and one that has begun to give vectors of another length.
func TestOtherEmbedder(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"name":   func(r *rig) { r.space = "letters-2" },
		"length": func(r *rig) { r.embedder.dims = 48 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write("a.txt", "Apples are red.")
			r.start()
			r.until("a.txt", Live)
			parsed, embedded := r.parser.n.Load(), r.embedder.texts.Load()
			r.stop()
			change(r)
			r.start()
			r.eventually("an answer by vector", func() bool {
				return len(r.hits("Apples are red.", index.Vector)) == 1 && r.embedder.texts.Load() > embedded
			})
			if n := r.parser.n.Load(); n != parsed {
				t.Errorf("parsed %d times for another embedder", n-parsed)
			}
		})
	}
}

// An embedder that fails costs only its side, and is asked again.
func TestEmbedderDown(t *testing.T) {
	r := newRig(t)
	r.embedder.set(nil, errors.New("connection refused"))
	r.write("a.txt", "Apples are red.")
	r.start()
	r.eventually("an answer by keyword", func() bool { return len(r.hits("apples", index.Keyword)) == 1 })
	res, err := r.x.Search(t.Context(), index.Query{Text: "apples", K: 3})
	if err != nil || len(res.Hits) != 1 || res.Degraded == "" {
		t.Errorf("a search without the embedder: %+v, %v", res, err)
	}
	r.eventually("the embedder's trouble", func() bool { _, trouble := r.x.Embedder(); return strings.Contains(trouble, "refused") })
	r.eventually("a document that lacks vectors alone", func() bool { _, pending := r.x.Counts(); return pending == 1 && r.x.Unfound() == 0 })
	r.embedder.set(nil, nil)
	r.until("a.txt", Live)
	r.eventually("no trouble", func() bool { _, trouble := r.x.Embedder(); return trouble == "" })
}

// One that is silent is as good as down, as soon as it has been for long enough.
func TestVigil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v vigil
		silent := func(want bool, when string) {
			t.Helper()
			if v.silent() != want {
				t.Errorf("silent %v %s", !want, when)
			}
		}
		silent(false, "with no call")
		v.begin()
		time.Sleep(embedSilence / 2)
		v.begin()
		time.Sleep(embedSilence / 2)
		silent(false, "just before the end of patience")
		time.Sleep(1)
		silent(true, "after it")
		v.end()
		silent(false, "when one of two has ended")
		time.Sleep(embedSilence + 1)
		silent(true, "when the other has not")
		v.end()
		time.Sleep(2 * embedSilence)
		silent(false, "when nothing is under way")
		v.begin()
		silent(false, "at the beginning of another call")
	})
}

func TestPutAndDelete(t *testing.T) {
	r := newRig(t)
	r.start()
	ctx := t.Context()
	s, err := r.x.Put(ctx, UploadsName, "notes/one.md", strings.NewReader("# One\n\nQuinces are hard."), index.Meta{Owner: "ann", Attributes: map[string]any{"shelf": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.x.Settle(ctx, s); err != nil || s.State != Live {
		t.Fatalf("settled as %+v, %v", s, err)
	}
	hits := r.hits("quinces", index.Keyword)
	if len(hits) != 1 || hits[0].Document.Meta.Owner != "ann" || hits[0].Document.Meta.Attributes["shelf"] != "b" {
		t.Errorf("the metadata given with it is not there: %+v", hits)
	}
	if s, err = r.x.Put(ctx, UploadsName, "notes/one.md", strings.NewReader("Quinces are yellow."), index.Meta{}); err != nil {
		t.Fatal(err)
	}
	if _, err = r.x.Settle(ctx, s); err != nil {
		t.Fatal(err)
	}
	if hits := r.hits("quinces", index.Keyword); len(hits) != 1 || !strings.Contains(hits[0].Text, "yellow") {
		t.Errorf("after the second version: %v", hits)
	}
	// A restart has it still.
	r.stop()
	r.start()
	if hits := r.hits("quinces", index.Keyword); len(hits) != 1 {
		t.Errorf("after a restart: %v", hits)
	}
	if s, err = r.x.Delete(ctx, UploadsName, "notes/one.md"); err != nil {
		t.Fatal(err)
	}
	if _, err = r.x.Settle(ctx, s); err != nil {
		t.Fatal(err)
	}
	if hits := r.hits("quinces", index.Keyword); len(hits) != 0 {
		t.Errorf("after the deletion: %v", hits)
	}
	r.eventually("no forgotten bodies", func() bool {
		left, err := os.ReadDir(filepath.Join(r.dir, "uploads"))
		return err == nil && len(left) == 0
	})
	if _, err := r.x.Delete(ctx, UploadsName, "notes/one.md"); !errors.Is(err, ErrNoDocument) {
		t.Errorf("deleting what is not there: %v", err)
	}
	if _, err := r.x.Put(ctx, "docs", "x", strings.NewReader("x"), index.Meta{}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("putting into a folder: %v", err)
	}
	if _, err := r.x.Put(ctx, "nowhere", "x", strings.NewReader("x"), index.Meta{}); !errors.Is(err, ErrNoSource) {
		t.Errorf("putting into no source: %v", err)
	}
	failing := io.MultiReader(strings.NewReader("half"), errReader{errors.New("the client left")})
	if _, err := r.x.Put(ctx, UploadsName, "half.txt", failing, index.Meta{}); err == nil {
		t.Error("half a body was taken")
	}
	if left, _ := os.ReadDir(filepath.Join(r.dir, "uploads")); len(left) != 0 {
		t.Errorf("half a body was left behind: %v", left)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// The documents of a source that is not configured any more go, and are read
// again when it is.
func TestFormerSource(t *testing.T) {
	r := newRig(t)
	r.write("a.txt", "Apples are red.")
	r.start()
	r.until("a.txt", Live)
	r.stop()
	first := r.folders
	r.folders = []Folder{{Name: "other", Path: t.TempDir()}}
	r.start()
	r.gone("a.txt")
	r.stop()
	r.folders = first
	r.start()
	r.until("a.txt", Live)
}

func TestEvents(t *testing.T) {
	r := newRig(t)
	r.start()
	from := r.x.LastEvent()
	r.write("a.txt", "Apples.")
	r.until("a.txt", Live)
	r.remove("a.txt")
	r.gone("a.txt")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var states []string
	for e, whole := range r.x.Events(ctx, from) {
		if !whole {
			t.Fatal("events were lost")
		}
		if e.Removed {
			states = append(states, "removed")
			break
		}
		states = append(states, string(e.Status.State))
	}
	if got := strings.Join(states, " "); got != "found parsing embedding live removed" {
		t.Errorf("events: %s", got)
	}
	for _, whole := range r.x.Events(ctx, 1<<40) {
		if whole {
			t.Error("a reader from the future was not told to read the table again")
		}
		break
	}
}

func TestDocumentsInPages(t *testing.T) {
	r := newRig(t)
	for _, n := range []string{"c.txt", "a.txt", "b.txt", "d.md", "e.txt"} {
		r.write(n, "Text of "+n)
	}
	r.start()
	for _, n := range []string{"a.txt", "b.txt", "c.txt", "d.md", "e.txt"} {
		r.until(n, Live)
	}
	var got []string
	l := List{Text: ".TXT", Limit: 2}
	for {
		rows, total := r.x.Documents(l)
		if total != 4 {
			t.Errorf("total %d", total)
		}
		if len(rows) == 0 {
			break
		}
		for _, s := range rows {
			got = append(got, s.Path)
		}
		l.After = rows[len(rows)-1].Place()
	}
	if s := strings.Join(got, " "); s != "a.txt b.txt c.txt e.txt" {
		t.Errorf("pages: %s", s)
	}
	if rows, total := r.x.Documents(List{State: Failed}); len(rows)+total != 0 {
		t.Errorf("failed ones: %v", rows)
	}
}

// However many large documents are being read, others go on, and of the large
// ones so many are read at once as there is room for their texts.
func TestHeavyDocumentsHoldUpNoOther(t *testing.T) {
	r := newRig(t)
	open := make(chan struct{})
	var mu sync.Mutex
	var bytes, most int64
	r.parser.before = func(f parse.File) {
		if f.Size < parse.Large {
			return
		}
		mu.Lock()
		bytes += f.Size
		most = max(most, bytes)
		mu.Unlock()
		<-open
		mu.Lock()
		bytes -= f.Size
		mu.Unlock()
	}
	const n, size = 8, 60 << 20
	for i := range n {
		f, err := os.Create(filepath.Join(r.folder, fmt.Sprintf("big%d.pdf", i)))
		if err == nil {
			err = errors.Join(f.Truncate(size), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.eventually("large documents are being read", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return bytes > heavyBytes-size
	})
	for _, name := range []string{"a.html", "a.md", "a.txt"} {
		r.write(name, "<p>Penguins")
		r.until(name, Live)
	}
	close(open)
	for i := range n {
		r.until(fmt.Sprintf("big%d.pdf", i), Skipped)
	}
	if most > heavyBytes {
		t.Errorf("%d MB at once", most>>20)
	}
}
