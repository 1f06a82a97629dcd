package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/llm/openai"
)

// Config is everything the server can be told, as the YAML file says it. The
// zero value of a field means its default; Validate fills the defaults in and
// refuses what cannot work.
//
// Flags win over RAGSERVER_ variables, these over the file, the file over the
// defaults. Secrets are never in it: key_env names the environment variable
// that holds one.
type Config struct {
	// Listen is the address to serve on. Anything but loopback needs keys or
	// NoAuth.
	Listen string `yaml:"listen,omitempty"`
	// Data is the directory that holds the index, the engine's state, uploads
	// and keys.
	Data string `yaml:"data,omitempty"`
	// NoAuth serves without keys on any address.
	NoAuth bool `yaml:"no_auth,omitempty"`
	// Hosts are further host names that requests may name, for a server
	// behind a proxy.
	Hosts []string `yaml:"hosts,omitempty"`
	// Origins are web origins that may call the API from a browser.
	Origins []string `yaml:"origins,omitempty"`
	// Collections are named sets of documents; "default" answers when none is
	// named.
	Collections map[string]*CollectionConfig `yaml:"collections,omitempty"`
	// Models are language models and embedders that collections name.
	Models map[string]*ModelConfig `yaml:"models,omitempty"`
	// Keys are API keys by hash, beside those that `ragserver key add` keeps
	// in the data directory.
	Keys []KeyConfig `yaml:"keys,omitempty"`
	Log  LogConfig   `yaml:"log,omitempty"`
}

// CollectionConfig is a set of documents with its own index.
type CollectionConfig struct {
	Sources []SourceConfig `yaml:"sources,omitempty"`
	// Embedder is "builtin" or the name of a model.
	Embedder string `yaml:"embedder,omitempty"`
	// Model is the name of the model that writes answers; "" for extractive
	// answers.
	Model string `yaml:"model,omitempty"`
}

// SourceConfig is a watched folder or a Kafka topic; exactly one is set.
type SourceConfig struct {
	// Folder is a path; Name its name in answers, by default the last element
	// of the path.
	Folder string `yaml:"folder,omitempty"`
	Name   string `yaml:"name,omitempty"`
	// Exclude are patterns as in a .ragignore file.
	Exclude []string     `yaml:"exclude,omitempty"`
	Kafka   *KafkaConfig `yaml:"kafka,omitempty"`
}

// KafkaConfig is a topic whose records are documents: the key is the
// document's id, a tombstone deletes it, headers are metadata.
type KafkaConfig struct {
	Brokers []string `yaml:"brokers,omitempty"`
	Topic   string   `yaml:"topic,omitempty"`
	// Format is "raw" (the value is a file of any format) or "json" (Text and
	// Title name its fields).
	Format string `yaml:"format,omitempty"`
	Text   string `yaml:"text,omitempty"`
	Title  string `yaml:"title,omitempty"`
	// TLS, User and PasswordEnv (the name of an environment variable) are for
	// brokers that ask for them; SASL is plain, scram-sha-256 or scram-sha-512.
	TLS         bool   `yaml:"tls,omitempty"`
	SASL        string `yaml:"sasl,omitempty"`
	User        string `yaml:"user,omitempty"`
	PasswordEnv string `yaml:"password_env,omitempty"`
}

// ModelConfig is a language model or an embedder at a provider.
type ModelConfig struct {
	// Provider is openai (any endpoint of its protocol), ollama, anthropic,
	// mistral, cohere, google, groq, deepseek, openrouter or together.
	Provider string `yaml:"provider,omitempty"`
	BaseURL  string `yaml:"base_url,omitempty"`
	// Model is the provider's name of the model; "" asks the endpoint which
	// it has and takes the first.
	Model string `yaml:"model,omitempty"`
	// KeyEnv names the environment variable that holds the key.
	KeyEnv string `yaml:"key_env,omitempty"`
	// Context is the window in tokens, 0 for a careful default.
	Context int `yaml:"context,omitempty"`
	// Dims is the length of an embedder's vectors, 0 to ask the endpoint.
	Dims int `yaml:"dims,omitempty"`
	// Weight is the weight of an embedder's side in hybrid search, 0..1.
	Weight float64 `yaml:"weight,omitempty"`
}

// KeyConfig is an API key by the hash that `ragserver key add --print` shows.
type KeyConfig struct {
	Name   string   `yaml:"name"`
	Scopes []string `yaml:"scopes"`
	Hash   string   `yaml:"hash"`
}

