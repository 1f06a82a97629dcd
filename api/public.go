package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// public is the address under which clients reach the server, if it is known.
type public struct {
	origin string // https://intranet.example, "" if each request tells
	host   string // intranet.example
	path   string // /rag, "" for the root
}

// CheckURL says what is wrong with an address for Options.URL.
func CheckURL(text string) error {
	_, err := parsePublic(text)
	return err
}

func parsePublic(text string) (public, error) {
	if text == "" {
		return public{}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.EscapedPath() != u.Path {
		return public{}, fmt.Errorf("%q is not the address of a server, such as https://intranet.example or https://intranet.example/rag", text)
	}
	return public{origin: u.Scheme + "://" + u.Host, host: u.Hostname(), path: strings.TrimRight(u.EscapedPath(), "/")}, nil
}

// unprefixed serves a request without the public path in front: some proxies
// take it away and some do not.
func (p public) unprefixed(next http.Handler, w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case p.path == "" || path != p.path && !strings.HasPrefix(path, p.path+"/"):
		next.ServeHTTP(w, r)
	case path == p.path:
		// The page's addresses are below it.
		http.Redirect(w, r, p.path+"/", http.StatusPermanentRedirect)
	default:
		http.StripPrefix(p.path, next).ServeHTTP(w, r)
	}
}

// base returns the address that links of the server begin with.
func (s *Server) base(r *http.Request) string {
	if s.public.origin != "" {
		return s.public.origin
	}
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
