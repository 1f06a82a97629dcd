package pipeline

import (
	"errors"
	"fmt"
	"time"
)

// RowError is a row of the error table: something that a row function or a
// source could not handle.
type RowError struct {
	Operator string // the operator or source, as Explain names it
	Where    string // where a person would look: file and line, topic and offset; "" for operators
	Message  string
	Key      Key // of the row that failed, or of its group
}

// Error says it in one line.
func (e RowError) Error() string {
	if e.Where != "" {
		return e.Operator + ": " + e.Where + ": " + e.Message
	}
	return e.Operator + ": row " + e.Key.String() + ": " + e.Message
}

// Errors returns the error table: one row for each row that a row function or a
// source could not handle. It is a table like any other: when a row that failed
// is retracted, or a new version of it succeeds, its error is retracted too.
// Only what a source reports by Fail stays. Failures of operators that
// themselves read the error table are counted and logged, but not put into it.
func (g *Graph) Errors() *Table[RowError] {
	if g.errTable == nil {
		n := g.add("errors", typeOf[RowError]())
		n.name, n.keys = "errors", "derived from the failing row"
		n.start = func(w *worker) { w.errOut = newOutlet[RowError](w, n) }
		g.errTable = n
	}
	return &Table[RowError]{g.errTable}
}

// readsErrors reports whether n depends on the error table.
func (n *node) readsErrors() bool {
	if n == n.g.errTable {
		return true
	}
	for _, i := range n.in {
		if i.readsErrors() {
			return true
		}
	}
	return false
}

// reportFails puts the failures of a pass into the error table and the log.
func (w *worker) reportFails() {
	for len(w.fails) > 0 {
		fails := w.fails
		w.fails = nil
		var rows []Change[RowError]
		for i := range fails {
			f := &fails[i]
			e := RowError{f.n.String(), f.where, f.err.Error(), f.key}
			if f.by > 0 {
				w.r.rowFailed(e)
			}
			if w.errOut != nil && !f.n.readsErrors() {
				key := mixKeys(KeyOf(e.Operator, e.Where, e.Message), f.key)
				rows = append(rows, Change[RowError]{key, e, f.by})
			}
		}
		if len(rows) > 0 {
			w.errOut.emit(rows)
		}
	}
}

const loggedFails = 20 // failing rows logged a second; all are counted

// rowFailed logs a failing row, and ends the run if that was asked for.
func (r *run) rowFailed(e RowError) {
	r.failMu.Lock()
	defer r.failMu.Unlock()
	if now := time.Now(); now.Sub(r.failSecond) > time.Second {
		if n := r.failsThen - loggedFails; n > 0 {
			r.o.log.Warn("more rows failed in the same second", "rows", n)
		}
		r.failSecond, r.failsThen = now, 0
	}
	if r.failsThen++; r.failsThen <= loggedFails {
		r.o.log.Warn("row failed", "operator", e.Operator, "where", e.Where, "key", e.Key.String(), "err", e.Message)
	}
	if r.o.stopOnError && r.rowErr == nil {
		r.rowErr = fmt.Errorf("pipeline: %w", e)
	}
}

type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent marks an error that trying again cannot cure: Async does not retry
// after it.
func Permanent(err error) error { return permanentError{err} }

func isPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p)
}