// LogConfig says what is logged and how.
type LogConfig struct {
	Level  string `yaml:"level,omitempty"`  // debug, info, warn, error
	Format string `yaml:"format,omitempty"` // text, json
}

const (
	defaultListen     = "127.0.0.1:8080"
	defaultData       = "./ragserver-data"
	defaultCollection = "default"
	builtinEmbedder   = "builtin"
)

// loadConfig reads a configuration file; an unknown key is an error that names
// the nearest known one.
func loadConfig(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	var c Config
	if err := yaml.UnmarshalWithOptions(b, &c, yaml.DisallowUnknownField()); err != nil {
		var unknown *yaml.UnknownFieldError
		if errors.As(err, &unknown) {
			name := unknown.Token.Value
			hint := ""
			if near := nearest(name, configKeys()); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			return nil, fmt.Errorf("%s:%d: unknown key %q%s", path, unknown.Token.Position.Line, name, hint)
		}
		return nil, fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	// Paths in a file are relative to the file.
	dir := filepath.Dir(path)
	if c.Data != "" {
		c.Data = relativeTo(dir, c.Data)
	}
	for _, col := range c.Collections {
		if col == nil {
			continue
		}
		for i := range col.Sources {
			if f := col.Sources[i].Folder; f != "" {
				col.Sources[i].Folder = relativeTo(dir, f)
			}
		}
	}
	return &c, nil
}

func relativeTo(dir, p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

// configKeys lists every key of the configuration file.
func configKeys() []string {
	var keys []string
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
				keys = append(keys, name)
				walk(t.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
	slices.Sort(keys)
	return slices.Compact(keys)
}

// nearest returns the candidate that a misspelt word most likely meant, or "".
func nearest(word string, candidates []string) string {
	best, at := "", len(word)/3+2
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), c); d < at {
			best, at = c, d
		}
	}
	return best
}

