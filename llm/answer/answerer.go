package answer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
)

// Model is a language model under a configured name.
type Model struct {
	llm.Model
	// Window is how many tokens prompt and answer may have together; 0 means
	// 4096, which every server in use offers.
	Window int
	name   string
}

func (m *Model) window() int {
	if m.Window <= 0 {
		return 4096
	}
	return m.Window
}

// Options says what answers are made of.
type Options struct {
	Retriever Retriever        // required
	Models    map[string]Model // by name; none: answers are extractive
	Default   string           // the model that is asked when a question names none; "": answers are extractive
	K         int              // passages to answer from when a question does not say; 6
	// Adaptive sends the first two passages alone and all of them only if the
	// model says that the answer is not there: fewer tokens, later refusals.
	Adaptive bool
	// Closeness of the embedder whose cosines the retriever gives; zero: the
	// gate goes by words alone.
	Closeness Closeness
	// Meaning compares question and sentences; nil: letters alone do, and what is
	// in another language than the question is found by names and numbers only.
	Meaning Meaning
	// Backlog tells what the retriever cannot find yet; nil: there never is any.
	Backlog func() Backlog
	Log     *slog.Logger // slog.DiscardHandler if nil
}

// Errors of Ask besides those of the retriever and of the context.
var (
	ErrUnknownModel = errors.New("no model of that name is configured")
	ErrNoQuestion   = errors.New("the question is empty")
)

// Answerer answers questions. Safe for concurrent use.
type Answerer struct {
	o      Options
	models map[string]*Model
	log    *slog.Logger
}

// New checks the options.
func New(o Options) (*Answerer, error) {
	if o.Retriever == nil {
		return nil, errors.New("answer: no retriever")
	}
	if o.K <= 0 {
		o.K = 6
	}
	a := &Answerer{o: o, models: map[string]*Model{}, log: o.Log}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	for name, m := range o.Models {
		if m.Model == nil {
			return nil, fmt.Errorf("answer: model %q is nil", name)
		}
		m.name = name
		a.models[name] = &m
	}
	if _, err := a.model(""); err != nil {
		return nil, fmt.Errorf("answer: the default: %w", err)
	}
	return a, nil
}

// model finds a model by name, the default for "". It is nil if there is none.
func (a *Answerer) model(name string) (*Model, error) {
	if name == "" {
		name = a.o.Default
	}
	if name == "" {
		return nil, nil
	}
	if m := a.models[name]; m != nil {
		return m, nil
	}
	known := slices.Sorted(maps.Keys(a.models))
	if len(known) == 0 {
		return nil, fmt.Errorf("%w: %q; none is", ErrUnknownModel, name)
	}
	return nil, fmt.Errorf("%w: %q; there are %s", ErrUnknownModel, name, strings.Join(known, ", "))
}

// Ask answers a question in steps: the sources that were found, then the text
// as it is written, then the whole answer. An error ends it: an empty question,
// an unknown model, a failed search, the end of ctx. A model that fails is no
// error: the answer says so in Notices and is made of the passages' sentences,
// or is what the model wrote until then. The caller may stop ranging at any time.
func (a *Answerer) Ask(ctx context.Context, q Question) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := a.ask(ctx, q, func(e Event) bool { return yield(e, nil) }); err != nil && !errors.Is(err, errLeft) {
			yield(Event{}, err)
		}
	}
}

// Answer answers a question in one piece.
func (a *Answerer) Answer(ctx context.Context, q Question) (Answer, error) {
	for e, err := range a.Ask(ctx, q) {
		if err != nil {
			return Answer{}, err
		}
		if e.Done != nil {
			return *e.Done, nil
		}
	}
	return Answer{}, errors.New("answer: ended without an answer")
}

// errLeft says that the caller stopped ranging.
var errLeft = errors.New("the caller left")

// A run is the answering of one question.
type run struct {
	*Answerer
	ctx      context.Context // of the one call that the run lives for
	q        Question
	model    *Model // nil: extractive
	emit     func(Event) bool
	evidence *evidence
	backlog  Backlog // before the search: what it says may have come since, never the other way
	answer   Answer
}

