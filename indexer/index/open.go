package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// Options say which index to open.
type Options struct {
	Dir   string // is made if it is not there
	Space Space
	Log   *slog.Logger // nil: nothing is logged

	fs disk.FS // instead of Dir, for tests
}

// Space is what vectors are comparable in: an embedder.
type Space struct {
	// Name is the embedder's identity. An index that was made with another
	// one drops its vectors when it is opened: documents become unembedded,
	// texts stay.
	Name string
	Dims int // length of the vectors; 0: there is no embedder
	// Weight is that of the vector side in hybrid search, 0 to 1.
	Weight float64
}

// Index is an open index. Its methods may be called from several goroutines at
// once; batches are applied one after the other.
type Index struct {
	fs        disk.FS
	log       *slog.Logger
	space     Space
	release   func() // the lock of the directory
	text      *disk.Log
	vectors   *disk.Log // nil without an embedder
	epochs    *disk.Log
	putting   singleflight.Group
	view      atomic.Pointer[View]
	searching atomic.Int32  // searches that run
	done      chan struct{} // closed by Close
	wakeup    chan struct{} // has one element: there may be work for maintain
	stopped   chan struct{} // closed when maintain has returned

	// writer is held while the state changes, and guards it.
	writer  sync.Mutex
	state   *state
	newRows int // since the last checkpoint
	closed  bool

	// maintaining is held while files are reorganised. It comes before the
	// others, mu after them; who takes both writer and inflight holds it.
	maintaining  sync.Mutex
	manifest     manifest
	checkpointed time.Time

	// inflight is held, shared, between writing to the text or vector log and
	// entering what was written.
	inflight sync.RWMutex

	mu       sync.Mutex
	contents map[ID]*content
	memo     *memo // its space, shift and stride never change
}

// Open opens the index in a directory, or makes an empty one. It fails if
// another process has it open, and if a file is damaged that cannot be made
// again from others: the error names it.
func Open(o Options) (x *Index, err error) {
	where := o.Dir
	defer func() {
		if err != nil {
			err = fmt.Errorf("index: opening %s: %w", where, remedy(err))
		}
	}()
	if o.Space.Weight < 0 || o.Space.Weight > 1 || o.Space.Dims < 0 || o.Space.Dims > vector.MaxDims {
		return nil, fmt.Errorf("embedder %q: weight %v must be between 0 and 1, dims %d between 0 and %d", o.Space.Name, o.Space.Weight, o.Space.Dims, vector.MaxDims)
	}
	x = &Index{
		fs: o.fs, log: o.Log, space: o.Space, release: func() {},
		done: make(chan struct{}), wakeup: make(chan struct{}, 1), stopped: make(chan struct{}),
		contents: map[ID]*content{},
	}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	if x.fs == nil {
		dir, err := disk.MakeDir(o.Dir)
		if err != nil {
			return nil, err
		}
		if x.release, err = disk.Lock(o.Dir); err != nil {
			return nil, err
		}
		x.fs = dir
	}
	if err := x.recover(); err != nil {
		x.closeLogs()
		x.release()
		return nil, err
	}
	go x.maintain()
	return x, nil
}

// remedy adds what to do about damage.
func remedy(err error) error {
	var d *disk.Damage
	if errors.As(err, &d) {
		return fmt.Errorf("%w; restore the directory from a backup, or move it away: the documents are then read and embedded again from their sources", err)
	}
	if errors.Is(err, disk.ErrLocked) {
		return fmt.Errorf("%w; stop that one, or choose another directory", err)
	}
	return err
}

