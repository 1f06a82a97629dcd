package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/ragserver/ragserver/indexer"
)

// progress draws one line that tells how far indexing has come, on a terminal.
type progress struct {
	out   io.Writer
	width int
	shown bool
}

// newProgress returns nil, which draws nothing, if w is no terminal.
func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return &progress{out: w, width: width}
}

const progressEvery = 100 * time.Millisecond

// counter is what progress is drawn of.
type counter interface {
	Counts() (states map[indexer.State]int, pending int)
	Sources() []indexer.SourceStatus
	Unfound() int
	Embedder() (name, trouble string)
	Trouble() error
}

// watch waits until the first scan is over and nothing is pending, and draws
// meanwhile; a nil p draws nothing. It does not wait for an embedder that does
// not answer: lacking says, in a sentence, what is then found by keyword alone,
// "" if nothing is. It returns early if ctx ends, or if nothing can be stored:
// that may pass, but who waits for an answer should know.
func (p *progress) watch(ctx context.Context, c counter) (lacking string, err error) {
	tick := time.NewTicker(progressEvery / 5)
	defer tick.Stop()
	defer p.clear()
	start, drawn := time.Now(), time.Now()
	for {
		now := standingOf(c)
		if now.settled {
			return now.lacking(), nil
		}
		if err := c.Trouble(); err != nil {
			return "", err
		}
		// A folder that is indexed at once needs no bar.
		if p != nil && time.Since(start) > 2*progressEvery && time.Since(drawn) >= progressEvery {
			p.draw(now, time.Since(start))
			drawn = time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// standing is how far indexing has come.
type standing struct {
	done, total int    // documents that have arrived, and that are known
	settled     bool   // that is all there is, or is to be had for the moment
	embedder    string // that keeps the rest waiting, and why; "" if there is none
}

func standingOf(c counter) standing {
	scanned := true
	for _, s := range c.Sources() {
		scanned = scanned && (s.Scanned || s.Trouble != "")
	}
	states, pending := c.Counts()
	var s standing
	for _, n := range states {
		s.total += n
	}
	s.done = s.total - pending
	s.settled = scanned && pending == 0
	if name, trouble := c.Embedder(); scanned && pending > 0 && trouble != "" && c.Unfound() == 0 {
		s.settled, s.embedder = true, fmt.Sprintf("%s does not answer: %s", name, trouble)
	}
	return s
}

// lacking says what the embedder keeps the vectors away from.
func (s standing) lacking() string {
	if s.embedder == "" {
		return ""
	}
	documents := "1 document is"
	if n := s.total - s.done; n > 1 {
		documents = fmt.Sprintf("%d documents are", n)
	}
	return documents + " found by keyword alone, for the embedder " + s.embedder
}

func (p *progress) draw(s standing, took time.Duration) {
	rate := float64(s.done) / took.Seconds()
	text := fmt.Sprintf(" %d of %d documents, %.0f/s", s.done, s.total, rate)
	bar := min(30, p.width-len(text)-3)
	line := text
	if bar >= 5 && s.total > 0 {
		full := bar * s.done / s.total
		line = strings.Repeat("█", full) + strings.Repeat("░", bar-full) + text
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	p.shown = true
}

func (p *progress) clear() {
	if p != nil && p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
