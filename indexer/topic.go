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
// it, headers are metadata. A record that is none of this is a document that
// failed, with the reason.
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
		Decode: func(r kafkaio.Record) (item, error) { return t.item(s, r, settings), nil },
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

// item is the document that a record is. One that is none is a document too,
// whose Problem says why: it takes the place of what its key held before, as a
// version of a file does that cannot be read.
func (t Topic) item(s *spool, r kafkaio.Record, settings string) item {
	it := item{
		File:     fsio.File{Source: t.Name, Path: recordPath(r), Size: int64(len(r.Value)), Created: r.Time.UTC(), Modified: r.Time.UTC(), Seen: time.Now().UTC()},
		Settings: settings,
	}
	body, err := t.decode(r, &it)
	if err != nil {
		it.Problem = "record " + r.Place() + ": " + err.Error()
		return it
	}
	it.Size, it.Body = int64(len(body)), s.add(it.key(), body)
	return it
}

// decode takes out of a record what is to be read, and what is known of it.
func (t Topic) decode(r kafkaio.Record, it *item) (body []byte, err error) {
	meta := map[string]any{}
	body = r.Value
	if t.JSON {
		var text string
		if text, it.Title, err = t.fields(r.Value, meta); err != nil {
			return nil, err
		}
		body = []byte(text)
	}
	for _, h := range r.Headers {
		if utf8.Valid(h.Value) {
			meta[h.Key] = string(h.Value)
		}
	}
	if len(meta) > 0 {
		b, err := json.Marshal(meta)
		if err != nil {
			return nil, fmt.Errorf("its metadata: %w", err)
		}
		it.Fields = string(b)
	}
	return body, nil
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
