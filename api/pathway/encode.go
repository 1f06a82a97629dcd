package pathway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ragserver/ragserver/api/internal/reply"
	"github.com/ragserver/ragserver/api/internal/selection"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm/answer"
)

// writer writes JSON in the order of Pathway's own replies, which maps would
// lose, and without building maps on the way of every query.
type writer struct {
	bytes.Buffer
	enc *json.Encoder
}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.enc = json.NewEncoder(&w.Buffer)
	w.enc.SetEscapeHTML(false)
	return w
}}

func newWriter() *writer { return writers.Get().(*writer) }

// maxKept is the largest buffer that is used again.
const maxKept = 1 << 20

func (w *writer) free() {
	if w.Cap() <= maxKept {
		w.Reset()
		writers.Put(w)
	}
}

func (w *writer) value(v any) {
	if w.enc.Encode(v) != nil {
		w.WriteString("null") // an attribute that JSON cannot say, such as NaN
		return
	}
	w.Truncate(w.Len() - 1) // the newline
}

// name begins a member whose name needs no escapes; anyName one of any name.
func (w *writer) name(s string) {
	w.comma()
	w.WriteByte('"')
	w.WriteString(s)
	w.WriteString(`":`)
}

func (w *writer) anyName(s string) {
	w.comma()
	w.value(s)
	w.WriteByte(':')
}

func (w *writer) comma() {
	if c := w.Bytes()[w.Len()-1]; c != '{' {
		w.WriteByte(',')
	}
}

func (w *writer) float(f float64) {
	w.Write(strconv.AppendFloat(w.AvailableBuffer(), f, 'g', -1, 64))
}

func (w *writer) time(name string, t time.Time) {
	w.name(name)
	if t.IsZero() {
		w.WriteString("null")
		return
	}
	w.Write(strconv.AppendInt(w.AvailableBuffer(), t.Unix(), 10))
}

func (w *writer) textOrNull(name, s string) {
	w.name(name)
	if s == "" {
		w.WriteString("null")
		return
	}
	w.value(s)
}

// own are the names that the server vouches for; a document cannot set them.
var own = []string{"created_at", "modified_at", "owner", "path", "size", "seen_at", "source", "page_number", "heading", "title", "_indexing_status", "_indexing_reason"}

// metadata writes the members of a document's metadata object.
func (w *writer) metadata(d *index.Document) {
	w.time("created_at", d.Meta.Created)
	w.time("modified_at", d.Meta.Modified)
	w.textOrNull("owner", d.Meta.Owner)
	w.name("path")
	w.value(d.Path)
	w.name("size")
	w.Write(strconv.AppendInt(w.AvailableBuffer(), d.Meta.Size, 10))
	w.time("seen_at", d.Meta.Seen)
	w.name("source")
	w.value(d.Source)
	if d.Meta.Title != "" {
		w.name("title")
		w.value(d.Meta.Title)
	}
	if len(d.Meta.Attributes) == 0 {
		return
	}
	names := make([]string, 0, len(d.Meta.Attributes))
	for n := range d.Meta.Attributes {
		if !slices.Contains(own, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		w.anyName(n)
		w.value(d.Meta.Attributes[n])
	}
}

func (w *writer) hits(hits []index.Hit) {
	dist := distances(hits)
	w.WriteByte('[')
	for i := range hits {
		h := &hits[i]
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteString(`{"text":`)
		w.value(h.Text)
		w.WriteString(`,"metadata":{`)
		w.metadata(&h.Document)
		if h.Page > 0 {
			w.name("page_number")
			w.Write(strconv.AppendInt(w.AvailableBuffer(), int64(h.Page), 10))
		}
		if h.Heading != "" {
			w.name("heading")
			w.value(h.Heading)
		}
		w.WriteString(`},"dist":`)
		w.float(dist[i])
		w.WriteByte('}')
	}
	w.WriteByte(']')
}

// send writes the reply; the writer must not be used any more.
func (w *writer) send(to http.ResponseWriter, r *http.Request) error {
	defer w.free()
	reply.Bytes(to, r, http.StatusOK, "application/json; charset=utf-8", w.Bytes())
	return nil
}

func sendHits(to http.ResponseWriter, r *http.Request, hits []index.Hit) error {
	w := newWriter()
	w.hits(hits)
	return w.send(to, r)
}

func sendAnswer(to http.ResponseWriter, r *http.Request, a *answer.Answer, withDocs bool) error {
	w := newWriter()
	w.WriteString(`{"response":`)
	w.value(a.Text)
	if withDocs {
		hits := make([]index.Hit, len(a.Sources))
		for i := range a.Sources {
			hits[i] = a.Sources[i].Hit
		}
		w.WriteString(`,"context_docs":`)
		w.hits(hits)
	}
	w.WriteByte('}')
	return w.send(to, r)
}

// Inputs answers /v1/inputs, /v1/pw_list_documents and /v2/list_documents.
func (s *Server) Inputs(w http.ResponseWriter, r *http.Request) error {
	f, c, err := s.read(w, r, maxBody)
	if err != nil {
		return err
	}
	text := f.text("metadata_filter")
	if text == "" {
		text = f.text("filters")
	}
	glob, status := f.text("filepath_globpattern"), f.truth("return_status")
	if f.err != nil {
		return f.err
	}
	want, err := selection.Parse(text, glob)
	if err != nil {
		return err
	}
	out := newWriter()
	out.WriteByte('[')
	item := func(d *index.Document, state, reason string) bool {
		if !want.Everything() && !want.Match(selection.Fields(d)) {
			return true
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.WriteByte('{')
		if status {
			out.name("_indexing_status")
			out.value(state)
			if reason != "" {
				out.name("_indexing_reason")
				out.value(reason)
			}
		}
		out.metadata(d)
		out.WriteByte('}')
		return r.Context().Err() == nil
	}
	for d := range c.View.Documents() {
		state, reason := "INDEXED", ""
		if d.Chunks == 0 {
			state, reason = "INGESTED", d.Unread
		}
		if !item(&d, state, reason) {
			break
		}
	}
	for _, st := range c.Waiting() {
		if _, live := c.View.Document(st.ID); live {
			continue
		}
		d := onWay(st)
		if !item(&d, "INGESTED", st.Reason) {
			break
		}
	}
	if err := r.Context().Err(); err != nil {
		return err
	}
	out.WriteByte(']')
	return out.send(w, r)
}

// onWay is what is known of a document before it was read.
func onWay(st indexer.Status) index.Document {
	return index.Document{ID: st.ID, Source: st.Source, Path: st.Path, Meta: index.Meta{
		Modified: st.Modified, Seen: st.Seen, Size: st.Size, Title: st.Title, Type: st.Type,
	}}
}

func unix(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.Unix()
	return &n
}
