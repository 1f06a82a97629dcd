package pathway

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ragserver/ragserver/api/internal/body"
	"github.com/ragserver/ragserver/api/internal/fault"
)

// fields are the fields of a request: of its JSON body, or else of its query
// string. Values of another type are understood where that has one meaning.
// err is the first mistake.
type fields struct {
	body  map[string]json.RawMessage
	query url.Values
	err   error
}

func readFields(w http.ResponseWriter, r *http.Request, limit int64) (*fields, error) {
	data, err := body.Read(w, r, limit)
	if err != nil {
		return nil, err
	}
	return parseFields(data, r.URL.RawQuery)
}

func parseFields(data []byte, rawQuery string) (*fields, error) {
	f := &fields{}
	if rawQuery != "" {
		q, err := url.ParseQuery(rawQuery)
		if err != nil {
			return nil, fault.Bad("", "the query string is broken: a %% escape is wrong")
		}
		f.query = q
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return f, nil
	}
	return f, body.JSON(data, &f.body, false)
}

// get returns a field's JSON, nil if it is absent or null.
func (f *fields) get(name string) json.RawMessage {
	if v := f.body[name]; v != nil && !bytes.Equal(v, []byte("null")) {
		return v
	}
	if v, ok := f.query[name]; ok {
		quoted, _ := json.Marshal(v[0]) // a string always can
		return quoted
	}
	return nil
}

func (f *fields) bad(name, format string, args ...any) {
	if f.err == nil {
		f.err = fault.Bad(name, format, args...)
	}
}

// text returns a text, "" if there is none. A number stands for its digits.
func (f *fields) text(name string) string {
	v := f.get(name)
	switch {
	case v == nil:
		return ""
	case v[0] == '"':
		var s string
		if json.Unmarshal(v, &s) == nil && utf8.ValidString(s) {
			return s
		}
	case v[0] == '-' || v[0] >= '0' && v[0] <= '9':
		return string(v)
	}
	f.bad(name, "`%s` must be a string", name)
	return ""
}

func (f *fields) required(name string, most int) string {
	if f.get(name) == nil {
		if f.err == nil {
			f.err = fault.Missing(name)
		}
		return ""
	}
	s := f.text(name)
	switch {
	case strings.TrimSpace(s) == "":
		f.bad(name, "`%s` is empty", name)
	case len(s) > most && utf8.RuneCountInString(s) > most:
		f.bad(name, "`%s` has %d characters; at most %d are allowed", name, utf8.RuneCountInString(s), most)
	}
	return s
}

// count returns a required whole number from 1 to most.
func (f *fields) count(name string, most int) int {
	v := f.get(name)
	if v == nil {
		if f.err == nil {
			f.err = fault.Missing(name)
		}
		return 0
	}
	said := strings.TrimSpace(strings.Trim(string(v), `"`))
	x, err := strconv.ParseFloat(said, 64)
	if err != nil || x != math.Trunc(x) || x < 1 || x > float64(most) {
		f.bad(name, "`%s` must be a whole number from 1 to %d, not %.40s", name, most, said)
		return 0
	}
	return int(x)
}

func (f *fields) truth(name string) bool {
	v := f.get(name)
	if v == nil {
		return false
	}
	switch strings.ToLower(strings.Trim(string(v), `"`)) {
	case "true", "1", "yes", "on":
		return true
	case "false", "0", "no", "off", "":
		return false
	}
	f.bad(name, "`%s` must be true or false, not %.40s", name, v)
	return false
}

// texts returns a required list of texts.
func (f *fields) texts(name string) []string {
	v := f.get(name)
	if v == nil {
		if f.err == nil {
			f.err = fault.Missing(name)
		}
		return nil
	}
	var list []string
	if err := json.Unmarshal(v, &list); err != nil {
		f.bad(name, "`%s` must be a list of strings", name)
	} else if len(list) == 0 {
		f.bad(name, "`%s` is empty", name)
	}
	return list
}
