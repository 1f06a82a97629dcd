package wire

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		header, value string
		want          time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", "1.5", 1500 * time.Millisecond},
		{"Retry-After", "Mon, 23 Nov 2026 12:00:30 GMT", 30 * time.Second},
		{"Retry-After", "Mon, 23 Nov 2026 11:00:30 GMT", 0},
		{"Retry-After", "-3", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "1e99", 0},
		{"Retry-After-Ms", "250", 250 * time.Millisecond},
		{"X", "1", 0},
	} {
		h := http.Header{}
		h.Set(tt.header, tt.value)
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%s: %s gives %v, want %v", tt.header, tt.value, got, tt.want)
		}
	}
}

func TestErrorWords(t *testing.T) {
	for body, want := range map[string][2]string{
		`{"error":{"message":"no","type":"t","code":"c"}}`: {"no", "c t"},
		`{"error":"plain"}`:                                       {"plain", ""},
		`{"error":{"code":429,"message":"m"}}`:                    {"m", ""},
		`{"detail":"Not Found"}`:                                  {"Not Found", ""},
		`{"object":"error","message":"vLLM","type":"BadRequest"}`: {"vLLM", "BadRequest"},
		`{"type":"error","error":{"type":"overloaded_error"}}`:    {`{"type":"error","error":{"type":"overloaded_error"}}`, "overloaded_error"},
		`<html>`: {"<html>", ""},
		``:       {"", ""},
		`[1]`:    {"[1]", ""},
	} {
		words, code := ErrorWords([]byte(body))
		if words != want[0] || code != want[1] {
			t.Errorf("%s: %q, %q; want %q", body, words, code, want)
		}
	}
}
