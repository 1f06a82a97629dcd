package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/api/openai"
	"github.com/ragserver/ragserver/api/pathway"
)

// Server is the API as a http.Handler.
type Server struct {
	o       Options
	public  public
	log     *slog.Logger
	started time.Time
	life    string // from one start to the next, in the ids of events
	byName  map[string]*Collection
	gates   gates
	metrics *metrics
	places  *places
	openai  *openai.Server
	pathway *pathway.Server
	guard   *http.CrossOriginProtection
	handler http.Handler
	// spec describes the routes for callers without keys, keyedSpec for those
	// that need one.
	spec, keyedSpec spec
	keysErr         atomic.Pointer[string] // why the file of keys cannot be read, "" or nil if it can
	// pathways are the paths of Pathway's contract, which shares /v1 with
	// OpenAI's.
	pathways map[string]bool

	stopOnce sync.Once
	stopping chan struct{} // closed when the server begins to stop
}

// New builds the API. It starts nothing.
func New(o Options) (*Server, error) {
	if len(o.Collections) == 0 {
		return nil, errors.New("api: a server needs at least one collection")
	}
	o.Limits = o.Limits.orDefault()
	public, err := parsePublic(o.URL)
	if err != nil {
		return nil, fmt.Errorf("api: the server's own address: %w", err)
	}
	if public.host != "" {
		o.Hosts = append(slices.Clone(o.Hosts), public.host)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Server{
		o: o, public: public, log: o.Log, started: time.Now(), life: rand.Text()[:10],
		byName:   map[string]*Collection{},
		gates:    newGates(o.Limits),
		places:   newPlaces(maxMarks),
		guard:    http.NewCrossOriginProtection(),
		stopping: make(chan struct{}),
	}
	for _, origin := range o.Origins {
		if err := s.guard.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("api: allowed origin %q: %w; write it as https://host or https://host:port", origin, err)
		}
	}
	for i := range o.Collections {
		c := &o.Collections[i]
		if s.byName[c.Name] != nil {
			return nil, fmt.Errorf("api: two collections are called %q", c.Name)
		}
		s.byName[c.Name] = c
	}
	s.metrics = newMetrics(s)
	for i := range o.Collections {
		c := &o.Collections[i]
		c.Ask = s.metrics.counting(c.Ask)
	}
	s.openai = s.newOpenAI()
	s.pathway = s.newPathway()
	routes := s.routes()
	s.pathways = map[string]bool{}
	for _, rt := range routes.pathway {
		s.pathways[rt.path] = true
	}
	if err := errors.Join(s.spec.build(o.Version, routes.native, false), s.keyedSpec.build(o.Version, routes.native, true)); err != nil {
		return nil, fmt.Errorf("api: describing the routes: %w", err)
	}
	s.handler = s.router(routes)
	return s, nil
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.public.unprefixed(s.handler, w, r)
}

// collection returns the collection a request names, the default for "".
func (s *Server) collection(name string) (*Collection, error) {
	if name == "" {
		return &s.o.Collections[0], nil
	}
	if c := s.byName[name]; c != nil {
		return c, nil
	}
	return nil, fault.NotFound("collection", name, "there are: "+strings.Join(s.collectionNames(), ", "))
}

func (s *Server) collectionNames() []string {
	names := make([]string, len(s.o.Collections))
	for i := range s.o.Collections {
		names[i] = s.o.Collections[i].Name
	}
	return names
}

// modelNames returns the configured models in order.
func (s *Server) modelNames() []string {
	names := make([]string, 0, len(s.o.Models))
	for n := range s.o.Models {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// knownModel says whether a request may name a model.
func (s *Server) knownModel(name string) error {
	if _, ok := s.o.Models[name]; ok || name == "" {
		return nil
	}
	more := "no model is configured here"
	if names := s.modelNames(); len(names) > 0 {
		more = "there are: " + strings.Join(names, ", ")
	}
	return fault.NotFound("model", name, more)
}

// failure tells a client in its protocol that a request failed.
type failure func(w http.ResponseWriter, r *http.Request, f *fault.Error)

func failJSON(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	// Two strings can always be encoded.
	_ = reply.JSON(w, r, f.Status, Error{ErrorBody{Code: f.Code, Message: f.Message}})
}

// mount registers routes that fail in one protocol's way, and refuses their
// paths' other methods.
func (s *Server) mount(r chi.Router, routes []route, fail failure) {
	allowed := map[string][]string{}
	for _, rt := range routes {
		allowed[rt.path] = append(allowed[rt.path], rt.method)
		r.Method(rt.method, rt.path, s.guarded(rt, fail))
	}
	for path, methods := range allowed {
		allow := strings.Join(methods, ", ")
		for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			if slices.Contains(methods, m) {
				continue
			}
			if m == "HEAD" && slices.Contains(methods, "GET") && !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/v1/") {
				i := slices.IndexFunc(routes, func(rt route) bool { return rt.path == path && rt.method == "GET" })
				r.Method(m, path, s.guarded(routes[i], fail))
				continue
			}
			r.Method(m, path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Allow", allow)
				fail(w, r, fault.New(http.StatusMethodNotAllowed, "method_not_allowed", "%s is not possible here; use %s", r.Method, allow))
			}))
		}
	}
}

