package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/ragserver/ragserver/pipeline/fsio"
)

func (s *SourceConfig) validate(key keyPath, data string) error {
	switch {
	case s.Folder == "" && s.Kafka == nil:
		return key.wrong("needs folder or kafka")
	case s.Folder != "" && s.Kafka != nil:
		return key.wrong("has both folder and kafka; make two sources of it")
	case s.Kafka != nil && len(s.Exclude) > 0:
		return key.at("exclude").wrong("is for folders, and this source is a topic")
	}
	var err error
	if s.Kafka != nil {
		if s.Name == "" {
			s.Name = s.Kafka.Topic
		}
		err = s.Kafka.validate(key.at("kafka"))
	} else {
		err = s.validateFolder(key, data)
	}
	if err != nil {
		return err
	}
	if s.Name == "" || s.Name == "." || s.Name == ".." || len(s.Name) > 255 || strings.ContainsFunc(s.Name, func(r rune) bool { return r < ' ' || r == '/' || r == '\\' }) {
		return key.at("name").wrong("%q cannot be a source's name: 1 to 255 bytes, no slash, no control character; give another, as in name=%s", s.Name, s.what())
	}
	return nil
}

// what names the source for a person.
func (s *SourceConfig) what() string {
	if s.Kafka != nil {
		return "topic " + s.Kafka.Topic
	}
	return s.Folder
}

func (s *SourceConfig) validateFolder(key keyPath, data string) error {
	at := key.at("folder")
	info, err := os.Stat(s.Folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return at.wrong("folder %s does not exist; create it or correct the path", s.Folder)
	case err != nil:
		return at.wrong("folder: %w", err)
	case !info.IsDir():
		return at.wrong("%s is a file; give the folder that holds it", s.Folder)
	}
	abs, err := filepath.Abs(s.Folder)
	if err != nil {
		return at.wrong("folder %s: %w", s.Folder, err)
	}
	if s.Name == "" {
		s.Name = filepath.Base(abs)
	}
	if within(abs, data) {
		return at.wrong("folder %s lies in the data directory %s, which is never watched; move one of them", s.Folder, data)
	}
	if isData(s.Folder) {
		return at.wrong("%s is the data directory of a ragserver, as %s in it says; give a folder of documents", s.Folder, dataMark)
	}
	for i, pattern := range s.Exclude {
		if err := fsio.CheckRule(pattern); err != nil {
			return key.at("exclude", i).wrong("%w; write it as in a .gitignore file", err)
		}
	}
	return nil
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

// inner returns the other folders of the collection that lie within folder: a
// file belongs to the innermost folder that is watched.
func (c *CollectionConfig) inner(folder string) ([]string, error) {
	outer, err := realPath(folder)
	if err != nil {
		return nil, err
	}
	var inside []string
	for _, s := range c.Sources {
		if s.Kafka != nil {
			continue
		}
		path, err := realPath(s.Folder)
		if err != nil {
			return nil, err
		}
		if path != outer && within(path, outer) {
			inside = append(inside, path)
		}
	}
	return inside, nil
}

func realPath(folder string) (string, error) {
	abs, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("folder %s: %w", folder, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("folder %s: %w", folder, err)
	}
	return real, nil
}

func (k *KafkaConfig) validate(key keyPath) error {
	if len(k.Brokers) == 0 || k.Topic == "" {
		return key.wrong("needs brokers and topic")
	}
	for i, b := range k.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return key.at("brokers", i).wrong("%q is not HOST:PORT", b)
		}
	}
	if !topicName.MatchString(k.Topic) {
		return key.at("topic").wrong("%q cannot be a topic: it has letters, digits, . _ and - only, at most 249", k.Topic)
	}
	switch k.Format {
	case "":
		k.Format = "raw"
	case "raw", "json":
	default:
		return key.at("format").wrong("%q is not raw or json", k.Format)
	}
	if k.Format == "raw" && k.Text != "" {
		return key.at("text").wrong("names a field, which only format json has")
	}
	if k.Format == "raw" && k.Title != "" {
		return key.at("title").wrong("names a field, which only format json has")
	}
	switch k.SASL {
	case "", "plain", "scram-sha-256", "scram-sha-512":
	default:
		return key.at("sasl").wrong("%q is not plain, scram-sha-256 or scram-sha-512", k.SASL)
	}
	if k.SASL != "" && (k.User == "" || k.PasswordEnv == "") {
		return key.at("sasl").wrong("needs user and password_env")
	}
	return secretIn(k.PasswordEnv, key.at("password_env"))
}
