package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
)

// Every route that takes a k takes it alike: absent, or null in a body, is the
// default; what is no whole number from 1 to the most there is, 0 included, is
// refused with the bounds.
func TestK(t *testing.T) {
	for name, k := range map[string]struct {
		most     int
		standard int // what an absent k is; 0: it is required
	}{
		"POST /api/ask":    {MaxAskK, defaultAsk},
		"GET /api/search":  {index.MaxK, defaultK},
		"POST /api/search": {index.MaxK, defaultK},
		"GET /v1/retrieve": {index.MaxK, 0}, "POST /v1/retrieve": {index.MaxK, 0},
		"POST /v1/chat/completions": {MaxAskK, defaultAsk},
	} {
		t.Run(name, func(t *testing.T) {
			method, _, _ := strings.Cut(name, " ")
			x := samples[name]
			with := func(v any) sample { return x.with("k", v) }
			if strings.HasPrefix(name, "POST /v1/chat") {
				with = func(v any) sample {
					more := map[string]any{"k": v}
					if v == nil {
						more = map[string]any{}
					}
					return x.with("ragserver", more)
				}
			}
			try := func(v any) (status int, body string, k int) {
				var e *engine
				_, s := newServer(t, withSummaries(&e))
				y := with(v)
				y.rig = &routesRig{s, strings.NewReplacer()}
				w := y.try(t, method)
				return w.Code, w.Body.String(), e.queried.K
			}
			absent := []any{nil}
			if method == "POST" {
				absent = append(absent, json.RawMessage("null"))
			}
			for _, v := range absent {
				status, body, got := try(v)
				if k.standard == 0 {
					if status != 400 || !strings.Contains(body, "`k` is required") {
						t.Errorf("k = %s: %d %s", v, status, body)
					}
				} else if status != 200 || got != k.standard {
					t.Errorf("k = %s: %d, searched for %d, want %d", v, status, got, k.standard)
				}
			}
			for _, v := range []int{1, k.most} {
				if status, body, got := try(v); status != 200 || got != v {
					t.Errorf("k = %d: %d %.200s, searched for %d", v, status, body, got)
				}
			}
			for _, v := range []any{0, -1, k.most + 1, 1 << 62, json.Number("99999999999999999999"), json.Number("-1e400"), "x", ""} {
				status, body, _ := try(v)
				if status != 400 || !strings.Contains(body, "k` must be") {
					t.Errorf("k = %v: %d %.200s", v, status, body)
				}
				if n, ok := v.(int); ok && (!strings.Contains(body, fmt.Sprintf("from 1 to %d", k.most)) || !strings.Contains(body, "not "+strconv.Itoa(n))) {
					t.Errorf("k = %d: the bounds are not told: %.200s", n, body)
				}
			}
		})
	}
}