// guarded wraps a route's handler in what bounds it.
func (s *Server) guarded(rt route, fail failure) http.Handler {
	check := checks(rt)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.run(rt, check, w, r); err != nil {
			s.failed(w, r, err, fail)
		}
	})
}

func (s *Server) run(rt route, check func(*http.Request) error, w http.ResponseWriter, r *http.Request) error {
	if err := s.authorize(r, rt.scope); err != nil {
		return err
	}
	if err := check(r); err != nil {
		return err
	}
	allowed, release := s.whileAllowed(r.Context(), r, rt.scope)
	defer release()
	ctx := allowed
	rc := http.NewResponseController(w)
	if rt.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rt.limit)
		defer cancel()
		_ = rc.SetWriteDeadline(time.Now().Add(rt.limit + 30*time.Second))
	} else {
		_ = rc.SetWriteDeadline(time.Time{})
	}
	if rt.gate != nil {
		leave, err := rt.gate.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
	}
	err := rt.handle(w, r.WithContext(ctx))
	if why, no := errors.AsType[*fault.Error](context.Cause(allowed)); err != nil && no {
		return why
	}
	return err
}

// failed tells the client, unless it is gone or its answer has begun, and the
// log if the fault is ours.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error, fail failure) {
	f := fault.From(err)
	if f.Status == fault.ClientGone && r.Context().Err() == nil {
		// Cancelled inside, not by the client.
		f = fault.New(http.StatusServiceUnavailable, "stopping", "the server is stopping; try again in a moment").Because(err)
		f.RetryAfter = time.Second
	}
	if f.Status >= 500 {
		s.log.Warn("request failed", "route", pattern(r), "status", f.Status, "code", f.Code, "err", err, "request", w.Header().Get(requestID))
	}
	if ww, ok := w.(middleware.WrapResponseWriter); ok && ww.Status() != 0 {
		return
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Set("Cache-Control", "no-store")
	if f.RetryAfter > 0 {
		h.Set("Retry-After", fmt.Sprint(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	if f.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="ragserver"`)
	}
	fail(w, r, f)
}

// refuse fails a request that has come to no route's handler, in the way of the
// protocol that its path belongs to.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	fail := failure(failJSON)
	switch p := r.URL.Path; {
	case s.pathways[p]:
		fail = pathway.Fail
	case strings.HasPrefix(p, "/v1/"):
		fail = openai.Fail
	}
	s.failed(w, r, err, fail)
}

// oddMethod answers methods that no route of HTTP's usual ones could have.
func (s *Server) oddMethod(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, fault.New(http.StatusMethodNotAllowed, "method_not_allowed", "there is no method %.20q here", r.Method))
}

// page serves what is not the API's: pages are read, so whatever else is sent to
// an unknown path was meant for the API.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if s.o.Page == nil || isAPI(r.URL.Path) || !reads {
		s.refuse(w, r, fault.New(http.StatusNotFound, "not_found", "there is nothing at %.200s; /openapi.json lists the routes", r.URL.Path))
		return
	}
	s.o.Page.ServeHTTP(w, r)
}

func isAPI(path string) bool {
	for _, p := range []string{"/api", "/v1", "/v2"} {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

// Serve answers requests from ln until ctx ends. Then feeds end at once, other
// requests have grace to finish, and Serve returns nil.
func (s *Server) Serve(ctx context.Context, ln net.Listener, grace time.Duration) error {
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	hs := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      2 * time.Minute, // routes set their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("api: serving on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.stopOnce.Do(func() { close(s.stopping) })
	stop, done := context.WithTimeout(context.Background(), grace)
	defer done()
	if err := hs.Shutdown(stop); err != nil {
		cancel() // those that did not finish in time
		hs.Close()
	}
	<-failed
	return nil
}
