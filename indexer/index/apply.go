package index

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/ragserver/ragserver/indexer/index/disk"
)

// Applied tells what a batch did.
type Applied struct {
	Epoch uint64 // of the index afterwards
	Time  time.Time
	// Repeated says that the batch's epoch had been applied before, so that
	// nothing was done; Documents then tell the state now.
	Repeated  bool
	Documents []AppliedDocument // one for each of Batch.Put, in its order
	Deleted   int               // documents of Batch.Delete that were live
}

// AppliedDocument tells what became of a document that was put.
type AppliedDocument struct {
	Document Document // as it is live now, with Epoch, Applied, Chunks, Vectored
	Kept     int      // chunks that had been live before, unchanged
	// Missing are the hashes of chunks that have no vector though the
	// document is marked Embedded: these are found by keyword only.
	Missing []ID
}

// Apply makes the documents of a batch live or gone, together: when it returns,
// that is durable and every new View shows it. An epoch at or below the index's
// own is a no-op. A *MissingError names the documents whose version is not
// stored, ErrUnfit says that the batch is not as it must be. After an error nothing has changed, and Apply may be called again.
func (x *Index) Apply(ctx context.Context, b Batch) (Applied, error) {
	if err := ctx.Err(); err != nil {
		return Applied{}, err
	}
	x.writer.Lock()
	defer x.writer.Unlock()
	if x.closed {
		return Applied{}, errClosed
	}
	if b.Epoch <= x.state.epoch {
		return x.repeated(b), nil
	}
	now := time.Now().UTC()
	record, own, err := prepare(b, now)
	if err != nil {
		return Applied{}, fmt.Errorf("index: epoch %d: %w: %w", b.Epoch, ErrUnfit, err)
	}
	pinned, err := x.pin(own)
	if err != nil {
		return Applied{}, err
	}
	changes, err := x.stage(ctx, own, pinned)
	if err == nil {
		_, err = x.epochs.Append(disk.Frame{Kind: kindEpoch, Time: now.UnixNano(), Payload: record})
	}
	if err != nil {
		for _, ch := range changes {
			x.state.revert(ch)
		}
		x.unpin(pinned, now.UnixNano())
		return Applied{}, fmt.Errorf("index: epoch %d: %w", b.Epoch, explain(err))
	}
	done := Applied{Epoch: b.Epoch, Time: now, Documents: make([]AppliedDocument, len(changes))}
	done.Deleted = x.commit(own, changes, now.UnixNano())
	x.publish()
	for _, ch := range changes {
		x.newRows += len(ch.fresh)
	}
	for i, ch := range changes {
		done.Documents[i] = AppliedDocument{Document: ch.new.doc, Kept: len(ch.new.rows) - len(ch.fresh), Missing: ch.missing}
	}
	if x.checkpointDue() {
		x.wake()
	}
	return done, nil
}

// repeated answers a batch that was applied before.
func (x *Index) repeated(b Batch) Applied {
	done := Applied{Epoch: x.state.epoch, Repeated: true}
	for _, d := range b.Put {
		if e := x.state.docs.get(d.ID); e != nil {
			d = e.doc
			done.Time = d.Applied
		}
		done.Documents = append(done.Documents, AppliedDocument{Document: d, Kept: d.Chunks})
	}
	return done
}

// prepare checks a batch and gives its record and our own copy of it: the copy
// is read from the record, so that what is live is what a restart would find.
func prepare(b Batch, now time.Time) ([]byte, Batch, error) {
	seen := make(map[ID]bool, len(b.Put)+len(b.Delete))
	once := func(id ID) error {
		if seen[id] {
			return fmt.Errorf("document %v is in the batch twice", id)
		}
		seen[id] = true
		return nil
	}
	stamped := Batch{Epoch: b.Epoch, Delete: b.Delete}
	for _, d := range b.Put {
		if err := once(d.ID); err != nil {
			return nil, b, err
		}
		d.Epoch, d.Applied = b.Epoch, now
		stamped.Put = append(stamped.Put, d)
	}
	for _, id := range b.Delete {
		if err := once(id); err != nil {
			return nil, b, err
		}
	}
	var e encoder
	if err := e.batch(&stamped); err != nil {
		return nil, b, err
	}
	if len(e.b) > disk.MaxPayload {
		return nil, b, fmt.Errorf("the batch takes %d bytes, more than the %d a record can have: apply fewer documents at once", len(e.b), disk.MaxPayload)
	}
	d := decoder{b: e.b}
	own := d.batch()
	return e.b, own, d.err
}

// pin finds the contents of the documents to be put, nil for one without, and
// keeps them from being compacted away.
func (x *Index) pin(b Batch) ([]*content, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make([]*content, len(b.Put))
	var missing []Document
	for i, d := range b.Put {
		out[i] = x.contents[d.Version]
		if out[i] == nil && !(d.Version == ID{} && d.Unread != "") {
			missing = append(missing, d)
		}
	}
	if missing != nil {
		return nil, &MissingError{b.Epoch, missing}
	}
	for _, c := range out {
		if c != nil {
			c.refs++
		}
	}
	return out, nil
}

// unpin takes pin back, for a batch that failed.
func (x *Index) unpin(cs []*content, now int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range cs {
		if c != nil {
			c.unref(now)
		}
	}
}

// unref gives up a reference. A version whose batch failed counts as never
// applied unless it was. Caller holds Index.mu.
func (c *content) unref(now int64) {
	if c.refs--; c.refs == 0 && c.applied {
		c.released = now
	}
}

// stage works out all changes. Of a large batch it lets others at the memo in
// between.
func (x *Index) stage(ctx context.Context, b Batch, contents []*content) ([]*change, error) {
	var changes []*change
	for i, d := range b.Put {
		if err := ctx.Err(); err != nil {
			return changes, err
		}
		ch, err := x.state.stage(x.lookup, d, contents[i])
		if err != nil {
			return changes, err
		}
		changes = append(changes, ch)
	}
	return changes, nil
}

// lookup gives the slots of texts.
func (x *Index) lookup(passages []passage, slots []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range passages {
		slots[i] = x.memo.slot(passages[i].hash)
	}
}

// commit changes the state. What pin counted becomes the documents' own
// reference.
func (x *Index) commit(b Batch, changes []*change, now int64) (deleted int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.state
	if s.vec != nil {
		s.segments(x.memo)
	}
	for _, id := range b.Delete {
		if e := s.docs.get(id); e != nil {
			s.remove(x.memo, e, now)
			if e.content != nil {
				e.content.unref(now)
			}
			deleted++
		}
	}
	for _, ch := range changes {
		s.commit(x.memo, ch, now)
		if ch.new.content != nil {
			ch.new.content.applied = true
		}
		if ch.old != nil && ch.old.content != nil {
			ch.old.content.unref(now)
		}
	}
	s.epoch = b.Epoch
	return deleted
}

// publish makes a view of the state and wakes who waits for it.
func (x *Index) publish() {
	v := x.state.view(x)
	old := x.view.Swap(v)
	if old != nil {
		close(old.next)
	}
}

var errClosed = errors.New("index: it is closed")

// explain adds what to do to errors that have a remedy.
func explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk is full; the index goes on serving what it has; free some space and try again: %w", err)
	}
	return err
}
