package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/api/internal/selection"
	"github.com/ragserver/ragserver/indexer/index"
)

const (
	// maxJSON is the largest body of a request that is not a document.
	maxJSON = 1 << 20
	// maxText is the longest query or question, in code points.
	maxText    = 32768
	defaultK   = 10
	defaultAsk = 6
)

func (s *Server) search(w http.ResponseWriter, r *http.Request) error {
	req, err := readSearch(w, r)
	if err != nil {
		return err
	}
	c, err := s.collection(req.Collection)
	if err != nil {
		return err
	}
	q, err := req.query()
	if err != nil {
		return err
	}
	leave, err := s.waitsForEpoch(r.Context(), q.MinEpoch)
	if err != nil {
		return err
	}
	defer leave()
	res, err := c.Search.Search(r.Context(), q)
	if err != nil {
		return err
	}
	out := SearchResponse{Epoch: res.Epoch, TookMS: milliseconds(res.Took), Degraded: res.Degraded}
	if out.Hits, err = s.hits(c, res.Hits); err != nil {
		return err
	}
	if req.Explain {
		for i := range res.Hits {
			out.Hits[i].Why = why(res.Hits[i].Why)
		}
	}
	return writeJSON(w, r, out)
}

func why(in *index.Why) *Why {
	if in == nil {
		return nil
	}
	out := &Why{Terms: make(map[string]float64, len(in.Terms)), KeywordRank: in.KeywordRank, VectorRank: in.VectorRank,
		KeywordZ: finite(in.KeywordZ), VectorZ: finite(in.VectorZ)}
	for t, v := range in.Terms {
		out.Terms[t] = finite(v)
	}
	return out
}

// waitsForEpoch counts a request that waits for an epoch apart, so that such
// requests never take all the slots.
func (s *Server) waitsForEpoch(ctx context.Context, epoch uint64) (leave func(), err error) {
	if epoch == 0 {
		return func() {}, nil
	}
	return s.gates.waiting.enter(ctx)
}

func readSearch(w http.ResponseWriter, r *http.Request) (SearchRequest, error) {
	if r.Method == http.MethodGet {
		return searchOfQuery(r.URL.Query())
	}
	var req SearchRequest
	data, err := body.Read(w, r, maxJSON)
	if err != nil {
		return req, err
	}
	return req, body.JSON(data, &req, true)
}

func searchOfQuery(v url.Values) (SearchRequest, error) {
	p := params{values: v}
	req := SearchRequest{
		Query: p.text("query"), K: p.given("k"), Mode: p.text("mode"), Filter: p.text("filter"), Glob: p.text("glob"),
		Documents: p.list("documents"), Collection: p.text("collection"), MinEpoch: p.natural("min_epoch"), Explain: p.truth("explain"),
	}
	return req, p.done()
}

// query checks a request and makes the index's query of it.
func (req *SearchRequest) query() (index.Query, error) {
	q := index.Query{Text: req.Query, Filter: req.Filter, Glob: req.Glob, MinEpoch: req.MinEpoch, Explain: req.Explain}
	if err := checkText("query", req.Query, maxText); err != nil {
		return q, err
	}
	var err error
	if q.K, err = selection.K("k", req.K, defaultK, index.MaxK); err != nil {
		return q, err
	}
	switch req.Mode {
	case "", "hybrid":
	case "keyword":
		q.Mode = index.Keyword
	case "vector":
		q.Mode = index.Vector
	default:
		return q, fault.Bad("mode", "`mode` must be hybrid, keyword or vector, not %q", req.Mode)
	}
	if q.Documents, err = documentIDs(req.Documents); err != nil {
		return q, err
	}
	_, err = selection.Parse(q.Filter, q.Glob)
	return q, err
}

func checkText(name, v string, most int) error {
	switch {
	case strings.TrimSpace(v) == "":
		return fault.Missing(name)
	case !utf8.ValidString(v):
		return fault.Bad(name, "`%s` is not UTF-8", name)
	case len(v) > most && utf8.RuneCountInString(v) > most:
		return fault.Bad(name, "`%s` has %d characters; at most %d are allowed", name, utf8.RuneCountInString(v), most)
	}
	return nil
}

func documentIDs(in []string) ([]index.ID, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make([]index.ID, len(in))
	for i, text := range in {
		var err error
		if out[i], err = parseID("documents", text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseID(param, text string) (index.ID, error) {
	id, err := index.ParseID(text)
	if err != nil {
		return id, fault.Bad(param, "%q is no id; an id has 32 hexadecimal digits, as /api/documents lists them", text)
	}
	return id, nil
}

// params reads values of a query string and keeps the first mistake.
type params struct {
	values url.Values
	err    error
}

func (p *params) done() error { return p.err }

func (p *params) text(name string) string { return p.values.Get(name) }

// list takes repeated values and values with commas.
func (p *params) list(name string) []string {
	var out []string
	for _, v := range p.values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// given returns a whole number, nil if there is none.
func (p *params) given(name string) *int {
	if !p.values.Has(name) {
		return nil
	}
	v := p.values.Get(name)
	n, err := strconv.Atoi(v)
	if err != nil && p.err == nil {
		p.err = fault.Bad(name, "`%s` must be an integer within range, not %.40q", name, v)
	}
	return &n
}

// integer returns a whole number, 0 if there is none.
func (p *params) integer(name string) int {
	if n := p.given(name); n != nil {
		return *n
	}
	return 0
}

func (p *params) natural(name string) uint64 {
	v := p.values.Get(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil && p.err == nil {
		p.err = fault.Bad(name, "`%s` must be an integer that is not negative, not %q", name, v)
	}
	return n
}

func (p *params) truth(name string) bool {
	v, given := p.values[name]
	if !given {
		return false
	}
	switch strings.ToLower(v[0]) {
	case "", "1", "true", "yes":
		return true
	case "0", "false", "no":
		return false
	}
	if p.err == nil {
		p.err = fault.Bad(name, "`%s` must be true or false, not %q", name, v[0])
	}
	return false
}
