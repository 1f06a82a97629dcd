package main

import (
	"fmt"
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
is kept, in the data directory. A running server sees changes at once.

Scopes: ask (questions and searches), read (lists of documents, metrics), write
(upload and delete), admin (everything).`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	open := func(cmd *cobra.Command) (*api.Keys, error) {
		c, err := f.config(cmd, nil)
		if err != nil {
			return nil, err
		}
		if err := prepareData(c.Data); err != nil {
			return nil, err
		}
		return openKeys(c)
	}
	var scopes []string
	add := &cobra.Command{
		Use: "add NAME", Short: "Make a key and print it", Args: one("which name?"),
		Example: "  ragserver key add team --scope ask,read",
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := open(cmd)
			if err != nil {
				return err
			}
			key, err := keys.Add(args[0], scopesOf(scopes)...)
			if err != nil {
				return usage(err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), key)
			fmt.Fprintln(cmd.ErrOrStderr(), "Keep it now: it is not shown again. Send it as \"Authorization: Bearer KEY\".")
			return nil
		},
	}
	add.Flags().StringSliceVar(&scopes, "scope", []string{"ask", "read"}, "`scopes`: ask, read, write, admin")
	list := &cobra.Command{
		Use: "list", Short: "List the keys by name", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := open(cmd)
			if err != nil {
				return err
			}
			all, err := keys.List()
			if err != nil {
				return err
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
	revoke := &cobra.Command{
		Use: "revoke NAME", Short: "Make a key worthless, at once", Args: one("which key?"),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := open(cmd)
			if err != nil {
				return err
			}
			return usage(keys.Revoke(args[0]))
		},
	}
	cmd.AddCommand(add, list, revoke)
	return cmd
}

// openKeys returns the keys of the data directory and of the configuration.
func openKeys(c *Config) (*api.Keys, error) {
	fixed := make([]api.Key, len(c.Keys))
	for i, k := range c.Keys {
		fixed[i] = api.Key{Name: k.Name, Scopes: scopesOf(k.Scopes), Hash: k.Hash}
	}
	return api.OpenKeys(filepath.Join(c.Data, "keys.json"), fixed...)
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
