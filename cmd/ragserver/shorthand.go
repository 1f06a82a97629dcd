package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// The short forms that flags take for what a configuration file spells out.

// parseFolder reads FOLDER or NAME=FOLDER.
func parseFolder(arg string) SourceConfig {
	if name, path, ok := strings.Cut(arg, "="); ok && plainName(name) && path != "" {
		return SourceConfig{Name: name, Folder: filepath.Clean(path)}
	}
	return SourceConfig{Folder: filepath.Clean(arg)}
}

// parseModel reads PROVIDER:MODEL or URL[#MODEL].
func parseModel(arg string) (*ModelConfig, error) {
	if strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") {
		base, model, _ := strings.Cut(arg, "#")
		return &ModelConfig{Provider: "openai", BaseURL: strings.TrimRight(base, "/"), Model: model}, nil
	}
	provider, model, ok := strings.Cut(arg, ":")
	if _, isProvider := providers[provider]; !ok || !isProvider || model == "" {
		return nil, fmt.Errorf("%q is neither PROVIDER:MODEL (providers: %s) nor URL#MODEL, such as ollama:qwen3:4b or http://127.0.0.1:8000/v1#my-model", arg, known(providers))
	}
	return &ModelConfig{Provider: provider, Model: model}, nil
}

// parseKafka reads BROKER[,BROKER…]/TOPIC[?format=json&text=FIELD&title=FIELD].
func parseKafka(arg string) (*KafkaConfig, error) {
	const form = "BROKER:PORT[,BROKER:PORT]/TOPIC[?format=json&text=FIELD&title=FIELD]"
	rest, query, _ := strings.Cut(arg, "?")
	brokers, topic, ok := strings.Cut(rest, "/")
	if !ok || brokers == "" || topic == "" {
		return nil, fmt.Errorf("%q is not %s", arg, form)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", arg, err)
	}
	k := &KafkaConfig{Brokers: strings.Split(brokers, ","), Topic: topic}
	fields := map[string]*string{"format": &k.Format, "text": &k.Text, "title": &k.Title}
	for name, v := range values {
		f := fields[name]
		if f == nil {
			return nil, fmt.Errorf("%q: unknown setting %q; known are %s", arg, name, known(fields))
		}
		*f = v[0]
	}
	return k, nil
}

// overrides are what the command line adds to a configuration.
type overrides struct {
	folders            []string
	listen, data       string
	llm, embedder      string
	kafka              []string
	noAuth             bool
	hosts              []string
	url                string
	logLevel, logStyle string
}

// apply puts the command line's settings over c. Folders and topics named
// there replace the file's sources of the default collection.
func (o overrides) apply(c *Config) error {
	set := func(to *string, v string) {
		if v != "" {
			*to = v
		}
	}
	set(&c.Listen, o.listen)
	set(&c.Data, o.data)
	set(&c.URL, o.url)
	set(&c.Log.Level, o.logLevel)
	set(&c.Log.Format, o.logStyle)
	c.NoAuth = c.NoAuth || o.noAuth
	c.Hosts = append(c.Hosts, o.hosts...)
	if c.Collections == nil {
		c.Collections = map[string]*CollectionConfig{}
	}
	col := c.Collections[defaultCollection]
	if col == nil {
		col = &CollectionConfig{}
		c.Collections[defaultCollection] = col
	}
	if len(o.folders)+len(o.kafka) > 0 {
		col.Sources = nil
	}
	for _, f := range o.folders {
		if f == "" {
			return errors.New("a folder's name is empty")
		}
		col.Sources = append(col.Sources, parseFolder(f))
	}
	for _, k := range o.kafka {
		kc, err := parseKafka(k)
		if err != nil {
			return fmt.Errorf("--kafka: %w", err)
		}
		col.Sources = append(col.Sources, SourceConfig{Kafka: kc})
	}
	if err := c.nameModel(o.llm, "llm", &col.Model); err != nil {
		return err
	}
	if o.embedder == builtinEmbedder {
		col.Embedder = builtinEmbedder
		return nil
	}
	return c.nameModel(o.embedder, "embedder", &col.Embedder)
}

// gave reports whether the value of a key comes from the command line, and by
// which flag; "" if it is a folder that was named there.
func (o overrides) gave(key keyPath) (flag string, ok bool) {
	under := func(path ...any) bool { return len(key) >= len(path) && slices.Equal(key[:len(path)], path) }
	switch {
	case under("listen"):
		return "listen", o.listen != ""
	case under("data"):
		return "data", o.data != ""
	case under("log", "level"):
		return "log-level", o.logLevel != ""
	case under("log", "format"):
		return "log-format", o.logStyle != ""
	case under("collections", defaultCollection, "model"):
		return "llm", o.llm != ""
	case under("collections", defaultCollection, "embedder"):
		return "embedder", o.embedder != ""
	case under("collections", defaultCollection, "sources") && len(o.folders)+len(o.kafka) > 0:
		if len(key) > 3 && key[3].(int) >= len(o.folders) {
			return "kafka", true
		}
		return "", true
	}
	return "", false
}

// nameModel makes arg, a configured model's name or a short form, the model
// that to names.
func (c *Config) nameModel(arg, flag string, to *string) error {
	if arg == "" {
		return nil
	}
	if c.Models[arg] != nil {
		*to = arg
		return nil
	}
	m, err := parseModel(arg)
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	if c.Models == nil {
		c.Models = map[string]*ModelConfig{}
	}
	name := m.Model
	if name == "" {
		name = flag
	}
	for c.Models[name] != nil {
		name += "-" + flag
	}
	c.Models[name] = m
	*to = name
	return nil
}
