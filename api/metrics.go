package api

import (
	"context"
	"iter"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/answer"
)

// metrics are the server's figures in a registry of its own. What the
// collections know is asked for at each scrape.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	answers  *prometheus.CounterVec
	handler  http.Handler
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ragserver_http_requests_total", Help: "Requests answered, by route, method and status.",
		}, []string{"route", "method", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ragserver_http_request_duration_seconds", Help: "Time from the first byte read to the last byte written.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"route"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ragserver_model_tokens_total", Help: "Tokens of language models, as the providers count them, by kind (prompt, completion).",
		}, []string{"model", "kind"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ragserver_answers_total", Help: "Answers by kind (generated, extractive, nothing_found, failed).",
		}, []string{"kind"}),
	}
	m.registry.MustRegister(m.requests, m.latency, m.tokens, m.answers, state{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ragserver_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": s.o.Version, "go": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(info)
	m.registry.MustRegister(s.o.Metrics...)
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true})
	return m
}

func (m *metrics) serve(w http.ResponseWriter, r *http.Request) error {
	m.handler.ServeHTTP(w, r)
	return nil
}

func (m *metrics) request(route, method string, code int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		method = "other" // clients may make up any
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Inc()
	m.latency.WithLabelValues(route).Observe(took.Seconds())
}

// used counts what an answer cost.
func (m *metrics) used(model string, u llm.Usage) {
	if model == "" {
		return
	}
	m.tokens.WithLabelValues(model, "prompt").Add(float64(max(u.Prompt, 0)))
	m.tokens.WithLabelValues(model, "completion").Add(float64(max(u.Completion, 0)))
}

// counting returns an Asker that counts what passes through it.
func (m *metrics) counting(a Asker) Asker { return countingAsker{a, m} }

type countingAsker struct {
	Asker
	m *metrics
}

func (a countingAsker) Ask(ctx context.Context, q answer.Question) iter.Seq2[answer.Event, error] {
	return func(yield func(answer.Event, error) bool) {
		for e, err := range a.Asker.Ask(ctx, q) {
			switch {
			case err != nil:
				a.m.answers.WithLabelValues("failed").Inc()
			case e.Done != nil:
				a.m.answers.WithLabelValues(string(e.Done.Kind)).Inc()
				a.m.used(e.Done.Model, e.Done.Usage)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// state collects what the collections know.
type state struct{ s *Server }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ragserver_"+name, help, append([]string{"collection"}, labels...), nil)
}

var (
	descDocuments = desc("documents", "Documents by state (found, parsing, embedding, live, stale, failed, skipped).", "state")
	descPending   = desc("documents_pending", "Documents on their way into the index.")
	descChunks    = desc("chunks", "Searchable chunks.")
	descEmbedded  = desc("chunks_embedded", "Searchable chunks that have a vector.")
	descEpoch     = desc("epoch", "The epoch that searches see.")
	descDisk      = desc("index_disk_bytes", "Size of the index on disk.")
	descHeap      = desc("index_heap_bytes", "Memory that the index holds.")
	descLag       = desc("source_lag", "Changes that a source has announced and that were not read yet.", "source")
	descTrouble   = desc("trouble", "1 for each part that cannot go on for the moment: storage, reading, embedder, a source.", "part")
)

// Describe implements prometheus.Collector.
func (state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDocuments, descPending, descChunks, descEmbedded, descEpoch, descDisk, descHeap, descLag, descTrouble} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (st state) Collect(ch chan<- prometheus.Metric) {
	for i := range st.s.o.Collections {
		c := &st.s.o.Collections[i]
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{c.Name}, labels...)...)
		}
		counts, pending := c.Statuses.Counts()
		for _, state := range states {
			gauge(descDocuments, float64(counts[state]), string(state))
		}
		gauge(descPending, float64(pending))
		stats := c.View().Stats()
		gauge(descChunks, float64(stats.Chunks))
		gauge(descEmbedded, float64(stats.Embedded))
		gauge(descEpoch, float64(stats.Epoch))
		gauge(descDisk, float64(stats.DiskBytes))
		gauge(descHeap, float64(stats.HeapBytes))
		for _, src := range c.Sources() {
			gauge(descLag, float64(max(src.Lag, 0)), src.Name)
		}
		for _, t := range c.Troubles() {
			gauge(descTrouble, 1, t.Part)
		}
	}
}
