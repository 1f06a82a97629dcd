package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestClients drives the command with clients that others wrote: OpenAI's SDK,
// LangChain's and LlamaIndex's clients of OpenAI and Pathway, and a validator of
// OpenAPI.
func TestClients(t *testing.T) {
	python := os.Getenv("RAGSERVER_TEST_CLIENTS")
	if python == "" {
		t.Skip("RAGSERVER_TEST_CLIENTS does not name a Python with the clients: services/clients.sh makes one")
	}
	provider := httptest.NewServer(http.HandlerFunc(provide))
	defer provider.Close()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "docs"), os.DirFS(filepath.Join("..", "..", "examples", "docs"))); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "ragserver.yaml")
	text := fmt.Sprintf(`data: data
collections: {default: {sources: [{folder: docs}]}}
models:
  echo: {provider: openai, base_url: %[1]s/v1, model: echo}
  breaks: {provider: openai, base_url: %[1]s/v1, model: breaks}
`, provider.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	url := launch(t, ctx, buildBinary(t), "--config", config)
	settled(t, ctx, url)
	out, err := exec.CommandContext(ctx, python, filepath.Join("testdata", "clients.py"), url).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the clients: %v", err)
	}
}

// settled waits until the documents of a server are live.
func settled(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	for ctx.Err() == nil {
		resp, err := http.Get(url + "/api/stats")
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ Documents, Pending int }
		err = json.NewDecoder(resp.Body).Decode(&s)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if s.Documents > 0 && s.Pending == 0 {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Fatal("the documents did not get live")
}

// provide is an endpoint of OpenAI's protocol with two models: echo repeats the
// last message, breaks closes the connection after a few words.
func provide(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Model    string
		Messages []struct{ Content string }
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || len(req.Messages) == 0 {
		http.Error(w, "a conversation is expected", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	say := func(text string, finish any) {
		data, _ := json.Marshal(map[string]any{"object": "chat.completion.chunk", "choices": []any{
			map[string]any{"index": 0, "delta": map[string]any{"content": text}, "finish_reason": finish}}}) // maps of strings always can
		fmt.Fprintf(w, "data: %s\n\n", data)
		_ = http.NewResponseController(w).Flush()
	}
	if req.Model == "breaks" {
		say("The answer to this is that it", nil)
		panic(http.ErrAbortHandler)
	}
	say("You said: "+req.Messages[len(req.Messages)-1].Content, nil)
	say("", "stop")
	fmt.Fprint(w, "data: [DONE]\n\n")
}
