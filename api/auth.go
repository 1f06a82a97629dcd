package api

import (
	"net/http"
	"strings"

	"github.com/ragserver/ragserver/api/internal/fault"
)

// Scope is what a key allows.
type Scope string

// The scopes of keys. Admin includes the others. Open is the scope of routes
// that need no key.
const (
	Open  Scope = ""
	Ask   Scope = "ask"   // ask and search
	Read  Scope = "read"  // documents, their states and texts, sources, figures
	Write Scope = "write" // put and delete documents
	Admin Scope = "admin"
)

// Scopes are all that a key may have.
var Scopes = []Scope{Ask, Read, Write, Admin}

// authorize checks that a request carries a key with the scope, if keys are
// wanted at all.
func (s *Server) authorize(r *http.Request, need Scope) error {
	if need == Open || s.o.Keys == nil {
		return nil
	}
	text := r.Header.Get("X-API-Key")
	if text == "" {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			text = strings.TrimSpace(rest)
		}
	}
	if text == "" {
		return fault.New(http.StatusUnauthorized, "no_key",
			"a key is needed: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`; `ragserver key add` makes one")
	}
	key, ok, err := s.o.Keys.Find(text)
	switch {
	case err != nil:
		return err
	case !ok:
		return fault.New(http.StatusUnauthorized, "bad_key", "the key is not valid here; it may have been revoked")
	case !key.Allows(need):
		return fault.New(http.StatusForbidden, "missing_scope", "the key %q does not have the scope %q that this needs", key.Name, need)
	}
	return nil
}
