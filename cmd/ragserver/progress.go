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
	Trouble() error
}

// watch waits until the first scan is over and nothing is pending, and draws
// meanwhile; a nil p draws nothing. It returns early if ctx ends, or if
// nothing can be stored: that may pass, but who waits for an answer should know.
func (p *progress) watch(ctx context.Context, c counter) error {
	tick := time.NewTicker(progressEvery / 5)
	defer tick.Stop()
	defer p.clear()
	start, drawn := time.Now(), time.Now()
	for {
		done, total, settled := standing(c)
		if settled {
			return nil
		}
		if err := c.Trouble(); err != nil {
			return err
		}
		// A folder that is indexed at once needs no bar.
		if p != nil && time.Since(start) > 2*progressEvery && time.Since(drawn) >= progressEvery {
			p.draw(done, total, time.Since(start))
			drawn = time.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// standing returns how many documents have arrived, how many are known, and
// whether that is all there is.
func standing(c counter) (done, total int, settled bool) {
	scanned := true
	for _, s := range c.Sources() {
		scanned = scanned && (s.Scanned || s.Trouble != "")
	}
	states, pending := c.Counts()
	for _, n := range states {
		total += n
	}
	return total - pending, total, scanned && pending == 0
}

func (p *progress) draw(done, total int, took time.Duration) {
	rate := float64(done) / took.Seconds()
	text := fmt.Sprintf(" %d of %d documents, %.0f/s", done, total, rate)
	bar := min(30, p.width-len(text)-3)
	line := text
	if bar >= 5 && total > 0 {
		full := bar * done / total
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
