// Package selection reads what a request says of which passages it wants: a
// metadata filter, a glob, and how many.
package selection

import (
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/ragserver/ragserver/api/internal/fault"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/index/filter"
)

// Parse reads a filter and a glob; "" stands for every document. The error says
// what is wrong with which of them and is for the client. A glob is bound: it
// never becomes part of the filter's text.
func Parse(expr, glob string) (filter.Expr, error) {
	if expr == "" && glob == "" {
		return filter.Expr{}, nil
	}
	e, err := filter.Parse(expr)
	if err != nil {
		return e, bad("filter", "bad_filter", "the filter cannot be read: %s", words(err))
	}
	if glob == "" {
		return e, nil
	}
	g, err := filter.ParseGlob(glob)
	if err != nil {
		return e, bad("glob", "bad_glob", "the path pattern cannot be read: %s", words(err))
	}
	return filter.And(e, filter.PathGlob(g)), nil
}

// K reads how many passages are wanted: the standard number when the request
// does not say, else what it says, which must be from 1 to most.
func K(name string, k *int, standard, most int) (int, error) {
	if k == nil {
		return standard, nil
	}
	if *k < 1 || *k > most {
		return 0, fault.Bad(name, "`%s` must be from 1 to %d, not %d", name, most, *k)
	}
	return *k, nil
}

func bad(param, code, format string, args ...any) error {
	f := fault.New(http.StatusBadRequest, code, format, args...)
	f.Param = param
	return f
}

func words(err error) string { return strings.TrimPrefix(err.Error(), "filter: ") }

// Fields are a document's metadata under the names that filters know. What a
// document says of itself cannot hide what the server knows of it.
func Fields(d *index.Document) filter.Fields {
	m := make(filter.Fields, len(d.Meta.Attributes)+10)
	maps.Copy(m, d.Meta.Attributes)
	for name, v := range map[string]string{
		"path": d.Path, "source": d.Source, "title": d.Meta.Title, "type": d.Meta.Type,
		"language": d.Meta.Language, "owner": d.Meta.Owner,
	} {
		if v != "" {
			m[name] = v
		}
	}
	m["size"] = d.Meta.Size
	for name, t := range map[string]time.Time{"created_at": d.Meta.Created, "modified_at": d.Meta.Modified, "seen_at": d.Meta.Seen} {
		if !t.IsZero() {
			m[name] = t.Unix()
		}
	}
	return m
}
