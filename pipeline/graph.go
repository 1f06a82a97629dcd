package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// Graph is a plan of tables: sources, the operators that derive tables from
// tables, and sinks. It is built by one goroutine, then Run once. Graphs share
// nothing with each other.
type Graph struct {
	o        options
	nodes    []*node
	errTable *node   // of Errors, nil if nobody asked for it
	problems []error // mistakes found while the plan was built

	mu  sync.Mutex
	run *run // set by Run, for Stats and Explain
}

type options struct {
	state       string
	fs          changelog.FS
	dropUnknown bool
	workers     int
	static      bool
	every       time.Duration
	log         *slog.Logger
	stopOnError bool
}

// Option is a choice for New.
type Option func(*options)

// State keeps the graph's state in the directory dir, so that a run can go on
// where a former one stopped, however it stopped. The directory belongs to one
// running graph at a time. Without State nothing is written.
func State(dir string) Option { return func(o *options) { o.state = dir } }

// DamageError says that a file of the state is not what was written.
type DamageError = changelog.DamageError

// ErrOtherState says that a sink has epochs that the state does not know of, or
// has lost some that it took: parts of different backups were put together, or
// one of the two was removed and the other was not.
var ErrOtherState = errors.New("it is not the state that filled this sink")

// ErrOtherPlan says that the state was saved by another plan than the graph's:
// by a former version of the program, whose rows or tables were others.
var ErrOtherPlan = errors.New("the state is of another plan")

// LockedError says that another process has the state.
type LockedError = changelog.LockedError

// StateFS is the file system that state is kept on.
type StateFS = changelog.FS

// StateOn is State on another file system than that of the operating system:
// for tests, with pipelinetest.CrashFS.
func StateOn(fs StateFS, dir string) Option {
	return func(o *options) { o.fs, o.state = fs, dir }
}

// DropUnknownState lets Run drop saved state of tables that the plan no longer
// has. Without it such state is an error, because a renamed table looks the
// same as a removed one.
func DropUnknownState() Option { return func(o *options) { o.dropUnknown = true } }

// Workers sets the number of workers; the default is GOMAXPROCS. Another
// number may be used after a restart.
func Workers(n int) Option { return func(o *options) { o.workers = n } }

// Static makes Run end when all input has been read and worked off. Sinks then
// get one final set of changes, at the end.
func Static() Option { return func(o *options) { o.static = true } }

// EpochEvery sets how long input is gathered for an epoch while epochs follow
// each other; the default is 20 ms. After a pause the first input does not
// wait. An epoch is cut earlier when 64k rows are waiting.
func EpochEvery(d time.Duration) Option { return func(o *options) { o.every = d } }

// Logger is told of trouble: failing rows, waiting sources, sinks that fail.
// Without it nothing is logged.
func Logger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// StopOnError makes Run return the first error that would go to the error
// table.
func StopOnError() Option { return func(o *options) { o.stopOnError = true } }

// New returns an empty graph.
func New(opts ...Option) *Graph {
	g := &Graph{o: options{workers: runtime.GOMAXPROCS(0), every: 20 * time.Millisecond, fs: changelog.OSFS{}}}
	for _, o := range opts {
		o(&g.o)
	}
	if g.o.log == nil {
		g.o.log = slog.New(slog.DiscardHandler)
	}
	if g.o.workers < 1 || g.o.workers > shards {
		g.problem("pipeline: %d workers: the number must be between 1 and %d", g.o.workers, shards)
		g.o.workers = 1
	}
	return g
}

func (g *Graph) problem(format string, args ...any) {
	g.problems = append(g.problems, fmt.Errorf(format, args...))
}

// Table is a set of rows of type T that changes, each row under a key of its
// own. Every table of a graph stays what its operator makes of the tables
// before it, whatever happens to them. Rows must not be changed by those who
// read them.
type Table[T any] struct{ n *node }

