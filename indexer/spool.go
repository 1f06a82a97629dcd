package indexer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/ragserver/ragserver/internal/durable"
	"github.com/ragserver/ragserver/pipeline"
)

// spool keeps the bodies of records until their documents have arrived: they
// may be gone from the topic when the parser gets to them. Bodies are appended
// to segments; a segment goes when nothing in it is waited for.
type spool struct {
	dir string

	mu      sync.Mutex // guards all below
	file    *os.File   // segment being written, nil if none
	number  int
	size    int64
	waiting map[pipeline.Key]string // reference of each document not yet arrived
	count   map[int]int             // of waiting, by segment
	dirty   bool
}

// spoolSegment is the size in bytes at which a new segment begins.
const spoolSegment = 32 << 20

// openSpool takes up the segments of an earlier run. Which bodies in them are
// waited for is told by hold; sweep then removes the rest.
func openSpool(dir string) (*spool, error) {
	s := &spool{dir: dir, waiting: map[pipeline.Key]string{}, count: map[int]int{}}
	ns, err := s.segments()
	if err != nil {
		return nil, err
	}
	if len(ns) > 0 {
		s.number = ns[len(ns)-1]
	}
	return s, nil
}

func (s *spool) segments() ([]int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("indexer: looking through the spool: %w", err)
	}
	var ns []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			ns = append(ns, n)
		}
	}
	sort.Ints(ns)
	return ns, nil
}

func (s *spool) path(n int) string { return filepath.Join(s.dir, fmt.Sprintf("%08d", n)) }

// add appends the body of a document, in place of one that is still waited for,
// and returns its reference. It is durable after flush.
func (s *spool) add(k pipeline.Key, body []byte) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil || s.size >= spoolSegment {
		if err := s.roll(); err != nil {
			return "", err
		}
	}
	at := s.size
	n, err := s.file.WriteAt(body, at)
	if err != nil {
		return "", errors.Join(err, s.file.Truncate(at))
	}
	s.size += int64(n)
	s.dirty = true
	ref := fmt.Sprintf("%d.%d.%d", s.number, at, n)
	s.await(k, ref)
	return ref, nil
}

func (s *spool) roll() error {
	if err := s.sync(); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path(s.number+1), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	s.number++
	s.file, s.size = f, 0
	return durable.SyncDir(s.dir)
}

func (s *spool) sync() error {
	if !s.dirty {
		return nil
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.dirty = false
	return nil
}

// flush makes all that was added durable.
func (s *spool) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sync()
}

// errNoBody says that a body is no longer kept.
var errNoBody = errors.New("its bytes are no longer kept")

// open returns a body.
func (s *spool) open(ref string) (*io.SectionReader, io.Closer, error) {
	n, at, size, err := parseRef(ref)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(s.path(n))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, errNoBody
	}
	if err != nil {
		return nil, nil, err
	}
	return io.NewSectionReader(f, at, size), f, nil
}

func parseRef(ref string) (segment int, at, size int64, err error) {
	parts := strings.Split(ref, ".")
	if len(parts) != 3 {
		return 0, 0, 0, fmt.Errorf("indexer: %q is no place in the spool", ref)
	}
	segment, e1 := strconv.Atoi(parts[0])
	at, e2 := strconv.ParseInt(parts[1], 10, 64)
	size, e3 := strconv.ParseInt(parts[2], 10, 64)
	if err := errors.Join(e1, e2, e3); err != nil {
		return 0, 0, 0, fmt.Errorf("indexer: %q is no place in the spool: %w", ref, err)
	}
	return segment, at, size, nil
}

// hold counts a body of an earlier run as waited for.
func (s *spool) hold(k pipeline.Key, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.await(k, ref)
}

func (s *spool) await(k pipeline.Key, ref string) {
	n, _, _, err := parseRef(ref)
	if err != nil {
		return
	}
	old, had := s.waiting[k]
	s.waiting[k] = ref
	s.count[n]++
	if had {
		s.leave(old)
	}
}

// release says that the body of a document is not waited for any more; with a
// reference, only if it is this one. A segment goes with the last of its bodies.
func (s *spool) release(k pipeline.Key, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, ok := s.waiting[k]
	if !ok || ref != "" && ref != waiting {
		return
	}
	delete(s.waiting, k)
	s.leave(waiting)
}

func (s *spool) leave(ref string) {
	n, _, _, err := parseRef(ref)
	if err != nil {
		return
	}
	if s.count[n]--; s.count[n] == 0 {
		delete(s.count, n)
		s.remove(n)
	}
}

// sweep removes the segments of an earlier run in which nothing is held.
func (s *spool) sweep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ns, err := s.segments()
	for _, n := range ns {
		if s.count[n] == 0 {
			s.remove(n)
		}
	}
	return err
}

// remove deletes a segment unless it is being written. One that cannot be
// removed now goes at the next start.
func (s *spool) remove(n int) {
	if s.file == nil || n != s.number {
		_ = os.Remove(s.path(n))
	}
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
