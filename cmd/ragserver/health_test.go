package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A server with a part in trouble is well, and says which; what does not speak as
// one of ours is not.
func TestHealth(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body       string
		says, errs string
	}{
		"well":            {200, `{"ready":true,"pending":3,"troubles":[]}`, "serving on http://ADDR\n", ""},
		"in trouble":      {200, `{"ready":true,"troubles":["embedder","storage"]}`, "in trouble: embedder, storage (", ""},
		"stopping":        {503, `{"ready":false}`, "", "503"},
		"another program": {200, `<html>`, "", "not answered by a ragserver"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			defer s.Close()
			addr := strings.TrimPrefix(s.URL, "http://")
			var out bytes.Buffer
			err := health(t.Context(), addr, &out)
			if c.errs != "" {
				if err == nil || !strings.Contains(err.Error(), c.errs) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || !strings.Contains(out.String(), strings.ReplaceAll(c.says, "ADDR", addr)) {
				t.Errorf("%q %v", out.String(), err)
			}
		})
	}
}
