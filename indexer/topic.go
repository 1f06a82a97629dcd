package indexer

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
	"github.com/ragserver/ragserver/pipeline/kafkaio"
)

// Topic is a Kafka topic whose records are documents: the record's key is the
// document's path, a later record with the key replaces it, a tombstone deletes
// it, headers are metadata.
type Topic struct {
	Name    string // of the source
	Brokers []string
	Topic   string
	// JSON takes the value as a JSON object: TextField (by default the first
	// of text, body, content, data) holds the text, TitleField (title,
	// headline, name) the title, the other plain fields are metadata. Otherwise
	// the value is a file of any format.
	JSON                  bool
	TextField, TitleField string
	TLS                   bool
	SASL, User, Password  string
}

// Fields that are looked for when none is named.
var (
	textFields  = []string{"text", "body", "content", "data"}
	titleFields = []string{"title", "headline", "name"}
)

// location describes the topic without secrets.
func (t Topic) location() string { return strings.Join(t.Brokers, ",") + "/" + t.Topic }

// source returns the pipeline source; bodies go to the spool.
func (t Topic) source(s *spool, settings string) *kafkaio.Source[item] {
	c := kafkaio.Config{Brokers: t.Brokers, Topics: []string{t.Topic}, SASL: t.SASL, User: t.User, Password: t.Password}
	if t.TLS {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &kafkaio.Source[item]{
		Config: c,
		Key:    func(r kafkaio.Record) pipeline.Key { return pipeline.KeyOf(t.Name, recordPath(r)) },
		Decode: func(r kafkaio.Record) (item, error) { return t.item(s, r, settings) },
		Flush:  s.flush,
	}
}

// recordPath is a document's path: the record's key, or where it stands.
func recordPath(r kafkaio.Record) string {
	switch {
	case r.Key == nil:
		return fmt.Sprintf("%d-%d", r.Partition, r.Offset)
	case utf8.Valid(r.Key):
		return string(r.Key)
	}
	return fmt.Sprintf("%x", r.Key)
}

func (t Topic) item(s *spool, r kafkaio.Record, settings string) (item, error) {
	it := item{
		File:     fsio.File{Source: t.Name, Path: recordPath(r), Created: r.Time.UTC(), Modified: r.Time.UTC(), Seen: time.Now().UTC()},
		Settings: settings,
	}
	meta := map[string]any{}
	body := r.Value
	if t.JSON {
		text, title, err := t.fields(r.Value, meta)
		if err != nil {
			return it, err
		}
		body, it.Title = []byte(text), title
	}
	for _, h := range r.Headers {
		if utf8.Valid(h.Value) {
			meta[h.Key] = string(h.Value)
		}
	}
	if len(meta) > 0 {
		b, err := json.Marshal(meta)
		if err != nil {
			return it, fmt.Errorf("its metadata: %w", err)
		}
		it.Fields = string(b)
	}
	it.Size = int64(len(body))
	var err error
	if it.Body, err = s.add(it.key(), body); err != nil {
		return it, fmt.Errorf("storing it: %w", err)
	}
	return it, nil
}

// fields takes text and title out of a JSON value; what else is plain goes to
// meta.
func (t Topic) fields(value []byte, meta map[string]any) (text, title string, err error) {
	var object map[string]any
	if err := json.Unmarshal(value, &object); err != nil {
		return "", "", fmt.Errorf("the value is not a JSON object: %w", err)
	}
	take := func(named string, usual []string) (string, bool) {
		names := usual
		if named != "" {
			names = []string{named}
		}
		for _, n := range names {
			if s, ok := object[n].(string); ok {
				delete(object, n)
				return s, true
			}
		}
		return "", false
	}
	text, ok := take(t.TextField, textFields)
	if !ok {
		if t.TextField != "" {
			return "", "", fmt.Errorf("the JSON object has no text in the field %q", t.TextField)
		}
		return "", "", errors.New("the JSON object has its text in none of the fields " + strings.Join(textFields, ", ") + "; name the field in the configuration")
	}
	title, _ = take(t.TitleField, titleFields)
	for k, v := range object {
		switch v.(type) {
		case string, float64, bool:
			meta[k] = v
		}
	}
	return text, title, nil
}
