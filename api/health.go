package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ragserver/ragserver/api/internal/reply"
)

func (s *Server) uptime() time.Duration { return time.Since(s.started) }

// Health answers GET /health.
type Health struct {
	Status  string `json:"status" enum:"ok"`
	Version string `json:"version"`
}

// health says that the process answers.
func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, r, Health{Status: "ok", Version: s.o.Version})
}

// ready says that queries are served, which is so as long as the server does
// not stop: a collection is opened before the API is built.
// A part in trouble is named, without the reason: whoever asks may have no key.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	out := Ready{Ready: true, Troubles: []string{}}
	for i := range s.o.Collections {
		_, pending := s.o.Collections[i].Statuses.Counts()
		out.Pending += pending
		for _, t := range s.o.Collections[i].Troubles() {
			part, _, _ := strings.Cut(t.Part, " ")
			out.Troubles = append(out.Troubles, part)
		}
	}
	slices.Sort(out.Troubles)
	out.Troubles = slices.Compact(out.Troubles)
	status := http.StatusOK
	select {
	case <-s.stopping:
		out.Ready, status = false, http.StatusServiceUnavailable
	default:
	}
	return reply.JSON(w, r, status, out)
}
