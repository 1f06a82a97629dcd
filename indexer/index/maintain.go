package index

import (
	"fmt"
	"time"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/vector"
)

// How long what no live document refers to stays.
const (
	keepReleased = 10 * time.Minute // so that a document that comes back is not embedded again
	keepUnused   = 24 * time.Hour   // put, but not applied
	// A file is rewritten when a quarter of it is garbage, and in any case
	// when garbage has lain in it so long.
	keepGarbage = time.Hour
	maintenance = time.Minute
)

// wake asks for maintenance soon.
func (x *Index) wake() {
	select {
	case x.wakeup <- struct{}{}:
	default:
	}
}

// checkpointDue tells whether a start would have too much to replay.
func (x *Index) checkpointDue() bool {
	return x.newRows > max(checkpointRows, x.state.chunks/16) || x.epochsSize() > checkpointBytes
}

// maintain runs until Close. What fails is tried again at the next round: the
// index goes on without it.
func (x *Index) maintain() {
	defer close(x.stopped)
	tick := time.NewTicker(maintenance)
	defer tick.Stop()
	for {
		select {
		case <-x.done:
			return
		case <-tick.C:
		case <-x.wakeup:
		}
		if err := x.tidy(time.Now()); err != nil {
			x.log.Error("index: maintenance failed, it is tried again", "error", err)
		}
	}
}

// tidy does all maintenance that is due at a time.
func (x *Index) tidy(now time.Time) error {
	x.maintaining.Lock()
	defer x.maintaining.Unlock()
	if err := x.mapFull(); err != nil {
		return err
	}
	texts, err := x.compactTexts(now)
	if err != nil {
		return err
	}
	vectors, err := x.compactVectors(now)
	if err != nil {
		return err
	}
	x.writer.Lock()
	due := x.checkpointDue() || x.epochsSize() > 0 && now.Sub(x.checkpointed) > keepGarbage
	x.writer.Unlock()
	if due || len(texts)+len(vectors) > 0 {
		if err := x.checkpoint(); err != nil {
			return err
		}
	}
	// The checkpoint does not refer to these files any more.
	for _, n := range texts {
		x.removed(x.text.Remove(n))
	}
	for _, n := range vectors {
		x.removed(x.vectors.Remove(n))
	}
	return nil
}

// mapFull maps the files of vectors that are full, instead of holding them in
// memory.
func (x *Index) mapFull() error {
	if x.vectors == nil {
		return nil
	}
	sizes := map[uint64]int64{}
	for _, f := range x.vectors.Files() {
		sizes[f.Number] = f.Length
	}
	current := x.vectors.Current()
	x.writer.Lock()
	defer x.writer.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	changed := false
	for _, s := range x.memo.places {
		if s == nil || s.mapped || s.file == current || s.used != int((sizes[s.file]-disk.FirstFrame)/int64(x.memo.stride)) {
			continue
		}
		data, release, err := x.vectors.File(s.file).Map(int(sizes[s.file]))
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		s.seg, s.mapped = s.seg.Remap(data, x.memo.layout(), release), true
		changed = true
	}
	if changed && x.state.vec != nil {
		x.state.segments(x.memo)
		x.publish()
	}
	return nil
}

// garbage is what a file holds that nobody needs.
type garbage struct {
	bytes int64
	since int64 // Unix nanoseconds, of the oldest
}

func (g *garbage) add(bytes, since int64) {
	if g.bytes == 0 || since < g.since {
		g.since = since
	}
	g.bytes += bytes
}

// worth tells whether a file of that size is to be rewritten.
func (g *garbage) worth(size int64, now time.Time) bool {
	return g != nil && g.bytes > 0 && (4*g.bytes >= size || now.UnixNano()-g.since > int64(keepGarbage))
}

// expired tells whether a content may go, and since when. Caller holds mu.
func (c *content) expired(now time.Time) (since int64, ok bool) {
	if c.refs > 0 {
		return 0, false
	}
	since = c.written + int64(keepUnused)
	if c.applied {
		since = c.released + int64(keepReleased)
	}
	return since, since < now.UnixNano()
}

// compactTexts copies what is still needed out of files that hold much garbage,
// or old garbage, and takes these out of the log. It returns their numbers:
// they are to be removed once a checkpoint does not refer to them.
func (x *Index) compactTexts(now time.Time) (victims []uint64, err error) {
	for _, f := range x.text.Files() {
		keep := x.keptTexts(f, now)
		if keep == nil {
			continue
		}
		if f.Number == x.text.Current() {
			if _, err := x.text.Roll(); err != nil {
				return nil, fmt.Errorf("index: compacting texts: %w", explain(err))
			}
			if keep = x.keptTexts(x.lengthOf(f.Number), now); keep == nil { // much came in between
				continue
			}
		}
		for _, c := range keep {
			if err := x.moveText(f.Number, c); err != nil {
				return nil, fmt.Errorf("index: compacting texts: %w", explain(err))
			}
		}
		x.text.Forget(f.Number)
		victims = append(victims, f.Number)
	}
	return victims, nil
}

// lengthOf looks a file of texts up again.
func (x *Index) lengthOf(number uint64) disk.FileInfo {
	for _, f := range x.text.Files() {
		if f.Number == number {
			return f
		}
	}
	return disk.FileInfo{Number: number}
}

