package api

import (
	"net/http"
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
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	out := Ready{Ready: true}
	for i := range s.o.Collections {
		_, pending := s.o.Collections[i].Statuses.Counts()
		out.Pending += pending
	}
	status := http.StatusOK
	select {
	case <-s.stopping:
		out.Ready, status = false, http.StatusServiceUnavailable
	default:
	}
	return reply.JSON(w, r, status, out)
}
