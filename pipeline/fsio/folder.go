package fsio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ragserver/ragserver/pipeline"
)

// Options of a folder. The zero value is useful.
type Options struct {
	// Exclude are files and directories never looked at, .ragignore or not:
	// absolute paths, or relative to the working directory. They need not be
	// inside the folder, nor exist; "" is nothing.
	Exclude []string
	// Mark, if not "", is the name of a file by which a directory below the
	// folder says that it holds the data of a program. It is not looked into.
	Mark string
	// Ignore are rules as in a .ragignore, which come before those of any file
	// in the folder: these can take them back.
	Ignore []string
	// NoIgnore looks at every file: hidden, temporary, named by a .ragignore.
	NoIgnore bool
	// Others has rows for what is neither file nor directory to look into, with the
	// reason why it is not read in File.Skipped and no Size. It is for those who
	// list what there is; without it every row is a file, and such a name is
	// told of once a run in the graph's error table.
	Others bool
	// Skip, if not nil, ignores what it returns true for. The path is relative,
	// with slashes. It is called from Run's goroutine.
	Skip func(path string, dir bool) bool
	// Quiet is how long a file must not have changed to be emitted (20 ms if 0).
	Quiet time.Duration
	// Patience is how long a file that keeps changing is left alone at most
	// (5 s if 0). A file that grows may be waited for in vain.
	Patience time.Duration
	// Rescan is the time between two looks at everything. 0 chooses it by how
	// long that takes: half a minute or more, half a second where there are
	// no events.
	Rescan time.Duration
	// NoEvents does without the system's events.
	NoEvents bool
	// Logger is told what a person may want to know; nil: nobody.
	Logger *slog.Logger
}

// Folder is a watched folder: a pipeline.Source of its files, and the way to
// read them. Its methods are safe for concurrent use; Run is called once.
type Folder struct {
	name   string
	root   string // absolute
	o      Options
	err    error // why root is not usable
	hints  *hints
	status atomic.Pointer[Status]
	open   func(name string) (*os.File, error) // for reading; tests replace it
}

var _ pipeline.Source[File] = (*Folder)(nil)

// Status tells how far a folder has been looked through.
type Status struct {
	Scanned  bool          // the first scan is over
	Scanning bool          // everything is being looked at just now
	Looked   int           // files and directories looked at in that scan
	Files    int           // files with a row
	Dirs     int           // directories, the folder included
	Problems int           // files and directories that cannot be read
	Polling  string        // why looking by interval has taken over; "" where events work
	Trouble  string        // why the folder cannot be read at the moment
	LastScan time.Time     // end of the last look at everything
	ScanTime time.Duration // how long it took
}

// New returns the folder dir, as the source called name. What is wrong with
// dir, Run reports.
func New(name, dir string, o Options) *Folder {
	if o.Quiet <= 0 {
		o.Quiet = 20 * time.Millisecond
	}
	if o.Patience <= 0 {
		o.Patience = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	root, err := filepath.Abs(dir)
	f := &Folder{name: name, root: root, o: o, err: err, hints: newHints(o.Quiet, o.Patience), open: openFile}
	f.status.Store(&Status{})
	return f
}

// Name returns the name of the source, which is in every row.
func (f *Folder) Name() string { return f.name }

// Dir returns the absolute path of the folder.
func (f *Folder) Dir() string { return f.root }

// Status returns figures of the moment.
func (f *Folder) Status() Status { return *f.status.Load() }

// Poke has a path, relative to the folder and with slashes, looked at as soon as
// possible and without waiting for it to settle: for those who have just
// finished writing it.
func (f *Folder) Poke(path string) {
	if valid(path) {
		f.hints.poke(path, time.Now())
	}
}

// Open opens a file by the Path of its row, for reading. It never leaves the
// folder, whatever links have been put there meanwhile.
func (f *Folder) Open(path string) (*os.File, error) {
	if !valid(path) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}
	root, err := os.OpenRoot(f.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.FromSlash(path)
	h, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// An absolute link into the folder is refused by os.Root: go where it leads.
		if rel, e := f.resolve(filepath.Join(f.root, name)); e == nil {
			h, err = root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		}
	}
	if err != nil {
		return nil, err
	}
	if fi, err := h.Stat(); err != nil || !fi.Mode().IsRegular() {
		h.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	return h, nil
}

// valid reports whether p can be the Path of a row. Unlike fs.ValidPath it takes
// names that are not UTF-8.
func valid(p string) bool {
	return p != "." && path.Clean(p) == p && filepath.IsLocal(filepath.FromSlash(p))
}

// notExist reports that a path does not exist, a file standing in its way included.
func notExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

var errOutward = errors.New("leads out of the folder")

// resolve follows links to a path relative to the folder.
func (f *Folder) resolve(abs string) (rel string, err error) {
	target, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", err
	}
	root, err := filepath.EvalSymlinks(f.root)
	if err != nil {
		return "", err
	}
	rel, err = filepath.Rel(root, target)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s %w", abs, errOutward)
	}
	return rel, nil
}

