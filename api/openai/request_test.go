package openai

import (
	"testing"

	"github.com/ragserver/ragserver/api/internal/fault"
)

func FuzzChatRequest(f *testing.F) {
	for _, s := range []string{
		`{"model":"rag","messages":[{"role":"user","content":"a"}]}`,
		`{"model":"rag","messages":[{"role":"system","content":[{"type":"text","text":"x"}]},{"role":"user","content":[{"type":"text","text":"y"}]}],"stop":"a","stream_options":{"include_usage":true}}`,
		`{"model":"rag","messages":[{"role":"assistant","content":null},{"role":"user","content":"a"}],"stop":["a"],"stop":null}`,
		`{"model":"rag","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, `{"messages":[{}]}`, `{}`, `[]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := parseChat(data)
		if err == nil {
			_ = req.direct()
			_, err = req.question()
		}
		if err == nil {
			return
		}
		if e := fault.From(err); e.Status < 400 || e.Status >= 500 || e.Message == "" {
			t.Errorf("%d %q: %v", e.Status, e.Message, err)
		}
	})
}