// keptTexts gives the contents to copy from a file, not nil if it is worth it;
// what has expired is forgotten then.
func (x *Index) keptTexts(f disk.FileInfo, now time.Time) []*content {
	x.inflight.Lock() // what is in the file is in memory as well
	defer x.inflight.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	keep := make([]*content, 0, 16)
	var old []*content
	g := &garbage{}
	live := int64(disk.FirstFrame)
	for _, c := range x.contents {
		if c.loc.Load().number != f.Number {
			continue
		}
		if since, ok := c.expired(now); ok {
			g.add(disk.FrameSize(c.size()), since)
			old = append(old, c)
		} else {
			live += disk.FrameSize(c.size())
			keep = append(keep, c)
		}
	}
	if rest := f.Length - live - g.bytes; rest > 0 { // duplicates and what was forgotten before
		g.add(rest, 0)
	}
	if !g.worth(f.Length, now) {
		return nil
	}
	for _, c := range old {
		delete(x.contents, c.version)
	}
	return keep
}

// moveText copies one content to the end of the log.
func (x *Index) moveText(from uint64, c *content) error {
	l := c.loc.Load()
	fr, err := x.text.Read(disk.Pos{File: from, At: l.at, Length: c.size()})
	if err != nil {
		return err
	}
	x.inflight.RLock()
	defer x.inflight.RUnlock()
	pos, err := x.text.Append(fr)
	if err != nil {
		return err
	}
	c.loc.Store(&location{file: x.text.File(pos[0].File), number: pos[0].File, at: pos[0].At})
	return nil
}

// compactVectors does the same for vectors.
func (x *Index) compactVectors(now time.Time) (victims []uint64, err error) {
	if x.vectors == nil {
		return nil, nil
	}
	x.forgetVectors(now)
	for _, f := range x.vectors.Files() {
		if !x.vectorsWorth(f, now) {
			continue
		}
		if f.Number == x.vectors.Current() {
			if _, err := x.vectors.Roll(); err != nil {
				return nil, fmt.Errorf("index: compacting vectors: %w", explain(err))
			}
		}
		if err := x.moveVectors(f.Number); err != nil {
			return nil, fmt.Errorf("index: compacting vectors: %w", explain(err))
		}
		x.vectors.Forget(f.Number)
		victims = append(victims, f.Number)
	}
	return victims, nil
}

// forgetVectors takes vectors that have not been used for ten minutes out of
// the memo. The writer is kept out: it may have looked one up.
func (x *Index) forgetVectors(now time.Time) {
	x.writer.Lock()
	defer x.writer.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	limit := now.Add(-keepReleased).UnixNano()
	for hash, slot := range x.memo.slots {
		if s, e := x.memo.at(slot); s.refs[e] == 0 && s.released[e] < limit {
			delete(x.memo.slots, hash)
		}
	}
}

// vectorsWorth tells whether a file of vectors is to be rewritten.
func (x *Index) vectorsWorth(f disk.FileInfo, now time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.memo
	i, ok := m.byFile[f.Number]
	if !ok {
		return false
	}
	s, g := m.places[i], &garbage{}
	if s.used != int((f.Length-disk.FirstFrame)/int64(m.stride)) {
		return false // some are on their way in
	}
	for e := range uint32(s.used) {
		if s.refs[e] == 0 && m.slot(m.hash(s, e)) != uint32(i)<<m.shift|e {
			g.add(int64(m.stride), s.released[e]+int64(keepReleased))
		}
	}
	return g.worth(f.Length, now)
}

// moveVectors copies the vectors of a file that are still known to the end of
// the log and points the rows to where they are now.
func (x *Index) moveVectors(from uint64) error {
	m := x.memo
	x.mu.Lock()
	i := m.byFile[from]
	s := m.places[i]
	var frames []disk.Frame
	for e := range uint32(s.used) {
		if hash := m.hash(s, e); m.slot(hash) == uint32(i)<<m.shift|e {
			frames = append(frames, disk.Frame{Kind: kindVector, ID: hash, Time: s.released[e], Payload: floatBytes(s.seg.Row(e))})
		}
	}
	x.mu.Unlock()
	var pos []disk.Pos
	x.inflight.RLock()
	defer x.inflight.RUnlock()
	if len(frames) > 0 {
		var err error
		if pos, err = x.vectors.Append(frames...); err != nil {
			return err
		}
	}
	x.writer.Lock()
	defer x.writer.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	for k, f := range frames {
		delete(m.slots, f.ID)
		if err := m.fill(pos[k], f); err != nil {
			return err
		}
	}
	to := map[uint32]uint32{}
	for e := range uint32(s.used) {
		if slot := m.slot(m.hash(s, e)); slot != vector.NoSlot {
			ns, ne := m.at(slot)
			ns.refs[ne] += s.refs[e]
			ns.released[ne] = max(ns.released[ne], s.released[e])
			to[uint32(i)<<m.shift|e] = slot
		}
	}
	x.state.segments(m)
	x.state.move(to)
	m.places[i] = nil
	delete(m.byFile, from)
	x.state.segments(m)
	x.publish()
	return nil
}

// move points rows to other slots of the same vectors.
func (s *state) move(to map[uint32]uint32) {
	for row := range s.live.all {
		p := *s.places.at(row)
		slot, ok := to[p.slot]
		if p.slot == vector.NoSlot || !ok {
			continue
		}
		if s.vec.Slot(row) == p.slot {
			s.vec.Move(row, slot)
		}
		p.slot = slot
		s.places.set(row, p)
	}
}
