// Command ragserver keeps a hybrid index of folders and Kafka topics live and
// answers questions about them with cited passages, over HTTP and in a web
// chat. `ragserver --help` is its manual.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ragserver/ragserver/api"
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
	hint string // what to do about it, "" for what explain knows
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as a mistake on the command line or in the
// configuration.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: exitUsage, err: err}
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole command: it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, release := untilStopped(context.Background())
	defer release()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, ok := brokenOff(ctx, err); ok {
		return code
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
4 data directory in use, 5 data damaged or of another version, 6 disk full, 130
and 143 broken off by Ctrl-C or SIGTERM. A server that they stop ends with 0; a
second one ends it at once.`

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
			c, err := f.config(cmd, args)
			if err != nil {
				return hintCommand(cmd, args, err)
			}
			return serve(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.add(root.PersistentFlags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(nearFlag(cmd, err)) })
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true // ours refuses shells that it does not know
	root.AddCommand(askCommand(&f), parseCommand(), evalCommand(&f), doctorCommand(&f), keyCommand(&f), healthCommand(&f), completionCommand(), versionCommand())
	return root
}

// flags are those that all commands share.
type flags struct {
	configPath string
	over       overrides
	typed      []string // after config: the flags that were given on the command line
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
	fs.StringVar(&o.url, "url", "", "`address` under which clients reach the server behind a proxy, such as https://intranet.example/rag")
	fs.StringArrayVar(&o.hosts, "host", nil, "further host `name` that requests may carry; may be repeated")
	fs.StringVar(&o.logLevel, "log-level", "", "`level`: debug, info, warn or error (default info)")
	fs.StringVar(&o.logStyle, "log-format", "", "`format`: text or json (default text)")
}

// config puts file, variables and flags together.
func (f *flags) config(cmd *cobra.Command, folders []string) (*Config, error) {
	f.typed = nil
	cmd.Flags().Visit(func(flag *pflag.Flag) { f.typed = append(f.typed, flag.Name) })
	set, err := fromEnvironment(cmd.Flags(), os.LookupEnv)
	if err != nil {
		return nil, usage(err)
	}
	c, file := &Config{}, &configFile{}
	if f.configPath != "" {
		if c, file, err = loadConfig(f.configPath); err != nil {
			return nil, usage(err)
		}
	}
	if err := checkVariables(cmd.Root(), os.Environ(), c.variables()); err != nil {
		return nil, usage(err)
	}
	o := f.overrides(cmd.Flags(), folders)
	if err := o.apply(c); err != nil {
		return nil, usage(locate(err, file, overrides{}, nil)) // flags say themselves which they are
	}
	return c, usage(locate(c.Validate(), file, o, set))
}

// overrides returns what the flags and folders say.
func (f *flags) overrides(fs *pflag.FlagSet, folders []string) overrides {
	o := f.over
	o.folders, o.given = folders, map[string]bool{}
	fs.Visit(func(flag *pflag.Flag) { o.given[flag.Name] = true })
	return o
}

// addCollection adds the flag that chooses a collection, for commands that work
// with one.
func (f *flags) addCollection(fs *pflag.FlagSet) {
	fs.StringVar(&f.over.collection, "collection", "", "`name` of the collection (default the configuration's default)")
}

// addPassages adds the flag that says how many passages are looked at.
func addPassages(fs *pflag.FlagSet, k *int, dflt int) {
	fs.IntVarP(k, "passages", "k", dflt, fmt.Sprintf("`number` of passages to answer from, 1 to %d", api.MaxAskK))
}

func checkPassages(k int) error {
	if k < 1 || k > api.MaxAskK {
		return usage(fmt.Errorf("--passages: must be from 1 to %d, not %d", api.MaxAskK, k))
	}
	return nil
}

// quietConfig is config for commands that print one thing and end: they log
// only what is wrong, unless told otherwise.
func (f *flags) quietConfig(cmd *cobra.Command, folders []string) (*Config, error) {
	c, err := f.config(cmd, folders)
	if err == nil && !cmd.Flags().Changed("log-level") {
		c.Log.Level = "warn"
	}
	return c, err
}

// locate says where the value stands that Validate refused: in a line of the
// file, or on the command line, whose values win.
func locate(err error, file *configFile, o overrides, fromEnv map[string]bool) error {
	e, ok := errors.AsType[*keyError](err)
	if !ok {
		return err
	}
	if flag, ok := o.gave(e.key); ok {
		switch {
		case flag == "":
			return e.err
		case fromEnv[flag]:
			return fmt.Errorf("%s: %w", variableOf(flag), e.err)
		}
		return fmt.Errorf("--%s: %w", flag, e.err)
	}
	if line, ok := file.line(e.key); ok {
		return fmt.Errorf("%s:%d: %w", file.path, line, err)
	}
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
	if near := nearestFlag(word, names); near != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w; `ragserver --help` lists them", err)
}

// alsoCalled are names that other programs have for our flags.
var alsoCalled = map[string]string{
	"port": "listen", "addr": "listen", "address": "listen", "bind": "listen",
	"model": "llm", "dir": "data", "data-dir": "data", "verbose": "log-level",
}

// nearestFlag returns the flag that a word most likely meant, or "".
func nearestFlag(word string, flags []string) string {
	if flag, ok := alsoCalled[strings.ToLower(word)]; ok && slices.Contains(flags, flag) {
		return flag
	}
	return nearest(word, flags)
}

// hintCommand helps whoever misspelt a command: it was taken for a folder.
func hintCommand(cmd *cobra.Command, args []string, err error) error {
	if len(args) == 0 {
		return err
	}
	if _, statErr := os.Stat(args[0]); statErr == nil {
		return err
	}
	if slices.Contains([]string{"serve", "server", "start", "run", "watch", "index", "up"}, args[0]) {
		return usage(fmt.Errorf("%w (serving needs no command: %s)", err, cmd.UseLine()))
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

// remedyOther says what to do with data of another version of the program.
const remedyOther = `Another version of ragserver wrote this data. Run that one, or move engine and index of the collection (in collections/NAME) away, both:
folders, uploads and topics are then read again, but for what a topic no longer holds.`

// remedyDamaged says what to do about it.
const remedyDamaged = `Restore the whole data directory from a backup. Without one, move engine and index of the collection (in collections/NAME) away, both:
folders, uploads and topics are then read again, but for what a topic no longer holds.`

// inUse reports whether another process uses the data directory.
func inUse(err error) bool {
	return errors.Is(err, disk.ErrLocked) || errors.As(err, new(*pipeline.LockedError))
}

// explain returns the exit code for an error and what to do about it.
func explain(err error) (code int, hint string) {
	code = exitFailure
	if e, ok := errors.AsType[*exitError](err); ok {
		if code = e.code; e.hint != "" {
			return code, e.hint
		}
	}
	var network *net.OpError
	var name *net.DNSError
	listening := errors.As(err, &network) && network.Op == "listen"
	switch {
	case inUse(err):
		return exitInUse, "Another ragserver runs on this data directory. Ask that one, stop it, or choose another with --data."
	case errors.Is(err, pipeline.ErrOtherPlan):
		return exitDamaged, remedyOther
	case damaged(err):
		return exitDamaged, remedyDamaged
	case isAny(err, diskFull):
		return exitDisk, "The disk is full. What was acknowledged is safe; free some space, or choose another --data directory, and start again."
	case listening && isAny(err, portTaken):
		return exitPort, "Another program listens there. Stop it, or choose another address: --listen 127.0.0.1:0 takes any free port."
	case listening && (isAny(err, noAddress) || errors.As(err, &name)):
		return exitUsage, "This machine has no such address. --listen 127.0.0.1:8080 serves this machine alone, 0.0.0.0:8080 every address that it has."
	case listening && errors.Is(err, fs.ErrPermission):
		return exitUsage, "This user may not listen on that port. Choose one above 1023, as in --listen 127.0.0.1:8080."
	}
	return code, ""
}

func isAny(err error, of []error) bool {
	return slices.ContainsFunc(of, func(e error) bool { return errors.Is(err, e) })
}
