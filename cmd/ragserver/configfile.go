package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// keyPath names a place in the configuration by the names and positions that
// lead to it.
type keyPath []any

func (k keyPath) at(more ...any) keyPath { return append(slices.Clip(k), more...) }

// String writes it as in collections.default.sources[0].folder.
func (k keyPath) String() string {
	var b strings.Builder
	for _, step := range k {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, step)
		}
	}
	return b.String()
}

// wrong says what is wrong with the value at k.
func (k keyPath) wrong(format string, args ...any) error {
	return &keyError{k, fmt.Errorf(format, args...)}
}

// keyError is what is wrong with a value of the configuration.
type keyError struct {
	key keyPath
	err error
}

func (e *keyError) Error() string { return e.key.String() + ": " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// configFile is a configuration file as it was written: it knows in which line
// a key stands.
type configFile struct {
	path string
	top  ast.Node // nil if there is nothing in it
}

// loadConfig reads a configuration file. What is wrong with it is told with
// line, key and what is expected there; an unknown key with the nearest known
// one.
func loadConfig(path string) (*Config, *configFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	f := &configFile{path: path}
	parsed, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, nil, f.syntax(err)
	}
	if len(parsed.Docs) > 1 {
		return nil, nil, fmt.Errorf("%s: holds %d documents with --- between them; a configuration is one", path, len(parsed.Docs))
	}
	if len(parsed.Docs) == 1 {
		f.top = parsed.Docs[0].Body
	}
	if err := f.check(f.top, reflect.TypeFor[Config](), nil, 1); err != nil {
		return nil, nil, err
	}
	var c Config
	if err := yaml.UnmarshalWithOptions(b, &c, yaml.DisallowUnknownField()); err != nil {
		return nil, nil, f.syntax(err)
	}
	if c.DefaultCollection == "" && c.Collections[defaultCollection] == nil {
		c.DefaultCollection = f.firstIn("collections")
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
	return &c, f, nil
}

func relativeTo(dir, p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

// syntax puts an error of the YAML reader into our form.
func (f *configFile) syntax(err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil && e.GetToken().Position != nil {
		at := e.GetToken().Position
		return fmt.Errorf("%s:%d: column %d: %s", f.path, at.Line, at.Column, e.GetMessage())
	}
	return fmt.Errorf("%s: is no YAML", f.path) // the reader's words may quote secrets
}

// check refuses a node that a value of type t cannot be read from. line is that
// of its key.
func (f *configFile) check(n ast.Node, t reflect.Type, key keyPath, line int) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := n.(type) {
	case nil, *ast.NullNode:
		return nil // as if the key were not there
	case *ast.AnchorNode:
		return f.check(v.Value, t, key, line)
	case *ast.AliasNode, *ast.TagNode:
		return nil // what they stand for the decoder checks
	case ast.MapNode:
		switch t.Kind() {
		case reflect.Struct:
			return f.checkStruct(v, t, key)
		case reflect.Map:
			return f.checkMap(v, t, key)
		}
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			break
		}
		for i, item := range v.Values {
			if err := f.check(item, t.Elem(), key.at(i), item.GetToken().Position.Line); err != nil {
				return err
			}
		}
		return nil
	case ast.ScalarNode:
		if readable(v, t) {
			return nil
		}
	}
	if len(key) == 0 {
		return fmt.Errorf("%s: must be %s, not %s", f.path, expected(t), describe(n))
	}
	return fmt.Errorf("%s:%d: %s must be %s, not %s", f.path, line, key, expected(t), describe(n))
}

func (f *configFile) checkStruct(n ast.MapNode, t reflect.Type, key keyPath) error {
	fields := fieldsOf(t)
	for it := n.MapRange(); it.Next(); {
		token := it.Key().GetToken()
		if it.Key().IsMergeKey() {
			continue
		}
		field, ok := fields[token.Value]
		if !ok {
			in := ""
			if len(key) > 0 {
				in = " in " + key.String()
			}
			err := fmt.Errorf("%s:%d: unknown key %q%s", f.path, token.Position.Line, token.Value, in)
			if slices.Contains([]string{"api_key", "apikey", "key", "token", "secret", "password"}, strings.ToLower(token.Value)) && fields["key_env"] != nil {
				return fmt.Errorf("%w; secrets are not written here: put it into an environment variable and name that in key_env", err)
			}
			if len(key) == 0 && slices.Contains([]string{"folder", "folders", "source", "sources", "kafka"}, token.Value) {
				return fmt.Errorf("%w; sources belong to a collection, as in collections: {default: {sources: [{folder: ./docs}]}}", err)
			}
			if near := nearestKey(token.Value, fields); near != "" {
				return fmt.Errorf("%w; did you mean %q?", err, near)
			}
			return fmt.Errorf("%w; known are %s", err, known(fields))
		}
		if err := f.check(it.Value(), field, key.at(token.Value), token.Position.Line); err != nil {
			return err
		}
	}
	return nil
}

