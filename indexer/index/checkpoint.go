package index

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/keyword"
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

// load reads a checkpoint into the empty state. Documents lose their vectors if
// unembed is set or the files of their vectors are gone.
func (x *Index) load(unembed bool) error {
	number := x.manifest.Checkpoint
	name := disk.FileName(stateLog, number)
	damaged := func(what string) error { return &disk.Damage{File: name, Offset: -1, What: what} }
	l := loader{x: x, unembed: unembed, places: map[uint32]int{}}
	err := disk.ReadFrames(x.fs, stateLog, number, func(f disk.Frame) error {
		if err := l.frame(f); err != nil {
			return damaged(err.Error())
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !l.ended || uint64(l.contents) != l.head.contents || uint64(x.state.docs.n) != l.head.docs {
		return damaged("it is cut")
	}
	x.state.epoch = l.head.epoch
	l.free()
	return l.words(number)
}

type loader struct {
	x        *Index
	unembed  bool
	head     checkpointHead
	places   map[uint32]int // of the checkpoint, to ours
	contents int
	used     bitset // rows
	numbers  bitset
	ended    bool
}

func (l *loader) frame(f disk.Frame) (err error) {
	if (f.Kind == kindHead) != (l.head.analysis == 0) || l.ended {
		return errors.New("its records are out of order")
	}
	switch f.Kind {
	case kindHead:
		l.head, err = decodeHead(f.Payload)
		if err == nil && (l.head.analysis == 0 || l.head.rows > math.MaxInt32 || l.head.numbers > math.MaxInt32) {
			err = errFormat
		}
		for i, file := range l.head.vectorFiles {
			if p, ok := l.x.memo.byFile[file]; ok {
				l.places[uint32(i)] = p
			}
		}
		return err
	case kindStored:
		return l.stored(f.Payload)
	case kindDocument:
		return l.document(f.Payload)
	case kindEnd:
		l.ended = true
		return nil
	}
	return fmt.Errorf("a record has unknown kind %d", f.Kind)
}

func (l *loader) stored(b []byte) error {
	d := decoder{b: b}
	s := d.stored()
	file := l.x.text.File(s.file)
	if d.err != nil {
		return d.err
	}
	if file == nil {
		return fmt.Errorf("version %v is said to be in a file that is not known, %s", s.c.version, disk.FileName(textLog, s.file))
	}
	l.contents++
	if c := l.x.contents[s.c.version]; c != nil { // it was moved or stored again, later
		c.applied, c.written, c.released = s.applied, max(c.written, s.written), s.released
		return nil
	}
	s.c.applied, s.c.written, s.c.released = s.applied, s.written, s.released
	s.c.loc.Store(&location{file: file, number: s.file, at: s.at})
	l.x.contents[s.c.version] = s.c
	return nil
}

func (l *loader) document(b []byte) error {
	d := decoder{b: b}
	doc := d.document()
	number, n := d.uint(), d.count()
	if d.err != nil || number >= l.head.numbers {
		return errFormat
	}
	x, s := l.x, l.x.state
	c := x.contents[doc.Version]
	if c == nil && n > 0 || c != nil && int(c.chunks) != n {
		return fmt.Errorf("document %v has %d chunks, its content another number", doc.ID, n)
	}
	if s.docs.get(doc.ID) != nil || l.numbers.has(uint32(number)) {
		return fmt.Errorf("document %v is there twice", doc.ID)
	}
	l.numbers.set(uint32(number))
	if l.unembed {
		doc.Embedded = false
	}
	ch := &change{new: &entry{doc: doc, content: c, rows: make([]uint32, n)}, places: make([]place, n)}
	for i := range n {
		row, ordinal, slot := d.uint(), d.uint(), d.uint()
		if row >= l.head.rows || ordinal > uint64(n) || slot > math.MaxUint32 || l.used.has(uint32(row)) {
			return errFormat
		}
		l.used.set(uint32(row))
		ch.new.rows[i] = uint32(row)
		ch.places[i] = place{chunk: uint32(i), ordinal: uint32(ordinal), slot: l.slot(slot)}
	}
	if d.err != nil {
		return d.err
	}
	if c != nil {
		c.refs++
		c.applied = true
	}
	s.numbers.next = uint32(number) // commit takes this one
	s.commit(x.memo, ch, 0)
	return nil
}

// slot translates a slot of the checkpoint, plus one, to ours.
func (l *loader) slot(v uint64) uint32 {
	m := l.x.memo
	if v == 0 || l.unembed || m.space == nil {
		return vector.NoSlot
	}
	p, ok := l.places[uint32(v-1)>>m.shift]
	e := uint32(v-1) & (1<<m.shift - 1)
	if !ok || m.places[p] == nil || int(e) >= m.places[p].used {
		return vector.NoSlot
	}
	// If the text is in the log twice, this is the one that counts.
	slot := uint32(p)<<m.shift | e
	m.slots[m.hash(m.places[p], e)] = slot
	return slot
}

// free finds the rows and numbers between used ones.
func (l *loader) free() {
	s := l.x.state
	s.numbers.next, s.rows.next = l.numbers.end(), l.used.end()
	for n := range s.numbers.next {
		if !l.numbers.has(n) {
			s.numbers.put(n)
		}
	}
	for r := range s.rows.next {
		if !l.used.has(r) {
			s.rows.put(r)
		}
	}
}

// words opens the keyword side, or makes it again from the texts.
func (l *loader) words(number uint64) error {
	s, name := l.x.state, wordsName(number)
	b, err := disk.ReadFile(l.x.fs, name, math.MaxInt64)
	switch {
	case l.head.analysis != analysis:
		err = errors.New("the analysis of texts has changed")
	case err == nil && (uint64(len(b)) != l.head.wordsLen || uint64(crc32.Checksum(b, castagnoli)) != l.head.wordsCRC):
		err = &disk.Damage{File: name, Offset: -1, What: "the checksum does not match"}
	case err == nil:
		s.words, err = keyword.Open(b)
	}
	if err == nil {
		return nil
	}
	l.x.log.Warn("index: the keyword index is made again from the texts", "reason", err)
	return s.readWords()
}

// readWords makes the keyword side again.
func (s *state) readWords() (err error) {
	s.words = keyword.New()
	rows := 0
	s.docs.all(func(e *entry) bool {
		if len(e.rows) == 0 {
			return true
		}
		var c *Content
		if c, err = e.content.whole(); err != nil {
			return false
		}
		for i, row := range e.rows {
			w := c.Chunks[i]
			s.words.Add(row, c.Language, keyword.Fields{Title: c.Title, Heading: w.Heading, Body: c.Text[w.Start:w.End]})
		}
		if rows += len(e.rows); rows > 1<<15 { // what was added becomes compact
			s.words.Snapshot()
			rows = 0
		}
		return true
	})
	return err
}
