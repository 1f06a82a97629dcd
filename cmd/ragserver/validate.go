package main

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ragserver/ragserver/api"
	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/index/vector"
	"github.com/ragserver/ragserver/llm/openai"
)

// Validate fills in defaults and refuses what cannot work: a *keyError says
// which key is meant and what to do.
func (c *Config) Validate() error {
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.Data == "" {
		c.Data = defaultData
	}
	c.settleDefault()
	steps := []func() error{c.inherit, c.validateServing, c.Limits.validate, c.Log.validate, c.validateModels, c.validateCollections, c.validateKeys}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) validateServing() error {
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		return keyPath{"listen"}.wrong("%q is not HOST:PORT, such as %s", c.Listen, defaultListen)
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return keyPath{"listen"}.wrong("%q has no port from 0 to 65535", c.Listen)
	}
	switch info, err := os.Stat(c.Data); {
	case err == nil && !info.IsDir():
		return keyPath{"data"}.wrong("%s is a file; choose another with --data: a directory, which need not exist yet", c.Data)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return keyPath{"data"}.wrong("the data directory cannot be used: %w; choose another with --data", err)
	}
	for i, h := range c.Hosts {
		if _, err := netip.ParseAddr(h); err != nil && !hostName.MatchString(h) {
			return keyPath{"hosts", i}.wrong("%q is not a host name, such as docs.example.com: no scheme, no port", h)
		}
	}
	if err := api.CheckURL(c.URL); err != nil {
		return keyPath{"url"}.wrong("%w", err)
	}
	for i, o := range c.Origins {
		if err := http.NewCrossOriginProtection().AddTrustedOrigin(o); err != nil {
			return keyPath{"origins", i}.wrong("%q is not an origin, such as https://example.com or http://localhost:3000", o)
		}
	}
	return nil
}

var hostName = regexp.MustCompile(`^[\pL\pN]([\pL\pN_-]*[\pL\pN])?(\.[\pL\pN]([\pL\pN_-]*[\pL\pN])?)*\.?$`)

func (l *LimitsConfig) validate() error {
	for name, n := range map[string]int{"upload_mb": l.UploadMB, "searches": l.Searches, "asks": l.Asks, "feeds": l.Feeds} {
		if n < 0 {
			return keyPath{"limits", name}.wrong("%d is negative; 0 is the default", n)
		}
	}
	return nil
}

func (l *LogConfig) validate() error {
	if l.Level == "" {
		l.Level = "info"
	}
	if l.Format == "" {
		l.Format = "text"
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, l.Level) {
		return keyPath{"log", "level"}.wrong("%q is not debug, info, warn or error", l.Level)
	}
	if !slices.Contains([]string{"text", "json"}, l.Format) {
		return keyPath{"log", "format"}.wrong("%q is not text or json", l.Format)
	}
	return nil
}

func (c *Config) validateModels() error {
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		key, m := keyPath{"models", name}, c.Models[name]
		if m == nil {
			return key.wrong("says nothing; give it a provider")
		}
		if err := m.validate(key); err != nil {
			return err
		}
	}
	return nil
}

// settleDefault decides which collection is the default. One is made if there is
// none.
func (c *Config) settleDefault() {
	if c.DefaultCollection == "" {
		c.DefaultCollection = defaultCollection
	}
	if len(c.Collections) == 0 {
		c.Collections = map[string]*CollectionConfig{c.DefaultCollection: {}}
	}
}

func (c *Config) validateCollections() error {
	if _, ok := c.Collections[c.DefaultCollection]; !ok {
		return keyPath{"default_collection"}.wrong("there is no collection %q; there are: %s", c.DefaultCollection, known(c.Collections))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Collections)) {
		if c.Collections[name] == nil {
			c.Collections[name] = &CollectionConfig{}
		}
		if err := c.Collections[name].validate(keyPath{"collections", name}, c); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) validateKeys() error {
	names := map[string]bool{}
	for i, k := range c.Keys {
		if err := (api.Key{Name: k.Name, Scopes: scopesOf(k.Scopes), Hash: k.Hash}).Check(); err != nil {
			return keyPath{"keys", i}.wrong("%q: %w", k.Name, err)
		}
		if names[k.Name] {
			return keyPath{"keys", i, "name"}.wrong("there are two keys %q", k.Name)
		}
		names[k.Name] = true
	}
	return nil
}

