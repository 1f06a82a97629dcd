// Package indexer keeps a hybrid index in step with folders, Kafka topics and
// uploads. It is a program of package pipeline and its first user:
//
//	sources ─▶ items ─▶ parse (async) ─▶ embed (async) ─▶ index
//
// A source tells that a document exists and where its bytes are, never the
// bytes. Parsing and embedding are asynchronous: slow documents and slow
// embedders delay only themselves, their results enter later epochs, and what
// was answered before a crash is not asked again. Rows between the stages are
// references; a document's text is stored once, in the index.
//
// # What a user may count on
//
// A document has one live version. An update keeps the old version until the
// new one is ready and then switches in one epoch; a deletion goes at once and
// overtakes everything that is queued. If vectors take longer than half a
// second, the document answers by keyword first. A document that cannot be read
// stays in the list with the reason; of one whose text the embedder refuses in
// part, that part answers by keyword, and the list says why. After a crash
// nothing acknowledged is lost, nothing is parsed or embedded twice, and the
// index is a function of the committed input.
package indexer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/indexer/split"
	"github.com/ragserver/ragserver/pipeline"
)

// Parser reads a file into blocks and tells the SHA-256, cut to 128 bits, of
// the bytes it read. Errors are about the document; *parse.SkipError says that
// it is of no kind that is read. It is called from several goroutines at once.
type Parser interface {
	Parse(ctx context.Context, f parse.File) (parse.Result, error)
}

// Options describe a collection.
type Options struct {
	// Dir is the collection's directory; it is created.
	Dir string
	// Folders and Topics are its sources, beside the uploads.
	Folders []Folder
	Topics  []Topic
	// Withdraw says that these are all the sources there are to be: documents
	// of others, of former runs, go. Else they stay as they are, and are found.
	Withdraw bool
	Space    Space
	Parser   Parser
	Log      *slog.Logger
}

// Folder is a watched folder.
type Folder struct {
	Name string // in answers, and part of the documents' identity
	Path string
	// Exclude are patterns as in a .ragignore file; Never are directories
	// that are not watched even if they lie inside.
	Exclude, Never []string
	// Mark is the name of the file by which a directory says that it holds the
	// data of a program: it is listed as skipped. "" for none.
	Mark string
}

// Indexer is a collection: its sources, its index and what is under way.
type Indexer struct {
	dir     string
	space   Space
	parser  Parser
	log     *slog.Logger
	index   *index.Index
	board   *board
	sources []*source
	byName  map[string]*source
	graph   *pipeline.Graph
	vigil   vigil
	heavies *semaphore.Weighted // bytes of heavy documents being read
	storing storing
	lack    shortage

	mu            sync.Mutex
	embedderError string // why the embedder does not answer, "" if it does
}

const (
	// provisionalAfter is how long a version waits for its vectors before it
	// answers by keyword alone.
	provisionalAfter = 500 * time.Millisecond
	// parseQuick is how many small documents are read at once: each waits for
	// the disk that takes its text, and they share that wait.
	parseQuick = 32
	// parseSlow is how many of the others are under way at once: the parser
	// says which of them are read, and those that turned out to be slow must not
	// keep the rest from coming to it.
	parseSlow = 128
	// parseHeavy is how many heavy ones are under way at once, and heavyBytes
	// how many bytes of them are read, whose texts are in memory.
	parseHeavy = 4
	heavyBytes = 256 << 20
	// embedDocuments is how many documents one call of the embed stage takes.
	embedDocuments = 32
)

// Open opens or creates a collection. Run brings it to life; searches work at
// once, on what was indexed before.
func Open(o Options) (*Indexer, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	x := &Indexer{
		dir: o.Dir, space: o.Space, parser: o.Parser, log: o.Log, board: newBoard(),
		heavies: semaphore.NewWeighted(heavyBytes), storing: storing{log: o.Log},
		lack: shortage{log: o.Log, waiting: map[index.ID]error{}},
	}
	for _, d := range []string{x.dir, x.uploadsDir(), x.spoolDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("indexer: creating the collection's directory: %w", err)
		}
	}
	var err error
	x.index, err = index.Open(index.Options{
		Dir:   filepath.Join(x.dir, "index"),
		Space: index.Space{Name: o.Space.Name, Dims: o.Space.Dims, Weight: o.Space.Weight},
		Log:   o.Log,
	})
	if err != nil {
		return nil, err
	}
	x.board.recover(x.index.View().Documents())
	if err := x.addSources(o); err != nil {
		return nil, errors.Join(err, x.index.Close())
	}
	x.plan()
	return x, nil
}