func (a *Answerer) ask(ctx context.Context, q Question, emit func(Event) bool) error {
	begun := time.Now()
	if strings.TrimSpace(q.Text) == "" {
		return ErrNoQuestion
	}
	m, err := a.model(q.Model)
	if err != nil {
		return err
	}
	r := &run{Answerer: a, ctx: ctx, q: q, model: m, emit: emit}
	if err := r.retrieve(); err != nil {
		return err
	}
	if err := r.respond(); err != nil {
		return err
	}
	if r.backlog.matters(r.answer.Kind) {
		r.notice(Pending, r.backlog.String())
	}
	r.answer.Total = time.Since(begun)
	done := r.answer
	if !emit(Event{Done: &done}) {
		return errLeft
	}
	return nil
}

// retrieve searches and tells the sources.
func (r *run) retrieve() error {
	s := r.rewrite(r.ctx, r.model, r.q, &r.answer.Usage)
	begun := time.Now()
	if r.o.Backlog != nil {
		r.backlog = r.o.Backlog()
	}
	query := r.q.Query
	query.Text, query.Vector = s.query(), nil
	if query.K <= 0 {
		query.K = r.o.K
	}
	found, err := r.o.Retriever.Search(r.ctx, query)
	if err != nil {
		return err
	}
	r.answer.Epoch, r.answer.Retrieval = found.Epoch, time.Since(begun)
	if found.Degraded != "" {
		r.notice(Degraded, found.Degraded)
	}
	r.answer.Sources = numbered(found.Hits)
	if r.evidence, err = gather(r.ctx, analyse(s.text, s.carried), found.Hits, r.o.Meaning); err != nil {
		return err
	}
	if !r.emit(Event{Sources: &Sources{Epoch: found.Epoch, Query: query.Text, Sources: numbered(found.Hits), Took: r.answer.Retrieval}}) {
		return errLeft
	}
	return nil
}

func numbered(hits []index.Hit) []Source {
	out := make([]Source, len(hits))
	for i, h := range hits {
		out[i] = Source{N: i + 1, Hit: h}
	}
	return out
}

// respond passes the gate and writes the answer.
func (r *run) respond() error {
	relevance := r.evidence.relevance(r.o.Closeness)
	quotable := relevance >= enoughToQuote
	if quotable {
		if s := r.evidence.best(); s != nil {
			r.answer.Best, r.answer.Short = r.evidence.shown(s), r.evidence.short(s)
		}
	}
	switch {
	case r.model == nil && quotable:
		return r.extract()
	case r.model == nil:
		return r.refuse()
	case relevance >= enoughToAsk:
		return r.generate(quotable)
	case r.q.Loose:
		return r.fromKnowledge()
	}
	return r.refuse()
}

// say shows a piece of the answer.
func (r *run) say(text string) error {
	if text == "" {
		return nil
	}
	r.answer.Text += text
	if !r.emit(Event{Text: text}) {
		return errLeft
	}
	return nil
}

// notice notes how the answer is less than asked for.
func (r *run) notice(code, message string) {
	r.answer.Notices = append(r.answer.Notices, Notice{code, message})
}

// extract answers with the passages' best sentences.
func (r *run) extract() error {
	r.answer.Kind, r.answer.Finish = Extracted, "stop"
	qs := r.evidence.quotes()
	if len(r.evidence.asked.terms) == 0 {
		qs = r.evidence.lead()
	}
	if len(qs) == 0 {
		return r.refuse()
	}
	if r.model == nil {
		r.notice(NoModel, "no language model is configured: these are the passages' own sentences")
	}
	for i, q := range qs {
		r.answer.Sources[q.n-1].Cited = true
		if err := r.say(q.written(i == 0)); err != nil {
			return err
		}
	}
	return nil
}

// refuse says that nothing was found, in the question's language, and that it is
// worth asking again if documents are on their way.
func (r *run) refuse() error {
	r.answer.Kind, r.answer.Finish, r.answer.Best, r.answer.Short = Refused, "stop", "", ""
	l := languageOf(r.q.Text)
	if !r.backlog.matters(Refused) {
		return r.say(l.nothing)
	}
	if l.undivided {
		return r.say(l.nothing + l.again)
	}
	return r.say(l.nothing + " " + l.again)
}