func (c *CollectionConfig) validate(key keyPath, all *Config) error {
	if !plainName(key[len(key)-1].(string)) {
		return key.wrong("a collection's name has letters, digits, - and _ only, at most 64")
	}
	if c.Embedder == "" {
		c.Embedder = builtinEmbedder
	}
	names := map[string]string{indexer.UploadsName: "the uploads"}
	var folders []fs.FileInfo
	for i := range c.Sources {
		s, key := &c.Sources[i], key.at("sources", i)
		if err := s.validate(key, all.Data); err != nil {
			return err
		}
		if s.Kafka == nil {
			info, err := os.Stat(s.Folder)
			if err != nil {
				return key.at("folder").wrong("folder: %w", err)
			}
			if slices.ContainsFunc(folders, func(f fs.FileInfo) bool { return os.SameFile(f, info) }) {
				return key.at("folder").wrong("folder %s is given twice", s.Folder)
			}
			folders = append(folders, info)
		}
		if other, taken := names[s.Name]; taken {
			return key.wrong("%s and %s would both be called %q; name one of them, as in name=%s", other, s.what(), s.Name, s.what())
		}
		names[s.Name] = s.what()
	}
	return nil
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secretIn checks what is to be the name of a variable. It does not repeat it:
// it may be the secret itself.
func secretIn(name string, key keyPath) error {
	if name != "" && !variableName.MatchString(name) {
		return key.wrong("must be the name of an environment variable that holds the secret, such as OPENAI_API_KEY, and not the secret itself")
	}
	return nil
}

func (m *ModelConfig) validate(key keyPath) error {
	if m.Provider == "" {
		m.Provider = "openai"
	}
	keyEnv, ok := providers[m.Provider]
	if !ok {
		return key.at("provider").wrong("%q is not one of %s", m.Provider, known(providers))
	}
	if err := secretIn(m.KeyEnv, key.at("key_env")); err != nil {
		return err
	}
	// A foreign endpoint gets the default key only if the endpoint is the
	// provider's own: a key is never sent elsewhere without being told to.
	own := openai.BaseURLs[m.Provider]
	if m.KeyEnv == "" && (m.BaseURL == "" || m.BaseURL == own) {
		m.KeyEnv = keyEnv
	}
	if m.BaseURL == "" {
		m.BaseURL = own
	}
	if m.BaseURL != "" {
		u, err := url.Parse(m.BaseURL)
		if strings.ContainsAny(m.BaseURL, "?@") {
			return key.at("base_url").wrong("has a secret in it, or room for one: no user and no query; put the key in a variable and name that in key_env")
		}
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return key.at("base_url").wrong("%q is not an http or https address", m.BaseURL)
		}
	}
	for name, text := range map[string]string{"first_word": m.FirstWord, "between_words": m.BetweenWords, "total": m.Total} {
		if d, err := time.ParseDuration(text); text != "" && (err != nil || d <= 0) {
			return key.at(name).wrong("%q is not a time, such as 90s or 10m", text)
		}
	}
	switch {
	case m.Concurrency < 0:
		return key.at("concurrency").wrong("%d is negative; it is how many calls run at a time, 0 for the default", m.Concurrency)
	case m.Context < 0:
		return key.at("context").wrong("%d is negative; it is the model's window in tokens, 0 for a careful default", m.Context)
	case m.Dims < 0 || m.Dims > vector.MaxDims:
		return key.at("dims").wrong("%d is not from 1 to %d; it is the length of the vectors, 0 to ask the endpoint", m.Dims, vector.MaxDims)
	case m.Weight != nil && !(*m.Weight >= 0 && *m.Weight <= 1):
		return key.at("weight").wrong("%g is not from 0 to 1", *m.Weight)
	}
	return nil
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func known[V any](m map[string]V, more ...string) string {
	names := append(more, keys(m)...)
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func plainName(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}
