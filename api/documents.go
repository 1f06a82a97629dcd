package api

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// listParams are the parameters of GET /api/documents.
type listParams struct {
	Q          string `json:"q,omitempty" doc:"Part of the path or title, in any case."`
	State      string `json:"state,omitempty" enum:"found,parsing,embedding,live,stale,failed,skipped"`
	Source     string `json:"source,omitempty"`
	Limit      int    `json:"limit,omitempty" minimum:"1" maximum:"1000" doc:"Rows wanted; the default is 100."`
	Cursor     string `json:"cursor,omitempty" doc:"Of the page before."`
	Collection string `json:"collection,omitempty"`
}

var states = []indexer.State{indexer.Found, indexer.Parsing, indexer.Embedding, indexer.Live, indexer.Stale, indexer.Failed, indexer.Skipped}

func (s *Server) listDocuments(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	p := params{values: v}
	l := indexer.List{Text: p.text("q"), State: indexer.State(p.text("state")), Source: p.text("source"), Limit: p.integer("limit")}
	if err := p.done(); err != nil {
		return err
	}
	switch {
	case !v.Has("limit"):
		l.Limit = defaultPage
	case l.Limit < 1 || l.Limit > maxPage:
		return fault.Bad("limit", "`limit` must be from 1 to %d", maxPage)
	}
	if l.State != "" && !slices.Contains(states, l.State) {
		return fault.Bad("state", "there is no state %q; there are %v", l.State, states)
	}
	var err error
	if l.After, err = placeOf(v.Get("cursor")); err != nil {
		return err
	}
	c, err := s.collection(v.Get("collection"))
	if err != nil {
		return err
	}
	rows, total := c.Statuses.Documents(l)
	counts, _ := c.Statuses.Counts()
	out := DocumentList{Documents: make([]Document, len(rows)), Total: total, States: stateNames(counts)}
	for i := range rows {
		out.Documents[i] = s.document(c, &rows[i])
	}
	if len(rows) == l.Limit {
		out.Cursor = cursor(rows[len(rows)-1].Place())
	}
	return writeJSON(w, r, out)
}

func stateNames(in map[indexer.State]int) map[string]int {
	out := make(map[string]int, len(in))
	for st, n := range in {
		out[string(st)] = n
	}
	return out
}

func cursor(p indexer.Place) string {
	data, _ := json.Marshal([3]string{p.Source, p.Path, p.ID.String()}) // strings always can
	return base64.RawURLEncoding.EncodeToString(data)
}

func placeOf(text string) (indexer.Place, error) {
	if text == "" {
		return indexer.Place{}, nil
	}
	var parts [3]string
	var id index.ID
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &parts)
	}
	if err == nil {
		id, err = index.ParseID(parts[2])
	}
	if err != nil {
		return indexer.Place{}, fault.Bad("cursor", "the cursor is none that this server gave; start without one")
	}
	return indexer.Place{Source: parts[0], Path: parts[1], ID: id}, nil
}

func (s *Server) getDocument(w http.ResponseWriter, r *http.Request) error {
	c, st, err := s.named(r)
	if err != nil {
		return err
	}
	out := s.document(c, &st)
	if d, ok := c.View().Document(st.ID); ok {
		out.Metadata = metadata(&d)
	}
	return writeJSON(w, r, out)
}

// named returns the document a route's {id} names.
func (s *Server) named(r *http.Request) (*Collection, indexer.Status, error) {
	c, err := s.collection(r.URL.Query().Get("collection"))
	if err != nil {
		return nil, indexer.Status{}, err
	}
	id, err := parseID("id", chi.URLParam(r, "id"))
	if err != nil {
		return nil, indexer.Status{}, err
	}
	st, ok := c.Statuses.Document(id)
	if !ok {
		return nil, indexer.Status{}, noDocument(id)
	}
	return c, st, nil
}

func noDocument(id index.ID) error {
	return fault.NotFound("document", id.String(), "it may have been deleted; /api/documents lists what there is")
}

// document is a row of the status table as clients see it.
func (s *Server) document(c *Collection, st *indexer.Status) Document {
	d := Document{
		ID: st.ID.String(), Source: st.Source, Path: st.Path, State: string(st.State), Reason: st.Reason,
		Live: st.LiveVersion != (index.ID{}), Title: st.Title, Type: st.Type, Size: st.Size,
		Chunks: st.Chunks, Embedded: st.Embedded,
		Modified: timeOrNil(st.Modified), Updated: st.Updated.UTC(), LiveAt: timeOrNil(st.LiveAt), Epoch: st.Epoch,
		Own: c.takes(st.Source),
	}
	if st.Version != (index.ID{}) {
		d.Version = st.Version.String()
	}
	return d
}

