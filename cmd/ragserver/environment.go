package main

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// variablePrefix begins the names of the variables that are ours.
const variablePrefix = "RAGSERVER_"

// variableOf returns the variable that stands for a flag.
func variableOf(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment sets the flags that the command line left alone from their
// variables, and returns which those are.
func fromEnvironment(fs *pflag.FlagSet, lookup func(string) (string, bool)) (set map[string]bool, err error) {
	set = map[string]bool{}
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil || f.Name == "help" || f.Name == "version" {
			return
		}
		name := variableOf(f.Name)
		if v, ok := lookup(name); ok && v != "" {
			if e := fs.Set(f.Name, v); e != nil {
				err = fmt.Errorf("%s=%q: %w", name, v, e)
			}
			set[f.Name] = true
		}
	})
	return set, err
}

// furtherVariables are those with our prefix that stand for no flag.
var furtherVariables = []string{
	"RAGSERVER_KEY",     // the key with which ask calls a running server
	"RAGSERVER_VERSION", // what images call the version they carry
	"RAGSERVER_KERNEL",  // go: the vector arithmetic without assembly
	"RAGSERVER_WEB_DIR", // the page from a directory, while it is worked on
	// Where tests and scripts find data and keep servers.
	"RAGSERVER_SHARED", "RAGSERVER_SERVICES_DIR",
}

// variablesOfOthers are the beginnings of those that tests and workers use
// between themselves.
var variablesOfOthers = []string{"RAGSERVER_TEST_", "RAGSERVER_PARSE_"}

// serviceVariable is what Kubernetes, and Docker for linked containers, set in
// every container for a service whose name is, or begins with, ours.
var serviceVariable = regexp.MustCompile(`^RAGSERVER_(.+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)=|^RAGSERVER_(.+_)?PORT=\w+://`)

// checkVariables refuses a variable that is ours by its prefix and stands for
// nothing: it is misspelt, and what it was to say would be passed over. named
// are those that the configuration names.
func checkVariables(root *cobra.Command, environ, named []string) error {
	known := slices.Concat(furtherVariables, named)
	for _, flag := range flagNames(root) {
		known = append(known, variableOf(flag))
	}
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
		}
		foreign := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if !foreign(variablePrefix) || slices.Contains(known, name) || slices.ContainsFunc(variablesOfOthers, foreign) || serviceVariable.MatchString(line) {
			continue
		}
		err := fmt.Errorf("unknown variable %s", name)
		word := strings.ReplaceAll(strings.TrimPrefix(name, variablePrefix), "_", "-")
		if near := nearestFlag(word, flagNames(root)); near != "" {
			return fmt.Errorf("%w; did you mean %s?", err, variableOf(near))
		}
		return fmt.Errorf("%w; `ragserver --help` lists the flags that variables stand for", err)
	}
	return nil
}

// flagNames lists the flags that variables stand for, of whatever command: one
// that is set for another is no mistake.
func flagNames(root *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" && f.Name != "version" {
			names = append(names, f.Name)
		}
	}
	root.PersistentFlags().VisitAll(add)
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.LocalNonPersistentFlags().VisitAll(add)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(names)
	return slices.Compact(names)
}

// variables lists the environment variables that the configuration names.
func (c *Config) variables() []string {
	var names []string
	for _, m := range c.Models {
		if m != nil {
			names = append(names, m.KeyEnv)
		}
	}
	for _, col := range c.Collections {
		if col == nil {
			continue
		}
		for _, s := range col.Sources {
			if s.Kafka != nil {
				names = append(names, s.Kafka.PasswordEnv)
			}
		}
	}
	return names
}
