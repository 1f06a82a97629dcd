package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

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
		Args:    first("which question?"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err == nil && info.IsDir() && len(args) == 1 {
				return usage(fmt.Errorf("which question? %s is a folder; as in: %s", args[0], cmd.UseLine()))
			}
			c, err := f.quietConfig(cmd, args[1:])
			if err != nil {
				return err
			}
			return ask(cmd.Context(), c, args[0], k, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as the API gives it")
	cmd.Flags().IntVarP(&k, "passages", "k", 6, "`number` of passages to answer from")
	return cmd
}

func ask(ctx context.Context, c *Config, question string, k int, asJSON bool, stdout, stderr io.Writer) error {
	err := once(ctx, c, stderr, func(ctx context.Context, col *collection) error {
		a, err := col.answers.Answer(ctx, answer.Question{Text: question, Query: index.Query{K: k}})
		if err != nil {
			return fmt.Errorf("answering: %w", err)
		}
		return printAnswer(stdout, forPrint(a), asJSON)
	})
	if inUse(err) {
		return askRunning(ctx, c, question, k, asJSON, stdout, err)
	}
	return err
}

// forPrint is an answer as the API gives it.
func forPrint(a answer.Answer) api.AskAnswer {
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
	return out
}

// askRunning asks the server that holds the data directory.
func askRunning(ctx context.Context, c *Config, question string, k int, asJSON bool, stdout io.Writer, inUse error) error {
	body, err := json.Marshal(api.AskRequest{Question: question, K: k})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+callable(c.Listen)+"/api/ask", bytes.NewReader(body))
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
