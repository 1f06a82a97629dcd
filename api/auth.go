package api

import (
	"context"
	"net/http"
	"strings"
	"time"

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

// wantsKeys says whether requests need a key.
func (s *Server) wantsKeys() bool { return s.o.Keys != nil && s.o.Keys.Wanted() }

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
	key, ok, err := s.o.Keys.Find(text)
	s.keysTrouble(err)
	switch {
	case ok && key.Allows(need):
		return nil
	case !s.o.Keys.Wanted():
		return nil
	case ok:
		return fault.New(http.StatusForbidden, "missing_scope", "the key %q does not have the scope %q that this needs", key.Name, need)
	case text == "":
		return fault.New(http.StatusUnauthorized, "no_key",
			"a key is needed: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`; `ragserver key add` makes one")
	}
	return fault.New(http.StatusUnauthorized, "bad_key", "the key is not valid here; it may have been revoked")
}

// keysTrouble logs that the file of keys cannot be read, once until that
// changes.
func (s *Server) keysTrouble(err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	if before := s.keysErr.Swap(&now); before != nil && *before == now || before == nil && now == "" {
		return
	}
	if now == "" {
		s.log.Info("the file of keys can be read again")
		return
	}
	s.log.Error("the file of keys cannot be read: the keys known so far stay valid, changes are not seen", "err", now)
}

// recheck is how long a request may go on after its key was revoked.
const recheck = time.Second

// whileAllowed returns a context that ends when the request is no longer
// allowed, with what authorize says as its cause. The caller calls release when
// the request is over.
func (s *Server) whileAllowed(ctx context.Context, r *http.Request, need Scope) (_ context.Context, release func()) {
	if need == Open || s.o.Keys == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var t *time.Timer
	set := make(chan struct{})
	t = time.AfterFunc(recheck, func() {
		<-set
		if err := s.authorize(r, need); err != nil {
			cancel(err)
			return
		}
		if ctx.Err() == nil {
			t.Reset(recheck)
		}
	})
	close(set)
	return ctx, func() {
		cancel(nil)
		t.Stop()
	}
}
