// Command ragserver keeps a hybrid index of folders and Kafka topics live and
// answers questions about them with cited passages, over HTTP and in a web
// chat. `ragserver --help` is its manual.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/pipeline"
)

// Exit codes, beside 0.
const (
	exitFailure = 1 // anything not named below
	exitUsage   = 2 // a wrong flag, argument or configuration
	exitPort    = 3 // the address to listen on is taken
	exitInUse   = 4 // another process uses the data directory
	exitDamaged = 5 // the data directory is damaged
	exitDisk    = 6 // the disk is full
)

// exitError carries the exit code that goes with an error.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as a mistake on the command line or in the
// configuration.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole command: it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "ragserver: %s\n", err)
	code, hint := explain(err)
	if hint != "" {
		fmt.Fprintf(stderr, "%s\n", hint)
	}
	return code
}

const manual = `ragserver watches folders (and Kafka topics), keeps a hybrid index of what is in
them live, and answers questions with cited passages: in a web chat, over HTTP,
and over the APIs that other tools speak.

  ragserver ./docs

serves ./docs on http://127.0.0.1:8080. Nothing else is needed: no account, no
key, no download. Without a language model answers are quoted from the
documents; --llm names one that writes them.

Every flag can be given as a variable (RAGSERVER_LISTEN for --listen) or, with
more detail, in a YAML file named by --config. Flags win over variables, these
over the file. Folders may be named, as in handbook=./docs.

Exit codes: 0 fine, 1 failure, 2 wrong usage or configuration, 3 address in use,
4 data directory in use, 5 data damaged, 6 disk full.`

const examples = `  ragserver ./docs
  ragserver ./docs ~/notes --llm ollama:qwen3:4b
  ragserver handbook=./docs --kafka 127.0.0.1:9092/articles?format=json
  ragserver ask "What is the notice period?" ./docs
  ragserver --config ragserver.yaml`

func rootCommand() *cobra.Command {
	var f flags
	root := &cobra.Command{
		Use:           "ragserver [flags] FOLDER...",
		Short:         "Ask your documents; get cited answers.",
		Long:          manual,
		Example:       examples,
		Args:          cobra.ArbitraryArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd.Flags(), args)
			if err != nil {
				return hintCommand(cmd, args, err)
			}
			return serve(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.add(root.PersistentFlags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(nearFlag(cmd, err)) })
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(askCommand(&f), parseCommand(), evalCommand(&f), doctorCommand(&f), keyCommand(&f), versionCommand())
	return root
}

// flags are those that all commands share.
type flags struct {
	configPath string
	over       overrides
}

func (f *flags) add(fs *pflag.FlagSet) {
	o := &f.over
	fs.StringVarP(&f.configPath, "config", "c", "", "YAML `file` with the configuration")
	fs.StringVar(&o.listen, "listen", "", "`address` to serve on (default "+defaultListen+"); anything but loopback needs keys or --no-auth")
	fs.StringVar(&o.data, "data", "", "`directory` for index, uploads and keys (default "+defaultData+")")
	fs.StringVar(&o.llm, "llm", "", "language `model`: PROVIDER:MODEL (ollama:qwen3:4b, openai:gpt-5-mini, anthropic:claude-sonnet-4-5), URL#MODEL, or a name from the configuration")
	fs.StringVar(&o.embedder, "embedder", "", "`embedder`: builtin, PROVIDER:MODEL, URL#MODEL, or a name from the configuration (default builtin)")
	fs.StringArrayVar(&o.kafka, "kafka", nil, "`topic` to read: BROKER:PORT[,...]/TOPIC[?format=json&text=FIELD&title=FIELD]; may be repeated")
	fs.BoolVar(&o.noAuth, "no-auth", false, "serve without keys on any address")
	fs.StringArrayVar(&o.hosts, "host", nil, "further host `name` that requests may carry; may be repeated")
	fs.StringVar(&o.logLevel, "log-level", "", "`level`: debug, info, warn or error (default info)")
	fs.StringVar(&o.logStyle, "log-format", "", "`format`: text or json (default text)")
}

// config puts file, variables and flags together.
func (f *flags) config(fs *pflag.FlagSet, folders []string) (*Config, error) {
	if err := fromEnvironment(fs, os.LookupEnv); err != nil {
		return nil, usage(err)
	}
	c := &Config{}
	if f.configPath != "" {
		var err error
		if c, err = loadConfig(f.configPath); err != nil {
			return nil, usage(err)
		}
	}
	o := f.over
	o.folders = folders
	if err := o.apply(c); err != nil {
		return nil, usage(err)
	}
	return c, usage(c.Validate())
}

// fromEnvironment sets the flags that the command line left alone from
// RAGSERVER_ variables.
func fromEnvironment(fs *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var err error
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil {
			return
		}
		name := "RAGSERVER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := lookup(name); ok && v != "" {
			if e := fs.Set(f.Name, v); e != nil {
				err = fmt.Errorf("%s=%q: %w", name, v, e)
			}
		}
	})
	return err
}

// nearFlag adds the nearest known flag to the error about an unknown one.
func nearFlag(cmd *cobra.Command, err error) error {
	word, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := nearest(word, names); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w; `ragserver --help` lists them", err)
}

// hintCommand helps whoever misspelt a command: it was taken for a folder.
func hintCommand(cmd *cobra.Command, args []string, err error) error {
	if len(args) == 0 {
		return err
	}
	if _, statErr := os.Stat(args[0]); statErr == nil {
		return err
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := nearest(args[0], names); near != "" {
		return usage(fmt.Errorf("%w (or did you mean the command %q?)", err, near))
	}
	return err
}

// damaged reports whether an error is about files of the data directory that
// are not as they were written, or do not belong together.
func damaged(err error) bool {
	var ofIndex *index.Damage
	var ofEngine *pipeline.DamageError
	return errors.As(err, &ofIndex) || errors.As(err, &ofEngine) || errors.Is(err, pipeline.ErrOtherState)
}

// remedyDamaged says what to do about it.
const remedyDamaged = `Restore the whole data directory from a backup. Without one, move engine and index of the collection (in collections/NAME) away, both:
folders, topics and uploads are then read again, but for what a topic no longer holds.`

// inUse reports whether another process uses the data directory.
func inUse(err error) bool {
	return errors.Is(err, disk.ErrLocked) || errors.As(err, new(*pipeline.LockedError))
}

// explain returns the exit code for an error and what to do about it.
func explain(err error) (code int, hint string) {
	var e *exitError
	switch {
	case errors.As(err, &e):
		code = e.code
	default:
		code = exitFailure
	}
	switch {
	case inUse(err):
		return exitInUse, "Another ragserver runs on this data directory. Ask that one, stop it, or choose another with --data."
	case damaged(err):
		return exitDamaged, remedyDamaged
	case errors.Is(err, syscall.EADDRINUSE):
		return exitPort, "Another program listens there. Stop it, or choose another address: --listen 127.0.0.1:0 takes any free port."
	case errors.Is(err, syscall.ENOSPC):
		return exitDisk, "The disk is full. What was acknowledged is safe; free some space, or choose another --data directory, and start again."
	}
	return code, ""
}
