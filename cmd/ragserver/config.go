package main

import "os"

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
	// URL is how clients reach a server behind a proxy, such as
	// https://intranet.example/rag: links in answers and the page's own begin
	// with it, and its host is one of Hosts.
	URL string `yaml:"url,omitempty"`
	// Origins are web origins that may call the API from a browser.
	Origins []string `yaml:"origins,omitempty"`
	// Collections are named sets of documents.
	Collections map[string]*CollectionConfig `yaml:"collections,omitempty"`
	// DefaultCollection answers when a request names none, and is what the
	// folders and flags of the command line are about: by default the one that
	// is called "default", else the first of the file.
	DefaultCollection string `yaml:"default_collection,omitempty"`
	// LLM writes the answers of collections that name no model, Embedder makes the
	// vectors of those that name no embedder: a name under Models, or a short form
	// as --llm and --embedder take it.
	LLM      string `yaml:"llm,omitempty"`
	Embedder string `yaml:"embedder,omitempty"`
	// Models are language models and embedders that collections name.
	Models map[string]*ModelConfig `yaml:"models,omitempty"`
	// Keys are API keys by hash, beside those that `ragserver key add` keeps
	// in the data directory.
	Keys   []KeyConfig  `yaml:"keys,omitempty"`
	Limits LimitsConfig `yaml:"limits,omitempty"`
	Log    LogConfig    `yaml:"log,omitempty"`
}

// LimitsConfig bounds what clients may ask for at once; 0 is the default.
type LimitsConfig struct {
	UploadMB int `yaml:"upload_mb,omitempty"` // of one document; 512
	Searches int `yaml:"searches,omitempty"`  // at once; 64
	Asks     int `yaml:"asks,omitempty"`      // at once; 64
	Feeds    int `yaml:"feeds,omitempty"`     // open at once; 256
}

// CollectionConfig is a set of documents with its own index.
type CollectionConfig struct {
	Sources []SourceConfig `yaml:"sources,omitempty"`
	// Embedder is "builtin", the name of a model or a short form; by default that
	// of Config.
	Embedder string `yaml:"embedder,omitempty"`
	// Model writes answers: the name of a model or a short form, by default
	// Config.LLM; if that is "" too, answers are extractive.
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
	// Concurrency is how many calls run at a time, 4 if 0. FirstWord,
	// BetweenWords and Total bound a call, as in 90s or 10m: by default 5m, 1m
	// and 10m for an endpoint in the own network, 1m, 30s and 5m for others.
	Concurrency  int    `yaml:"concurrency,omitempty"`
	FirstWord    string `yaml:"first_word,omitempty"`
	BetweenWords string `yaml:"between_words,omitempty"`
	Total        string `yaml:"total,omitempty"`
	// Dims is the length of an embedder's vectors, 0 to ask the endpoint.
	Dims int `yaml:"dims,omitempty"`
	// Weight is the weight of an embedder's side in hybrid search: from 0, by
	// keyword alone, to 1; nil for the default.
	Weight *float64 `yaml:"weight,omitempty"`
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

// key returns the secret that the model's calls carry.
func (m *ModelConfig) key() string {
	if m.KeyEnv == "" {
		return ""
	}
	return os.Getenv(m.KeyEnv)
}
