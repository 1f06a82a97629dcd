package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// What commands take as arguments. A mistake is one of usage, and says what is
// wanted.

// none takes no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(fmt.Errorf("%s takes no arguments, and there is %q", cmd.CommandPath(), args[0]))
}

// one takes a single argument, which question asks for.
func one(question string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := first(question)(cmd, args); err != nil || len(args) == 1 {
			return err
		}
		return usage(fmt.Errorf("%s takes one argument, and there are %d", cmd.CommandPath(), len(args)))
	}
}

// first takes an argument, which question asks for, and whatever follows.
func first(question string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && strings.TrimSpace(args[0]) != "" {
			return nil
		}
		return usage(fmt.Errorf("%s as in: %s", question, cmd.UseLine()))
	}
}

// group is the Args and RunE of a command that only has commands.
func group(cmd *cobra.Command, args []string) error {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	list := strings.Join(names, ", ")
	if len(args) == 0 {
		return usage(fmt.Errorf("%s needs a command: %s", cmd.CommandPath(), list))
	}
	err := fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0])
	if near := nearest(args[0], names); near != "" {
		return usage(fmt.Errorf("%w; did you mean %q?", err, near))
	}
	return usage(fmt.Errorf("%w; there are %s", err, list))
}

func completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print shell completions (" + strings.Join(shells, ", ") + ")",
		Long: `Prints a script that completes commands and flags in a shell. To have it in
every new one:

  bash        ragserver completion bash > ~/.local/share/bash-completion/completions/ragserver
  zsh         ragserver completion zsh > "${fpath[1]}/_ragserver"
  fish        ragserver completion fish > ~/.config/fish/completions/ragserver.fish
  powershell  ragserver completion powershell >> $PROFILE`,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := one("which shell? one of "+strings.Join(shells, ", ")+",")(cmd, args); err != nil {
				return err
			}
			if slices.Contains(shells, args[0]) {
				return nil
			}
			return usage(fmt.Errorf("there are no completions for %q; there are for %s", args[0], strings.Join(shells, ", ")))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return errors.ErrUnsupported
		},
	}
}
