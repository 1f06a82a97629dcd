package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPutAndDelete(t *testing.T) {
	_, s := newServer(t)
	w := call(t, s, "PUT", "/api/sources/uploads/documents/notes/mü%20nchen%2F1.md?wait=live", "The fair opens on Monday.",
		"Content-Type", "text/markdown", "X-Metadata", `{"team":"events"}`, "Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
	out := decode[Written](t, 200, w, w.Body.String())
	if out.State != "live" || out.Epoch != 3 || out.Path != "notes/mü nchen/1.md" {
		t.Fatalf("%+v", out)
	}
	w = call(t, s, "POST", "/api/search", fmt.Sprintf(`{"query":"when does the fair open","k":1,"min_epoch":%d}`, out.Epoch))
	h := decode[SearchResponse](t, 200, w, w.Body.String()).Hits[0]
	if h.Document != out.ID || h.Metadata["team"] != "events" || h.Modified.Format(time.DateOnly) != "2026-11-02" || h.Metadata["type"] != "text/markdown" {
		t.Errorf("%+v", h)
	}
	w = call(t, s, "GET", "/api/documents/"+out.ID, "")
	if d := decode[Document](t, 200, w, w.Body.String()); !d.Own {
		t.Errorf("not own: %+v", d)
	}
	w = call(t, s, "DELETE", "/api/documents/"+out.ID+"?wait=5s", "")
	if gone := decode[Written](t, 200, w, w.Body.String()); gone.State != "deleted" || gone.Epoch != 4 {
		t.Errorf("%+v", gone)
	}
	if w := call(t, s, "DELETE", "/api/sources/uploads/documents/notes/mü%20nchen%2F1.md", ""); w.Code != 404 {
		t.Errorf("deleted twice: %d", w.Code)
	}
	for _, tc := range []struct{ name, value string }{
		{"X-Metadata", "[1]"}, {"X-Metadata", "{"}, {"X-Metadata", `{"a":"` + strings.Repeat("x", maxMetadata) + `"}`}, {"Last-Modified", "yesterday"},
	} {
		if w := call(t, s, "PUT", "/api/sources/uploads/documents/a", "x", tc.name, tc.value); w.Code != 400 || !strings.Contains(w.Body.String(), tc.name) {
			t.Errorf("%s: %d %s", tc.name, w.Code, w.Body)
		}
	}
	w = call(t, s, "GET", "/api/documents", "")
	folder := decode[DocumentList](t, 200, w, w.Body.String()).Documents[0]
	if w := call(t, s, "DELETE", "/api/documents/"+folder.ID, ""); w.Code != 409 {
		t.Errorf("a document of a folder was deleted: %d %s", w.Code, w.Body)
	}
}

func TestPutWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newServer(t)
		e.hold = make(chan struct{})
		w := call(t, s, "PUT", "/api/sources/uploads/documents/a.md?wait=2s", "text")
		if out := decode[Written](t, 202, w, w.Body.String()); out.State != "found" || out.Epoch != 0 {
			t.Errorf("the wait ended: %+v", out)
		}
		w = call(t, s, "PUT", "/api/sources/uploads/documents/b.md", "text")
		if out := decode[Written](t, 202, w, w.Body.String()); out.State != "found" {
			t.Errorf("no wait: %+v", out)
		}
		w = call(t, s, "GET", "/ready", "")
		if r := decode[Ready](t, 200, w, w.Body.String()); r.Pending != 2 {
			t.Errorf("%+v", r)
		}
		time.AfterFunc(time.Second, func() { close(e.hold) }) // by the bubble's clock
		w = call(t, s, "PUT", "/api/sources/uploads/documents/c.md?wait=live", "text")
		if out := decode[Written](t, 200, w, w.Body.String()); out.State != "live" || out.Epoch == 0 {
			t.Errorf("%+v", out)
		}
		w = call(t, s, "PUT", "/api/sources/uploads/documents/d.pdf?wait=live", "%BROKEN")
		if out := decode[Written](t, 200, w, w.Body.String()); out.State != "failed" || out.Reason == "" {
			t.Errorf("%+v", out)
		}
		synctest.Wait()
	})
}

