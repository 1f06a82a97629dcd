// Package reply writes JSON replies.
package reply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// minGzip is the length from which compressing a reply pays.
const minGzip = 4 << 10

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Encode returns v as JSON with characters as they are (none is escaped that
// need not be).
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := encode(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encoding the reply: %w", err)
	}
	b.Truncate(b.Len() - 1) // the newline
	return nil
}

// JSON writes v as the whole reply. An error means that v could not be encoded
// and nothing was written; a client that is gone is not an error.
func JSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= 1<<20 {
			b.Reset()
			buffers.Put(b)
		}
	}()
	if err := encode(b, v); err != nil {
		b.Reset()
		return err
	}
	Bytes(w, r, status, "application/json; charset=utf-8", b.Bytes())
	return nil
}

// Bytes writes a whole reply, compressed if it is long and the client is on
// another machine and wants it so.
func Bytes(w http.ResponseWriter, r *http.Request, status int, contentType string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept-Encoding")
	if len(data) < minGzip || !acceptsGzip(r) || fromHere(r) {
		h.Set("Content-Length", strconv.Itoa(len(data)))
		w.WriteHeader(status)
		_, _ = w.Write(data)
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	_, _ = z.Write(data)
	_ = z.Close()
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q = strings.TrimPrefix(strings.ReplaceAll(q, " ", ""), "q=")
		f, err := strconv.ParseFloat(q, 64)
		return q == "" || err == nil && f > 0
	}
	return false
}

// fromHere says whether the client is on this machine, where compressing costs
// more than it saves.
func fromHere(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}
