package rowfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
	"github.com/ragserver/ragserver/pipeline/internal/glob"
)

// Source reads the rows of the files at a path.
type Source[T any] struct {
	Path    string
	Format  Format[T]
	Options Options
	Err     error // why rows of this type cannot be read; Run returns it
}

var _ pipeline.Source[struct{}] = (*Source[struct{}])(nil)

// folder returns the folder that finds the files of the path, and whether the
// path names one file.
func (s *Source[T]) folder() (*fsio.Folder, bool, error) {
	dir, rest := glob.Split(filepath.ToSlash(s.Path))
	o := fsio.Options{
		Exclude: s.Options.Exclude,
		// What is appended shall be read soon, and half a file is no harm: only
		// whole records are.
		Quiet: 2 * time.Millisecond, Patience: 10 * time.Millisecond,
	}
	if rest == nil {
		file, err := isFile(s.Path)
		if err != nil || !file {
			return fsio.New(s.Format.Name, s.Path, o), false, err
		}
		path := s.Path
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real // who names a link wants what it leads to, in whichever folder
		}
		name := filepath.Base(path)
		o.NoIgnore = true
		o.Skip = func(p string, dir bool) bool { return p != name }
		return fsio.New(s.Format.Name, filepath.Dir(path), o), true, nil
	}
	if dir == "" && !strings.HasPrefix(filepath.ToSlash(s.Path), "/") {
		dir = "."
	} else if dir == "" {
		dir = "/"
	}
	for i, part := range rest {
		part = strings.ReplaceAll(part, "[!", "[^")
		rest[i] = part
		if _, err := filepath.Match(part, ""); err != nil {
			return nil, false, fmt.Errorf("%q is not a pattern of paths: %w", s.Path, err)
		}
	}
	o.NoIgnore = hidden(rest)
	deep := strings.Contains(strings.Join(rest, "/"), "**")
	o.Skip = func(p string, dir bool) bool {
		parts := strings.Split(p, "/")
		if dir {
			return !deep && len(parts) >= len(rest)
		}
		return !glob.Path(rest, parts)
	}
	return fsio.New(s.Format.Name, filepath.FromSlash(dir), o), false, nil
}

// hidden reports whether a pattern asks for hidden names.
func hidden(pattern []string) bool {
	for _, p := range pattern {
		if strings.HasPrefix(p, ".") {
			return true
		}
	}
	return false
}

// Run implements pipeline.Source.
func (s *Source[T]) Run(ctx context.Context, in pipeline.Input[T]) error {
	if err := s.run(ctx, in); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: read %s: %w", s.Format.Name, s.Path, err)
	}
	return nil
}

func (s *Source[T]) run(ctx context.Context, in pipeline.Input[T]) error {
	if s.Err != nil {
		return s.Err
	}
	folder, single, err := s.folder()
	if err != nil {
		return err
	}
	r := &reader[T]{s: s, in: in, folder: folder, watch: newWatch(),
		files: map[string]*fileState{}, tails: map[string]time.Time{}, waiting: map[string][]byte{}}
	r.keepText = !s.Options.AppendOnly && (s.Options.Keep || !in.Static())
	if err := r.load(); err != nil {
		return err
	}
	if single && in.Static() {
		if _, err := os.Stat(s.Path); errors.Is(err, fs.ErrNotExist) {
			return errMissing
		}
	}
	return r.run(ctx)
}

// run lets the folder look for files in a goroutine of its own, and reads what
// it finds.
func (r *reader[T]) run(ctx context.Context) error {
	if err := r.resume(ctx); err != nil {
		return err
	}
	w := r.watch
	w.in, w.trouble = r.in, r.in.Trouble
	for _, f := range r.files {
		if f.Gone {
			continue
		}
		file := f.File
		if f.unfinished() {
			file.Size = -1 // so that it does not seem unchanged
		}
		w.rows[file.Key()] = file
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.folder.Run(ctx, w) }()
	running := true
	defer func() {
		stop()
		if running {
			<-ended
		}
	}()
	for {
		timer, fire := r.nextTail()
		select {
		case f := <-w.out:
			err := r.take(ctx, f)
			if err != nil {
				return err
			}
			select {
			case w.done <- nil:
			case <-ctx.Done():
				return ctx.Err()
			}
		case <-fire:
			if err := r.endTails(ctx, false); err != nil {
				return err
			}
		case err := <-ended:
			running = false
			if err == nil && r.in.Static() {
				err = r.endTails(ctx, true)
			}
			return errors.Join(err, ctx.Err())
		}
		if timer != nil {
			timer.Stop()
		}
	}
}