// form makes a multipart body of pairs: a name that starts with / is a file's.
func form(t *testing.T, pairs ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		var w io.Writer
		var err error
		if name, ok := strings.CutPrefix(pairs[i], "/"); ok {
			w, err = m.CreateFormFile("file", name)
		} else {
			w, err = m.CreateFormField(pairs[i])
		}
		if err == nil {
			_, err = io.WriteString(w, pairs[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m.Close()
	return b.String(), m.FormDataContentType()
}

func TestUpload(t *testing.T) {
	e, s := newServer(t)
	body, ct := form(t, "folder", "2026", "metadata", `{"by":"page"}`, "/a.txt", "alpha text", "/sub/b.txt", "beta text", "/../c.txt", "gamma")
	w := call(t, s, "POST", "/api/sources/uploads/documents?wait=live", body, "Content-Type", ct)
	out := decode[Uploaded](t, 200, w, w.Body.String())
	if len(out.Documents) != 3 || out.Documents[0].State != "live" || out.Documents[0].Path != "2026/a.txt" || out.Documents[1].Path != "2026/sub/b.txt" ||
		out.Documents[2].State != "refused" || out.Documents[2].Reason == "" {
		t.Fatalf("%+v", out)
	}
	if d := e.docs[cut("uploads", "2026/a.txt")]; d == nil || d.Meta.Attributes["by"] != "page" {
		t.Errorf("%+v", d)
	}
	for name, pairs := range map[string][]string{
		"no file": {"folder", "x"}, "bad folder": {"folder", "../x", "/a", "b"}, "bad metadata": {"metadata", "nope", "/a", "b"},
	} {
		body, ct := form(t, pairs...)
		if w := call(t, s, "POST", "/api/sources/uploads/documents", body, "Content-Type", ct); w.Code != 400 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	body, ct = form(t, "/a.txt", "alpha")
	if w := call(t, s, "POST", "/api/sources/uploads/documents", body[:len(body)-20], "Content-Type", ct); w.Code != 400 {
		t.Errorf("a form that is cut off: %d %s", w.Code, w.Body)
	}
}

// Names of documents that callers give: folders in them are kept, and what could
// lead out of a folder is refused, however it comes.
func TestNamesWithFolders(t *testing.T) {
	long := strings.Repeat("a/", maxKey/2)
	for name, ok := range map[string]bool{
		"a/x.md": true, "b/x.md": true, `b/100% "sure"?#&+;.md`: true, "ü/名前 .md": true, "a/...": true, "a/..b/.c": true, long[:maxKey-1]: true,
		"..": false, "../x": false, "a/../x": false, "a/..": false, "a/./x": false, ".": false, "/etc/passwd": false, "//x": false, "a//x": false, "a/": false,
		`..\x`: false, `\etc\passwd`: false, "a\x00b": false, "a/\x1f": false, "a\nb": false, "a\x7f": false, "\xff": false, long + "bb": false, "": false,
	} {
		e, s := newServer(t)
		before := len(e.docs)
		parts := strings.Split(name, "/")
		for i, p := range parts {
			parts[i] = strings.ReplaceAll(url.PathEscape(p), ".", "%2E") // as no client would write it
		}
		w := call(t, s, "PUT", "/api/sources/uploads/documents/"+strings.Join(parts, "/")+"?wait=live", "text")
		if ok {
			if out := decode[Written](t, 200, w, w.Body.String()); out.Path != name || e.docs[cut("uploads", name)] == nil {
				t.Errorf("PUT %q: %+v", name, out)
			}
		} else if w.Code != 400 && w.Code != 404 && w.Code != 405 && w.Code != 308 || len(e.docs) != before {
			t.Errorf("PUT %q: %d %s, %d documents", name, w.Code, w.Body, len(e.docs))
		}

		e, s = newServer(t)
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name)
		body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + quoted + "\"\r\n\r\ntext\r\n--b--\r\n"
		w = call(t, s, "POST", "/api/sources/uploads/documents?wait=live", body, "Content-Type", "multipart/form-data; boundary=b")
		if w.Code == 400 && !ok && len(e.docs) == before {
			continue // the form itself cannot be read
		}
		out := decode[Uploaded](t, 200, w, w.Body.String())
		if len(out.Documents) != 1 {
			t.Fatalf("form %q: %+v", name, out)
		}
		if d := out.Documents[0]; ok && (d.Path != name || e.docs[cut("uploads", name)] == nil) || !ok && (d.State != "refused" || d.Reason == "" || len(e.docs) != before) {
			t.Errorf("form %q: %+v, %d documents", name, d, len(e.docs))
		}
	}
}

func TestUploadLimit(t *testing.T) {
	_, s := newServer(t, func(o *Options) { o.Limits.Upload = 1000 })
	if w := call(t, s, "PUT", "/api/sources/uploads/documents/a", strings.Repeat("x", 1001)); w.Code != 413 || !strings.Contains(w.Body.String(), "1000 bytes") {
		t.Errorf("put: %d %s", w.Code, w.Body)
	}
	if w := call(t, s, "PUT", "/api/sources/uploads/documents/a", strings.Repeat("x", 1000)); w.Code != 202 && w.Code != 200 {
		t.Errorf("put: %d %s", w.Code, w.Body)
	}
	body, ct := form(t, "/a.txt", strings.Repeat("x", 1001))
	if w := call(t, s, "POST", "/api/sources/uploads/documents", body, "Content-Type", ct); w.Code != 413 {
		t.Errorf("form: %d %s", w.Code, w.Body)
	}
}

// A client that sends its body slowly is cut off, and does not hold a slot
// longer than that.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newServer(t)
		server, client := net.Pipe()
		ln := &oneConn{conn: server, done: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, ln, time.Second) }()
		head := "POST /api/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"que"
		if _, err := io.WriteString(client, head); err != nil {
			t.Fatal(err)
		}
		reply, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(reply, []byte("HTTP/1.1 408 ")) || !bytes.Contains(reply, []byte("slow_body")) {
			t.Errorf("%s", reply)
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// A body that pauses is cut off; one that keeps coming is not, however long it
// takes.
func TestSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newServer(t)
		server, client := net.Pipe()
		ln := &oneConn{conn: server, done: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, ln, time.Second) }()
		fmt.Fprintf(client, "PUT /api/sources/uploads/documents/slow.txt?wait=live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n")
		for range 20 {
			time.Sleep(20 * time.Second) // by the bubble's clock: more than a body may take in all, less than a pause may last
			if _, err := io.WriteString(client, "x"); err != nil {
				t.Fatal(err)
			}
		}
		buf := make([]byte, 4096)
		n, err := client.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200 ") {
			t.Errorf("%v %s", err, buf[:n])
		}
		client.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, s := newServer(t, func(o *Options) { o.Limits = Limits{Asks: 1, Queue: 2 * time.Second} })
		e.block = make(chan struct{})
		first := make(chan *httptest.ResponseRecorder)
		go func() { first <- call(t, s, "POST", "/api/ask", `{"question":"a gift"}`) }()
		synctest.Wait()
		start := time.Now()
		w := call(t, s, "POST", "/api/ask", `{"question":"a gift"}`)
		got := decode[Error](t, 503, w, w.Body.String())
		if got.Error.Code != "busy" || w.Header().Get("Retry-After") != "2" || time.Since(start) != 2*time.Second {
			t.Errorf("%+v %v after %v", got, w.Header(), time.Since(start))
		}
		second := make(chan *httptest.ResponseRecorder)
		go func() { second <- call(t, s, "POST", "/api/ask", `{"question":"a gift"}`) }()
		synctest.Wait()
		close(e.block)
		if w := <-first; w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := <-second; w.Code != 200 {
			t.Errorf("the one that waited: %d %s", w.Code, w.Body)
		}
	})
}

