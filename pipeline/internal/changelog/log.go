package changelog

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options of a log. The zero value is useful.
type Options struct {
	// Logger is told of folding and its trouble; nil: nobody.
	Logger *slog.Logger
	// Segment is the size in bytes at which a log is finished and folded, at
	// the latest (32 MB if 0). Folding and Load hold about one segment in memory.
	Segment int64
	// Floor is the size below which a log is not worth folding (4 MB if 0).
	Floor int64
	// NoSync leaves it to the operating system when data reaches the disk: a
	// crash of the process then loses nothing, a power cut may damage the
	// directory.
	NoSync bool
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Segment <= 0 {
		o.Segment = 32 << 20
	}
	if o.Floor <= 0 {
		o.Floor = 4 << 20
	}
	return o
}

// Log is the durable state in one directory. Its methods are safe for
// concurrent use.
type Log struct {
	fs   FS
	dir  string
	o    Options
	lock io.Closer

	recoveredEpoch uint64
	recoveredMeta  []byte

	// writing is held while files are written that MANIFEST is about to name.
	writing  sync.Mutex
	manifest manifestFile
	active   File        // the last log, open for appending; nil: begin a new one
	pending  []*frameBuf // taken from the writers, not yet committed
	drops    []string
	doubtful []string // files that a MANIFEST record in doubt may name
	closed   bool

	// mu guards what readers look at. Whoever changes it holds writing too.
	mu      sync.Mutex
	state   state
	writers []*Writer
	stats   Stats

	// reading keeps files from being removed while Load reads them.
	reading sync.RWMutex
	dirs    directories

	frames sync.Pool // of *frameBuf

	folding    sync.WaitGroup
	foldBusy   bool // guarded by mu
	foldWanted bool // guarded by mu: a log was finished since the last attempt
	stop       chan struct{}
	stopOnce   sync.Once
}

// Stats tells how a log is doing.
type Stats struct {
	Epoch        uint64        // of the last commit
	Commits      uint64        // since Open
	LastCommit   time.Duration // how long the last commit took
	CommitBytes  int64         // what it appended to logs
	Files        int           // logs and runs
	Bytes        int64         // their size
	Folds        uint64        // logs and runs rewritten since Open
	FoldTrouble  error         // why the last folding failed; nil if it did not
	ManifestSize int64
}

// Open takes the directory dir, creating it if need be, and finds its last
// commit. The error is a *LockedError if another process has the directory, a
// *DamageError if what was committed is not there any more.
func Open(fs FS, dir string, o Options) (*Log, error) {
	if err := fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("create the state directory: %w", err)
	}
	lock, err := fs.Lock(filepath.Join(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("open the state directory: %w", err)
	}
	l := &Log{fs: fs, dir: dir, o: o.withDefaults(), lock: lock, stop: make(chan struct{}), foldWanted: true}
	if err := l.recover(); err != nil {
		l.closeFiles()
		lock.Close()
		return nil, fmt.Errorf("open the state in %s: %w", dir, err)
	}
	return l, nil
}

// Recovered returns epoch and meta of the last commit that Open found: 0 and
// nil if there was none.
func (l *Log) Recovered() (epoch uint64, meta []byte) { return l.recoveredEpoch, l.recoveredMeta }

// Writer returns the buffer of worker i, the same one at each call.
func (l *Log) Writer(i int) *Writer {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.writers) <= i {
		l.writers = append(l.writers, &Writer{pool: &l.frames})
	}
	return l.writers[i]
}

// Tables returns the names of the tables that have been written and not
// dropped, sorted; a table may be empty meanwhile.
func (l *Log) Tables() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.tables)
}

// Drop withdraws all records of a table with the next commit, those included
// that writers have put and not committed. What is put after it counts.
func (l *Log) Drop(table string) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.takeAll()
	l.pending = slices.DeleteFunc(l.pending, func(f *frameBuf) bool { return f.table == table })
	l.drops = append(l.drops, table)
}

// Stats returns figures of the moment.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Epoch, s.Files = l.state.epoch, len(l.state.files)
	for _, f := range l.state.files {
		s.Bytes += f.length
	}
	return s
}

// Commit makes everything durable that the writers hold, with epoch and meta,
// as one unit. Epochs must not decrease. After an error everything is still
// buffered and Commit may be called again; the commit has not happened, except
// that after an error of the very last sync a later Open may find it.
func (l *Log) Commit(epoch uint64, meta []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.commit(epoch, meta); err != nil {
		return fmt.Errorf("commit epoch %d in %s: %w", epoch, l.dir, err)
	}
	l.maybeFold()
	return nil
}

func (l *Log) commit(epoch uint64, meta []byte) error {
	begin := time.Now()
	if l.closed {
		return fmt.Errorf("the log is closed")
	}
	if epoch < l.state.epoch {
		return fmt.Errorf("it comes after epoch %d", l.state.epoch)
	}
	if err := l.takeAll(); err != nil {
		return err
	}
	a := appending{l: l, next: l.state.clone(), epoch: epoch}
	a.next.epoch, a.next.meta = epoch, slices.Clone(meta)
	if err := a.append(); err != nil {
		a.undo(false)
		return err
	}
	if err := l.writeManifest(&a.next, a.changed); err != nil {
		a.undo(true)
		return err
	}
	a.done()
	recycle(&l.frames, l.pending)
	l.pending, l.drops = nil, nil
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = a.next
	l.stats.Commits++
	l.stats.CommitBytes, l.stats.LastCommit = a.bytes, time.Since(begin)
	l.stats.ManifestSize = l.manifest.length
	return nil
}

// takeAll moves what the writers hold to pending. REQUIRES: l.writing.
func (l *Log) takeAll() error {
	l.mu.Lock()
	ws := l.writers
	l.mu.Unlock()
	for _, w := range ws {
		fs, err := w.take()
		l.pending = append(l.pending, fs...)
		if err != nil {
			return err
		}
	}
	return nil
}

// Close waits for folding to stop and gives the directory back. Uncommitted
// changes are lost.
func (l *Log) Close() error {
	l.stopOnce.Do(func() { close(l.stop) })
	l.folding.Wait()
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	err := l.closeFiles()
	if e := l.lock.Close(); err == nil {
		err = e
	}
	return err
}

func (l *Log) closeFiles() error {
	var err error
	for _, f := range []File{l.active, l.manifest.f} {
		if f != nil {
			if e := f.Close(); err == nil {
				err = e
			}
		}
	}
	l.active, l.manifest.f = nil, nil
	return err
}

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }

func (f file) name() string {
	if f.kind == kindRun {
		return fmt.Sprintf("%06d.run", f.id)
	}
	return fmt.Sprintf("%06d.log", f.id)
}

func (l *Log) sync(f File) error {
	if l.o.NoSync {
		return nil
	}
	return f.Sync()
}

func (l *Log) syncDir() error {
	if l.o.NoSync {
		return nil
	}
	return l.fs.SyncDir(l.dir)
}
