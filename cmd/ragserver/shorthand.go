package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
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

// overrides are what the command line, and the variables that stand for flags,
// say in place of a configuration.
type overrides struct {
	given map[string]bool // the flags that were given, whatever their value

	folders            []string
	collection         string // after apply: the default one
	listen, data       string
	llm, embedder      string
	kafka              []string
	noAuth             bool
	hosts              []string
	url                string
	logLevel, logStyle string
}

// apply puts what was given over c. Folders and topics replace the file's
// sources of the default collection, host names its host names.
func (o *overrides) apply(c *Config) error {
	for flag, set := range map[string]func(){
		"listen":     func() { c.Listen = o.listen },
		"data":       func() { c.Data = o.data },
		"url":        func() { c.URL = o.url },
		"log-level":  func() { c.Log.Level = o.logLevel },
		"log-format": func() { c.Log.Format = o.logStyle },
		"no-auth":    func() { c.NoAuth = o.noAuth },
		"host":       func() { c.Hosts = o.hosts },
	} {
		if o.given[flag] {
			set()
		}
	}
	col, err := o.choose(c)
	if err != nil {
		return err
	}
	if err := c.inherit(); err != nil {
		return err
	}
	if col == nil {
		return nil // Validate says why there is none
	}
	if err := o.applySources(col); err != nil {
		return err
	}
	if o.given["llm"] {
		if col.Model, err = c.nameModel(o.llm, "llm"); err != nil {
			return fmt.Errorf("--llm: %w", err)
		}
	}
	if o.given["embedder"] {
		if col.Embedder, err = c.nameModel(o.embedder, "embedder"); err != nil {
			return fmt.Errorf("--embedder: %w", err)
		}
	}
	return nil
}

// inherit hands the model and the embedder that the file names for all to each
// collection that has none of its own, and puts names in place of short forms.
func (c *Config) inherit() error {
	resolve := func(arg *string, of string, key keyPath) error {
		name, err := c.nameModel(*arg, of)
		if err != nil {
			there := known(c.Models)
			if of == "embedder" {
				there = known(c.Models, builtinEmbedder)
			}
			return key.wrong("there is no such model under models (there are: %s), and %w", there, err)
		}
		*arg = name
		return nil
	}
	if err := errors.Join(resolve(&c.LLM, "llm", keyPath{"llm"}), resolve(&c.Embedder, "embedder", keyPath{"embedder"})); err != nil {
		return err
	}
	for _, name := range keys(c.Collections) {
		col, key := c.Collections[name], keyPath{"collections", name}
		if col == nil {
			col = &CollectionConfig{}
			c.Collections[name] = col
		}
		col.Model, col.Embedder = cmp.Or(col.Model, c.LLM), cmp.Or(col.Embedder, c.Embedder)
		if err := errors.Join(resolve(&col.Model, "llm", key.at("model")), resolve(&col.Embedder, "embedder", key.at("embedder"))); err != nil {
			return err
		}
	}
	c.LLM, c.Embedder = "", "" // handed on: what the command line then takes away stays away
	return nil
}

// choose returns the collection that the command line is about; nil if the
// configuration's default is none of its collections. Without a configuration
// and without sources it is one that the data directory holds.
func (o *overrides) choose(c *Config) (*CollectionConfig, error) {
	there := c.Collections
	if len(there) == 0 {
		there = c.stored()
		if _, ok := there[defaultCollection]; !ok && len(there) > 0 && len(o.folders)+len(o.kafka) == 0 {
			c.DefaultCollection = keys(there)[0]
		}
	}
	if o.given["collection"] {
		if _, ok := there[o.collection]; !ok {
			return nil, fmt.Errorf("--collection: there is no collection %q; there are: %s", o.collection, known(there))
		}
		c.DefaultCollection = o.collection
	}
	c.settleDefault()
	o.collection = c.DefaultCollection
	col, ok := c.Collections[o.collection]
	if ok && col == nil {
		col = &CollectionConfig{}
		c.Collections[o.collection] = col
	}
	return col, nil
}

// stored returns the collections that the data directory holds: none if it
// cannot be read, of which Validate tells.
func (c *Config) stored() map[string]*CollectionConfig {
	data := c.Data
	if data == "" {
		data = defaultData
	}
	dirs, _ := os.ReadDir(filepath.Join(data, "collections"))
	there := map[string]*CollectionConfig{}
	for _, d := range dirs {
		if d.IsDir() && plainName(d.Name()) {
			there[d.Name()] = nil
		}
	}
	return there
}

func (o *overrides) applySources(col *CollectionConfig) error {
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
	return nil
}

// gave reports whether the value of a key comes from the command line, and by
// which flag; "" if it is a folder that was named there.
func (o overrides) gave(key keyPath) (flag string, ok bool) {
	under := func(path ...any) bool { return len(key) >= len(path) && slices.Equal(key[:len(path)], path) }
	switch {
	case under("listen"):
		return "listen", o.given["listen"]
	case under("data"):
		return "data", o.given["data"]
	case under("url"):
		return "url", o.given["url"]
	case under("log", "level"):
		return "log-level", o.given["log-level"]
	case under("log", "format"):
		return "log-format", o.given["log-format"]
	case under("hosts"):
		return "host", o.given["host"]
	case under("collections", o.collection, "model"):
		return "llm", o.given["llm"]
	case under("collections", o.collection, "embedder"):
		return "embedder", o.given["embedder"]
	case under("collections", o.collection, "sources") && len(o.folders)+len(o.kafka) > 0:
		if len(key) > 3 && key[3].(int) >= len(o.folders) {
			return "kafka", true
		}
		return "", true
	}
	return "", false
}

// nameModel returns the name of the model that arg means: that of a configured
// one, or of one that is made of a short form; arg if that is "" or, for an
// embedder, the built-in one. of is what the model is for, llm or embedder.
func (c *Config) nameModel(arg, of string) (string, error) {
	if _, ok := c.Models[arg]; ok || arg == "" || of == "embedder" && arg == builtinEmbedder {
		return arg, nil
	}
	m, err := parseModel(arg)
	if err != nil {
		return "", err
	}
	for name, there := range c.Models { // given for several collections
		if there != nil && *there == *m {
			return name, nil
		}
	}
	if c.Models == nil {
		c.Models = map[string]*ModelConfig{}
	}
	name := m.Model
	if name == "" {
		name = of
	}
	for c.Models[name] != nil {
		name += "-" + of
	}
	c.Models[name] = m
	return name, nil
}