// recover brings the state back to the last durable epoch.
func (x *Index) recover() error {
	start := time.Now()
	m, err := readManifest(x.fs)
	if err != nil {
		return err
	}
	fresh := m == nil
	if fresh {
		m = &manifest{Format: format, Embedder: x.space.Name, Dims: x.space.Dims, Generation: 1}
		if err := m.write(x.fs); err != nil {
			return explain(err)
		}
	}
	other := m.Embedder != x.space.Name || m.Dims != x.space.Dims
	if other {
		x.log.Warn("index: the embedder has changed, all documents are to be embedded again", "was", m.Embedder, "is", x.space.Name)
		m.Embedder, m.Dims = x.space.Name, x.space.Dims
		m.Generation++
		m.Vectors = nil
	}
	x.manifest = *m
	if x.memo, err = newMemo(x.space.Dims); err != nil {
		return err
	}
	x.state = newState(x.memo)
	lost, err := x.openLogs()
	if err != nil {
		return err
	}
	if x.state.vec != nil {
		x.state.segments(x.memo)
	}
	if m.Checkpoint > 0 {
		if err := x.load(other); err != nil {
			return err
		}
	}
	if err := x.replay(other); err != nil {
		return err
	}
	x.publish()
	x.checkpointed = time.Now()
	if other || lost {
		// Only now may the old vectors go, and those that are gone be forgotten.
		if err := x.checkpoint(); err != nil {
			return err
		}
	}
	x.removed(x.manifest.sweep(x.fs))
	if !fresh {
		x.log.Info("index: opened", "epoch", x.state.epoch, "documents", x.state.docs.n, "chunks", x.state.chunks, "took", time.Since(start))
	}
	return nil
}

// openLogs opens the logs of texts and vectors; lost says that files of vectors
// are gone.
func (x *Index) openLogs() (lost bool, err error) {
	x.text, err = disk.OpenLog(x.fs, disk.LogOptions{
		Name: textLog, Limit: textLimit, Known: x.manifest.Text, Skip: x.manifest.Checkpoint > 0,
		Visit: func(p disk.Pos, f disk.Frame) error {
			if f.Kind != kindContent {
				return &disk.Damage{File: disk.FileName(textLog, p.File), Offset: p.At, What: "it is no content"}
			}
			if err := x.addContent(p, f, nil); err != nil {
				return &disk.Damage{File: disk.FileName(textLog, p.File), Offset: p.At, What: err.Error()}
			}
			return nil
		},
	})
	if err != nil {
		return false, err
	}
	for _, c := range x.contents { // now the files are open
		l := c.loc.Load()
		c.loc.Store(&location{file: x.text.File(l.number), number: l.number, at: l.at})
	}
	if x.memo.space == nil {
		return false, nil
	}
	return x.openVectors()
}

// openVectors opens the log of vectors and maps its full files; lost says that
// some are gone.
func (x *Index) openVectors() (lost bool, err error) {
	type found struct {
		hash ID
		time int64
	}
	name := vectorLog(x.manifest.Generation)
	files := map[uint64][]found{}
	m := x.memo
	x.vectors, err = disk.OpenLog(x.fs, disk.LogOptions{
		Name: name, Limit: m.fileLimit(), Known: x.manifest.Vectors,
		Missing: func(file string) error {
			x.log.Warn("index: a file of vectors is gone, its texts are to be embedded again", "file", file)
			lost = true
			return nil
		},
		Visit: func(p disk.Pos, f disk.Frame) error {
			if f.Kind != kindVector || len(f.Payload) != floatSize*m.space.Padded() || len(files[p.File]) >= 1<<m.shift {
				return &disk.Damage{File: disk.FileName(name, p.File), Offset: p.At, What: "it is no vector of the embedder"}
			}
			files[p.File] = append(files[p.File], found{f.ID, f.Time})
			return nil
		},
	})
	var d *disk.Damage
	if errors.As(err, &d) {
		return lost, fmt.Errorf("%w; or delete this file: its vectors are then made again", err)
	}
	if err != nil {
		return lost, err
	}
	// The coarser forms are computed on all cores.
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	for _, info := range x.vectors.Files() {
		s, err := x.openShelf(info)
		if err != nil {
			return lost, errors.Join(err, work.Wait())
		}
		i := m.byFile[info.Number]
		for e, f := range files[info.Number] {
			s.released[e] = f.time
			if _, ok := m.slots[f.hash]; !ok {
				m.slots[f.hash] = uint32(i)<<m.shift | uint32(e)
			}
		}
		s.used = len(files[info.Number])
		work.Go(func() error {
			for e := range s.used {
				s.seg.Fill(uint32(e))
			}
			return nil
		})
	}
	return lost, work.Wait()
}

