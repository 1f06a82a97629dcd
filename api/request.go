package api

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/fault"
)

// checks returns what is asked of every request of a route before its handler
// sees it: a query string that can be read, with the parameters that the route's
// description names and no others (under /api: a misspelt filter must not be
// passed over), and a body that is not compressed.
func checks(rt route) func(*http.Request) error {
	known, strict := rt.doc.params(), strings.HasPrefix(rt.path, "/api/")
	return func(r *http.Request) error {
		if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
			return fault.New(http.StatusUnsupportedMediaType, "encoded_body", "a body with the Content-Encoding %.40q is not read; send it as it is", e)
		}
		if r.URL.RawQuery == "" {
			return nil
		}
		values, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return fault.Bad("", "the query string is broken: a %% escape is wrong, or parameters are not parted by &")
		}
		for name, list := range values {
			if strict && !slices.Contains(known, name) {
				return fault.Bad(name, "there is no parameter `%.40s`; %s", name, offer(known))
			}
			if slices.ContainsFunc(list, func(v string) bool { return !utf8.ValidString(v) }) {
				return fault.Bad(name, "`%.40s` is not UTF-8", name)
			}
		}
		return nil
	}
}

func offer(known []string) string {
	if len(known) == 0 {
		return "there are none here, only the fields of the body, if it has one"
	}
	return "there are: " + strings.Join(known, ", ")
}

// params returns the names of the parameters in the query string.
func (o *operation) params() []string {
	if o == nil || o.query == nil {
		return nil
	}
	var names []string
	for f := range reflect.TypeOf(o.query).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
