package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/embed"
	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/vector"
	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// parts are what a command works with: built in order, closed in the opposite
// order.
type parts struct {
	data        string // the directory
	purpose     purpose
	log         *slog.Logger
	models      map[string]answer.Model
	parser      *parse.Pool
	collections []*collection // the default first
	release     func()        // gives the data directory back; nil before it was taken
}

// collection is a collection with what answers from it.
type collection struct {
	name    string
	model   string
	space   indexer.Space
	indexer *indexer.Indexer
	answers *answer.Answerer
}

// newLog returns the logger that the configuration asks for.
func newLog(c LogConfig, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // Validate has checked it
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// purpose is what the parts are built for. To serve, the configuration says
// which sources there are: what is indexed of others is withdrawn, unless it
// names none. To ask, it says which ones to bring up to date first.
type purpose bool

const (
	toAsk   purpose = false
	toServe purpose = true
)

// build opens everything. The caller runs the collections and closes the parts.
func build(ctx context.Context, c *Config, what purpose, log *slog.Logger) (_ *parts, err error) {
	p := &parts{data: c.Data, purpose: what, log: log, models: map[string]answer.Model{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if err := prepareData(c.Data); err != nil {
		return nil, err
	}
	// The whole directory and not each collection: two processes with other
	// collections in it would be two servers of which one is not asked.
	if p.release, err = disk.Lock(c.Data); err != nil {
		if there := servingOn(c.Data); there != "" {
			err = fmt.Errorf("%w, and serves on http://%s", err, callable(there))
		}
		return nil, fmt.Errorf("the data directory %s: %w", c.Data, err)
	}
	if err := forgetServing(c.Data); err != nil {
		return nil, err
	}
	for name, m := range c.Models {
		if !c.speaks(name) {
			continue
		}
		model, err := language(name, m, log)
		if err != nil && !c.answersWith(name) {
			log.Warn("a model that no collection uses cannot be used", "err", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		p.models[name] = answer.Model{Model: model, Window: m.Context}
	}
	if p.parser, err = newParser(filepath.Join(c.Data, "cache"), log); err != nil {
		return nil, err
	}
	names := make([]string, 0, len(c.Collections))
	for name := range c.Collections {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == c.DefaultCollection, b != c.DefaultCollection && a < b:
			return -1
		}
		return 1
	})
	for _, name := range names {
		col, err := p.open(ctx, c, name)
		if err != nil {
			return nil, err
		}
		p.collections = append(p.collections, col)
	}
	return p, nil
}

// speaks reports whether a configured model is a language model for someone:
// one that only embeds is none.
func (c *Config) speaks(name string) bool {
	embeds := false
	for _, col := range c.Collections {
		if col.Model == name {
			return true
		}
		embeds = embeds || col.Embedder == name
	}
	return !embeds
}

// answersWith reports whether a collection's answers are written by a model.
func (c *Config) answersWith(name string) bool {
	for _, col := range c.Collections {
		if col.Model == name {
			return true
		}
	}
	return false
}

func newParser(cache string, log *slog.Logger) (*parse.Pool, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program's own file, which reads documents in processes of its own: %w", err)
	}
	return parse.NewPool(parse.PoolOptions{
		Exe:      []string{exe, "parse", "--worker"},
		CacheDir: cache,
		Log:      log,
	}), nil
}

func (p *parts) open(ctx context.Context, c *Config, name string) (*collection, error) {
	cc := c.Collections[name]
	space, err := spaceOf(ctx, c, cc.Embedder, p.log)
	if err != nil {
		return nil, err
	}
	tables, builtin := space.Embedder.(*embed.Static) // answers compare sentences by them, whatever finds passages
	if !builtin {
		if tables, err = embed.Builtin(); err != nil {
			return nil, fmt.Errorf("the built-in embedder: %w", err)
		}
	}
	log := p.log
	if len(c.Collections) > 1 {
		log = log.With("collection", name)
	}
	o := indexer.Options{
		Dir: filepath.Join(c.Data, "collections", name), Space: space, Parser: p.parser, Log: log,
		Withdraw: p.purpose == toServe && len(cc.Sources) > 0,
	}
	for _, s := range cc.Sources {
		if s.Kafka != nil {
			o.Topics = append(o.Topics, topicOf(s))
			continue
		}
		inner, err := cc.inner(s.Folder)
		if err != nil {
			return nil, err
		}
		o.Folders = append(o.Folders, indexer.Folder{Name: s.Name, Path: s.Folder, Exclude: s.Exclude, Never: append(inner, c.Data), Mark: dataMark})
	}
	x, err := indexer.Open(o)
	if err != nil {
		return nil, err
	}
	a, err := answer.New(answer.Options{Retriever: x, Models: p.models, Default: cc.Model, Closeness: closenessOf(cc.Embedder), Meaning: tables,
		Backlog: func() answer.Backlog { return backlogOf(x) }, Log: log})
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return &collection{name: name, model: cc.Model, space: space, indexer: x, answers: a}, nil
}

func topicOf(s SourceConfig) indexer.Topic {
	k := s.Kafka
	t := indexer.Topic{
		Name: s.Name, Brokers: k.Brokers, Topic: k.Topic, JSON: k.Format == "json",
		TextField: k.Text, TitleField: k.Title, TLS: k.TLS, SASL: k.SASL, User: k.User,
	}
	if k.PasswordEnv != "" {
		t.Password = os.Getenv(k.PasswordEnv)
	}
	return t
}

// backlogOf is what a collection cannot find yet.
func backlogOf(c counter) answer.Backlog {
	b := answer.Backlog{Documents: c.Unfound(), Found: standingOf(c).done}
	for _, s := range c.Sources() {
		b.Listing = b.Listing || !s.Scanned && s.Trouble == ""
	}
	return b
}

// closenessOf is from which cosine a passage counts as relevant although it
// shares no word with the question. It was measured for the built-in embedder;
// of others it is not known, and words decide.
func closenessOf(embedder string) answer.Closeness {
	if embedder != builtinEmbedder {
		return answer.Closeness{}
	}
	return answer.Closeness{English: .53, Other: .17}
}

// spaceOf builds an embedder.
func spaceOf(ctx context.Context, c *Config, name string, log *slog.Logger) (indexer.Space, error) {
	if name == builtinEmbedder {
		e, err := embed.Builtin()
		if err != nil {
			return indexer.Space{}, fmt.Errorf("the built-in embedder: %w", err)
		}
		return indexer.Space{Name: embed.BuiltinName, Dims: e.Dims(), Weight: embed.BuiltinWeight, Embedder: e}, nil
	}
	m := c.Models[name]
	if m.Provider == "anthropic" {
		return indexer.Space{}, usage(fmt.Errorf("embedder %q: provider %s has no embeddings here; use one of OpenAI's protocol", name, m.Provider))
	}
	if err := m.checkKey(name, log); err != nil {
		return indexer.Space{}, usage(fmt.Errorf("embedder %q: %w", name, err))
	}
	e, err := embed.NewOpenAI(embed.Config{BaseURL: m.BaseURL, Key: m.key, Model: m.Model, Dims: m.Dims})
	if err != nil {
		return indexer.Space{}, usage(fmt.Errorf("embedder %q: %w", name, err))
	}
	dims, err := e.Dims(ctx)
	if err != nil {
		return indexer.Space{}, fmt.Errorf("embedder %q: asking how long its vectors are: %w; if it is not always there, say so with dims in the configuration", name, err)
	}
	if dims > vector.MaxDims {
		return indexer.Space{}, usage(fmt.Errorf("embedder %q: its vectors have %d dimensions, and at most %d are kept: ask for shorter ones with dims in the configuration, if the model has them, or choose another", name, dims, vector.MaxDims))
	}
	weight := embed.OpenAIWeight
	if m.Weight != nil {
		weight = *m.Weight
	}
	return indexer.Space{Name: e.Name(), Dims: dims, Weight: weight, Embedder: e}, nil
}

// run keeps all collections live until ctx ends or one fails.
func (p *parts) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(p.collections))
	var wg sync.WaitGroup
	for i, col := range p.collections {
		wg.Go(func() {
			defer cancel()
			if err := col.indexer.Run(ctx); err != nil {
				errs[i] = fmt.Errorf("collection %s: %w", col.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// once runs the default collection while f works with it, as soon as it is in
// step with its sources.
func once(ctx context.Context, c *Config, stderr io.Writer, f func(context.Context, *collection) error) (err error) {
	if !c.watches() && holdsNothing(c.Data) {
		return usage(fmt.Errorf("nothing is indexed in the data directory %s: name a folder to index, or a data directory with --data", c.Data))
	}
	p, err := build(ctx, c, toAsk, newLog(c.Log, stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	ctx, stop := context.WithCancel(ctx)
	running := make(chan error, 1)
	go func() { running <- p.run(ctx); stop() }()
	defer func() {
		stop()
		// What ended the run, or would not end it, says more than that it ended.
		if e := <-running; err == nil || e != nil && errors.Is(err, context.Canceled) {
			err = e
		}
	}()
	col := p.collections[0]
	if len(c.Collections[col.name].Sources) > 0 {
		lacking, err := newProgress(stderr).watch(ctx, col.indexer)
		if err != nil {
			return err
		}
		if lacking != "" {
			fmt.Fprintln(stderr, lacking)
		}
	}
	if st := col.indexer.View().Stats(); st.Documents == 0 {
		fmt.Fprintf(stderr, "There are no documents to answer from; %d could not be read.\n", st.Unread)
	}
	return f(ctx, col)
}

// languages are the models without what answering needs to know of them.
func (p *parts) languages() map[string]llm.Model {
	ms := make(map[string]llm.Model, len(p.models))
	for name, m := range p.models {
		ms[name] = m.Model
	}
	return ms
}

func (p *parts) close() error {
	var errs []error
	for _, col := range slices.Backward(p.collections) {
		errs = append(errs, col.indexer.Close())
	}
	if p.parser != nil {
		errs = append(errs, p.parser.Close())
	}
	if p.release != nil {
		errs = append(errs, forgetServing(p.data))
		p.release()
	}
	return errors.Join(errs...)
}
