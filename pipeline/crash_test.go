package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// world is what survives every crash: files, settings and an index, and who was
// asked for what.
type world struct {
	mu       sync.Mutex
	files    map[string]int // name → version
	settings map[string]int // "parse", "embed" → version
	changed  chan struct{}  // closed when something changes
	index    *pipelinetest.Collect[passage]
	asked    map[string]int  // calls by what was asked
	answered map[string]bool // what the index has had the answer of
	again    []string        // asked again although it was answered
}

type (
	file struct {
		Name    string
		Version int
	}
	setting struct {
		Name    string
		Version int
	}
	parseJob struct {
		File file
		With int
	}
	parsed struct {
		Text string
	}
	embedJob struct {
		Text string
		With int
	}
	passage struct{ Text, Vector string }
)

func newWorld() *world {
	w := &world{files: map[string]int{}, settings: map[string]int{"parse": 1, "embed": 1}, changed: make(chan struct{}),
		index: &pipelinetest.Collect[passage]{OneRowAKey: true}, asked: map[string]int{}, answered: map[string]bool{}}
	return w
}

func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// scan is a source that keeps a table equal to a map of the world.
type scan[T any] struct {
	w    *world
	of   map[string]int
	make func(name string, version int) T
	name func(T) string
}

func (s scan[T]) Run(ctx context.Context, in Input[T]) error {
	for {
		s.w.mu.Lock()
		changed, now := s.w.changed, maps.Clone(s.of)
		s.w.mu.Unlock()
		var gone []Key
		in.Rows(func(k Key, row T) bool {
			if _, ok := now[s.name(row)]; !ok {
				gone = append(gone, k)
			}
			return true
		})
		for _, k := range gone {
			in.Delete(k)
		}
		for name, v := range now {
			in.Upsert(KeyOf(name), s.make(name, v))
		}
		if err := in.Commit(ctx, nil); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// plan is the shape of the server: files, parsed and embedded with settings
// that may change, into an index.
func (w *world) plan(g *Graph) {
	files := From(g, "files", scan[file]{w, w.files, func(n string, v int) file { return file{n, v} }, func(f file) string { return f.Name }})
	settings := From(g, "settings", scan[setting]{w, w.settings, func(n string, v int) setting { return setting{n, v} }, func(s setting) string { return s.Name }})
	of := func(name string) *Table[setting] {
		return Filter(settings, func(s setting) bool { return s.Name == name }).Named(name + " settings")
	}
	all := func(setting) int { return 0 }
	jobs := Join(files, of("parse"), func(file) int { return 0 }, all, func(f file, s setting) parseJob { return parseJob{f, s.Version} }).Named("to parse")
	texts := AsyncBatchJoin(jobs, "parse", func(_ context.Context, jobs []parseJob) ([]string, []error) {
		out := make([]string, len(jobs))
		for i, j := range jobs {
			out[i] = fmt.Sprintf("%d.%d", j.File.Version, j.With)
			w.ask("parse " + j.File.Name + "." + out[i])
		}
		return out, nil
	}, func(j parseJob, versions string) parsed { return parsed{j.File.Name + "." + versions} },
		AsyncOptions[parseJob, string]{Workers: 2, Batch: 3})
	vectors := Join(texts, of("embed"), func(parsed) int { return 0 }, all, func(p parsed, s setting) embedJob { return embedJob{p.Text, s.Version} }).Named("to embed")
	done := AsyncBatch(vectors, "embed", func(_ context.Context, jobs []embedJob) ([]passage, []error) {
		out := make([]passage, len(jobs))
		for i, j := range jobs {
			out[i] = passage{j.Text, fmt.Sprint("e", j.With)}
			w.ask("embed " + j.Text + out[i].Vector)
		}
		return out, nil
	}, AsyncOptions[embedJob, passage]{Batch: 4})
	To(done, "index", w)
}

func (w *world) ask(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[what]++
	if w.answered[what] {
		w.again = append(w.again, what)
	}
}

// Apply and Applied make the world the index's sink: what has arrived here has
// been committed, so nobody may ask for it again while it is wanted.
func (w *world) Apply(ctx context.Context, epoch uint64, changes []Change[passage]) error {
	w.mu.Lock()
	for _, c := range changes {
		w.answered["parse "+c.Row.Text] = c.N > 0
		w.answered["embed "+c.Row.Text+c.Row.Vector] = c.N > 0
	}
	w.mu.Unlock()
	return w.index.Apply(ctx, epoch, changes)
}

func (w *world) Applied(ctx context.Context) (uint64, error) { return w.index.Applied(ctx) }

func (w *world) want() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	want := map[string]int{}
	for n, v := range w.files {
		want[fmt.Sprintf("%+v", passage{fmt.Sprintf("%s.%d.%d", n, v, w.settings["parse"]), fmt.Sprint("e", w.settings["embed"])})]++
	}
	return want
}

func (w *world) settled() bool { return maps.Equal(w.index.Rows(), w.want()) }

// chapters are what happens to the world.
func (w *world) chapters() []func() {
	return []func(){
		func() {
			for i := range 7 {
				w.files[fmt.Sprint("f", i)] = 1
			}
		},
		func() { w.files["f1"]++; delete(w.files, "f2"); w.files["f7"] = 1 },
		func() { w.settings["embed"]++ },
		func() { w.settings["parse"]++; w.files["f1"]++; delete(w.files, "f3") },
	}
}

// live runs the plan on fs from the chapter on until all is told or the machine
// stops, and returns the chapter to go on with.
func (w *world) live(t *testing.T, fs *pipelinetest.CrashFS, chapter, workers int) int {
	g := New(StateOn(fs, "state"), Workers(workers), EpochEvery(time.Microsecond))
	w.plan(g)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	ended := func() bool { return len(done) > 0 || fs.Stopped() }
	for cs := w.chapters(); ; chapter++ {
		if !pipelinetest.Eventually(func() bool { return ended() || w.settled() }) {
			t.Fatalf("chapter %d: the index has %v, want %v\n%s", chapter, w.index.Rows(), w.want(), g.Explain())
		}
		if ended() || chapter == len(cs) {
			break
		}
		w.change(cs[chapter])
	}
	stop()
	if err := <-done; err != nil && !fs.Stopped() {
		t.Fatalf("Run: %v", err)
	}
	if err := w.index.Err(); err != nil {
		t.Fatal(err)
	}
	return chapter
}

// TestCrashAnywhere stops the machine at every operation on its disk, in turn,
// and lets the program go on with what the disk has kept.
func TestCrashAnywhere(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 7
	}
	for stopAt := 1; ; stopAt += step {
		w := newWorld()
		fs := pipelinetest.NewCrashFS(uint64(stopAt))
		fs.StopAt(stopAt)
		chapter := w.live(t, fs, 0, 1+stopAt%3)
		crashed := fs.Stopped()
		if crashed {
			fs = fs.Restart(uint64(stopAt))
			if chapter = w.live(t, fs, chapter, 1+stopAt%4); chapter != len(w.chapters()) {
				t.Fatalf("stopped at operation %d: the second life ended in chapter %d", stopAt, chapter)
			}
		}
		if len(w.again) > 0 {
			t.Fatalf("stopped at operation %d: asked again: %v", stopAt, w.again)
		}
		if !crashed {
			t.Logf("%d operations", stopAt)
			return
		}
	}
}