// openShelf makes the shelf of a file. The one that is appended to is copied to
// memory, the others are mapped.
func (x *Index) openShelf(info disk.FileInfo) (*shelf, error) {
	m := x.memo
	data, release, err := x.vectors.File(info.Number).Map(int(info.Length))
	if err != nil {
		return nil, err
	}
	if info.Number != x.vectors.Current() {
		return m.newShelf(info.Number, data, release)
	}
	defer release()
	_, s, err := m.shelfOf(info.Number)
	if err == nil {
		copy(s.seg.Full(), data)
	}
	return s, err
}

// replay applies the batches that came after the checkpoint.
func (x *Index) replay(unembed bool) (err error) {
	x.epochs, err = disk.OpenLog(x.fs, disk.LogOptions{
		Name: epochsLog, Limit: epochsLimit, Known: x.manifest.Epochs,
		Visit: func(p disk.Pos, f disk.Frame) error {
			d := decoder{b: f.Payload}
			b := d.batch()
			err := d.err
			if err == nil && f.Kind != kindEpoch {
				err = errors.New("it is no batch")
			}
			if err == nil && b.Epoch > x.state.epoch {
				err = x.redo(b, f.Time, unembed)
			}
			if err != nil {
				return &disk.Damage{File: disk.FileName(epochsLog, p.File), Offset: p.At, What: err.Error()}
			}
			return nil
		},
	})
	return err
}

// redo applies a batch that is in the log.
func (x *Index) redo(b Batch, now int64, unembed bool) error {
	if unembed {
		for i := range b.Put {
			b.Put[i].Embedded = false
		}
	}
	contents, err := x.pin(b)
	if err != nil {
		return err
	}
	changes, err := x.stage(context.Background(), b, contents)
	if err != nil {
		return err
	}
	x.commit(b, changes, now)
	for _, ch := range changes {
		x.newRows += len(ch.fresh)
	}
	if x.newRows > 1<<15 {
		x.state.words.Snapshot() // what was added becomes compact
	}
	return nil
}

// What is replayed at a start in a few milliseconds needs no checkpoint at the
// end.
const (
	closeRows  = 256
	closeBytes = 1 << 20
)

// Close stops the work in the background, writes what makes the next start fast
// and gives the directory back. Views must not be searched after it.
func (x *Index) Close() error {
	x.writer.Lock()
	if x.closed {
		x.writer.Unlock()
		return nil
	}
	x.closed = true
	dirty := x.newRows > closeRows || x.epochsSize() > closeBytes
	x.writer.Unlock()
	close(x.done)
	<-x.stopped
	var err error
	if dirty {
		x.maintaining.Lock()
		err = x.checkpoint()
		x.maintaining.Unlock()
	}
	err = errors.Join(err, x.closeLogs())
	x.release()
	return err
}

func (x *Index) closeLogs() error {
	var errs []error
	for _, l := range []*disk.Log{x.text, x.vectors, x.epochs} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// epochsSize is how many bytes of batches a start would replay.
func (x *Index) epochsSize() (n int64) {
	for _, f := range x.epochs.Files() {
		n += f.Length - disk.FirstFrame
	}
	return n
}

func (x *Index) vectorFiles() []disk.FileInfo {
	if x.vectors == nil {
		return nil
	}
	return x.vectors.Files()
}

// diskBytes is what the logs take.
func (x *Index) diskBytes() (n int64) {
	for _, fs := range [][]disk.FileInfo{x.text.Files(), x.vectorFiles(), x.epochs.Files()} {
		for _, f := range fs {
			n += f.Length
		}
	}
	return n
}
