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
// to segments; a segment goes when nothing in it is waited for. What was added
// is in memory until flush, the only thing that can fail, has made it durable.
type spool struct {
	dir string

	mu      sync.Mutex              // guards all below
	tails   []*tail                 // what is not written, by segment
	file    *os.File                // of the last segment written, nil if none
	written int                     // its number
	number  int                     // of the segment that is added to
	size    int64                   // of it, tails included
	fresh   bool                    // the next body begins a segment of its own
	waiting map[pipeline.Key]string // reference of each document not yet arrived
	count   map[int]int             // of waiting, by segment
}

// tail is the end of a segment that is not on the disk.
type tail struct {
	segment int
	at      int64
	data    []byte
}

// spoolSegment is the size in bytes at which a new segment begins.
const spoolSegment = 32 << 20

// openSpool takes up the segments of an earlier run. Which bodies in them are
// waited for is told by hold; sweep then removes the rest.
func openSpool(dir string) (*spool, error) {
	s := &spool{dir: dir, fresh: true, waiting: map[pipeline.Key]string{}, count: map[int]int{}}
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
// and returns its reference. It can be opened after flush.
func (s *spool) add(k pipeline.Key, body []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh || s.size >= spoolSegment {
		s.number++
		s.size, s.fresh = 0, false
	}
	var t *tail
	if n := len(s.tails); n > 0 && s.tails[n-1].segment == s.number {
		t = s.tails[n-1]
	} else {
		t = &tail{segment: s.number, at: s.size}
		s.tails = append(s.tails, t)
	}
	t.data = append(t.data, body...)
	ref := fmt.Sprintf("%d.%d.%d", s.number, s.size, len(body))
	s.size += int64(len(body))
	s.await(k, ref)
	return ref
}

// flush makes all that was added durable. If it fails, it can be called again.
func (s *spool) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.tails) > 0 {
		t := s.tails[0]
		if t.segment == s.number || s.count[t.segment] > 0 {
			if err := s.write(t); err != nil {
				return fmt.Errorf("indexer: writing to the spool: %w", err)
			}
		}
		s.tails = s.tails[1:]
	}
	return nil
}

func (s *spool) write(t *tail) error {
	if s.file == nil || s.written != t.segment {
		if err := s.begin(t.segment); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt(t.data, t.at); err != nil {
		return err
	}
	return s.file.Sync()
}

// begin makes the file of a segment.
func (s *spool) begin(segment int) error {
	f, err := os.OpenFile(s.path(segment), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := durable.SyncDir(s.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	old, before := s.file, s.written
	s.file, s.written = f, segment
	if old != nil {
		if s.count[before] == 0 {
			s.remove(before)
		}
		_ = old.Close() // it has been synced
	}
	return nil
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
	if (s.file == nil || n != s.written) && (s.fresh || n != s.number) {
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