func (f *configFile) checkMap(n ast.MapNode, t reflect.Type, key keyPath) error {
	for it := n.MapRange(); it.Next(); {
		token := it.Key().GetToken()
		if it.Key().IsMergeKey() {
			continue
		}
		if err := f.check(it.Value(), t.Elem(), key.at(token.Value), token.Position.Line); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf returns the keys of a mapping that is read into t, with their types.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields[name] = t.Field(i).Type
	}
	return fields
}

// readable reports whether a scalar can be read as a t. A text may look like a
// number.
func readable(n ast.ScalarNode, t reflect.Type) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return t.Kind() == reflect.String
	case *ast.IntegerNode:
		return t.Kind() == reflect.Int || t.Kind() == reflect.Float64 || t.Kind() == reflect.String
	case *ast.FloatNode:
		return t.Kind() == reflect.Float64 || t.Kind() == reflect.String
	case *ast.BoolNode:
		return t.Kind() == reflect.Bool
	}
	return false
}

// expected says in words what is read into t.
func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "a list of texts, as in [a, b]"
		}
		return "a list whose items have the keys " + known(fieldsOf(t.Elem()))
	case reflect.Map:
		return "a mapping from names to settings"
	}
	return "a mapping with the keys " + known(fieldsOf(t))
}

// describe says in words what stands there instead.
func describe(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping (write it in quotes if it is a text with a colon)"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false (write it in quotes if it is a text)"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	}
	return "a text"
}

// line returns where a key stands, or, if it is left out, where that stands to
// which it belongs.
func (f *configFile) line(key keyPath) (line int, ok bool) {
	n, line := f.top, 1
	for i, step := range key {
		next, at := child(n, step)
		if next == nil && at == 0 {
			_, item := step.(int) // one that the command line has added
			return line, i > 0 && i == len(key)-1 && !item
		}
		n, line = next, at
	}
	return line, len(key) > 0
}

// firstIn returns the first name in a mapping at the top of the file, "" if
// there is none.
func (f *configFile) firstIn(name string) string {
	n, _ := child(f.top, name)
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		return ""
	}
	for it := m.MapRange(); it.Next(); {
		if !it.Key().IsMergeKey() {
			return it.Key().GetToken().Value
		}
	}
	return ""
}

// child takes one step of a path; at is 0 if there is nothing.
func child(n ast.Node, step any) (_ ast.Node, at int) {
	if a, ok := n.(*ast.AnchorNode); ok {
		n = a.Value
	}
	switch v := n.(type) {
	case ast.MapNode:
		for it := v.MapRange(); it.Next(); {
			if token := it.Key().GetToken(); token.Value == step {
				return it.Value(), token.Position.Line
			}
		}
	case *ast.SequenceNode:
		if i, ok := step.(int); ok && i < len(v.Values) {
			return v.Values[i], v.Values[i].GetToken().Position.Line
		}
	}
	return nil, 0
}

// keysAlsoCalled are names that other programs have for our keys.
var keysAlsoCalled = map[string][]string{
	"url": {"base_url"}, "endpoint": {"base_url"}, "api_base": {"base_url"}, "host": {"base_url", "hosts"},
	"address": {"listen", "base_url"}, "addr": {"listen"}, "port": {"listen"}, "bind": {"listen"},
	"dir": {"data", "folder"}, "data_dir": {"data"}, "path": {"folder"}, "ignore": {"exclude"},
	"llm": {"model"}, "model": {"llm"}, "embedding": {"embedder"}, "dimensions": {"dims"}, "timeout": {"total"},
	"type": {"provider"}, "context_window": {"context"}, "num_ctx": {"context"}, "group": {"topic"}, "bootstrap_servers": {"brokers"},
}

// nearestKey returns the key that a word most likely meant, or "".
func nearestKey(word string, fields map[string]reflect.Type) string {
	for _, key := range keysAlsoCalled[strings.ToLower(word)] {
		if fields[key] != nil {
			return key
		}
	}
	return nearest(word, keys(fields))
}

// nearest returns the candidate that a misspelt word most likely meant, or "".
func nearest(word string, candidates []string) string {
	best, at := "", len(word)/3+2
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(c)); d < at {
			best, at = c, d
		}
	}
	return best
}
