package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/llm/answer"
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
		Args:    first("which file of questions?"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkPassages(k); err != nil {
				return err
			}
			c, err := f.quietConfig(cmd, args[1:])
			if err != nil {
				return err
			}
			return evaluate(cmd.Context(), c, args[0], k, asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON for each question, then the summary")
	addPassages(cmd.Flags(), &k, 10)
	f.addCollection(cmd.Flags())
	return cmd
}

func evaluate(ctx context.Context, c *Config, path string, k int, asJSON bool, stdout, stderr io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return usage(err)
	}
	defer file.Close()
	cases, err := eval.Read(file)
	if err != nil {
		return usage(fmt.Errorf("%s: %w", path, err))
	}
	err = once(ctx, c, stderr, func(ctx context.Context, col *collection) error {
		return score(ctx, col.answers, cases, k, asJSON, stdout, stderr)
	})
	if inUse(err) {
		return &exitError{exitInUse, err, "eval opens the data directory itself, and another ragserver runs on it. Stop that one for as long as eval takes,\n" +
			"or let eval index the folders anew: ragserver eval " + path + " FOLDER... --data ./eval-data"}
	}
	return err
}

func score(ctx context.Context, answers *answer.Answerer, cases []eval.Case, k int, asJSON bool, stdout, stderr io.Writer) error {
	less := map[string]int{} // answers that were less than asked for, by what they say of it
	out := json.NewEncoder(stdout)
	scores := make([]eval.Score, 0, len(cases))
	for _, cs := range cases {
		a, err := answers.Answer(ctx, cs.Ask(k))
		if err != nil {
			return fmt.Errorf("question %s: %w", cs.ID, err)
		}
		for _, n := range a.Notices {
			if n.Code != answer.NoModel {
				less[n.Message]++
			}
		}
		scores = append(scores, eval.Judge(cs, a))
		if asJSON {
			if err := out.Encode(scores[len(scores)-1]); err != nil {
				return err
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(less)) {
		fmt.Fprintf(stderr, "%d of %d answers: %s\n", less[what], len(cases), what)
	}
	summary := eval.Summarise(scores)
	if asJSON {
		return out.Encode(summary)
	}
	_, err := fmt.Fprintln(stdout, summary)
	return err
}
