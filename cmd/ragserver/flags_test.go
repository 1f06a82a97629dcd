package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestFlagsWin gives every flag once on the command line, once as a variable and
// once in the file, and sees which counts.
func TestFlagsWin(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, d := range []string{"typed", "varied", "filed"} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const file = `
listen: 127.0.0.1:3
data: file
url: https://file.example
no_auth: true
hosts: [file.example]
default_collection: two
collections:
  one: {sources: [{folder: filed}]}
  two: {sources: [{folder: filed}], model: file, embedder: file}
models: {file: {model: x}, other: {model: y}}
log: {level: error, format: json}
`
	topic := func(c *Config) any {
		if k := c.Collections["two"].Sources[0].Kafka; k != nil {
			return k.Topic
		}
		return "file"
	}
	cases := map[string]struct {
		typed, varied string
		get           func(*Config) any
		want          [3]any // typed, varied, from the file
	}{
		"listen":     {"127.0.0.1:1", "127.0.0.1:2", func(c *Config) any { return c.Listen }, [3]any{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"}},
		"data":       {"typed/x", "varied/x", func(c *Config) any { return c.Data }, [3]any{"typed/x", "varied/x", filepath.Join(dir, "file")}},
		"url":        {"https://typed.example", "https://varied.example", func(c *Config) any { return c.URL }, [3]any{"https://typed.example", "https://varied.example", "https://file.example"}},
		"llm":        {"", "other", func(c *Config) any { return c.Collections["two"].Model }, [3]any{"", "other", "file"}},
		"embedder":   {"builtin", "other", func(c *Config) any { return c.Collections["two"].Embedder }, [3]any{"builtin", "other", "file"}},
		"kafka":      {"a:1/typed", "a:1/varied", topic, [3]any{"typed", "varied", "file"}},
		"no-auth":    {"false", "true", func(c *Config) any { return c.NoAuth }, [3]any{false, true, true}},
		"host":       {"typed.example", "varied.example", func(c *Config) any { return c.Hosts }, [3]any{[]string{"typed.example"}, []string{"varied.example"}, []string{"file.example"}}},
		"log-level":  {"debug", "info", func(c *Config) any { return c.Log.Level }, [3]any{"debug", "info", "error"}},
		"log-format": {"text", "json", func(c *Config) any { return c.Log.Format }, [3]any{"text", "json", "json"}},
		"collection": {"one", "two", func(c *Config) any { return c.DefaultCollection }, [3]any{"one", "two", "two"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "ragserver.yaml")
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			load := func(args ...string) any {
				t.Helper()
				var f flags
				var got any
				cmd := &cobra.Command{RunE: func(cmd *cobra.Command, _ []string) error {
					c, err := f.config(cmd, nil)
					if err == nil {
						got = tc.get(c)
					}
					return err
				}}
				f.add(cmd.PersistentFlags())
				f.addCollection(cmd.Flags())
				cmd.SetArgs(append([]string{"--config", path}, args...))
				if err := cmd.Execute(); err != nil {
					t.Fatal(err)
				}
				return got
			}
			if got := load(); !reflect.DeepEqual(got, tc.want[2]) {
				t.Errorf("the file gives %v, want %v", got, tc.want[2])
			}
			t.Setenv(variableOf(name), tc.varied)
			if got := load(); !reflect.DeepEqual(got, tc.want[1]) {
				t.Errorf("the variable over the file gives %v, want %v", got, tc.want[1])
			}
			if got := load("--" + name + "=" + tc.typed); !reflect.DeepEqual(got, tc.want[0]) {
				t.Errorf("the flag over both gives %v, want %v", got, tc.want[0])
			}
		})
	}
	rootCommand().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := cases[f.Name]; !ok && f.Name != "config" {
			t.Errorf("--%s has no case here", f.Name)
		}
	})
}
