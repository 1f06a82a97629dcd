package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragserver/ragserver/api"
	"github.com/ragserver/ragserver/pipeline/metrics"
	"github.com/ragserver/ragserver/web"
)

// grace is how long requests may go on when the server is told to stop.
const grace = 10 * time.Second

// serve is the main command: it builds the parts in order, serves until ctx
// ends, and stops them in the opposite order.
func serve(ctx context.Context, c *Config, stdout, stderr io.Writer) (err error) {
	bar := newProgress(stderr)
	if bar != nil && c.Log.Level == "info" {
		c.Log.Level = "warn" // the bar and the address line say what matters
	}
	log := newLog(c.Log, stderr)

	var keys *api.Keys
	if !c.NoAuth {
		if keys, err = keysFor(c); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", c.Listen, err)
	}
	defer ln.Close()

	p, err := build(ctx, c, toServe, log)
	if _, early := brokenOff(ctx, err); early {
		return nil // a server that is stopped has done what it was told to
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()

	cols := make([]api.Collection, len(p.collections))
	figures := make([]prometheus.Collector, len(p.collections))
	for i, col := range p.collections {
		cols[i] = col.forAPI()
		figures[i] = metrics.New(col.indexer.Pipeline, prometheus.Labels{"collection": col.name})
	}
	server, err := api.New(api.Options{
		Version: version(), Collections: cols, Models: p.languages(), Keys: keys, Limits: c.Limits.forAPI(),
		Hosts: c.Hosts, Origins: c.Origins, URL: c.URL, Metrics: figures, Log: log,
		Page: web.Handler(web.Options{Dir: os.Getenv("RAGSERVER_WEB_DIR"), Prefix: pathOf(c.URL)}),
	})
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	running := make(chan error, 1)
	go func() { running <- p.run(ctx); stop() }()
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(ctx, ln, grace); stop() }()
	if err := noteServing(c.Data, ln.Addr().String()); err != nil {
		log.Warn("`ragserver ask` will not find this server unless told where it listens", "err", err)
	}

	p.announce(ctx, c, ln.Addr(), bar, stdout)
	<-ctx.Done()
	return errors.Join(<-serving, <-running)
}

// pathOf is the path of the server's public address.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "" // Validate has refused it
	}
	return u.EscapedPath()
}

// keysFor returns the keys without which nothing is served, as soon as there is
// one. Other machines are not let in before.
func keysFor(c *Config) (*api.Keys, error) {
	keys, err := openKeys(c)
	if err != nil {
		return nil, err
	}
	if keys.Wanted() || loopback(c.Listen) {
		return keys, nil
	}
	return nil, usage(fmt.Errorf("%s can be reached from other machines, and there is no key: make one with `ragserver key add NAME --data %s`, or let everyone in with --no-auth", c.Listen, c.Data))
}

// loopback reports whether an address can only be reached from this machine.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// announce tells, once the folders have been read, where the server is and what
// to try: on a terminal in words, else in the log.
func (p *parts) announce(ctx context.Context, c *Config, addr net.Addr, bar *progress, stdout io.Writer) {
	url := "http://" + callable(addr.String())
	p.log.Info("serving", "url", url, "data", c.Data, "collections", len(p.collections))
	if !c.watches() {
		p.log.Warn("nothing is watched: no folder and no topic is named, documents come by upload alone; `ragserver FOLDER` watches one")
	}
	if bar == nil {
		return
	}
	fmt.Fprintf(stdout, "ragserver on %s\n", url)
	for _, col := range p.collections {
		lacking, err := bar.watch(ctx, col.indexer)
		if err != nil {
			return // the end, or the log tells
		}
		if lacking != "" {
			fmt.Fprintln(stdout, lacking)
		}
	}
	documents, chunks, unread := 0, 0, 0
	for _, col := range p.collections {
		s := col.stats()
		documents, chunks, unread = documents+s.live, chunks+s.chunks, unread+s.unread
	}
	also := ""
	if unread > 0 {
		also = fmt.Sprintf(" (%d could not be read: see the page)", unread)
	}
	fmt.Fprintf(stdout, "%d documents in %d chunks are live%s. Try:\n  curl %s/api/ask -d '{\"question\": \"What is this about?\"}'\n", documents, chunks, also, url)
}

func (l LimitsConfig) forAPI() api.Limits {
	return api.Limits{Upload: int64(l.UploadMB) << 20, Searches: l.Searches, Asks: l.Asks, Streams: l.Feeds}
}

// watches reports whether any collection has a source beside uploads.
func (c *Config) watches() bool {
	for _, col := range c.Collections {
		if len(col.Sources) > 0 {
			return true
		}
	}
	return false
}
