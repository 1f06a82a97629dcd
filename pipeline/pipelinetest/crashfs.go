package pipelinetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// ErrStopped is what every operation of a CrashFS returns once it has stopped.
var ErrStopped = errors.New("pipelinetest: the machine has stopped")

// CrashFS is a file system in memory that forgets, when the machine stops, what
// was not synced: of each file the writes since its last Sync survive wholly,
// partly, torn at any byte, or out of order, and of the folder's changes since
// SyncDir only the first ones. (Folders themselves are durable at once.) It
// implements changelog.FS and is safe for concurrent use.
//
// A test runs a program on it, stops it at some operation (StopAt), takes what
// the disk then holds (Restart) and runs the program again.
type CrashFS struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	ops    int
	inject func(n int, op, name string) error
	dead   bool
	now    map[string]*inode // names as the program sees them
	safe   map[string]*inode // names as of the last SyncDir
	undone []func(map[string]*inode)
	locks  map[string]bool
}

// inode is a file without its name.
type inode struct {
	now, safe []byte
	undone    []write // since the last Sync
}

// write puts b at an offset or, if b is nil, changes the size.
type write struct {
	at int64
	b  []byte
}

func (w write) apply(data []byte) []byte {
	if w.b == nil {
		if w.at <= int64(len(data)) {
			return data[:w.at]
		}
		return append(data, make([]byte, w.at-int64(len(data)))...)
	}
	if end := w.at + int64(len(w.b)); end > int64(len(data)) {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	copy(data[w.at:], w.b)
	return data
}

// NewCrashFS returns an empty file system; seed decides what crashes keep.
func NewCrashFS(seed uint64) *CrashFS {
	return &CrashFS{
		rnd: rand.New(rand.NewPCG(seed, 1)),
		now: map[string]*inode{}, safe: map[string]*inode{}, locks: map[string]bool{},
	}
}

// Inject has f called before every operation with its number (from 1 on, over
// the life of c) and name ("create", "open", "rename", "remove", "write",
// "truncate", "sync", "syncdir", "lock"); an error fails the operation, and
// ErrStopped stops the machine. A failing or stopped write may have written a
// part. f nil: nothing fails any more.
func (c *CrashFS) Inject(f func(n int, op, name string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inject = f
}

// StopAt stops the machine at the n-th operation from now on.
func (c *CrashFS) StopAt(n int) {
	at := c.Ops() + n
	c.Inject(func(n int, _, _ string) error {
		if n >= at {
			return ErrStopped
		}
		return nil
	})
}

// FailAt makes the n-th operation from now on fail with err, once.
func (c *CrashFS) FailAt(n int, err error) {
	at := c.Ops() + n
	c.Inject(func(n int, _, _ string) error {
		if n == at {
			return err
		}
		return nil
	})
}

// Ops returns the number of operations so far.
func (c *CrashFS) Ops() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ops
}

// Stopped reports whether the machine has stopped.
func (c *CrashFS) Stopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// Restart stops the machine, if it has not, and returns another one with what
// the disk holds. Each call may find something else, as seed decides.
func (c *CrashFS) Restart(seed uint64) *CrashFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	r := NewCrashFS(seed)
	names := maps.Clone(c.safe)
	for _, change := range c.undone[:r.rnd.IntN(len(c.undone)+1)] {
		change(names)
	}
	copies := map[*inode]*inode{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old := names[name]
		if copies[old] == nil {
			b := old.survive(r.rnd)
			copies[old] = &inode{now: b, safe: slices.Clone(b)}
		}
		r.now[name], r.safe[name] = copies[old], copies[old]
	}
	return r
}

// survive decides what the disk holds of a file.
func (f *inode) survive(rnd *rand.Rand) []byte {
	b := slices.Clone(f.safe)
	whole, reorder := rnd.IntN(len(f.undone)+1), rnd.IntN(2) == 0
	for i, w := range f.undone {
		switch {
		case i < whole && !(reorder && rnd.IntN(3) == 0):
			b = w.apply(b)
		case i == whole && len(w.b) > 0:
			w.b = w.b[:rnd.IntN(len(w.b)+1)]
			b = w.apply(b)
		case i > whole && reorder && rnd.IntN(3) == 0:
			b = w.apply(b)
		}
	}
	return b
}

// begin counts an operation and decides whether it happens. REQUIRES: c.mu.
func (c *CrashFS) begin(op, name string) error {
	if c.dead {
		return ErrStopped
	}
	c.ops++
	if c.inject == nil {
		return nil
	}
	err := c.inject(c.ops, op, name)
	if errors.Is(err, ErrStopped) {
		c.dead = true
	}
	if err != nil {
		err = &fs.PathError{Op: op, Path: name, Err: err}
	}
	return err
}

