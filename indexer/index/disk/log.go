package disk

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Pos says where a frame is.
type Pos struct {
	File   uint64 // number
	At     int64  // offset of the frame
	Length int    // of the payload
}

// FileInfo is one file of a log.
type FileInfo struct {
	Number uint64 `json:"number"`
	Length int64  `json:"length"`
}

// LogOptions describe a log.
type LogOptions struct {
	Name string // at most 16 bytes
	// Limit is the size at which a file is full: a frame goes to a new file
	// if the current one has a frame and would grow beyond Limit with it.
	Limit int64
	// Known are files that must be there with at least that length. Files
	// with a smaller number than the last known one that are not known are
	// left over from a compaction, and removed.
	Known []FileInfo
	// Skip has only what follows the known lengths visited.
	Skip bool
	// Missing is asked about a known file that is not there: nil means that
	// the log may do without.
	Missing func(name string) error
	// Visit is called for every frame, in order, see Scan.
	Visit func(Pos, Frame) error
}

// Log is an append-only log. Append may be called from several goroutines at
// once, and reading beside it.
type Log struct {
	fs   FS
	opt  LogOptions
	mu   sync.Mutex
	cond *sync.Cond
	// Guarded by mu.
	queue  []*commit
	busy   bool // somebody writes
	closed bool
	files  map[uint64]*logFile
	order  []uint64
	// Owned by whoever set busy.
	current *logFile
	undo    []undo // what a failed commit left behind
}

type logFile struct {
	File
	number uint64
	salt   uint32
	size   int64
}

// FileName is the name of a log's file.
func FileName(log string, number uint64) string { return fmt.Sprintf("%s-%06d.log", log, number) }

// parseName is the inverse of FileName.
func parseName(log, name string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, log+"-")
	s, ok2 := strings.CutSuffix(s, ".log")
	n, err := strconv.ParseUint(s, 10, 63)
	return n, ok && ok2 && err == nil && n > 0 && FileName(log, n) == name
}

// OpenLog opens a log, or makes an empty one, and visits what is in it. What a
// crash left torn is cut off; what was damaged is an error.
func OpenLog(fs FS, opt LogOptions) (*Log, error) {
	l := &Log{fs: fs, opt: opt, files: map[uint64]*logFile{}}
	l.cond = sync.NewCond(&l.mu)
	numbers, err := l.list()
	if err != nil {
		return nil, err
	}
	for i, n := range numbers {
		if err := l.open(n, i == len(numbers)-1); err != nil {
			l.closeFiles()
			return nil, err
		}
	}
	return l, nil
}

