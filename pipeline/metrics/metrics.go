// Package metrics shows a running graph to Prometheus: what each operator took,
// gave and keeps, how far sources and sinks are, and what time epochs take.
//
//	registry.MustRegister(metrics.New(g.Stats, nil))
//
// The names of operators, sources and sinks are labels: a graph whose tables have
// names (Table.Named) keeps its series when it is changed elsewhere.
package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragserver/ragserver/pipeline"
)

// New returns a collector of what stats returns, which is called at each scrape:
// Graph.Stats. labels, which may be nil, are added to each metric; graphs in one
// registry are told apart by them. It is safe for concurrent use.
func New(stats func() pipeline.Stats, labels prometheus.Labels) prometheus.Collector {
	c := &collector{stats: stats}
	desc := func(name, help string, by ...string) *prometheus.Desc {
		d := prometheus.NewDesc("pipeline_"+name, help, by, labels)
		c.all = append(c.all, d)
		return d
	}
	operator := []string{"id", "operator", "table"}
	c.in = desc("operator_rows_in_total", "Changes that an operator took; an update is two.", operator...)
	c.out = desc("operator_rows_out_total", "Changes that an operator gave.", operator...)
	c.errors = desc("operator_errors_total", "Rows that an operator could not handle.", operator...)
	c.late = desc("operator_late_total", "Changes that came to an operator after a cutoff, and were ignored.", operator...)
	c.stateRows = desc("operator_state_rows", "Rows that an operator keeps.", operator...)
	c.stateBytes = desc("operator_state_bytes", "Memory of what an operator keeps.", operator...)
	c.open = desc("operator_open_requests", "Requests of an asynchronous stage that have no answer yet.", operator...)
	c.epoch = desc("epoch", "The last epoch that was finished.")
	c.committed = desc("committed_epoch", "The last epoch that was committed.")
	c.work = desc("work_seconds_total", "Time that was spent on epochs, without waiting for input and commits.")
	c.trouble = desc("commit_trouble", "1 while commits fail.")
	c.sourceRows = desc("source_rows_total", "Rows that a source brought.", "source")
	c.sourceWaiting = desc("source_waiting_rows", "Rows of a source that are in no epoch yet.", "source")
	c.sourceLag = desc("source_lag_seconds", "How long the oldest of them has waited.", "source")
	c.sourceTrouble = desc("source_trouble", "1 while a source cannot go on.", "source")
	c.sinkEpoch = desc("sink_epoch", "The epoch up to which a sink has everything.", "id", "sink")
	c.sinkWaiting = desc("sink_waiting_rows", "Rows that wait for a sink.", "id", "sink")
	return c
}

type collector struct {
	stats func() pipeline.Stats
	all   []*prometheus.Desc

	in, out, errors, late, stateRows, stateBytes, open  *prometheus.Desc
	epoch, committed, work, trouble                     *prometheus.Desc
	sourceRows, sourceWaiting, sourceLag, sourceTrouble *prometheus.Desc
	sinkEpoch, sinkWaiting                              *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.all {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.stats()
	gauge := func(d *prometheus.Desc, v float64, by ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, by...)
	}
	count := func(d *prometheus.Desc, v float64, by ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, by...)
	}
	// Numbers tell operators apart whose names are the same.
	for _, o := range s.Operators {
		by := []string{strconv.Itoa(o.ID), o.Op, o.Name}
		count(c.in, float64(o.RowsIn), by...)
		count(c.out, float64(o.RowsOut), by...)
		count(c.errors, float64(o.Errors), by...)
		count(c.late, float64(o.Late), by...)
		gauge(c.stateRows, float64(o.StateRows), by...)
		gauge(c.stateBytes, float64(o.StateBytes), by...)
		gauge(c.open, float64(o.Open), by...)
	}
	gauge(c.epoch, float64(s.Epoch))
	gauge(c.committed, float64(s.Committed))
	count(c.work, s.Work.Seconds())
	gauge(c.trouble, truth(s.Trouble != nil))
	for _, src := range s.Sources {
		count(c.sourceRows, float64(src.Rows), src.Name)
		gauge(c.sourceWaiting, float64(src.Waiting), src.Name)
		gauge(c.sourceLag, src.Lag.Seconds(), src.Name)
		gauge(c.sourceTrouble, truth(src.Trouble != nil), src.Name)
	}
	for i, sink := range s.Sinks {
		by := []string{strconv.Itoa(i), sink.Name}
		gauge(c.sinkEpoch, float64(sink.Taken), by...)
		gauge(c.sinkWaiting, float64(sink.Waiting), by...)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