// Validate fills in defaults and refuses what cannot work, saying which key is
// meant and what to do.
func (c *Config) Validate() error {
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.Data == "" {
		c.Data = defaultData
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: %q is not HOST:PORT, such as %s", c.Listen, defaultListen)
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("listen: %q has no port from 0 to 65535", c.Listen)
	}
	if err := c.Log.validate(); err != nil {
		return err
	}
	if len(c.Collections) == 0 {
		c.Collections = map[string]*CollectionConfig{defaultCollection: {}}
	}
	for name, m := range c.Models {
		if m == nil {
			return fmt.Errorf("models.%s: says nothing; give it a provider", name)
		}
		if err := m.validate(name); err != nil {
			return err
		}
	}
	for name, col := range c.Collections {
		if col == nil {
			col = &CollectionConfig{}
			c.Collections[name] = col
		}
		if err := col.validate(name, c); err != nil {
			return err
		}
	}
	for _, k := range c.Keys {
		if k.Name == "" || len(k.Hash) != 64 || len(k.Scopes) == 0 {
			return fmt.Errorf("keys: %q needs name, scopes and the hash that `ragserver key add --print` shows", k.Name)
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
		return fmt.Errorf("log.level: %q is not debug, info, warn or error", l.Level)
	}
	if !slices.Contains([]string{"text", "json"}, l.Format) {
		return fmt.Errorf("log.format: %q is not text or json", l.Format)
	}
	return nil
}

func (c *CollectionConfig) validate(name string, all *Config) error {
	at := "collections." + name
	if !plainName(name) {
		return fmt.Errorf("%s: a collection's name has letters, digits, - and _ only", at)
	}
	if c.Embedder == "" {
		c.Embedder = builtinEmbedder
	}
	if c.Embedder != builtinEmbedder && all.Models[c.Embedder] == nil {
		return fmt.Errorf("%s.embedder: no model %q under models; there are: %s", at, c.Embedder, known(all.Models, builtinEmbedder))
	}
	if c.Model != "" && all.Models[c.Model] == nil {
		return fmt.Errorf("%s.model: no model %q under models; there are: %s", at, c.Model, known(all.Models))
	}
	names := map[string]string{indexer.UploadsName: "the uploads"}
	for i := range c.Sources {
		s := &c.Sources[i]
		what, err := s.validate(all.Data)
		if err != nil {
			return fmt.Errorf("%s.sources[%d]: %w", at, i, err)
		}
		if other, taken := names[s.Name]; taken {
			return fmt.Errorf("%s.sources[%d]: %s and %s would both be called %q; name one of them, as in name=%s", at, i, other, what, s.Name, what)
		}
		names[s.Name] = what
	}
	return nil
}

func (s *SourceConfig) validate(data string) (what string, err error) {
	switch {
	case s.Folder == "" && s.Kafka == nil:
		return "", errors.New("needs folder or kafka")
	case s.Folder != "" && s.Kafka != nil:
		return "", errors.New("has both folder and kafka; make two sources of it")
	case s.Kafka != nil:
		if len(s.Exclude) > 0 {
			return "", errors.New("exclude is for folders")
		}
		if s.Name == "" {
			s.Name = s.Kafka.Topic
		}
		return "topic " + s.Kafka.Topic, s.Kafka.validate()
	}
	info, err := os.Stat(s.Folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("folder %s does not exist; create it or correct the path", s.Folder)
	case err != nil:
		return "", fmt.Errorf("folder: %w", err)
	case !info.IsDir():
		return "", fmt.Errorf("%s is a file; give the folder that holds it", s.Folder)
	}
	abs, err := filepath.Abs(s.Folder)
	if err != nil {
		return "", fmt.Errorf("folder %s: %w", s.Folder, err)
	}
	if s.Name == "" {
		s.Name = filepath.Base(abs)
	}
	if within(abs, data) {
		return "", fmt.Errorf("folder %s lies in the data directory %s, which is never watched; move one of them", s.Folder, data)
	}
	return s.Folder, nil
}

func (k *KafkaConfig) validate() error {
	if len(k.Brokers) == 0 || k.Topic == "" {
		return errors.New("kafka: needs brokers and topic")
	}
	for _, b := range k.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("kafka.brokers: %q is not HOST:PORT", b)
		}
	}
	switch k.Format {
	case "":
		k.Format = "raw"
	case "raw", "json":
	default:
		return fmt.Errorf("kafka.format: %q is not raw or json", k.Format)
	}
	if k.Format == "raw" && (k.Text != "" || k.Title != "") {
		return errors.New("kafka: text and title name fields of format json")
	}
	switch k.SASL {
	case "", "plain", "scram-sha-256", "scram-sha-512":
	default:
		return fmt.Errorf("kafka.sasl: %q is not plain, scram-sha-256 or scram-sha-512", k.SASL)
	}
	if k.SASL != "" && (k.User == "" || k.PasswordEnv == "") {
		return errors.New("kafka.sasl: needs user and password_env")
	}
	return nil
}

// providers are the values of a model's provider, with the environment variable
// that holds its key unless told otherwise. All but Anthropic speak OpenAI's
// protocol, at the addresses that package openai knows.
var providers = map[string]string{
	"openai":     "OPENAI_API_KEY",
	"ollama":     "",
	"anthropic":  "ANTHROPIC_API_KEY",
	"mistral":    "MISTRAL_API_KEY",
	"cohere":     "COHERE_API_KEY",
	"google":     "GEMINI_API_KEY",
	"groq":       "GROQ_API_KEY",
	"deepseek":   "DEEPSEEK_API_KEY",
	"openrouter": "OPENROUTER_API_KEY",
	"together":   "TOGETHER_API_KEY",
}

func (m *ModelConfig) validate(name string) error {
	at := "models." + name
	if m.Provider == "" {
		m.Provider = "openai"
	}
	keyEnv, ok := providers[m.Provider]
	if !ok {
		return fmt.Errorf("%s.provider: %q is not one of %s", at, m.Provider, known(providers))
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
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("%s.base_url: %q is not an http or https address", at, m.BaseURL)
		}
		if u.User != nil {
			return fmt.Errorf("%s.base_url: has a secret in it; put it in a variable and name that in key_env", at)
		}
	}
	if m.Context < 0 || m.Dims < 0 || m.Weight < 0 || m.Weight > 1 {
		return fmt.Errorf("%s: context and dims are not negative, weight is from 0 to 1", at)
	}
	return nil
}

// key returns the secret that the model's calls carry.
func (m *ModelConfig) key() string {
	if m.KeyEnv == "" {
		return ""
	}
	return os.Getenv(m.KeyEnv)
}

func known[V any](m map[string]V, more ...string) string {
	names := more
	for n := range m {
		names = append(names, n)
	}
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

// within reports whether path is dir or lies below it.
func within(path, dir string) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(abs, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
