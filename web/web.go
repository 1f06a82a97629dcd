// Package web serves the page: a chat over one's documents, the list of them,
// and what happens to them.
//
// The page is a few files under dist, built from ui and committed, so that
// building the server needs no Node. It asks nothing of any other host; the
// policy that is sent with it forbids it to. Files whose names carry a hash of
// their content are kept by browsers for good, index.html is asked for each
// time and answered with 304 while it is the same.
//
// The address of the page says what it shows. Paths that belong to the page are
// /, /documents and below, and /d/{document}; each is answered with index.html.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

//go:embed dist
var dist embed.FS

// Options say where the page is and where it comes from.
type Options struct {
	// Dir, if not empty, is a built page that is read again at every request
	// instead of the one in the binary: for those who work on the page.
	Dir string
	// Prefix is the path the page is at as browsers see it, such as
	// /rag behind a proxy; empty for the root. Requests come without it.
	Prefix string
}

// Policy is the Content-Security-Policy of the page.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page. It is safe for concurrent use.
func Handler(o Options) http.Handler {
	h := &handler{prefix: "/" + strings.Trim(o.Prefix, "/")}
	if h.prefix == "/" {
		h.prefix = ""
	}
	if o.Dir != "" {
		h.dir = os.DirFS(o.Dir)
		return h
	}
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only if "dist" were not a valid path
	}
	h.dir, h.kept = built, true
	return h
}

type handler struct {
	dir    fs.FS
	prefix string
	kept   bool // files do not change

	mu    sync.Mutex // guards files
	files map[string]*file
}

// file is one file of the page, as it is sent.
type file struct {
	body     []byte
	kind     string // media type
	etag     string // of the uncompressed body
	squeezed func() []byte
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", Policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "the page is read with GET", http.StatusMethodNotAllowed)
		return
	}
	name := fileOf(r.URL.Path)
	if name == "" {
		http.Error(w, "there is nothing here", http.StatusNotFound)
		return
	}
	f, err := h.file(name)
	if err != nil {
		http.Error(w, "there is nothing here", http.StatusNotFound)
		return
	}
	h.send(w, r, name, f)
}

// fileOf names the file that answers a path, "" if the path is not the page's.
func fileOf(p string) string {
	clean := path.Clean("/" + p)
	switch first, rest, _ := strings.Cut(clean[1:], "/"); {
	case first == "", first == "documents", first == "d" && rest != "":
		return "index.html"
	case clean == "/index.html":
		return "" // it has one address only
	}
	return clean[1:]
}

func (h *handler) file(name string) (*file, error) {
	h.mu.Lock()
	f := h.files[name]
	h.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := h.read(name)
	if err != nil || !h.kept {
		return f, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if old := h.files[name]; old != nil {
		return old, nil
	}
	if h.files == nil {
		h.files = map[string]*file{}
	}
	h.files[name] = f
	return f, nil
}

func (h *handler) read(name string) (*file, error) {
	body, err := fs.ReadFile(h.dir, name)
	if err != nil {
		return nil, err
	}
	if name == "index.html" {
		// The page is built with relative references; under /d/ they would
		// lead astray.
		for _, attribute := range []string{`src="`, `href="`} {
			body = bytes.ReplaceAll(body, []byte(attribute+"./"), []byte(attribute+h.prefix+"/"))
		}
	}
	sum := sha256.Sum256(body)
	return &file{
		body:     body,
		kind:     kindOf(name),
		etag:     base64.RawURLEncoding.EncodeToString(sum[:12]),
		squeezed: sync.OnceValue(func() []byte { return squeeze(body) }),
	}, nil
}

// kindOf tells the media type of a file of the page. The table is our own
// first: that of the system may be missing, or hold surprises.
func kindOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

// squeeze compresses a body; nil if that does not make it smaller.
func squeeze(body []byte) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := z.Write(body); err != nil || z.Close() != nil || out.Len() >= len(body) {
		return nil
	}
	return out.Bytes()
}

func (h *handler) send(w http.ResponseWriter, r *http.Request, name string, f *file) {
	head := w.Header()
	head.Set("Content-Type", f.kind)
	head.Set("Vary", "Accept-Encoding")
	switch {
	case h.kept && strings.HasPrefix(name, "assets/"):
		head.Set("Cache-Control", "public, max-age=31536000, immutable")
	default:
		head.Set("Cache-Control", "no-cache")
	}
	body, etag := f.body, `"`+f.etag+`"`
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		if small := f.squeezed(); small != nil {
			body, etag = small, `"`+f.etag+`-gz"`
			head.Set("Content-Encoding", "gzip")
		}
	}
	head.Set("ETag", etag)
	if matches(r.Header.Values("If-None-Match"), f.etag) {
		head.Del("Content-Type")
		head.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(body); err != nil {
		return // the reader left
	}
}
