package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/langchain"
	"github.com/ragserver/ragserver/llm/openai"
)

// namingTime is how long an endpoint may take to say which models it has.
const namingTime = 5 * time.Second

// language builds the language model that a configuration describes, within
// the usual limits. It does not need the provider to answer yet.
func language(ctx context.Context, name string, m *ModelConfig) (llm.Model, error) {
	key := llm.NewSecret(m.key())
	var model llm.Model
	var err error
	switch m.Provider {
	case "anthropic":
		model, err = langchain.Anthropic(langchain.Config{BaseURL: m.BaseURL, Key: key, Model: m.Model})
	default:
		if m.Model == "" {
			if m.Model, err = firstModel(ctx, m); err != nil {
				return nil, usage(fmt.Errorf("model %q: none is named, and the endpoint does not say which it has: %w", name, err))
			}
		}
		model, err = openai.New(openai.Config{BaseURL: m.BaseURL, Key: key, Model: m.Model})
	}
	if err != nil {
		if key.Empty() && m.KeyEnv != "" {
			err = fmt.Errorf("%w (the variable %s is not set)", err, m.KeyEnv)
		}
		return nil, usage(fmt.Errorf("model %q: %w", name, err))
	}
	return llm.Gateway(model, llm.Limits{}, llm.Patience{}), nil
}

// firstModel asks an endpoint of OpenAI's protocol which models it has.
func firstModel(ctx context.Context, m *ModelConfig) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, namingTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.BaseURL+"/models", nil)
	if err != nil {
		return "", err
	}
	if k := m.key(); k != "" {
		req.Header.Set("Authorization", "Bearer "+k)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers %s", resp.Status)
	}
	var list struct{ Data []struct{ ID string } }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&list); err != nil {
		return "", fmt.Errorf("its answer is no list of models: %w", err)
	}
	if len(list.Data) == 0 || list.Data[0].ID == "" {
		return "", errors.New("it has no models")
	}
	return list.Data[0].ID, nil
}
