// Command windows counts events in windows of a minute: every CSV file in a folder,
// and per key and window the number of events and the sum of their values as a change
// stream.
package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/ragserver/ragserver/examples/program"
	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/csvio"
)

// Event is a row of the input.
type Event struct {
	Second int64 `csv:"t"`
	Key    int64 `csv:"key"`
	Value  int64 `csv:"value"`
}

// Counted is a row of the output; there is one for each key and window.
type Counted struct {
	Key   int64 `csv:"key" json:"key"`
	Start int64 `csv:"start" json:"start"`
	End   int64 `csv:"end" json:"end"`
	N     int64 `csv:"n" json:"n"`
	Total int64 `csv:"total" json:"total"`
}

var kind string

func plan(g *pipeline.Graph, f program.Files) error {
	var windows pipeline.Windows
	switch kind {
	case "tumbling":
		windows = pipeline.Tumbling(time.Minute)
	case "sliding":
		windows = pipeline.Sliding(time.Minute, 20*time.Second)
	default:
		return fmt.Errorf("--window %s: there is tumbling and sliding", kind)
	}
	events := csvio.Read[Event](g, f.Input, csvio.Exclude(f.Output, f.State), csvio.KeepIf(f.State != ""))
	timed := pipeline.Timed[Event, int64]{
		Table: events,
		Key:   func(e Event) int64 { return e.Key },
		At:    func(e Event) time.Time { return time.Unix(e.Second, 0) },
	}
	counted := pipeline.WindowBy(timed, windows, pipeline.Behavior{},
		func(c *Counted, w pipeline.Window, key int64) {
			c.Key, c.Start, c.End = key, w.Start.Unix(), w.End.Unix()
		},
		pipeline.Count[Event](func(c *Counted, n int64) { c.N = n }),
		pipeline.Sum(func(e Event) int64 { return e.Value }, func(c *Counted, n int64) { c.Total = n }))
	return program.Write(counted, f.Output)
}

var windows = program.Program{
	Name: "windows",
	Plan: plan,
	Flags: func(f *flag.FlagSet) {
		f.StringVar(&kind, "window", "tumbling", "")
	},
	About: `Reads every CSV file in DIR and the folders below (t,key,value; t in seconds) and
writes the number and sum of the values of each key and minute to FILE as a change
stream. An event that comes late counts in its own minute.
`,
	Example: `
  --window sliding  a window of a minute begins every 20 seconds; the default is
                    tumbling: one minute follows the other
`,
}

func main() { windows.Main() }