// TestDiskTrouble: a disk that fails for a while delays the program, no more.
func TestDiskTrouble(t *testing.T) {
	full := errors.New("no space left on device")
	for failAt := 20; failAt < 60; failAt += 3 {
		w := newWorld()
		fs := pipelinetest.NewCrashFS(uint64(failAt))
		fs.Inject(func(n int, _, _ string) error {
			if n >= failAt && n < failAt+3 {
				return full
			}
			return nil
		})
		w.live(t, fs, 0, 2)
		for what, n := range w.asked {
			if n > 1 {
				t.Errorf("trouble at operation %d: asked %d times for %s", failAt, n, what)
			}
		}
	}
}

// TestKilledBetweenParseAndEmbed: what has been parsed is not parsed again, even
// though nothing of it had reached the index.
func TestKilledBetweenParseAndEmbed(t *testing.T) {
	w := newWorld()
	w.change(func() { w.files["f"] = 1 })
	fs := pipelinetest.NewCrashFS(1)
	g := New(StateOn(fs, "state"), Workers(2))
	embedding := make(chan struct{})
	texts := AsyncBatch(From(g, "files", scan[file]{w, w.files, func(n string, v int) file { return file{n, v} }, func(f file) string { return f.Name }}),
		"parse", func(_ context.Context, fs []file) ([]parsed, []error) {
			w.ask("parse")
			return []parsed{{fs[0].Name}}, nil
		}, AsyncOptions[file, parsed]{})
	once := sync.OnceFunc(func() { close(embedding) })
	embed := func(g *Graph, texts *Table[parsed]) {
		To(Async(texts, "embed", func(ctx context.Context, p parsed) (passage, error) {
			once()
			if w.asked["embed"]++; w.asked["embed"] == 1 {
				<-ctx.Done() // the embedder is slow: the process dies first
			}
			return passage{p.Text, "e"}, ctx.Err()
		}, AsyncOptions[parsed, passage]{}), "index", w.index)
	}
	embed(g, texts)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	<-embedding
	if !pipelinetest.Eventually(func() bool { return g.Stats().Committed >= 2 }) {
		t.Fatal("the parsed file is not committed")
	}
	after := fs.Restart(2) // the first process does not get to say anything any more
	stop()
	<-done
	fs = after

	g = New(StateOn(fs, "state"), Workers(3))
	texts = AsyncBatch(From(g, "files", scan[file]{w, w.files, func(n string, v int) file { return file{n, v} }, func(f file) string { return f.Name }}),
		"parse", func(context.Context, []file) ([]parsed, []error) { panic("parsed again") }, AsyncOptions[file, parsed]{})
	embed(g, texts)
	ctx, stop = context.WithCancel(context.Background())
	go func() { done <- g.Run(ctx) }()
	if !pipelinetest.Eventually(func() bool { return len(w.index.Rows()) == 1 }) {
		t.Errorf("nothing in the index: %s", g.Explain())
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if w.asked["parse"] != 1 {
		t.Errorf("parsed %d times", w.asked["parse"])
	}
}

// TestStateThatDoesNotFit: a plan that has changed is told which table, and what
// to do.
func TestStateThatDoesNotFit(t *testing.T) {
	fs := pipelinetest.NewCrashFS(1)
	run := func(plan func(in *Table[row]), opts ...Option) error {
		g := New(append(opts, StateOn(fs, "state"), Static())...)
		feed := pipelinetest.NewFeed[row]()
		feed.Upsert(Change[row]{KeyOf("a"), row{Group: "g", V: 1}, 1})
		feed.End()
		plan(From(g, "in", feed))
		return g.Run(t.Context())
	}
	sums := func(in *Table[row]) { Subscribe(foldByGroup(in).Named("sums"), nothing) }
	if err := run(sums); err != nil {
		t.Fatal(err)
	}
	says := func(err error, words ...string) {
		t.Helper()
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%v does not say %q", err, w)
			}
		}
	}
	says(run(func(in *Table[row]) {
		type groupSum struct{ N int8 } // the same name, other fields
		sums := FoldBy(in, key, func(s *groupSum, r row, n int) {}).Named("sums")
		Subscribe(sums, func(uint64, []Change[groupSum]) error { return nil })
	}), "foldby sums", "saved foldby {Group string, N int, Sum int}, now foldby {N int8}")
	says(run(func(in *Table[row]) { Subscribe(foldByGroup(in).Named("totals"), nothing) }), "totals", "is new", "sums", "DropUnknownState")
	says(run(func(in *Table[row]) {
		Subscribe(foldByGroup(in), nothing, "one")
		Subscribe(foldByGroup(in), nothing, "two")
	}), "number 1", "number 3", "Named")
	if err := run(func(*Table[row]) {}); !errors.Is(err, ErrOtherPlan) {
		t.Errorf("another plan: %v", err)
	}
	if err := run(func(*Table[row]) {}, DropUnknownState()); err != nil {
		t.Errorf("dropping: %v", err)
	}
	if err := run(func(*Table[row]) {}); err != nil {
		t.Errorf("after dropping: %v", err)
	}
}

