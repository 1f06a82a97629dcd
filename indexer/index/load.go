package index

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/keyword"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

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
		var o *Outline
		if o, err = e.content.outline(); err != nil {
			return false
		}
		for i, row := range e.rows {
			var w keyword.Fields
			if w, err = o.fields(i); err != nil {
				return false
			}
			s.words.Add(row, o.Language, w)
			if rows++; rows%compactRows == 0 {
				s.words.Snapshot()
			}
		}
		return true
	})
	return err
}
