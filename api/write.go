package api

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
)

const (
	// maxWait is the longest that a write waits for its document.
	maxWait = 10 * time.Minute
	// maxKey is the longest key of a document, in bytes.
	maxKey = 1024
	// maxMetadata is the largest metadata given with a document, in bytes.
	maxMetadata = 32 << 10
	// maxFiles is the most files of one upload.
	maxFiles = 1000
)

// writeParams are the parameters of PUT and DELETE.
type writeParams struct {
	Wait       string `json:"wait,omitempty" doc:"How long to wait until the document is searchable or gone: a time such as 5s, or live for as long as it takes, at most 10 minutes."`
	Collection string `json:"collection,omitempty"`
}

func (s *Server) putDocument(w http.ResponseWriter, r *http.Request) error {
	c, source, key, err := s.target(r)
	if err != nil {
		return err
	}
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	meta, err := metaOfHeaders(r.Header)
	if err != nil {
		return err
	}
	b := body.Stream(w, r, s.o.Limits.Upload)
	defer b.Close()
	st, err := c.Writer.Put(r.Context(), source, key, b, meta)
	if err != nil {
		return err
	}
	return s.written(w, r, c, st, wait)
}

func (s *Server) deleteKey(w http.ResponseWriter, r *http.Request) error {
	c, source, key, err := s.target(r)
	if err != nil {
		return err
	}
	return s.remove(w, r, c, source, key)
}

// deleteDocument deletes a document that was put, by its id.
func (s *Server) deleteDocument(w http.ResponseWriter, r *http.Request) error {
	c, st, err := s.named(r)
	if err != nil {
		return err
	}
	if !c.takes(st.Source) {
		return readOnly(st.Source)
	}
	return s.remove(w, r, c, st.Source, st.Path)
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request, c *Collection, source, key string) error {
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	st, err := c.Writer.Delete(r.Context(), source, key)
	if err != nil {
		return err
	}
	out, done, err := settle(r.Context(), c, st, wait)
	if err != nil {
		return err
	}
	if out.State, out.Reason, out.Epoch = "deleted", "", 0; done {
		out.Epoch = c.View().Stats().Epoch // it is gone in this epoch, or was before
	}
	return writeJSON(w, r, out)
}

// written waits as long as the client wants to and tells how the document
// stands.
func (s *Server) written(w http.ResponseWriter, r *http.Request, c *Collection, st indexer.Status, wait time.Duration) error {
	out, _, err := settle(r.Context(), c, st, wait)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !settled(out.State) {
		status = http.StatusAccepted
	}
	return reply.JSON(w, r, status, out)
}

// settle waits, at most as long as given, until a write has taken effect, and
// says whether it has.
func settle(ctx context.Context, c *Collection, st indexer.Status, wait time.Duration) (out Written, done bool, err error) {
	if wait > 0 {
		limited, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		now, err := c.Writer.Settle(limited, st)
		if err != nil && (limited.Err() == nil || ctx.Err() != nil) {
			return Written{}, false, err
		}
		st, done = now, err == nil
	}
	return Written{ID: st.ID.String(), Path: st.Path, State: string(st.State), Reason: st.Reason, Epoch: st.Epoch}, done, nil
}

func settled(state string) bool {
	switch indexer.State(state) {
	case indexer.Found, indexer.Parsing, indexer.Embedding:
		return false
	}
	return true
}

func readOnly(source string) error {
	return fault.New(http.StatusConflict, "read_only",
		"the documents of source %q are not put over this API; change them where they come from", source)
}

// target returns the collection, source and key that a route names, if
// documents can be put there.
func (s *Server) target(r *http.Request) (c *Collection, source, key string, err error) {
	if c, source, err = s.targetSource(r); err != nil {
		return nil, "", "", err
	}
	if key, err = unescaped(r, "*"); err != nil {
		return nil, "", "", err
	}
	return c, source, key, checkKey(key)
}

func (s *Server) targetSource(r *http.Request) (*Collection, string, error) {
	c, err := s.collection(r.URL.Query().Get("collection"))
	if err != nil {
		return nil, "", err
	}
	name, err := unescaped(r, "name")
	if err != nil {
		return nil, "", err
	}
	if c.takes(name) {
		return c, name, nil
	}
	var names []string
	for _, src := range c.Sources() {
		if src.Name == name {
			return nil, "", readOnly(name)
		}
		names = append(names, src.Name)
	}
	return nil, "", fault.NotFound("source", name, "there are: "+strings.Join(names, ", "))
}

// unescaped returns a parameter of the path: chi matches the escaped path if
// there is one.
func unescaped(r *http.Request, name string) (string, error) {
	v := chi.URLParam(r, name)
	if r.URL.RawPath == "" {
		return v, nil
	}
	text, err := url.PathUnescape(v)
	if err != nil {
		return "", fault.Bad(name, "the path has a broken %% escape")
	}
	return text, nil
}

// checkKey keeps keys to what a path in a folder could be, whatever the source
// does with them.
func checkKey(key string) error {
	bad := func(why string) error {
		return fault.Bad("key", "the key %.80q %s; a key is a relative path such as reports/2026/q3.pdf", key, why)
	}
	switch {
	case key == "":
		return bad("is empty")
	case len(key) > maxKey:
		return fault.Bad("key", "the key has %d bytes; at most %d are allowed", len(key), maxKey)
	case !utf8.ValidString(key):
		return bad("is not UTF-8")
	case strings.ContainsFunc(key, func(c rune) bool { return unicode.IsControl(c) || c == '\\' }):
		return bad("has a control character or a backslash")
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return bad("has an empty part, . or ..")
		}
	}
	return nil
}

// waitOf reads ?wait=.
func waitOf(r *http.Request) (time.Duration, error) {
	v := r.URL.Query().Get("wait")
	switch v {
	case "":
		return 0, nil
	case "live":
		return maxWait, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > maxWait {
		return 0, fault.Bad("wait", "`wait` must be live or a time up to %v such as 5s, not %q", maxWait, v)
	}
	return d, nil
}

// metaOfHeaders reads what a PUT says of its document: Content-Type,
// Last-Modified, and X-Metadata, a JSON object of attributes.
func metaOfHeaders(h http.Header) (index.Meta, error) {
	m := index.Meta{Type: mediaType(h.Get("Content-Type"))}
	if v := h.Get("Last-Modified"); v != "" {
		t, err := http.ParseTime(v)
		if err != nil {
			return m, fault.Bad("Last-Modified", "the header Last-Modified is no HTTP date: %q", v)
		}
		m.Modified = t.UTC()
	}
	var err error
	m.Attributes, err = attributes("X-Metadata", []byte(h.Get("X-Metadata")))
	return m, err
}

func mediaType(v string) string {
	t, _, err := mime.ParseMediaType(v)
	if err != nil || t == "application/octet-stream" || t == "application/x-www-form-urlencoded" {
		return "" // what senders say who do not know
	}
	return t
}

func attributes(where string, data []byte) (map[string]any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if len(data) > maxMetadata {
		return nil, fault.Bad(where, "%s has %d bytes; at most %d are allowed", where, len(data), maxMetadata)
	}
	var m map[string]any
	if err := body.JSON(data, &m, true); err != nil {
		return nil, fault.Bad(where, "%s must be a JSON object, e.g. {\"team\":\"legal\"}: %s", where, fault.From(err).Message)
	}
	return m, nil
}