// TestLargeStateThatDoesNotFit: of large types only the place is told.
func TestLargeStateThatDoesNotFit(t *testing.T) {
	type ten struct{ A, B, C, D, E, F, G, H, I, J string }
	type hundred struct{ A, B, C, D, E, F, G, H, I, J ten }
	fs := pipelinetest.NewCrashFS(1)
	before := func() error {
		type wide struct {
			All  hundred
			Last int
		}
		return largeState[wide](t, fs)
	}
	after := func() error {
		type wide struct {
			All  hundred
			Last float64
		}
		return largeState[wide](t, fs)
	}
	if err := before(); err != nil {
		t.Fatal(err)
	}
	err := after()
	if err == nil || len(err.Error()) > 800 || !strings.Contains(err.Error(), "Last int") || !strings.Contains(err.Error(), "Last float64") {
		t.Errorf("got %v", err)
	}
}

func largeState[T any](t *testing.T, fs StateFS) error {
	g := New(StateOn(fs, "state"), Static())
	feed := pipelinetest.NewFeed[row]()
	feed.End()
	Subscribe(FoldBy(From(g, "in", feed), key, func(*T, row, int) {}).Named("wide"), func(uint64, []Change[T]) error { return nil })
	return g.Run(t.Context())
}

func nothing(uint64, []Change[groupSum]) error { return nil }
