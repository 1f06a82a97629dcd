package api

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
)

const requestID = "X-Request-Id"

// apiCSP lets a reply do nothing, should a browser show it. The page sets a
// policy of its own.
const apiCSP = "default-src 'none'; frame-ancestors 'none'"

// identify gives every request an id, the caller's if it has a plain one.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestID)
		if !plainID(id) {
			id = rand.Text()
		}
		w.Header().Set(requestID, id)
		next.ServeHTTP(w, r)
	})
}

func plainID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	})
}

// observe measures requests and gives every body a deadline.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		if r.ContentLength != 0 {
			// Also bounds what is read of a body that no handler wants.
			_ = http.NewResponseController(w).SetReadDeadline(start.Add(body.Time))
		}
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		status := ww.Status()
		switch {
		case status == 0 && r.Context().Err() != nil:
			status = fault.ClientGone
		case status == 0:
			status = http.StatusOK
		}
		took := time.Since(start)
		s.metrics.request(pattern(r), r.Method, status, took)
		s.log.Debug("request", "method", r.Method, "route", pattern(r), "status", status, "bytes", ww.BytesWritten(), "took", took,
			"request", w.Header().Get(requestID))
	})
}

// pattern returns the route that served r, never a path that a client made up.
func pattern(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil {
		if p := c.RoutePattern(); p != "" && p != "/*" {
			return p
		}
	}
	return "other"
}

// recoverPanics turns a panic into a failure of one request.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.Error("a handler panicked", "route", pattern(r), "panic", fmt.Sprint(p), "stack", string(debug.Stack()),
				"request", w.Header().Get(requestID))
			if ww, ok := w.(middleware.WrapResponseWriter); ok && ww.Status() != 0 {
				panic(http.ErrAbortHandler) // so that the client sees a broken reply and not a short one
			}
			s.refuse(w, r, fmt.Errorf("panic: %v", p))
		}()
		next.ServeHTTP(w, r)
	})
}

// secure checks who calls from where, and says what browsers may do with the
// replies.
func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", apiCSP)
		if err := s.checkHost(r); err != nil {
			s.refuse(w, r, err)
			return
		}
		if answered := s.cors(w, r); answered {
			return
		}
		if err := s.checkOrigin(r); err != nil {
			s.refuse(w, r, err)
			return
		}
		if isAPI(r.URL.Path) {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// checkHost refuses names that nobody gave this server: a page that lets its
// own name point here (DNS rebinding) is then not served. An address cannot be
// rebound. With keys such a page has nothing to gain, so any name will do unless
// names are configured.
func (s *Server) checkHost(r *http.Request) error {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.ContainsFunc(s.o.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if host != "" && len(s.o.Hosts) == 0 && s.wantsKeys() {
		return nil
	}
	return fault.New(http.StatusForbidden, "host_not_allowed",
		"this server is not known as %q; call it by its address, or add the name to `hosts` in its configuration", host)
}

// checkOrigin refuses requests made by pages of other origins. Reading is
// refused as well: an answer costs work even if the page that asks may not see
// it. Browsers do not name the origin of images and the like, but whether it is
// another; what is not the API's may be asked for so: a link from elsewhere
// leads to the page.
func (s *Server) checkOrigin(r *http.Request) error {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	foreign := s.guard.Check(r) != nil
	switch {
	case foreign, slices.Contains(s.o.Origins, origin):
	case origin != "":
		_, host, _ := strings.Cut(origin, "://")
		foreign = site != "same-origin" && !strings.EqualFold(host, r.Host)
	default:
		foreign = (site == "cross-site" || site == "same-site") && (isAPI(r.URL.Path) || r.URL.Path == "/metrics")
	}
	if foreign {
		return fault.New(http.StatusForbidden, "origin_not_allowed",
			"pages of another origin may not call this server; add theirs to `origins` in its configuration to allow it")
	}
	return nil
}

// cors answers preflights of, and marks replies for, the configured origins.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(s.o.Origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(s.o.Origins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", requestID+", Retry-After")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID, X-API-Key, X-Metadata, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// bareSlash sends clients that put a slash at the end of a route to the route.
func (s *Server) bareSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.EscapedPath()
		bare := strings.TrimRight(p, "/")
		if len(bare) == len(p) || !isAPI(bare) && bare != "/_schema" || strings.HasPrefix(bare, "/api/sources/") {
			next.ServeHTTP(w, r)
			return
		}
		if r.URL.RawQuery != "" {
			bare += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", s.public.path+bare)
		w.WriteHeader(http.StatusPermanentRedirect)
	})
}

// writeJSON is reply.JSON for handlers.
func writeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	return reply.JSON(w, r, http.StatusOK, v)
}
