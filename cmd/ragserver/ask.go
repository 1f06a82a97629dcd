package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/api"
	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm/answer"
)

func askCommand(f *flags) *cobra.Command {
	var asJSON bool
	var k int
	cmd := &cobra.Command{
		Use:   `ask "QUESTION" [FOLDER...]`,
		Short: "Print a cited answer",
		Long: `Answers one question and ends. With folders it first brings the index in step
with them; without, it asks what is indexed in the data directory, or the server
that is running on it.`,
		Example: `  ragserver ask "How many days of leave do I have?" ./examples/docs`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd.Flags(), args[1:])
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("log-level") {
				c.Log.Level = "warn"
			}
			return ask(cmd.Context(), c, args[0], k, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as the API gives it")
	cmd.Flags().IntVarP(&k, "passages", "k", 6, "`number` of passages to answer from")
	return cmd
}

func ask(ctx context.Context, c *Config, question string, k int, asJSON bool, stdout, stderr io.Writer) (err error) {
	if strings.TrimSpace(question) == "" {
		return usage(errors.New("the question is empty"))
	}
	p, err := build(ctx, c, newLog(c.Log, stderr))
	if inUse(err) {
		return askRunning(ctx, c, question, k, asJSON, stdout, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	ctx, stop := context.WithCancel(ctx)
	running := make(chan error, 1)
	go func() { running <- p.run(ctx); stop() }()
	defer func() { stop(); err = errors.Join(err, <-running) }()

	col := p.collections[0]
	if len(c.Collections[col.name].Sources) > 0 {
		if err := settle(ctx, newProgress(stderr), col.indexer); err != nil {
			return err
		}
	}
	a, err := col.answers.Answer(ctx, answer.Question{Text: question, Query: index.Query{K: k}})
	if err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	out := api.AskAnswer{Answer: a.Text, Kind: string(a.Kind), Model: a.Model, Epoch: a.Epoch}
	for _, n := range a.Notices {
		out.Notices = append(out.Notices, api.Notice(n))
	}
	for _, s := range a.Sources {
		out.Sources = append(out.Sources, api.Source{
			N: s.N, Cited: s.Cited, Document: s.Hit.Document.ID.String(), Chunk: s.Hit.Chunk.String(),
			Source: s.Hit.Document.Source, Path: s.Hit.Document.Path, Title: s.Hit.Title,
			Heading: s.Hit.Heading, Page: s.Hit.Page, Text: s.Hit.Text, Score: s.Hit.Score,
		})
	}
	return printAnswer(stdout, out, asJSON)
}

// settle waits until the sources have been read and everything found in them
// has arrived.
func settle(ctx context.Context, bar *progress, c counter) error {
	if bar != nil {
		bar.watch(ctx, c)
		return ctx.Err()
	}
	tick := time.NewTicker(progressEvery / 5)
	defer tick.Stop()
	for {
		if _, _, settled := standing(c); settled {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// askRunning asks the server that holds the data directory.
func askRunning(ctx context.Context, c *Config, question string, k int, asJSON bool, stdout io.Writer, inUse error) error {
	body, err := json.Marshal(api.AskRequest{Question: question, K: k})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Listen+"/api/ask", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return &exitError{exitInUse, fmt.Errorf("%w; and no server answers on %s: say where it listens with --listen", inUse, c.Listen)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var e api.Error
		if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&e); err != nil || e.Error.Message == "" {
			e.Error.Message = resp.Status
		}
		return fmt.Errorf("the server on %s: %s", c.Listen, e.Error.Message)
	}
	var a api.AskAnswer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return fmt.Errorf("reading the answer of the server on %s: %w", c.Listen, err)
	}
	return printAnswer(stdout, a, asJSON)
}

func printAnswer(w io.Writer, a api.AskAnswer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
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
