package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
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
	out, err := settle(r.Context(), c, st, wait)
	if err != nil {
		return err
	}
	out.State, out.Reason = "deleted", ""
	return writeJSON(w, r, out)
}

// written waits as long as the client wants to and tells how the document
// stands.
func (s *Server) written(w http.ResponseWriter, r *http.Request, c *Collection, st indexer.Status, wait time.Duration) error {
	out, err := settle(r.Context(), c, st, wait)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !settled(out.State) {
		status = http.StatusAccepted
	}
	return reply.JSON(w, r, status, out)
}

func settle(ctx context.Context, c *Collection, st indexer.Status, wait time.Duration) (Written, error) {
	if wait > 0 {
		limited, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		now, err := c.Writer.Settle(limited, st)
		switch {
		case err == nil, limited.Err() != nil && ctx.Err() == nil:
			st = now
		default:
			return Written{}, err
		}
	}
	return Written{ID: st.ID.String(), Path: st.Path, State: string(st.State), Reason: st.Reason, Epoch: st.Epoch}, nil
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

// upload takes the files of a form, each under its name. Fields before the
// files apply to them: folder (put in front of their names) and metadata.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	c, source, err := s.targetSource(r)
	if err != nil {
		return err
	}
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	r.Body = body.Stream(w, r, s.o.Limits.Upload)
	form, err := r.MultipartReader()
	if err != nil {
		return fault.New(http.StatusUnsupportedMediaType, "not_a_form",
			"send files as multipart/form-data, or one document with PUT /api/sources/%s/documents/KEY", source)
	}
	u := uploading{c: c, source: source, most: s.o.Limits.Upload}
	if err := u.read(r.Context(), form); err != nil {
		return err
	}
	out, status := Uploaded{Documents: u.out}, http.StatusOK
	limited, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	for i, st := range u.put {
		if st.ID == (index.ID{}) {
			continue
		}
		left := time.Duration(0)
		if at, ok := limited.Deadline(); ok && wait > 0 {
			left = max(time.Until(at), time.Nanosecond)
		}
		if out.Documents[i], err = settle(r.Context(), c, st, left); err != nil {
			return err
		}
		if !settled(out.Documents[i].State) {
			status = http.StatusAccepted
		}
	}
	return reply.JSON(w, r, status, out)
}

// uploading is a form being read. put and out are parallel; put is zero for a
// file that was refused.
type uploading struct {
	c      *Collection
	source string
	most   int64
	folder string
	meta   map[string]any
	put    []indexer.Status
	out    []Written
}

func (u *uploading) read(ctx context.Context, form *multipart.Reader) error {
	for {
		part, err := form.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && len(u.out) == 0:
			return fault.Bad("file", "the form has no file; send one as the field `file`")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return body.Failed(err, u.most)
		}
		if name, isFile := fileName(part); isFile {
			err = u.file(ctx, part, name)
		} else {
			err = u.field(part)
		}
		if err != nil {
			return err
		}
	}
}

// fileName returns a file's name with its folders, which
// multipart.Part.FileName would cut off: a dropped folder keeps its shape.
func fileName(p *multipart.Part) (string, bool) {
	_, params, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	if err != nil {
		return "", false
	}
	name, ok := params["filename"]
	return strings.ReplaceAll(name, `\`, "/"), ok
}

func (u *uploading) field(part *multipart.Part) error {
	data, err := io.ReadAll(io.LimitReader(part, maxMetadata+1))
	if err != nil {
		return body.Failed(err, u.most)
	}
	switch part.FormName() {
	case "folder":
		u.folder = strings.Trim(string(data), "/")
		if u.folder != "" {
			return checkKey(u.folder)
		}
	case "metadata":
		u.meta, err = attributes("metadata", data)
	}
	return err
}

// file stores one file. A name that cannot be a key is told for that file and
// leaves the others alone.
func (u *uploading) file(ctx context.Context, part *multipart.Part, name string) error {
	if len(u.out) >= maxFiles {
		return fault.New(http.StatusRequestEntityTooLarge, "too_many_files", "at most %d files are taken at once; send the rest in another form", maxFiles)
	}
	if u.folder != "" {
		name = u.folder + "/" + name
	}
	if err := checkKey(name); err != nil {
		u.put = append(u.put, indexer.Status{})
		u.out = append(u.out, Written{Path: strings.ToValidUTF8(name, "\uFFFD"), State: "refused", Reason: fault.From(err).Message})
		_, err = io.Copy(io.Discard, part)
		if err != nil {
			return body.Failed(err, u.most)
		}
		return nil
	}
	meta := index.Meta{Type: mediaType(part.Header.Get("Content-Type")), Attributes: u.meta}
	st, err := u.c.Writer.Put(ctx, u.source, name, body.Told(part, u.most), meta)
	if err != nil {
		return err
	}
	u.put = append(u.put, st)
	u.out = append(u.out, Written{ID: st.ID.String(), Path: st.Path, State: string(st.State)})
	return nil
}
