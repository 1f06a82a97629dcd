// Package disktest is a file system in memory for tests: it can fail or stop at
// any operation, and it can crash, losing what was not synced and tearing what
// was being written.
package disktest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/ragserver/ragserver/indexer/index/disk"
)

// ErrCrashed is what every operation ends with after the crash.
var ErrCrashed = errors.New("the machine has crashed")

// FS is a disk.FS. Its fields are set before use.
type FS struct {
	// CrashAt is the number, from 1, of the operation that changes something
	// and at which the machine stops; 0: never.
	CrashAt int
	// Fail, if not nil, is asked before each such operation.
	Fail func(op int, what, name string) error
	// FailRead, if not nil, is asked before n bytes are read.
	FailRead func(name string, at int64, n int) error

	mu      sync.Mutex
	ops     int
	crashed bool
	names   map[string]*inode
	durable map[string]*inode
	pending []func(map[string]*inode) // changes of names since SyncDir
}

type inode struct {
	data    []byte
	synced  []byte
	pending []write // since Sync
}

// write is a change of content: bytes at an offset, or a new size.
type write struct {
	at   int64
	data []byte
	size int64 // -1 if bytes are written
}

// New makes an empty file system.
func New() *FS {
	return &FS{names: map[string]*inode{}, durable: map[string]*inode{}}
}

// Ops is how many operations have changed something.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// step counts an operation. Caller holds mu.
func (f *FS) step(what, name string) error {
	if f.crashed {
		return ErrCrashed
	}
	f.ops++
	if f.ops == f.CrashAt {
		f.crashed = true
		return ErrCrashed
	}
	if f.Fail != nil {
		if err := f.Fail(f.ops, what, name); err != nil {
			return fmt.Errorf("%s %s: %w", what, name, err)
		}
	}
	return nil
}

// Crash gives what is on the disk after a power cut: all that was synced, and of
// the rest what survive decides.
func (f *FS) Crash(survive Survival) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := New()
	names := maps.Clone(f.durable)
	for range survive.prefix(len(f.pending)) {
		f.pending[0](names)
		f.pending = f.pending[1:]
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		data := survive.content(names[name])
		i := &inode{data: data, synced: slices.Clone(data)}
		n.names[name], n.durable[name] = i, i
	}
	return n
}

// Survival decides what of the unsynced changes is on the disk after a crash.
type Survival struct {
	// All keeps everything, Rand a random part, torn; otherwise nothing stays.
	All  bool
	Rand *rand.Rand
}

func (s Survival) prefix(n int) int {
	switch {
	case s.All:
		return n
	case s.Rand != nil:
		return s.Rand.IntN(n + 1)
	}
	return 0
}

func (s Survival) content(i *inode) []byte {
	data := slices.Clone(i.synced)
	for _, w := range i.pending {
		switch {
		case s.All:
		case s.Rand == nil || s.Rand.IntN(2) == 0:
			continue
		case len(w.data) > 0 && s.Rand.IntN(2) == 0: // torn somewhere, at either end
			k := s.Rand.IntN(len(w.data))
			if s.Rand.IntN(2) == 0 {
				w.data = w.data[:k]
			} else {
				w.at += int64(k)
				w.data = w.data[k:]
			}
		}
		data = w.apply(data)
	}
	return data
}

func (w write) apply(b []byte) []byte {
	if w.size >= 0 {
		return resize(b, w.size)
	}
	b = resize(b, max(int64(len(b)), w.at+int64(len(w.data))))
	copy(b[w.at:], w.data)
	return b
}

func resize(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		return b[:n:n]
	}
	return append(b, make([]byte, n-int64(len(b)))...)
}

// Corrupt changes a file behind everybody's back.
func (f *FS) Corrupt(name string, change func([]byte) []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.names[name]
	i.data = change(slices.Clone(i.data))
	i.synced = slices.Clone(i.data)
}

func (f *FS) rename(change func(map[string]*inode)) {
	change(f.names)
	f.pending = append(f.pending, change)
}

// Create implements disk.FS.
func (f *FS) Create(name string) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("create", name); err != nil {
		return nil, err
	}
	i := &inode{}
	f.rename(func(m map[string]*inode) { m[name] = i })
	return &file{f, name, i}, nil
}

// Open implements disk.FS.
func (f *FS) Open(name string) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.names[name]
	if f.crashed {
		return nil, ErrCrashed
	}
	if i == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{f, name, i}, nil
}

// Rename implements disk.FS.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("rename", from); err != nil {
		return err
	}
	i := f.names[from]
	if i == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	f.rename(func(m map[string]*inode) {
		delete(m, from)
		m[to] = i
	})
	return nil
}

// Remove implements disk.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("remove", name); err != nil {
		return err
	}
	if f.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	f.rename(func(m map[string]*inode) { delete(m, name) })
	return nil
}

// List implements disk.FS.
func (f *FS) List() ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return nil, ErrCrashed
	}
	return slices.Sorted(maps.Keys(f.names)), nil
}

// SyncDir implements disk.FS.
func (f *FS) SyncDir() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step("sync", "directory"); err != nil {
		return err
	}
	f.durable = maps.Clone(f.names)
	f.pending = nil
	return nil
}

type file struct {
	fs   *FS
	name string
	i    *inode
}

func (f *file) change(what string, w write) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.fs.step(what, f.name)
	if err != nil && w.size < 0 && len(w.data) > 0 { // half of it got through
		w.data = w.data[:len(w.data)/2]
	} else if err != nil {
		return err
	}
	w.data = slices.Clone(w.data)
	f.i.data = w.apply(f.i.data)
	f.i.pending = append(f.i.pending, w)
	return err
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if err := f.change("write", write{at: at, data: b, size: -1}); err != nil {
		return len(b) / 2, err
	}
	return len(b), nil
}

func (f *file) Truncate(size int64) error { return f.change("truncate", write{size: size}) }

func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step("sync", f.name); err != nil {
		return err
	}
	f.i.synced = slices.Clone(f.i.data)
	f.i.pending = nil
	return nil
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	if f.fs.FailRead != nil {
		if err := f.fs.FailRead(f.name, at, len(b)); err != nil {
			return 0, fmt.Errorf("read %s: %w", f.name, err)
		}
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if at >= int64(len(f.i.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.i.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.i.data)), nil
}

func (f *file) Map(n int) ([]byte, func(), error) {
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil && n > 0 {
		return nil, nil, err
	}
	return b, func() {}, nil
}

func (f *file) Close() error { return nil }
