package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/api"
)

// asking is what one run of the command asks.
type asking struct {
	question   string
	k          int
	collection string   // "" for the default one
	folders    []string // that the answer must be from
	ignored    []string // flags that a running server cannot heed
	listen     bool     // the command line says where it is
	asJSON     bool
}

func askCommand(f *flags) *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   `ask "QUESTION" [FOLDER...]`,
		Short: "Print a cited answer",
		Long: `Answers one question and ends. With folders it first brings the index in step
with them; without, it asks what is indexed in the data directory, or the server
that is running on it, wherever that listens: that one answers with its own
configuration, and if it wants a key, takes it from the variable RAGSERVER_KEY.`,
		Example: `  ragserver ask "How many days of leave do I have?" ./examples/docs`,
		Args:    first("which question?"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err == nil && info.IsDir() && len(args) == 1 {
				return usage(fmt.Errorf("which question? %s is a folder; as in: %s", args[0], cmd.UseLine()))
			}
			if err := checkPassages(a.k); err != nil {
				return err
			}
			c, err := f.quietConfig(cmd, args[1:])
			if err != nil {
				return err
			}
			a.question = args[0]
			if slices.Contains(f.typed, "collection") {
				a.collection = c.DefaultCollection
			}
			if len(args) > 1 {
				a.folders = folders(c.Collections[c.DefaultCollection])
			}
			a.listen = slices.Contains(f.typed, "listen")
			for _, flag := range f.typed {
				if slices.Contains([]string{"llm", "embedder", "kafka"}, flag) {
					a.ignored = append(a.ignored, "--"+flag)
				}
			}
			return ask(cmd.Context(), c, a, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&a.asJSON, "json", false, "print the answer as the API gives it")
	addPassages(cmd.Flags(), &a.k, 6)
	f.addCollection(cmd.Flags())
	return cmd
}

// folders lists the folders of a collection.
func folders(col *CollectionConfig) []string {
	var paths []string
	for _, s := range col.Sources {
		if s.Kafka == nil {
			paths = append(paths, s.Folder)
		}
	}
	return paths
}

func ask(ctx context.Context, c *Config, q asking, stdout, stderr io.Writer) error {
	err := once(ctx, c, stderr, func(ctx context.Context, col *collection) error {
		here, err := api.New(api.Options{Collections: []api.Collection{col.forAPI()}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		a, err := here.Answer(ctx, api.AskRequest{Question: q.question, K: &q.k})
		if err != nil {
			return fmt.Errorf("answering: %w", err)
		}
		return printAnswer(stdout, a, q.asJSON)
	})
	if inUse(err) {
		return askRunning(ctx, c, q, stdout, stderr, err)
	}
	return err
}

// askRunning asks the server that holds the data directory: where it says, or
// where the command line does.
func askRunning(ctx context.Context, c *Config, q asking, stdout, stderr io.Writer, inUse error) error {
	listen := servingOn(c.Data)
	if q.listen {
		listen = c.Listen
	}
	if listen == "" {
		return &exitError{exitInUse, inUse, "It does not serve, or not yet: it may be a question, an `eval`, or a server that starts. Try again when it is done."}
	}
	s := running{address: callable(listen), data: c.Data, key: os.Getenv("RAGSERVER_KEY")}
	if err := s.mustWatch(ctx, q); err != nil {
		return notThere(err, inUse, listen)
	}
	if len(q.ignored) > 0 {
		fmt.Fprintf(stderr, "The server that runs on %s answers, with its own configuration: %s is ignored.\n", listen, strings.Join(q.ignored, ", "))
	}
	var a api.AskAnswer
	if err := s.call(ctx, http.MethodPost, "/api/ask", api.AskRequest{Question: q.question, K: &q.k, Collection: q.collection}, &a); err != nil {
		return notThere(err, inUse, listen)
	}
	return printAnswer(stdout, a, q.asJSON)
}

// notThere says of a call that reached nobody who uses the data directory.
func notThere(err, inUse error, listen string) error {
	if !errors.Is(err, errNoServer) {
		return err
	}
	return &exitError{exitInUse, inUse, "No server answers on " + listen + ": say where it listens with --listen, or stop it."}
}

func printAnswer(w io.Writer, a api.AskAnswer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(a)
	}
	fmt.Fprintln(w, a.Answer)
	for _, n := range a.Notices {
		fmt.Fprintf(w, "\n(%s)\n", n.Message)
	}
	first := true
	for _, s := range a.Sources {
		if !s.Cited {
			continue
		}
		if first {
			fmt.Fprintln(w)
			first = false
		}
		place := s.Source + "/" + s.Path
		if s.Page > 0 {
			place += fmt.Sprintf(", page %d", s.Page)
		}
		if s.Heading != "" {
			place += ", " + s.Heading
		}
		fmt.Fprintf(w, "[%d] %s\n", s.N, place)
	}
	return nil
}
