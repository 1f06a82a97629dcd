package index

import (
	"fmt"
	"time"

	"github.com/ragserver/ragserver/indexer/index/filter"
	"github.com/ragserver/ragserver/indexer/index/keyword"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// state is what the writer changes and views are taken of. It is guarded by
// Index.writer.
type state struct {
	epoch    uint64
	owner    *trieOwner
	docs     trie
	numbers  numbers // of documents
	byNumber pages[*entry]
	rows     numbers // of chunks
	places   pages[place]
	live     bitset // rows
	chunks   int
	vectored int
	vec      *vector.Writer // nil without an embedder
	words    *keyword.Index
	fields   *filter.Index
}

func newState(m *memo) *state {
	s := &state{owner: new(trieOwner), words: keyword.New(), fields: filter.New()}
	if m.space != nil {
		s.vec = vector.NewWriter(m.space, m.shift)
	}
	return s
}

// change is one document that is about to be put. Until commit it has only
// taken row numbers and added rows to the keyword side, which revert undoes.
type change struct {
	old, new *entry
	places   []place // by chunk
	fresh    []uint32
	missing  []ID
}

// key finds a chunk in another version of its document.
type key struct {
	hash    ID
	ordinal uint32
}

// stage works out what d becomes: which chunks keep the row they have, which get
// a new one. c is d's content; nil if the document has none.
func (s *state) stage(lookup func([]passage, []uint32), d Document, c *content) (*change, error) {
	ch := &change{old: s.docs.get(d.ID), new: &entry{doc: d, content: c}}
	if c == nil || c.chunks == 0 {
		return ch, nil
	}
	if err := s.stageChunks(ch, lookup); err != nil {
		s.revert(ch)
		return nil, err
	}
	return ch, nil
}

func (s *state) stageChunks(ch *change, lookup func([]passage, []uint32)) error {
	e := ch.new
	passages, err := e.content.passages(0, int(e.content.chunks))
	if err != nil {
		return err
	}
	kept, err := s.rowsToKeep(ch, e.content)
	if err != nil {
		return err
	}
	o, err := e.content.outline()
	if err != nil {
		return err
	}
	e.rows = make([]uint32, len(passages))
	ch.places = make([]place, len(passages))
	seen := make(map[ID]uint32, len(passages))
	slots := make([]uint32, len(passages))
	lookup(passages, slots)
	for i, p := range passages {
		k := key{p.hash, seen[p.hash]}
		seen[p.hash]++
		ch.places[i] = place{chunk: uint32(i), ordinal: k.ordinal, slot: slots[i]}
		if slots[i] == vector.NoSlot && e.doc.Embedded {
			ch.missing = append(ch.missing, p.hash)
		}
		if row, ok := kept[k]; ok {
			e.rows[i] = row
			continue
		}
		w, err := o.fields(i)
		if err != nil {
			return err
		}
		row := s.rows.take()
		ch.fresh = append(ch.fresh, row)
		e.rows[i] = row
		s.words.Add(row, o.Language, w)
		if len(ch.fresh)%compactRows == 0 {
			s.words.Snapshot()
		}
	}
	return nil
}

// rowsToKeep gives the rows of the old version by what they hold. Rows are
// analysed in their version's language: another one makes them new.
func (s *state) rowsToKeep(ch *change, c *content) (map[key]uint32, error) {
	old := ch.old
	if old == nil || old.content == nil || old.content.chunks == 0 || old.content.language != c.language {
		return nil, nil
	}
	passages, err := old.content.passages(0, int(old.content.chunks))
	if err != nil {
		return nil, err
	}
	kept := make(map[key]uint32, len(passages))
	for i, p := range passages {
		row := old.rows[i]
		kept[key{p.hash, s.places.at(row).ordinal}] = row
	}
	return kept, nil
}

// compactRows is how many rows are added to the keyword side before what was
// added becomes compact: until then it takes several times as much memory.
const compactRows = 1 << 15

// revert undoes stage.
func (s *state) revert(ch *change) {
	for _, row := range ch.fresh {
		s.words.Remove(row)
		s.rows.put(row)
	}
	ch.fresh = nil
}

// commit makes a staged change part of the state. It cannot fail. Caller holds
// Index.mu as well.
func (s *state) commit(m *memo, ch *change, now int64) {
	e := ch.new
	if ch.old != nil {
		e.number = ch.old.number
	} else {
		e.number = s.numbers.take()
	}
	stays := make(map[uint32]bool, len(e.rows))
	for _, row := range e.rows {
		stays[row] = true
	}
	for _, p := range ch.places { // before the old ones are released
		if p.slot != vector.NoSlot {
			m.retain(p.slot)
		}
	}
	if ch.old != nil {
		for _, row := range ch.old.rows {
			s.drop(m, row, !stays[row], now)
		}
		s.chunks -= len(ch.old.rows)
	}
	e.doc.Vectored, e.doc.Missing = 0, 0
	for i, p := range ch.places {
		row := e.rows[i]
		p.document = e.number
		s.places.set(row, p)
		s.live.set(row)
		if s.vec == nil {
			continue
		}
		s.vec.Grow(int(row) + 1)
		if p.slot == vector.NoSlot {
			e.doc.Missing++
		}
		if p.slot == vector.NoSlot || !e.doc.Embedded {
			s.vec.Clear(row)
			continue
		}
		s.vec.Set(row, p.slot)
		if s.vec.Slot(row) != vector.NoSlot {
			e.doc.Vectored++
		}
	}
	e.doc.Chunks = len(e.rows)
	s.chunks += len(e.rows)
	s.vectored += e.doc.Vectored
	if ch.old != nil {
		s.vectored -= ch.old.doc.Vectored
	}
	s.docs.put(s.owner, e)
	s.byNumber.set(e.number, e)
	s.fields.Put(e.number, fieldsOf(&e.doc))
}

// drop releases the vector of a row that was live, and if it is gone for good
// the row itself.
func (s *state) drop(m *memo, row uint32, gone bool, now int64) {
	if slot := s.places.at(row).slot; slot != vector.NoSlot {
		m.release(slot, now)
	}
	if !gone {
		return
	}
	s.words.Remove(row)
	s.live.clear(row)
	if s.vec != nil {
		s.vec.Clear(row)
	}
	s.rows.put(row)
}

// remove takes a document out. Caller holds Index.mu as well.
func (s *state) remove(m *memo, e *entry, now int64) {
	for _, row := range e.rows {
		s.drop(m, row, true, now)
	}
	s.chunks -= len(e.rows)
	s.vectored -= e.doc.Vectored
	s.docs.remove(s.owner, e.doc.ID)
	s.byNumber.set(e.number, nil)
	s.fields.Remove(e.number)
	s.numbers.put(e.number)
}

// segments brings the places of the vectors up to date. Caller holds Index.mu
// as well.
func (s *state) segments(m *memo) {
	for i, p := range m.places {
		var g *vector.Segment
		if p != nil {
			g = p.seg
		}
		if s.vec.Segment(i) != g {
			s.vec.SetSegment(i, g)
		}
	}
}

// fieldsOf is what filters see of a document. Its own fields win over
// attributes of the same name.
func fieldsOf(d *Document) filter.Fields {
	f := make(filter.Fields, len(d.Meta.Attributes)+10)
	for k, v := range d.Meta.Attributes {
		f[k] = v
	}
	f["path"], f["source"] = d.Path, d.Source
	f["size"] = float64(d.Meta.Size)
	for k, v := range map[string]string{"title": d.Meta.Title, "type": d.Meta.Type, "language": d.Meta.Language, "owner": d.Meta.Owner} {
		if v != "" {
			f[k] = v
		}
	}
	for k, v := range map[string]time.Time{"created_at": d.Meta.Created, "modified_at": d.Meta.Modified, "seen_at": d.Meta.Seen} {
		if !v.IsZero() {
			f[k] = v
		} else {
			delete(f, k)
		}
	}
	return f
}

// MissingError says that a batch names versions that are not stored.
type MissingError struct {
	Epoch     uint64
	Documents []Document
}

func (e *MissingError) Error() string {
	d := e.Documents[0]
	return fmt.Sprintf("index: epoch %d: %d documents name a version that PutContent did not store, the first is %v (%.200q in %.80q, version %v)",
		e.Epoch, len(e.Documents), d.ID, d.Path, d.Source, d.Version)
}
