package web

import (
	"strconv"
	"strings"
)

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3): gzip is taken
// if it, or *, is named with a weight above 0.
func acceptsGzip(headers []string) bool {
	any := false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "x-gzip" && coding != "*" {
			continue
		}
		takes := positive(weight)
		if coding != "*" {
			return takes
		}
		any = takes
	}
	return any
}

// positive tells whether a parameter "q=…" is above 0; without one it is 1.
func positive(parameter string) bool {
	name, value, ok := strings.Cut(parameter, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return true
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return err == nil && q > 0
}

// matches tells whether If-None-Match (RFC 9110, section 13.1.2) names the file
// in either of its encodings.
func matches(headers []string, etag string) bool {
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		tag := strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if tag == "*" || tag == `"`+etag+`"` || tag == `"`+etag+`-gz"` {
			return true
		}
	}
	return false
}