// takes says whether documents can be put into a source.
func (c *Collection) takes(source string) bool {
	if c.Writer == nil {
		return false
	}
	return slices.ContainsFunc(c.Sources(), func(s indexer.SourceStatus) bool { return s.Name == source && s.Kind == uploads })
}

// uploads is the kind of the sources that take documents over this API.
const uploads = "uploads"

// textParams are the parameters of GET /api/documents/{id}/text.
type textParams struct {
	Version    string `json:"version,omitempty" doc:"The live one if absent."`
	Start      int    `json:"start,omitempty" minimum:"0" doc:"Code points."`
	End        int    `json:"end,omitempty" minimum:"0" doc:"Code points; the end of the text if absent."`
	Around     int    `json:"around,omitempty" minimum:"0" doc:"Further code points wanted before start and behind end."`
	Collection string `json:"collection,omitempty"`
}

// maxTextPart is the most code points of a text that one reply holds; Length,
// Start and End tell what was left out.
const maxTextPart = 1 << 20

func (s *Server) documentText(w http.ResponseWriter, r *http.Request) error {
	c, st, err := s.named(r)
	if err != nil {
		return err
	}
	v := r.URL.Query()
	p := params{values: v}
	start, end, around := p.integer("start"), p.integer("end"), p.integer("around")
	if err := p.done(); err != nil {
		return err
	}
	for name, n := range map[string]int{"start": start, "end": end, "around": around} {
		if n < 0 {
			return fault.Bad(name, "`%s` must not be negative", name)
		}
	}
	live, isLive := c.View().Document(st.ID)
	version := live.Version
	if text := v.Get("version"); text != "" {
		if version, err = parseID("version", text); err != nil {
			return err
		}
	} else if !isLive {
		return fault.New(http.StatusNotFound, "no_text", "no version of this document is searchable; it is %s", st.State)
	}
	t := c.textOf(st.ID, version)
	m, err := s.places.of(t)
	if errors.Is(err, index.ErrNotFound) {
		return fault.New(http.StatusNotFound, "version_not_found",
			"this version is not stored any more; the document was changed. Leave out `version` for the live one")
	}
	if err != nil {
		return err
	}
	if v.Has("end") && end < start {
		return fault.Bad("end", "`end` must not be before `start`")
	}
	if !v.Has("end") {
		end = m.runes
	}
	start = max(min(start, m.runes)-around, 0)
	end = min(end, m.runes)
	end += min(around, m.runes-end)
	end = min(end, start+maxTextPart)
	text, err := m.cut(t, start, end)
	if err != nil {
		return err
	}
	return writeJSON(w, r, DocumentText{
		ID: st.ID.String(), Version: version.String(), Current: isLive && live.Version == version,
		Path: st.Path, Title: cmp.Or(live.Meta.Title, st.Title), Start: start, End: end, Length: m.runes, Text: text, Format: "markdown",
	})
}

// sourceParams are the parameters of routes that take a collection alone.
type sourceParams struct {
	Collection string `json:"collection,omitempty"`
}

func (s *Server) listSources(w http.ResponseWriter, r *http.Request) error {
	c, err := s.collection(r.URL.Query().Get("collection"))
	if err != nil {
		return err
	}
	in := c.Sources()
	out := make([]SourceInfo, len(in))
	for i, src := range in {
		out[i] = SourceInfo{
			Name: src.Name, Kind: src.Kind, Location: src.Location, Trouble: src.Trouble, Documents: src.Documents,
			Scanned: src.Scanned, Lag: max(src.Lag, 0), Writable: c.Writer != nil && src.Kind == uploads,
		}
	}
	return writeJSON(w, r, out)
}

// statsParams are the parameters of GET /api/stats.
type statsParams struct {
	Collection string `json:"collection,omitempty"`
	Plan       bool   `json:"plan,omitempty"`
}

func (s *Server) stats(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	p := params{values: v}
	plan := p.truth("plan")
	if err := p.done(); err != nil {
		return err
	}
	c, err := s.collection(v.Get("collection"))
	if err != nil {
		return err
	}
	st := c.View().Stats()
	counts, pending := c.Statuses.Counts()
	out := Stats{
		Version: s.o.Version, Collection: c.Name, Epoch: st.Epoch, Documents: st.Documents, Chunks: st.Chunks,
		Embedded: st.Embedded, Pending: pending, States: stateNames(counts), DiskBytes: st.DiskBytes, HeapBytes: st.HeapBytes,
		Embedder: c.Space.Name, Model: c.Model, Models: s.modelNames(), Collections: s.collectionNames(), UptimeS: math.Round(s.uptime().Seconds()*1000) / 1000,
	}
	out.Troubles = []Trouble{}
	for _, t := range c.Troubles() {
		out.Troubles = append(out.Troubles, Trouble(t))
	}
	if plan && c.Explain != nil {
		out.Plan = c.Explain()
	}
	return writeJSON(w, r, out)
}
