package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/llm/answer/eval"
)

func evalCommand(f *flags) *cobra.Command {
	var asJSON bool
	var k int
	cmd := &cobra.Command{
		Use:   "eval QUESTIONS.jsonl [FOLDER...]",
		Short: "Score answers to your own questions",
		Long: `Asks every question of a file and prints recall, MRR, nDCG, refusals, citation
validity and how well the answers match. No model is needed. A line of the file:

  {"id": "1", "question": "…", "answers": ["…"], "doc": "path/in/folder.md"}

"answers" are strings of which one should be in the answer; "doc" is the document,
or a list of documents, that should be cited; "answerable": false marks a question
that the documents do not answer.`,
		Example: "  ragserver eval questions.jsonl ./docs",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd.Flags(), args[1:])
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("log-level") {
				c.Log.Level = "warn"
			}
			return evaluate(cmd.Context(), c, args[0], k, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON for each question, then the summary")
	cmd.Flags().IntVarP(&k, "passages", "k", 10, "`number` of passages to look at")
	return cmd
}

func evaluate(ctx context.Context, c *Config, path string, k int, asJSON bool, stdout, stderr io.Writer) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return usage(err)
	}
	defer file.Close()
	cases, err := eval.Read(file)
	if err != nil {
		return usage(fmt.Errorf("%s: %w", path, err))
	}
	p, err := build(ctx, c, newLog(c.Log, stderr))
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
	out := json.NewEncoder(stdout)
	scores := make([]eval.Score, 0, len(cases))
	for _, cs := range cases {
		a, err := col.answers.Answer(ctx, cs.Ask(k))
		if err != nil {
			return fmt.Errorf("question %s: %w", cs.ID, err)
		}
		scores = append(scores, eval.Judge(cs, a))
		if asJSON {
			if err := out.Encode(scores[len(scores)-1]); err != nil {
				return err
			}
		}
	}
	summary := eval.Summarise(scores)
	if asJSON {
		return out.Encode(summary)
	}
	_, err = fmt.Fprintln(stdout, summary)
	return err
}
