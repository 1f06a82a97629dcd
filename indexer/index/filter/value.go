package filter

import (
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fields are the metadata of one document: strings, numbers, booleans, nil,
// []any and map[string]any of these. Times count as UNIX seconds, all numbers
// as float64; NaN is null; other Go values are what encoding/json makes of them.
type Fields map[string]any

// normal brings a value into the few forms the evaluator knows: nil, bool,
// float64, string, []any, map[string]any.
func normal(v any) any {
	switch v := v.(type) {
	case nil, bool, string:
		return v
	case float64:
		if math.IsNaN(v) {
			return nil
		}
		return v
	case float32:
		return normal(float64(v))
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case int32:
		return float64(v)
	case uint32:
		return float64(v)
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return string(v)
		}
		return normal(f)
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return seconds(v)
	case []any:
		if v == nil {
			return nil
		}
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case map[string]any:
		if v == nil {
			return nil
		}
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = normal(v[k])
		}
		return out
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if json.Unmarshal(b, &out) != nil {
		return nil
	}
	return out
}

func seconds(t time.Time) float64 {
	return float64(t.Unix()) + float64(t.Nanosecond())/1e9
}

// text is a quoted literal: what it says, and what it may stand for beside a
// value of another type.
type text struct {
	s     string
	raw   bool // '..': no number, boolean, null or JSON
	isNum bool
	num   float64
	json  any // array or object, nil if it is none
}

func newText(s string, raw bool) text {
	t := text{s: s, raw: raw}
	if !raw {
		if f, ok := parseNumber(s); ok {
			t.num, t.isNum = f, true
			return t
		}
		if b := strings.TrimSpace(s); b != "" && (b[0] == '[' || b[0] == '{') {
			var v any
			if json.Unmarshal([]byte(b), &v) == nil {
				t.json = v
			}
		}
	}
	if when, ok := parseDate(s); ok {
		t.num, t.isNum = seconds(when), true
	}
	return t
}

func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || !strings.ContainsRune("0123456789-+.", rune(s[0])) || strings.ContainsAny(s, "xXpP_nN") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func parseDate(s string) (time.Time, bool) {
	if len(s) < len("2006-01-02") || s[0] < '0' || s[0] > '9' {
		return time.Time{}, false
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// asText gives the string that v is.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case text:
		return v.s, true
	}
	return "", false
}

// asNumber gives the number that v is or, for a quoted literal, stands for.
func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case text:
		return v.num, v.isNum
	}
	return 0, false
}

// plain turns a quoted literal into an ordinary value.
func plain(v any) any {
	if t, ok := v.(text); ok {
		if t.json != nil {
			return t.json
		}
		return t.s
	}
	return v
}

// truthy is JMESPath's notion of true.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case text:
		return v.s != "" && (v.raw || v.s != "false" && v.s != "null" && v.s != "[]" && v.s != "{}")
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

func equal(a, b any) bool {
	if t, ok := b.(text); ok {
		a, b = t, a
	}
	t, ok := a.(text)
	if !ok {
		return reflect.DeepEqual(a, b)
	}
	switch b := b.(type) {
	case text:
		return t.s == b.s || t.isNum && b.isNum && t.num == b.num
	case string:
		return t.s == b
	case float64:
		return t.isNum && t.num == b
	case bool:
		return !t.raw && t.s == strconv.FormatBool(b)
	case nil:
		return !t.raw && t.s == "null"
	}
	return t.json != nil && reflect.DeepEqual(t.json, b)
}

// order compares two numbers or two texts; anything else has no order.
func order(a, b any) (int, bool) {
	ta, aText := a.(text)
	tb, bText := b.(text)
	if aText && bText && ta.isNum && tb.isNum {
		return cmp.Compare(ta.num, tb.num), true
	}
	if x, ok := asText(a); ok {
		if y, ok := asText(b); ok {
			return strings.Compare(x, y), true
		}
	}
	if x, ok := asNumber(a); ok {
		if y, ok := asNumber(b); ok {
			return cmp.Compare(x, y), true
		}
	}
	return 0, false
}

// Ranks of the types in a column's order.
const (
	rankBool = iota
	rankNumber
	rankText
	rankOther
)

func rank(v any) int {
	switch v.(type) {
	case bool:
		return rankBool
	case float64:
		return rankNumber
	case string:
		return rankText
	}
	return rankOther
}

// canonical writes an array or object so that equal values give equal texts.
func canonical(v any) string {
	var b strings.Builder
	writeCanonical(&b, v)
	return b.String()
}

func writeCanonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		b.WriteString(strconv.Quote(v))
	case []any:
		b.WriteByte('[')
		for i := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			writeCanonical(b, v[i])
		}
		b.WriteByte(']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		b.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(k))
			b.WriteByte(':')
			writeCanonical(b, v[k])
		}
		b.WriteByte('}')
	}
}
