package index

import (
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// A checkpoint is the state at an epoch, so that a start need not begin with the
// first one. It consists of frames: a head (checkpointHead), all stored contents
// and where they are, all live documents with the rows of their chunks, an end;
// and of the keyword side in a file of its own.

// checkpointBytes and checkpointRows are how much may have to be replayed.
const (
	checkpointBytes = 16 << 20 // of batches
	checkpointRows  = 8192     // of new chunks, or a sixteenth of all
)

// analysis is the version of the keyword analysis: when it changes, what
// checkpoints hold of it is made again from the texts.
const analysis = 1

type checkpointHead struct {
	epoch              uint64
	contents, docs     uint64
	rows, numbers      uint64 // all that documents have are below
	vectorFiles        []uint64
	analysis, wordsLen uint64
	wordsCRC           uint64
}

func (h *checkpointHead) encode() []byte {
	var e encoder
	for _, v := range []uint64{h.epoch, h.contents, h.docs, h.rows, h.numbers, h.analysis, h.wordsLen, h.wordsCRC, uint64(len(h.vectorFiles))} {
		e.uint(v)
	}
	for _, f := range h.vectorFiles {
		e.uint(f)
	}
	return e.b
}

func decodeHead(b []byte) (h checkpointHead, err error) {
	d := decoder{b: b}
	for _, v := range []*uint64{&h.epoch, &h.contents, &h.docs, &h.rows, &h.numbers, &h.analysis, &h.wordsLen, &h.wordsCRC} {
		*v = d.uint()
	}
	for range d.count() {
		h.vectorFiles = append(h.vectorFiles, d.uint())
	}
	return h, d.err
}

// stored is what a checkpoint says of a content.
type stored struct {
	c                 *content
	file              uint64
	at                int64
	applied           bool
	written, released int64
}

func (s *stored) encode(e *encoder) {
	c := s.c
	e.id(c.version)
	for _, v := range []uint64{uint64(c.chunks), uint64(c.strings), uint64(c.text), s.file, uint64(s.at), uint64(s.written), uint64(s.released)} {
		e.uint(v)
	}
	e.bool(s.applied)
	e.string(c.title)
	e.string(c.language)
}

func (d *decoder) stored() (s stored) {
	s.c = &content{version: d.id()}
	small := func() uint32 {
		v := d.uint()
		if v > disk.MaxPayload {
			d.fail()
		}
		return uint32(v)
	}
	s.c.chunks, s.c.strings, s.c.text = small(), small(), small()
	s.file, s.at = d.uint(), int64(d.uint())
	s.written, s.released = int64(d.uint()), int64(d.uint())
	s.applied = d.bool()
	s.c.title, s.c.language = d.string(), d.string()
	return s
}

// snapshot is what a checkpoint is written of. It is taken at one moment.
type snapshot struct {
	view        *View
	stored      []stored
	vectorFiles []uint64 // by place
	numbers     uint32
	manifest    manifest
}

// capture takes a snapshot and begins a new file of batches, which is where a
// start would go on after it. Caller holds writer.
func (x *Index) capture() (*snapshot, error) {
	first, err := x.epochs.Roll()
	if err != nil {
		return nil, err
	}
	x.inflight.Lock() // what is in the logs is in memory as well
	defer x.inflight.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	s := &snapshot{view: x.View(), numbers: x.state.numbers.next, manifest: x.manifest}
	for _, c := range x.contents {
		l := c.loc.Load()
		s.stored = append(s.stored, stored{c: c, file: l.number, at: l.at, applied: c.applied, written: c.written, released: c.released})
	}
	for _, p := range x.memo.places {
		var file uint64
		if p != nil {
			file = p.file
		}
		s.vectorFiles = append(s.vectorFiles, file)
	}
	s.manifest.Epochs = []disk.FileInfo{{Number: first, Length: disk.FirstFrame}}
	s.manifest.Text = x.text.Files()
	s.manifest.Vectors = x.vectorFiles()
	s.manifest.Checkpoint++
	return s, nil
}

// checkpoint writes the state as it is now and forgets the batches before it.
// Caller holds maintaining.
func (x *Index) checkpoint() error {
	x.writer.Lock()
	s, err := x.capture()
	if err == nil {
		x.newRows = 0
	}
	x.writer.Unlock()
	if err != nil {
		return fmt.Errorf("index: writing a checkpoint: %w", explain(err))
	}
	start := time.Now()
	if err := x.writeSnapshot(s); err != nil {
		return fmt.Errorf("index: writing a checkpoint: %w", explain(err))
	}
	for _, f := range x.epochs.Files() {
		if f.Number < s.manifest.Epochs[0].Number {
			x.epochs.Forget(f.Number)
			x.removed(x.epochs.Remove(f.Number))
		}
	}
	x.removed(x.manifest.sweep(x.fs))
	x.checkpointed = time.Now()
	x.log.Debug("index: checkpoint written", "epoch", s.view.epoch, "took", time.Since(start))
	return nil
}

// removed notes that a file could not be removed; the next start tries again.
func (x *Index) removed(err error) {
	if err != nil {
		x.log.Warn("index: a file that is not needed any more stays until the next start", "error", err)
	}
}

func (x *Index) writeSnapshot(s *snapshot) error {
	n := s.manifest.Checkpoint
	head := checkpointHead{
		epoch: s.view.epoch, contents: uint64(len(s.stored)), docs: uint64(s.view.docs.n),
		rows: uint64(s.view.rows), numbers: uint64(s.numbers),
		vectorFiles: s.vectorFiles, analysis: analysis,
	}
	err := disk.WriteFile(x.fs, wordsName(n), func(w io.Writer) error {
		sum := crc32.New(castagnoli)
		buf := &buffered{w: io.MultiWriter(w, sum)}
		k, err := s.view.words.WriteTo(buf)
		if err == nil {
			err = buf.flush()
		}
		head.wordsLen, head.wordsCRC = uint64(k), uint64(sum.Sum32())
		return err
	})
	if err != nil {
		return err
	}
	err = disk.WriteFrames(x.fs, stateLog, n, func(emit func(disk.Frame) error) error { return s.write(head, emit) })
	if err != nil {
		return err
	}
	if err := s.manifest.write(x.fs); err != nil {
		return err
	}
	x.manifest = s.manifest
	return nil
}

// buffered joins small writes.
type buffered struct {
	w io.Writer
	b []byte
}

func (b *buffered) Write(p []byte) (int, error) {
	b.b = append(b.b, p...)
	if len(b.b) < 1<<20 {
		return len(p), nil
	}
	return len(p), b.flush()
}

func (b *buffered) flush() error {
	_, err := b.w.Write(b.b)
	b.b = b.b[:0]
	return err
}

func (s *snapshot) write(head checkpointHead, emit func(disk.Frame) error) error {
	if err := emit(disk.Frame{Kind: kindHead, Payload: head.encode()}); err != nil {
		return err
	}
	var e encoder
	for i := range s.stored {
		e.b = e.b[:0]
		s.stored[i].encode(&e)
		if err := emit(disk.Frame{Kind: kindStored, Payload: e.b}); err != nil {
			return err
		}
	}
	var err error
	s.view.docs.all(func(d *entry) bool {
		e.b = e.b[:0]
		if err = e.document(&d.doc); err == nil {
			s.encodeRows(&e, d)
			err = emit(disk.Frame{Kind: kindDocument, Payload: e.b})
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return emit(disk.Frame{Kind: kindEnd})
}

// encodeRows adds a document's number and for each chunk its row, its ordinal
// and where its vector is.
func (s *snapshot) encodeRows(e *encoder, d *entry) {
	e.uint(uint64(d.number))
	e.uint(uint64(len(d.rows)))
	for _, row := range d.rows {
		p := s.view.places.at(row)
		e.uint(uint64(row))
		e.uint(uint64(p.ordinal))
		if p.slot == vector.NoSlot {
			e.uint(0)
		} else {
			e.uint(uint64(p.slot) + 1)
		}
	}
}