// list returns the numbers of the files to read, ascending, after removing what
// compactions left over.
func (l *Log) list() ([]uint64, error) {
	names, err := l.fs.List()
	if err != nil {
		return nil, fmt.Errorf("listing the directory: %w", err)
	}
	var last uint64
	known := map[uint64]bool{}
	for _, k := range l.opt.Known {
		known[k.Number] = true
		last = max(last, k.Number)
	}
	var numbers []uint64
	for _, name := range names {
		n, ok := parseName(l.opt.Name, name)
		if !ok {
			continue
		}
		if n <= last && !known[n] {
			if err := l.fs.Remove(name); err != nil {
				return nil, fmt.Errorf("removing %s, which is not needed any more: %w", name, err)
			}
			continue
		}
		delete(known, n)
		numbers = append(numbers, n)
	}
	for n := range known {
		name := FileName(l.opt.Name, n)
		err := error(&Damage{name, -1, "it is missing"})
		if l.opt.Missing != nil {
			err = l.opt.Missing(name)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// LogFiles lists the numbers of a log's files: those that are known, be they
// there or not, and those that came later.
func LogFiles(fs FS, name string, known []FileInfo) ([]uint64, error) {
	names, err := fs.List()
	if err != nil {
		return nil, fmt.Errorf("listing the directory: %w", err)
	}
	var numbers []uint64
	for _, k := range known {
		numbers = append(numbers, k.Number)
	}
	last := uint64(0)
	if len(numbers) > 0 {
		last = slices.Max(numbers)
	}
	for _, n := range names {
		if n, ok := parseName(name, n); ok && n > last {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (l *Log) open(number uint64, last bool) error {
	name := FileName(l.opt.Name, number)
	file, err := l.fs.Open(name)
	if err != nil {
		return fmt.Errorf("opening %s: %w", name, err)
	}
	f := &logFile{File: file, number: number}
	size, err := f.Size()
	var good, from int64
	for _, k := range l.opt.Known {
		if l.opt.Skip && k.Number == number {
			from = k.Length
		}
	}
	if err == nil {
		good, err = Scan(f, size, l.opt.Name, number, last, from, func(at int64, fr Frame) error {
			return l.opt.Visit(Pos{number, at, len(fr.Payload)}, fr)
		})
	}
	for _, k := range l.opt.Known {
		if err == nil && k.Number == number && good < k.Length {
			err = &Damage{name, good, fmt.Sprintf("it ends here and had %d bytes", k.Length)}
		}
	}
	switch {
	case err != nil:
	case good == 0: // not even the head was written
		f.Close()
		if err := l.fs.Remove(name); err != nil {
			return fmt.Errorf("removing %s, which is empty: %w", name, err)
		}
		return nil
	case good < size:
		if err = f.Truncate(good); err == nil {
			err = f.Sync()
		}
		if err != nil {
			err = fmt.Errorf("cutting off the torn end of %s: %w", name, err)
		}
	}
	if err == nil {
		var h [fileHead]byte
		_, err = f.ReadAt(h[:], 0)
		f.salt = saltOf(h[:])
	}
	if err != nil {
		f.Close()
		return err
	}
	f.size = good
	l.files[number] = f
	l.order = append(l.order, number)
	l.current = f
	return nil
}

// begin makes the next file the current one.
func (l *Log) begin() (*logFile, error) {
	number := uint64(1)
	l.mu.Lock()
	if n := len(l.order); n > 0 {
		number = l.order[n-1] + 1
	}
	for _, k := range l.opt.Known { // its file may be gone
		number = max(number, k.Number+1)
	}
	l.mu.Unlock()
	name := FileName(l.opt.Name, number)
	file, err := l.fs.Create(name)
	if err != nil {
		return nil, err
	}
	f := &logFile{File: file, number: number, salt: rand.Uint32(), size: fileHead}
	if _, err = f.WriteAt(fileHeader(l.opt.Name, number, f.salt), 0); err == nil {
		if err = f.Sync(); err == nil {
			err = l.fs.SyncDir()
		}
	}
	if err != nil {
		f.Close()
		_ = l.fs.Remove(name) // a head without frames does no harm
		return nil, fmt.Errorf("beginning %s: %w", name, err)
	}
	l.mu.Lock()
	l.files[number] = f
	l.order = append(l.order, number)
	l.current = f
	l.mu.Unlock()
	return f, nil
}

// Roll begins a new file: what is appended from now on is in it or a later one.
// It returns the number of the new file.
func (l *Log) Roll() (uint64, error) {
	l.mu.Lock()
	for l.busy {
		l.cond.Wait()
	}
	l.busy = true
	l.mu.Unlock()
	err := l.takeBack()
	var f *logFile
	if err == nil {
		f, err = l.begin()
	}
	l.mu.Lock()
	l.busy = false
	l.cond.Broadcast()
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return f.number, nil
}

// Files lists the files and their durable lengths, by number.
func (l *Log) Files() []FileInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []FileInfo
	for _, n := range l.order {
		out = append(out, FileInfo{n, l.files[n].size})
	}
	return out
}

// Current is the number of the file that is appended to, 0 before the first.
func (l *Log) Current() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.order) == 0 {
		return 0
	}
	return l.order[len(l.order)-1]
}

// File gives the file of that number for reading; nil if there is none. It can
// be read even after Remove, until Close.
func (l *Log) File(number uint64) File {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.files[number]; f != nil {
		return f.File
	}
	return nil
}

// Forget takes a file out of the log: Files does not list it any more. The
// current file cannot be forgotten. Remove it when nothing that is durable
// needs it.
func (l *Log) Forget(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil && number != l.current.number {
		delete(l.files, number)
		l.order = slices.DeleteFunc(l.order, func(n uint64) bool { return n == number })
	}
}

// Remove deletes the file of that number from the directory.
func (l *Log) Remove(number uint64) error {
	return l.fs.Remove(FileName(l.opt.Name, number))
}

// Read reads a frame again and verifies it.
func (l *Log) Read(p Pos) (Frame, error) {
	l.mu.Lock()
	f := l.files[p.File]
	l.mu.Unlock()
	name := FileName(l.opt.Name, p.File)
	if f == nil {
		return Frame{}, fmt.Errorf("reading %s: it is not part of the log", name)
	}
	fr, _, err := frameAt(f, f.salt, p.At, p.At+FrameSize(p.Length), nil)
	if errors.Is(err, errTorn) {
		return fr, &Damage{name, p.At, err.Error()}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fr, fmt.Errorf("reading %s: %w", name, err)
	}
	return fr, err
}

// Close waits for writers and closes the files. Reading from them fails then;
// maps stay.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.busy || len(l.queue) > 0 {
		l.cond.Wait()
	}
	l.closed = true
	return l.closeFiles()
}

func (l *Log) closeFiles() error {
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