// Requests that wait for an epoch end with their time, and leave slots to others.
func TestMinEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newServer(t, func(o *Options) { o.Limits = Limits{Searches: 2} })
		waiting := make(chan *httptest.ResponseRecorder)
		go func() { waiting <- call(t, s, "POST", "/api/search", `{"query":"a","min_epoch":999}`) }()
		synctest.Wait()
		if w := call(t, s, "POST", "/api/search", `{"query":"a","min_epoch":999}`); w.Code != 503 {
			t.Errorf("a second one waits too: %d", w.Code)
		}
		if w := call(t, s, "POST", "/api/search", `{"query":"a"}`); w.Code != 200 {
			t.Errorf("an ordinary search: %d", w.Code)
		}
		w := <-waiting
		if got := decode[Error](t, 504, w, w.Body.String()); got.Error.Code != "timeout" {
			t.Errorf("%+v", got)
		}
	})
}

func TestPanicIsAFailureOfOneRequest(t *testing.T) {
	_, s := newServer(t)
	s.o.Collections[0].Search = nil
	w := call(t, s, "POST", "/api/search", `{"query":"a"}`)
	if got := decode[Error](t, 500, w, w.Body.String()); got.Error.Code != "internal" {
		t.Errorf("%+v", got)
	}
	if w := call(t, s, "GET", "/health", ""); w.Code != http.StatusOK {
		t.Error("the server died")
	}
}
