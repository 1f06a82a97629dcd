package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/llm/langchain"
	"github.com/ragserver/ragserver/llm/openai"
)

// namingTime is how long an endpoint may take to say which models it has.
const namingTime = 5 * time.Second

// language builds the language model that a configuration describes, within its
// limits. It does not need the provider to answer yet.
func language(name string, m *ModelConfig, log *slog.Logger) (llm.Model, error) {
	if err := m.checkKey(name, log); err != nil {
		return nil, usage(fmt.Errorf("model %q: %w", name, err))
	}
	key := llm.NewSecret(m.key())
	var model llm.Model
	var err error
	switch {
	case m.Provider == "anthropic":
		model, err = langchain.Anthropic(langchain.Config{BaseURL: m.BaseURL, Key: key, Model: m.Model})
	case m.Model == "":
		model = &unnamed{name: name, config: m, log: log}
	default:
		model, err = openai.New(openai.Config{BaseURL: m.BaseURL, Key: key, Model: m.Model})
	}
	if err != nil {
		return nil, usage(fmt.Errorf("model %q: %w", name, err))
	}
	return llm.Gateway(model, m.limits(), llm.Patience{}), nil
}

// checkKey refuses a model at a provider that answers nobody without a key, and
// tells when other calls carry none although somebody may think that they do.
func (m *ModelConfig) checkKey(name string, log *slog.Logger) error {
	usual := providers[m.Provider]
	switch {
	case m.key() != "":
	case usual != "" && m.BaseURL == openai.BaseURLs[m.Provider]:
		return fmt.Errorf("%s answers nobody without a key, and the variable %s is not set", m.Provider, m.KeyEnv)
	case m.KeyEnv != "":
		log.Warn("a model is called without a key, for the variable that is to hold it is not set", "model", name, "variable", m.KeyEnv)
	case usual != "" && os.Getenv(usual) != "":
		log.Info("a model is called without a key, for a key goes to its provider's own address alone unless key_env names its variable in the configuration",
			"model", name, "url", m.BaseURL, "variable", usual)
	}
	return nil
}

// unnamed is the first model of an endpoint, which is asked for its name when it
// is first needed: the endpoint may start later than we.
type unnamed struct {
	name   string // in the configuration
	config *ModelConfig
	log    *slog.Logger

	mu    sync.Mutex // guards all below
	found llm.Model  // nil until the endpoint has told
}

// Stream implements llm.Model.
func (u *unnamed) Stream(ctx context.Context, r llm.Request) iter.Seq2[llm.Delta, error] {
	return func(yield func(llm.Delta, error) bool) {
		m, err := u.model(ctx)
		if err != nil {
			yield(llm.Delta{}, err)
			return
		}
		m.Stream(ctx, r)(yield)
	}
}

func (u *unnamed) model(ctx context.Context) (llm.Model, error) {
	u.mu.Lock()
	found := u.found
	u.mu.Unlock()
	if found != nil {
		return found, nil
	}
	key := llm.NewSecret(u.config.key())
	name, err := firstModel(ctx, u.config)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &llm.Error{Kind: llm.ErrUnavailable, Provider: "model " + u.name,
			Message: llm.Shorten("none is named, and the endpoint does not say which it has: "+err.Error(), key)}
	}
	if found, err = openai.New(openai.Config{BaseURL: u.config.BaseURL, Key: key, Model: name}); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.found == nil {
		u.found = found
		u.log.Info("the endpoint has told which model it has", "model", u.name, "is", name)
	}
	return u.found, nil
}

// limits are those of the configuration, else of the package; who runs a model
// on a machine of his own waits longer for it.
func (m *ModelConfig) limits() llm.Limits {
	l := llm.Limits{Concurrent: m.Concurrency, First: duration(m.FirstWord), Between: duration(m.BetweenWords), Total: duration(m.Total)}
	if m.local() {
		l.First = cmp.Or(l.First, 5*time.Minute)
		l.Between = cmp.Or(l.Between, time.Minute)
		l.Total = cmp.Or(l.Total, 10*time.Minute)
	}
	return l
}

// duration reads what Validate has checked; "" is 0.
func duration(text string) time.Duration {
	d, _ := time.ParseDuration(text)
	return d
}

// local reports whether the endpoint is on this machine or in its network.
func (m *ModelConfig) local() bool {
	u, err := url.Parse(m.BaseURL)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()) ||
		ip == nil && (host != "" && !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal"))
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
	if address, ok := errors.AsType[*url.Error](err); ok {
		return "", address.Err
	}
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
