package metrics

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

// Two graphs in one registry, of which one has two sinks and two operators of
// one name.
func TestMetrics(t *testing.T) {
	orders := pipelinetest.NewFeed[int]()
	orders.Send(pipeline.Change[int]{Key: pipeline.KeyOf("a"), Row: 1, N: 1}, pipeline.Change[int]{Key: pipeline.KeyOf("b"), Row: 2, N: 1})
	orders.End()
	g := pipeline.New(pipeline.Static())
	table := pipeline.From(g, "orders", orders)
	for range 2 {
		pipeline.Subscribe(pipeline.Filter(table, func(n int) bool {
			if n == 1 {
				panic("one")
			}
			return true
		}), func(uint64, []pipeline.Change[int]) error { return nil })
	}
	if err := g.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(New(g.Stats, prometheus.Labels{"graph": "a"}))
	r.MustRegister(New(func() pipeline.Stats {
		return pipeline.Stats{Epoch: 7, Trouble: errors.New("full"), Work: 1500 * time.Millisecond,
			Sources: []pipeline.SourceStats{{Name: "s", Lag: 2 * time.Second, Trouble: errors.New("gone")}}}
	}, prometheus.Labels{"graph": "b"}))
	want := `
# HELP pipeline_commit_trouble 1 while commits fail.
# TYPE pipeline_commit_trouble gauge
pipeline_commit_trouble{graph="a"} 0
pipeline_commit_trouble{graph="b"} 1
# HELP pipeline_operator_errors_total Rows that an operator could not handle.
# TYPE pipeline_operator_errors_total counter
pipeline_operator_errors_total{graph="a",id="0",operator="from",table="orders"} 0
pipeline_operator_errors_total{graph="a",id="1",operator="filter",table="orders/filter"} 1
pipeline_operator_errors_total{graph="a",id="2",operator="subscribe",table="orders/filter/subscribe"} 0
pipeline_operator_errors_total{graph="a",id="3",operator="filter",table="orders/filter"} 1
pipeline_operator_errors_total{graph="a",id="4",operator="subscribe",table="orders/filter/subscribe"} 0
# HELP pipeline_sink_waiting_rows Rows that wait for a sink.
# TYPE pipeline_sink_waiting_rows gauge
pipeline_sink_waiting_rows{graph="a",id="0",sink="orders/filter/subscribe"} 0
pipeline_sink_waiting_rows{graph="a",id="1",sink="orders/filter/subscribe"} 0
# HELP pipeline_source_lag_seconds How long the oldest of them has waited.
# TYPE pipeline_source_lag_seconds gauge
pipeline_source_lag_seconds{graph="a",source="orders"} 0
pipeline_source_lag_seconds{graph="b",source="s"} 2
# HELP pipeline_source_rows_total Rows that a source brought.
# TYPE pipeline_source_rows_total counter
pipeline_source_rows_total{graph="a",source="orders"} 2
pipeline_source_rows_total{graph="b",source="s"} 0
`
	err := testutil.GatherAndCompare(r, strings.NewReader(want), "pipeline_commit_trouble", "pipeline_operator_errors_total",
		"pipeline_sink_waiting_rows", "pipeline_source_lag_seconds", "pipeline_source_rows_total")
	if err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