// plan builds the pipeline.
func (x *Indexer) plan() {
	g := pipeline.New(
		pipeline.State(filepath.Join(x.dir, "engine")),
		pipeline.Logger(x.log),
	)
	tables := make([]*pipeline.Table[item], len(x.sources))
	for i, s := range x.sources {
		tables[i] = pipeline.From(g, s.name, s.pipeline)
	}
	items := pipeline.Concat(tables[0], tables[1:]...).Named("documents")
	// What a worker process reads must not keep waiting what takes a
	// millisecond.
	slow := pipeline.Filter(items, item.slow).Named("slow")
	quick := pipeline.Filter(items, func(it item) bool { return !it.slow() }).Named("quick")
	found := func(it item, f finding) parsed { return parsed{it, f} }
	texts := pipeline.Concat(
		pipeline.AsyncJoin(quick, "parse", x.parse, found, x.parseOptions(parseQuick)),
		pipeline.AsyncJoin(slow, "parse slow", x.parse, found, x.parseOptions(parseSlow)),
	).Named("texts")
	readable := pipeline.Filter(texts, func(p parsed) bool { return p.Finding.Outcome == read }).Named("readable")
	unreadable := pipeline.Filter(texts, func(p parsed) bool { return p.Finding.Outcome != read }).Named("unreadable")
	embedded := pipeline.AsyncBatchJoin(readable, "embed", x.embed, answered, pipeline.AsyncOptions[parsed, vectored]{
		Workers:          max(runtime.GOMAXPROCS(0), 2),
		Batch:            embedDocuments,
		Retries:          pipeline.Forever,
		Priority:         func(p parsed) int { return p.Item.urgency() },
		Spare:            1,
		ProvisionalAfter: provisionalAfter,
		Provisional:      func(parsed) (v vectored, show bool) { return v, true },
	})
	refused := pipeline.Map(unreadable, func(p parsed) ready { return answered(p, vectored{Done: true}) }).Named("refused")
	pipeline.To(pipeline.Concat(embedded, refused).Named("answers"), "index", indexSink{x})
	x.graph = g
}

// answered is what the index is to show of a document that was read or refused.
func answered(p parsed, v vectored) ready { return ready{p.Item, p.Finding, v} }

// parseOptions never give up: what is wrong with a document is an answer, so an
// error is a trouble that may pass. Documents of sources that are not there in
// this run wait behind all others.
func (x *Indexer) parseOptions(workers int) pipeline.AsyncOptions[item, finding] {
	return pipeline.AsyncOptions[item, finding]{
		Workers:    workers,
		Retries:    pipeline.Forever,
		MaxBackoff: storeRetryMax,
		Priority: func(it item) int {
			if s := x.byName[it.Source]; s == nil || s.former {
				return leastUrgent
			}
			return it.urgency()
		},
		Spare: workers - parseHeavy,
	}
}

// settings stands for what the stages' results depend on, in few bytes, for it
// is in every item.
func (x *Indexer) settings() string {
	h := sha256.Sum256([]byte(split.Version + "/" + x.space.Name))
	return base64.RawURLEncoding.EncodeToString(h[:6])
}

// Run keeps the index in step with the sources until ctx ends; it then returns
// nil. Anything else that it returns is a failure that it could not wait out.
func (x *Indexer) Run(ctx context.Context) error {
	err := x.graph.Run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Close releases the index. Run must have returned.
func (x *Indexer) Close() error {
	errs := []error{x.index.Close()}
	for _, s := range x.sources {
		if s.spool != nil {
			errs = append(errs, s.spool.close())
		}
	}
	return errors.Join(errs...)
}

// Content returns a stored version of a document, live or not;
// index.ErrNotFound if it is not stored (any more).
func (x *Indexer) Content(version index.ID) (*index.Content, error) { return x.index.Content(version) }

// Trouble is why documents cannot be stored or read at the moment for a fault
// of the machine, the disk being full for example; nil if they can. It is tried
// again until they can.
func (x *Indexer) Trouble() error {
	if err := x.storageTrouble(); err != nil {
		return err
	}
	return x.lack.err()
}

func (x *Indexer) storageTrouble() error {
	if err := x.storing.err(); err != nil {
		return err
	}
	return x.graph.Stats().Trouble
}

// Trouble is why a part of a collection cannot go on for the moment.
type Trouble struct {
	Part   string // "storage", "reading", "embedder", or "source " and its name
	Reason string
}

// Troubles are all that there are now; each is tried again until it is over.
func (x *Indexer) Troubles() (ts []Trouble) {
	if err := x.storageTrouble(); err != nil {
		ts = append(ts, Trouble{"storage", err.Error()})
	}
	if err := x.lack.err(); err != nil {
		ts = append(ts, Trouble{"reading", parse.Reason(err)})
	}
	if _, why := x.Embedder(); why != "" {
		ts = append(ts, Trouble{"embedder", why})
	}
	for _, s := range x.Sources() {
		if s.Trouble != "" {
			ts = append(ts, Trouble{"source " + s.Name, s.Trouble})
		}
	}
	return ts
}

// Pipeline returns figures of the pipeline, for metrics.
func (x *Indexer) Pipeline() pipeline.Stats { return x.graph.Stats() }

// Explain describes the pipeline as it runs.
func (x *Indexer) Explain() string { return x.graph.Explain() }

// View is the live state of the index.
func (x *Indexer) View() *index.View { return x.index.View() }

// Embedder names the embedder and why it does not answer at the moment, "" if
// it does.
func (x *Indexer) Embedder() (name, trouble string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.embedderError == "" && x.vigil.silent() {
		return x.space.Name, "it has not answered for " + embedSilence.String()
	}
	return x.space.Name, x.embedderError
}
