package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragserver/ragserver/indexer/index"
	"github.com/ragserver/ragserver/llm"
	"github.com/ragserver/ragserver/pipeline"
)

func doctorCommand(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [FOLDER...]",
		Short: "Check configuration, folders, disk, data, embedder and models",
		Long: `Checks everything the server would use with the same flags and says what to do
about what is wrong. It changes nothing. The exit code is 1 if something is
wrong.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd, args)
			if err != nil {
				return err
			}
			d := doctor{out: cmd.OutOrStdout()}
			d.examine(cmd.Context(), c)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			if d.wrong > 0 {
				return fmt.Errorf("%d of %d checks found something wrong", d.wrong, d.checks)
			}
			return nil
		},
	}
}

// doctor prints one line a check.
type doctor struct {
	out           io.Writer
	checks, wrong int
}

// check says what f finds, unless the end comes first.
func (d *doctor) check(ctx context.Context, what string, f func() (string, error)) {
	if ctx.Err() != nil {
		return
	}
	found, err := f()
	if ctx.Err() != nil {
		return
	}
	d.checks++
	if err != nil {
		d.wrong++
		fmt.Fprintf(d.out, "WRONG  %s: %s\n", what, err)
		return
	}
	fmt.Fprintf(d.out, "ok     %s: %s\n", what, found)
}

func (d *doctor) examine(ctx context.Context, c *Config) {
	d.check(ctx, "address", func() (string, error) {
		ln, err := net.Listen("tcp", c.Listen)
		if isAny(err, portTaken) && health(ctx, c.Listen, io.Discard) == nil {
			return "a ragserver serves there", nil
		}
		if err != nil {
			return "", err
		}
		return c.Listen + " is free", ln.Close()
	})
	d.check(ctx, "data directory", func() (string, error) { return dataDirectory(c.Data) })
	d.check(ctx, "disk", func() (string, error) { return diskSpace(c.Data) })
	for name, col := range c.Collections {
		d.check(ctx, "data of "+name, func() (string, error) { return checkCollection(filepath.Join(c.Data, "collections", name)) })
		for _, s := range col.Sources {
			if s.Kafka != nil {
				d.check(ctx, "topic "+s.Kafka.Topic, func() (string, error) { return checkBrokers(ctx, s.Kafka) })
				continue
			}
			d.check(ctx, "folder "+s.Name, func() (string, error) { return checkFolder(s.Folder) })
		}
		d.check(ctx, "embedder of "+name, func() (string, error) { return checkEmbedder(ctx, c, col.Embedder) })
	}
	for name, m := range c.Models {
		if c.speaks(name) {
			d.check(ctx, "model "+name, func() (string, error) { return checkModel(ctx, name, m) })
		}
	}
}

func dataDirectory(dir string) (string, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return dir + " will be created", nil
	}
	if err := writable(dir); err != nil {
		return "", fmt.Errorf("cannot be written: %w; choose another with --data", err)
	}
	return dir + " can be written", nil
}

// lowDisk is the free space in bytes below which a disk counts as nearly full.
const lowDisk = 1 << 30

func diskSpace(dir string) (string, error) {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	free, err := freeBytes(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return "free space is not known on this system", nil
	}
	if err != nil {
		return "", err
	}
	if free < lowDisk {
		return "", fmt.Errorf("only %d MB are free; free some, or choose another --data directory", free>>20)
	}
	return fmt.Sprintf("%d GB free", free>>30), nil
}

// checkCollection verifies the files of engine and index, and that they belong
// together.
func checkCollection(dir string) (string, error) {
	engine, err := checkEngine(filepath.Join(dir, "engine"))
	if err != nil {
		return "", err
	}
	index, err := checkIndex(filepath.Join(dir, "index"))
	if err != nil {
		return "", err
	}
	switch {
	case engine.locked || index.locked:
		return "a server has it open; stop that to have its files checked", nil
	case engine.files+index.files == 0:
		return "none yet", nil
	case index.epoch > engine.epoch || index.epoch < engine.taken:
		return "", fmt.Errorf("the index ends at epoch %d, the engine has epochs %d to %d for it: they are of different times; %s",
			index.epoch, engine.taken, engine.epoch, remedyDamaged)
	}
	return fmt.Sprintf("%d files with %d MB, all checksums right", engine.files+index.files, (engine.bytes+index.bytes)>>20), nil
}

// checkedPart is what was found of the engine's or the index's files.
type checkedPart struct {
	files        int
	bytes        int64
	epoch, taken uint64
	locked       bool
}

func checkEngine(dir string) (p checkedPart, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	r, err := pipeline.CheckState(dir)
	if errors.As(err, new(*pipeline.LockedError)) {
		return checkedPart{locked: true}, nil
	}
	return checkedPart{files: r.Files, bytes: r.Bytes, epoch: r.Epoch, taken: r.Taken["index"]}, err
}

func checkIndex(dir string) (p checkedPart, err error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	var damaged []string
	p.epoch, err = index.Check(dir, func(f index.Finding) {
		p.files, p.bytes = p.files+1, p.bytes+f.Bytes
		if f.Damage != "" {
			damaged = append(damaged, fmt.Sprintf("%s: %s (%s)", f.File, f.Damage, f.Remedy))
		}
	})
	switch {
	case inUse(err):
		return checkedPart{locked: true}, nil
	case len(damaged) > 0:
		return p, errors.New(strings.Join(damaged, "; "))
	}
	return p, err
}

func checkFolder(dir string) (string, error) {
	const most = 100_000
	files, unreadable := 0, 0
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			unreadable++
		case e.Type().IsRegular():
			files++
		}
		if files >= most {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if unreadable > 0 {
		return "", fmt.Errorf("%s: %d folders in it cannot be read", dir, unreadable)
	}
	if files >= most {
		return fmt.Sprintf("%s, more than %d files", dir, most), nil
	}
	return fmt.Sprintf("%s, %d files", dir, files), nil
}

func checkBrokers(ctx context.Context, k *KafkaConfig) (string, error) {
	var errs []error
	for _, b := range k.Brokers {
		dialer := net.Dialer{Timeout: 5 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", b)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		return "broker " + b + " answers", conn.Close()
	}
	return "", fmt.Errorf("no broker answers: %w", errors.Join(errs...))
}

func checkEmbedder(ctx context.Context, c *Config, name string) (string, error) {
	space, err := spaceOf(ctx, c, name, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	start := time.Now()
	if _, err := space.Embedder.Embed(ctx, []string{"A sentence of seven words, to measure."}); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %d dimensions, %s a sentence", space.Name, space.Dims, time.Since(start).Round(10*time.Microsecond)), nil
}

func checkModel(ctx context.Context, name string, m *ModelConfig) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if m.Model == "" && m.Provider != "anthropic" {
		first, err := firstModel(ctx, m)
		if err != nil {
			return "", fmt.Errorf("none is named, and the endpoint does not say which it has: %w", err)
		}
		m.Model = first
	}
	model, err := language(name, m, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	start := time.Now()
	r := llm.Request{MaxTokens: 16, Messages: []llm.Message{{Role: llm.User, Text: "Answer with the word yes."}}}
	for delta, err := range model.Stream(ctx, r) {
		if err != nil {
			return "", err
		}
		if delta.Text != "" {
			return fmt.Sprintf("%s answers after %s", m.Model, time.Since(start).Round(time.Millisecond)), nil
		}
	}
	return m.Model + " answers, with an empty text", nil
}
