package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/indexer"
	"github.com/ragserver/ragserver/indexer/parse"
	"github.com/ragserver/ragserver/indexer/split"
)

func parseCommand() *cobra.Command {
	var asJSON, worker bool
	cmd := &cobra.Command{
		Use:   "parse FILE...",
		Short: "Print what the server reads in files",
		Long: `Prints the text that would be indexed, as Markdown, or with --json its blocks,
pages and chunks with their offsets. A file that cannot be read is told on
standard error; the exit code is then 1.`,
		Example: "  ragserver parse contract.pdf\n  ragserver parse --json report.docx",
		RunE: func(cmd *cobra.Command, args []string) error {
			if worker {
				return parse.Worker(cmd.InOrStdin(), cmd.OutOrStdout())
			}
			if len(args) == 0 {
				return usage(errors.New("which file? `ragserver parse --help` explains"))
			}
			return parseFiles(cmd.Context(), args, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print blocks and chunks as JSON, one file a line")
	cmd.Flags().BoolVar(&worker, "worker", false, "be a worker of a running server")
	_ = cmd.Flags().MarkHidden("worker")
	return cmd
}

// parsedFile is a line of `parse --json`.
type parsedFile struct {
	File     string `json:"file"`
	Language string `json:"language,omitempty"` // BCP 47
	parse.Document
	Text   string        `json:"text"` // what is indexed; offsets are bytes into it
	Chunks []split.Chunk `json:"chunks"`
}

func parseFiles(ctx context.Context, paths []string, asJSON bool, stdout, stderr io.Writer) (err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	pool, err := newParser(cache+"/ragserver", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	unread := 0
	for _, path := range paths {
		doc, err := parseFile(ctx, pool, path)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintf(stderr, "%s: %s\n", path, parse.Reason(err))
			unread++
			continue
		}
		for _, w := range doc.Warnings {
			fmt.Fprintf(stderr, "%s: %s\n", path, w)
		}
		if !asJSON {
			fmt.Fprint(stdout, parse.Markdown(doc))
			continue
		}
		text, chunks := split.Split(doc, split.Options{})
		if err := json.NewEncoder(stdout).Encode(parsedFile{path, indexer.Language(doc.Blocks), doc, text, chunks}); err != nil {
			return err
		}
	}
	if unread > 0 {
		return fmt.Errorf("%d of %d files could not be read", unread, len(paths))
	}
	return nil
}

func parseFile(ctx context.Context, pool *parse.Pool, path string) (parse.Document, error) {
	info, err := os.Stat(path) // opening a pipe may wait for ever
	switch {
	case err != nil:
		return parse.Document{}, err
	case info.IsDir():
		return parse.Document{}, errors.New("is a folder")
	case !info.Mode().IsRegular():
		return parse.Document{}, errors.New("is no file but a pipe or a device; save what comes from it in a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return parse.Document{}, err
	}
	defer f.Close()
	r, err := pool.Parse(ctx, parse.File{Name: path, Data: f, Size: info.Size()})
	return r.Document, err
}