// Named gives the table a name: for Explain, for errors, and for the state of
// its operator, which a restart finds by it. It returns the table.
func (t *Table[T]) Named(name string) *Table[T] {
	if name == "" || strings.ContainsAny(name, ":\x00\n") {
		t.n.g.problem("pipeline: table name %q is empty or has a colon, a line break or a zero byte", name)
	}
	t.n.name = name
	return t
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// node is an operator of the plan, and the table that it makes.
type node struct {
	g    *Graph
	id   int
	op   string       // "filter"
	name string       // the user's
	row  reflect.Type // of the table, or of the rows that a sink takes
	in   []*node
	outs []*node

	keys        string // how the keys of the table come about, for Explain
	keeps       string // what state is kept, for Explain; "" is none
	fingerprint string // of what is kept
	keyless     bool   // does not look at the keys of its input
	passes      bool   // looks at them only to make the keys of its own table
	once        bool   // per epoch and key at most one retraction and one insertion of different rows,
	twice       bool   // but first what input makes of it and then what is forgotten

	start  func(w *worker)      // makes the worker's instance
	source func(r *run) *source // of a source
	sink   func(r *run) sinkRun // of a sink
	async  func(r *run) asyncRun
	count  []counter // one per worker, while running
}

func (g *Graph) add(op string, row reflect.Type, in ...*node) *node {
	n := &node{g: g, id: len(g.nodes), op: op, row: row, in: in, count: make([]counter, g.o.workers)}
	for _, i := range in {
		if i == nil || i.g != g {
			g.problem("pipeline: %s of a table that belongs to another graph", op)
			continue
		}
		i.outs = append(i.outs, n)
		n.twice = n.twice || i.twice
	}
	g.nodes = append(g.nodes, n)
	return n
}

// table adds an operator and returns its table.
func table[T any](op string, in ...*node) *Table[T] {
	return &Table[T]{in[0].g.add(op, typeOf[T](), in...)}
}

// path names a table: by its user, or by the table before it and its operator.
func (n *node) path() string {
	switch {
	case n.name != "":
		return n.name
	case len(n.in) > 0:
		return n.in[0].path() + "/" + n.op
	}
	return n.op
}

// stateName is the name under which a restart finds the operator's state.
func (n *node) stateName() string {
	base := n.name
	if base == "" && len(n.in) > 0 {
		base = n.in[0].path()
	}
	return base + "/" + n.op + "/" + n.row.String()
}

// tableName is the name of a part of the operator's state in the log.
func (n *node) tableName(part string) string { return n.stateName() + ":" + part }

// String is how errors and logs name the operator.
func (n *node) String() string {
	if n.name != "" {
		return n.op + " " + n.name
	}
	return n.path()
}

// codecFor builds a codec; a type that has none is a problem of the plan.
func codecFor[T any](n *node) *codec.Codec[T] {
	c, err := codec.For[T]()
	if err != nil {
		n.g.problem("pipeline: %s: %w", n, err)
	}
	return c
}

func keyCodecFor[K any](n *node, what string) *codec.Codec[K] {
	c, err := codec.ForKey[K]()
	if err != nil {
		n.g.problem("pipeline: %s: %s: %w", n, what, err)
	}
	return c
}

// check returns what is wrong with the plan.
func (g *Graph) check() error {
	errs := g.problems
	if g.o.state != "" {
		seen := map[string]*node{}
		for _, n := range g.nodes {
			if n.keeps == "" {
				continue
			}
			name := n.stateName()
			if o := seen[name]; o != nil {
				errs = append(errs, fmt.Errorf("pipeline: two operators would keep their state as %q: number %d (%s) and number %d (%s) of the plan: give their tables names with Named",
					name, o.id, o, n.id, n))
			}
			seen[name] = n
		}
	}
	return errors.Join(errs...)
}

// order returns the nodes such that each comes after those it reads. They were
// built in that order, except that the error table reads everything that does
// not itself depend on it.
func (g *Graph) order() []*node {
	if g.errTable == nil {
		return g.nodes
	}
	after := map[*node]bool{g.errTable: true}
	var first, last []*node
	for _, n := range g.nodes {
		for _, i := range n.in {
			if after[i] {
				after[n] = true
			}
		}
		switch {
		case n == g.errTable:
		case after[n]:
			last = append(last, n)
		default:
			first = append(first, n)
		}
	}
	return append(append(first, g.errTable), last...)
}
