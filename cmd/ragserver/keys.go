package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/api"
)

func keyCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list and revoke API keys",
		Long: `Keys let other machines in. A key is shown once, when it is made; only its hash
is kept, in the data directory. A running server sees changes at once: the first
key closes a server that ran without, and what a revoked key has open ends within
about a second.

Scopes: ask (questions and searches), read (lists of documents, metrics), write
(upload and delete), admin (everything).`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	cmd.AddCommand(addKey(f), listKeys(f), revokeKey(f))
	return cmd
}

func addKey(f *flags) *cobra.Command {
	var scopes []string
	var print bool
	add := &cobra.Command{
		Use: "add NAME", Short: "Make a key and print it", Args: one("which name?"),
		Long: `Makes a key, prints it once, and keeps its hash in the data directory, where a
running server sees it at once. With --print nothing is kept: what is printed
besides the key goes under keys: in a configuration file.`,
		Example: "  ragserver key add team --scope ask,read",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd, nil)
			if err != nil {
				return err
			}
			if print {
				return printKey(cmd, args[0], scopesOf(scopes))
			}
			key, err := storeKey(c, args[0], scopesOf(scopes))
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), key)
			fmt.Fprintln(cmd.ErrOrStderr(), keepIt)
			return nil
		},
	}
	add.Flags().StringSliceVar(&scopes, "scope", []string{"ask", "read"}, "`scopes`: ask, read, write, admin")
	add.Flags().BoolVar(&print, "print", false, "store nothing; print what goes under keys: in a configuration")
	return add
}

const keepIt = `Keep it now: it is not shown again. Send it as "Authorization: Bearer KEY".`

// storeKey makes a key and keeps its hash in the data directory.
func storeKey(c *Config, name string, scopes []api.Scope) (string, error) {
	if err := prepareData(c.Data); err != nil {
		return "", err
	}
	keys, err := openKeys(c)
	if err != nil {
		return "", err
	}
	key, err := keys.Add(name, scopes...)
	return key, usage(err)
}

// printKey makes a key, prints it, and beside it the lines of a configuration
// that let it in.
func printKey(cmd *cobra.Command, name string, scopes []api.Scope) error {
	text, key, err := api.NewKey(name, scopes...)
	if err != nil {
		return usage(err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), text)
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "# %s\nkeys:\n  - {name: %q, scopes: [%s], hash: %q}\n", keepIt, key.Name, joinScopes(key.Scopes), key.Hash)
	return err
}

func listKeys(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the keys by name", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.config(cmd, nil)
			if err != nil {
				return err
			}
			keys, err := openKeys(c)
			if err != nil {
				return err
			}
			all, err := keys.List()
			if err != nil {
				return err
			}
			if len(all) == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "There are no keys in %s.\n", c.Data)
				return nil
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSCOPES\tMADE\tHASH")
			for _, k := range all {
				made := "by configuration"
				if !k.Created.IsZero() {
					made = k.Created.Format("2006-01-02 15:04")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.Name, joinScopes(k.Scopes), made, k.Hash)
			}
			return w.Flush()
		},
	}
}

func revokeKey(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME", Short: "Make a key worthless, at once", Args: one("which key?"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd, nil)
			if err != nil {
				return err
			}
			keys, err := openKeys(c)
			if err != nil {
				return err
			}
			return usage(keys.Revoke(args[0]))
		},
	}
}

// openKeys returns the keys of the data directory and of the configuration.
func openKeys(c *Config) (*api.Keys, error) {
	fixed := make([]api.Key, len(c.Keys))
	for i, k := range c.Keys {
		fixed[i] = api.Key{Name: k.Name, Scopes: scopesOf(k.Scopes), Hash: k.Hash}
	}
	keys, err := api.OpenKeys(filepath.Join(c.Data, "keys.json"), fixed...)
	if errors.Is(err, fs.ErrPermission) {
		err = unusable(c.Data, err)
	}
	return keys, err
}

func scopesOf(names []string) []api.Scope {
	scopes := make([]api.Scope, len(names))
	for i, n := range names {
		scopes[i] = api.Scope(strings.TrimSpace(n))
	}
	return scopes
}

func joinScopes(scopes []api.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}