// openFile opens a regular file; not to block on a pipe that has taken its
// place it does not wait.
func openFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// check says in words for a person what is wrong with the folder.
func (f *Folder) check() error {
	if f.err != nil {
		return fmt.Errorf("watch folder: %w", f.err)
	}
	fi, err := os.Stat(f.root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("watch folder %s: it does not exist; create it or correct the path", f.root)
	case err != nil:
		return fmt.Errorf("watch folder %s: %w", f.root, err)
	case !fi.IsDir():
		return fmt.Errorf("watch folder %s: it is a file, not a folder; give the folder it is in", f.root)
	}
	return nil
}

// excluded returns the paths of Options.Exclude that are inside the folder,
// relative to it.
func (f *Folder) excluded() (map[string]bool, error) {
	root, err := filepath.EvalSymlinks(f.root)
	if err != nil {
		return nil, err
	}
	paths := map[string]bool{}
	for _, p := range f.o.Exclude {
		if p == "" {
			continue
		}
		p, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(root, evalExisting(p))
		if err != nil || !filepath.IsLocal(rel) && !strings.HasPrefix(rel, "..") {
			continue // on another drive
		}
		if rel == "." || onlyUp(rel) {
			return nil, fmt.Errorf("watch folder %s: it lies within %s, which is excluded; move one of them", f.root, p)
		}
		paths[filepath.ToSlash(rel)] = true
	}
	return paths, nil
}

// onlyUp reports whether rel is made of ".." alone.
func onlyUp(rel string) bool {
	for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		if part != ".." {
			return false
		}
	}
	return true
}

// evalExisting follows the links in the part of a path that exists.
func evalExisting(p string) string {
	if real, err := filepath.EvalSymlinks(p); err == nil {
		return real
	}
	if parent := filepath.Dir(p); parent != p {
		return filepath.Join(evalExisting(parent), filepath.Base(p))
	}
	return p
}

// Run implements pipeline.Source.
func (f *Folder) Run(ctx context.Context, in pipeline.Input[File]) error {
	if err := f.check(); err != nil {
		return err
	}
	s := &scanner{Folder: f, ctx: ctx, in: in, t: newTree(), owners: map[uint32]string{}, links: map[string][]string{}}
	var err error
	if s.skip, err = f.excluded(); err != nil {
		return err
	}
	if s.ignore, err = parseRules([]byte(strings.Join(f.o.Ignore, "\n"))); err != nil {
		return fmt.Errorf("watch folder %s: what to ignore: %w", f.root, err)
	}
	s.recover()
	if !in.Static() {
		s.startWatching()
		defer s.stopWatching()
	}
	defer s.closeWalks()
	err = s.run()
	if ctx.Err() != nil {
		return nil
	}
	return err
}
