package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/web"
)

func get(t *testing.T, h http.Handler, target string, header ...string) *http.Response {
	t.Helper()
	return do(t, h, http.MethodGet, target, header...)
}

func do(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var reference = regexp.MustCompile(`(?:src|href)="([^"]*)"`)

// references lists what index.html needs.
func references(t *testing.T, index string) []string {
	t.Helper()
	var out []string
	for _, m := range reference.FindAllStringSubmatch(index, -1) {
		out = append(out, m[1])
	}
	if len(out) < 3 {
		t.Fatalf("index.html refers to %q: want a script, a stylesheet and an icon", out)
	}
	return out
}

func TestPathsOfThePage(t *testing.T) {
	h := web.Handler(web.Options{})
	tests := []struct {
		path   string
		status int
	}{
		{"/", 200}, {"/?c=x", 200}, {"/documents", 200}, {"/documents/", 200}, {"/d/0123abcd?v=1&start=2&end=3", 200},
		{"/d/a%2Fb", 200}, {"/mark.svg", 200},
		{"/d", 404}, {"/d/", 404}, {"/index.html", 404}, {"/assets", 404}, {"/assets/", 404}, {"/assets/gone-00000000.js", 404},
		{"/documentsx", 404}, {"/../web.go", 404}, {"/..%2f..%2fgo.mod", 404}, {"/ui/package.json", 404}, {"/favicon.ico", 404},
		{"/assets/..%2findex.html", 404},
	}
	for _, tt := range tests {
		r := get(t, h, tt.path)
		if r.StatusCode != tt.status {
			t.Errorf("GET %s: %d, want %d", tt.path, r.StatusCode, tt.status)
		}
		isPage := strings.HasPrefix(body(t, r), "<!doctype html>")
		if want := tt.status == 200 && tt.path != "/mark.svg"; isPage != want {
			t.Errorf("GET %s: is the page: %v, want %v", tt.path, isPage, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	h := web.Handler(web.Options{})
	index := get(t, h, "/")
	for _, target := range append(references(t, body(t, index)), "/", "/documents", "/gone.js") {
		r := get(t, h, target)
		want := map[string]string{
			"Content-Security-Policy": web.Policy,
			"X-Content-Type-Options":  "nosniff",
			"Referrer-Policy":         "no-referrer",
		}
		if strings.HasPrefix(target, "/assets/") {
			want["Cache-Control"] = "public, max-age=31536000, immutable"
		} else if r.StatusCode == 200 {
			want["Cache-Control"] = "no-cache"
		}
		for name, value := range want {
			if got := r.Header.Get(name); got != value {
				t.Errorf("GET %s: %s is %q, want %q", target, name, got, value)
			}
		}
	}
	if strings.Contains(web.Policy, "unsafe") || strings.Contains(web.Policy, "http:") || strings.Contains(web.Policy, "https:") {
		t.Errorf("the policy %q lets in too much", web.Policy)
	}
}

func TestReferencesExistAndAreAbsolute(t *testing.T) {
	for _, prefix := range []string{"", "/rag", "rag/", "/a/b"} {
		h := web.Handler(web.Options{Prefix: prefix})
		root := "/" + strings.Trim(prefix, "/")
		if root != "/" {
			root += "/"
		}
		kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
		for _, ref := range references(t, body(t, get(t, h, "/d/x"))) {
			if !strings.HasPrefix(ref, root) {
				t.Errorf("prefix %q: reference %q does not start with %q", prefix, ref, root)
				continue
			}
			r := get(t, h, "/"+strings.TrimPrefix(ref, root))
			if r.StatusCode != 200 || r.Header.Get("Content-Type") != kinds[filepath.Ext(ref)] {
				t.Errorf("prefix %q: %s: %d %s", prefix, ref, r.StatusCode, r.Header.Get("Content-Type"))
			}
		}
	}
}

func TestEncodings(t *testing.T) {
	h := web.Handler(web.Options{})
	var script string
	for _, ref := range references(t, body(t, get(t, h, "/"))) {
		if strings.HasSuffix(ref, ".js") {
			script = ref
		}
	}
	plain := body(t, get(t, h, script))
	for accept, squeezed := range map[string]bool{
		"gzip": true, "gzip, deflate, br, zstd": true, "br;q=1, GZIP;q=0.2": true, "*": true, "x-gzip": true,
		"identity": false, "": false, "br": false, "gzip;q=0": false, "gzip;q=0, *": false, "*;q=0": false, "gzip;q=x": false,
	} {
		r := get(t, h, script, "Accept-Encoding", accept)
		got := body(t, r)
		if (r.Header.Get("Content-Encoding") == "gzip") != squeezed {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q", accept, r.Header.Get("Content-Encoding"))
			continue
		}
		if r.Header.Get("Vary") != "Accept-Encoding" || r.ContentLength != int64(len(got)) {
			t.Errorf("Accept-Encoding %q: Vary %q, Content-Length %d of %d", accept, r.Header.Get("Vary"), r.ContentLength, len(got))
		}
		if squeezed {
			z, err := gzip.NewReader(strings.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		if got != plain {
			t.Errorf("Accept-Encoding %q: another body", accept)
		}
	}
}

func TestNotModified(t *testing.T) {
	h := web.Handler(web.Options{})
	plain := get(t, h, "/").Header.Get("ETag")
	small := get(t, h, "/", "Accept-Encoding", "gzip").Header.Get("ETag")
	if plain == "" || plain == small {
		t.Fatalf("ETags %q and %q: want two", plain, small)
	}
	for match, status := range map[string]int{
		plain: 304, small: 304, "W/" + plain: 304, `"x", ` + plain: 304, "*": 304, `"x"`: 200, "": 200, plain[:5]: 200,
	} {
		r := get(t, h, "/documents", "If-None-Match", match)
		if r.StatusCode != status {
			t.Errorf("If-None-Match %s: %d, want %d", match, r.StatusCode, status)
		}
		if status == 304 && body(t, r) != "" {
			t.Errorf("If-None-Match %s: a body", match)
		}
	}
}

func TestMethods(t *testing.T) {
	h := web.Handler(web.Options{})
	r := do(t, h, http.MethodHead, "/")
	if r.StatusCode != 200 || body(t, r) != "" || r.ContentLength <= 0 {
		t.Errorf("HEAD /: %d, length %d", r.StatusCode, r.ContentLength)
	}
	r = do(t, h, http.MethodPost, "/")
	if r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /: %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
}

func TestDirIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := web.Handler(web.Options{Dir: dir})
	if r := get(t, h, "/"); r.StatusCode != 404 {
		t.Errorf("without index.html: %d, want 404", r.StatusCode)
	}
	write("index.html", `<script src="./assets/a.js">`)
	write("assets/a.js", "1")
	if got := body(t, get(t, h, "/d/x")); got != `<script src="/assets/a.js">` {
		t.Errorf("index.html is %q", got)
	}
	write("assets/a.js", "2")
	r := get(t, h, "/assets/a.js")
	if body(t, r) != "2" || r.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("a changed file is not seen, or would be kept: %q", r.Header.Get("Cache-Control"))
	}
}

// The page must be whole without any other host: nothing in it names one, but
// for the namespaces of XML and the links that libraries leave in comments or
// messages, which are not fetched.
func TestNoInlineCode(t *testing.T) {
	index := body(t, get(t, web.Handler(web.Options{}), "/"))
	if strings.Contains(index, "<style") || strings.Contains(index, "style=") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(index) {
		t.Error("index.html has inline code, which its policy forbids")
	}
	if strings.Contains(index, "http") {
		t.Error("index.html refers to another host")
	}
	css, err := filepath.Glob("dist/assets/*.css")
	if err != nil || len(css) == 0 {
		t.Fatalf("no stylesheet in dist: %v", err)
	}
	for _, name := range css {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("url(")) || bytes.Contains(b, []byte("@import")) {
			t.Errorf("%s loads something", name)
		}
	}
}

// What is sent before the page can be used stays small.
func TestWeight(t *testing.T) {
	const most = 60_000 // bytes, compressed
	h := web.Handler(web.Options{})
	first := get(t, h, "/", "Accept-Encoding", "gzip")
	sum := int(first.ContentLength)
	for _, ref := range references(t, body(t, get(t, h, "/"))) {
		sum += int(get(t, h, ref, "Accept-Encoding", "gzip").ContentLength)
	}
	t.Logf("first load: %d bytes compressed", sum)
	if sum > most {
		t.Errorf("the first load is %d bytes compressed, more than %d", sum, most)
	}
}