// do runs an operation on the names.
func (c *CrashFS) do(op, name string, f func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.begin(op, name); err != nil {
		return err
	}
	return f()
}

// rename makes a change of names that only SyncDir makes durable.
func (c *CrashFS) names(change func(map[string]*inode)) {
	change(c.now)
	c.undone = append(c.undone, change)
}

// MkdirAll does nothing: every folder exists.
func (c *CrashFS) MkdirAll(string) error { return nil }

// Create makes an empty file.
func (c *CrashFS) Create(name string) (changelog.File, error) {
	f := &inode{}
	err := c.do("create", name, func() error {
		if old := c.now[name]; old != nil {
			f = old
			f.change(write{at: 0})
			return nil
		}
		c.names(func(m map[string]*inode) { m[name] = f })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &crashFile{c, f, name}, nil
}

// Open opens an existing file.
func (c *CrashFS) Open(name string) (changelog.File, error) {
	var f *inode
	err := c.do("open", name, func() error {
		if f = c.now[name]; f == nil {
			return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &crashFile{c, f, name}, nil
}

// Rename gives a file another name, replacing what had it.
func (c *CrashFS) Rename(from, to string) error {
	return c.do("rename", from, func() error {
		if c.now[from] == nil {
			return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
		}
		f := c.now[from]
		c.names(func(m map[string]*inode) { delete(m, from); m[to] = f })
		return nil
	})
}

// Remove deletes a name.
func (c *CrashFS) Remove(name string) error {
	return c.do("remove", name, func() error {
		if c.now[name] == nil {
			return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
		}
		c.names(func(m map[string]*inode) { delete(m, name) })
		return nil
	})
}

// List returns the names in a folder, sorted.
func (c *CrashFS) List(dir string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return nil, ErrStopped
	}
	var names []string
	for name := range c.now {
		if filepath.Dir(name) == filepath.Clean(dir) {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir makes all changes of names durable.
func (c *CrashFS) SyncDir(dir string) error {
	return c.do("syncdir", dir, func() error {
		c.safe, c.undone = maps.Clone(c.now), nil
		return nil
	})
}

// Lock takes a name until the closer is closed.
func (c *CrashFS) Lock(name string) (io.Closer, error) {
	err := c.do("lock", name, func() error {
		if c.locks[name] {
			return &changelog.LockedError{Dir: filepath.Dir(name)}
		}
		c.locks[name] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return unlocker{c, name}, nil
}

type unlocker struct {
	c    *CrashFS
	name string
}

func (u unlocker) Close() error {
	u.c.mu.Lock()
	defer u.c.mu.Unlock()
	delete(u.c.locks, u.name)
	return nil
}

// Corrupt changes the durable and visible content of a file, as a bad disk would.
func (c *CrashFS) Corrupt(name string, f func([]byte) []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.now[name]
	if n == nil {
		return fmt.Errorf("pipelinetest: no file %s", name)
	}
	n.now = f(n.now)
	n.safe, n.undone = slices.Clone(n.now), nil
	return nil
}

func (f *inode) change(w write) {
	f.now = w.apply(f.now)
	f.undone = append(f.undone, w)
}

// crashFile is an open file.
type crashFile struct {
	c    *CrashFS
	f    *inode
	name string
}

func (h *crashFile) ReadAt(b []byte, at int64) (int, error) {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if h.c.dead {
		return 0, ErrStopped
	}
	if at >= int64(len(h.f.now)) {
		return 0, io.EOF
	}
	n := copy(b, h.f.now[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *crashFile) WriteAt(b []byte, at int64) (int, error) {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	wasDead := h.c.dead
	err := h.c.begin("write", h.name)
	n := len(b)
	if err != nil {
		n = 0
		if !wasDead {
			n = h.c.rnd.IntN(len(b) + 1)
		}
	}
	if n > 0 {
		h.f.change(write{at, slices.Clone(b[:n])})
	}
	return n, err
}

func (h *crashFile) Truncate(size int64) error {
	return h.c.do("truncate", h.name, func() error {
		h.f.change(write{at: size})
		return nil
	})
}

func (h *crashFile) Sync() error {
	return h.c.do("sync", h.name, func() error {
		for _, w := range h.f.undone {
			h.f.safe = w.apply(h.f.safe)
		}
		h.f.undone = nil
		return nil
	})
}

func (h *crashFile) Size() (int64, error) {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if h.c.dead {
		return 0, ErrStopped
	}
	return int64(len(h.f.now)), nil
}

func (h *crashFile) Close() error { return nil }
