package changelog

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Load calls yield with every committed record of a table whose shard the
// filter wants (nil: all), each key once, sorted by shard and key. key and
// value are valid during the call. It may run beside commits, whose changes it
// does not see if they come after its beginning, and beside other Loads. An
// error of yield ends it and is returned as it is.
func (l *Log) Load(table string, shards func(shard uint8) bool, yield func(shard uint8, key, value []byte) error) error {
	l.reading.RLock()
	defer l.reading.RUnlock()
	l.mu.Lock()
	files := slices.Clone(l.state.files)
	l.mu.Unlock()

	fs, err := l.openFiles(files)
	defer fs.close()
	if err != nil {
		return fmt.Errorf("load table %q: %w", table, err)
	}
	var want [256]bool
	for s := range want {
		want[s] = shards == nil || shards(uint8(s))
	}
	cs, _, err := fs.cursors(table, &want)
	if err != nil {
		return fmt.Errorf("load table %q: %w", table, err)
	}
	var stop error
	err = merge(cs, func(c change) error {
		if !c.deleted {
			stop = yield(c.shard, c.key, c.value)
		}
		return stop
	})
	if stop != nil {
		return stop
	}
	if err != nil {
		return fmt.Errorf("load table %q: %w", table, err)
	}
	return nil
}

// openedFiles are neighbouring files being read, oldest first.
type openedFiles []openedFile

type openedFile struct {
	file
	h      File
	name   string
	tables map[string][]frameRef
}

func (l *Log) openFiles(files []file) (openedFiles, error) {
	var fs openedFiles
	for _, f := range files {
		h, err := l.fs.Open(l.path(f.name()))
		if err != nil {
			return fs, err
		}
		o := openedFile{file: f, h: h, name: l.path(f.name())}
		fs = append(fs, o)
		if fs[len(fs)-1].tables, err = l.dirs.tables(h, f, o.name); err != nil {
			return fs, err
		}
	}
	return fs, nil
}

func (fs openedFiles) close() {
	for _, f := range fs {
		f.h.Close() // nothing was written
	}
}

// cursors returns one cursor for each file that has something of table, oldest
// first. What a drop has withdrawn is left out; dropped tells that there was one.
func (fs openedFiles) cursors(table string, want *[256]bool) (cs []cursor, dropped bool, err error) {
	for _, f := range fs {
		refs := f.tables[table]
		for i := len(refs) - 1; i >= 0; i-- {
			if refs[i].drop {
				cs, refs, dropped = nil, refs[i+1:], true
				break
			}
		}
		refs = slices.DeleteFunc(slices.Clone(refs), func(r frameRef) bool {
			return !slices.Contains(want[r.min:int(max(r.min, r.max))+1], true)
		})
		if len(refs) == 0 {
			continue
		}
		if f.kind == kindRun {
			cs = append(cs, &runCursor{f: f, table: table, refs: refs, want: want})
			continue
		}
		c, err := sortLog(f, table, refs, want)
		if err != nil {
			return nil, false, err
		}
		cs = append(cs, c)
	}
	return cs, dropped, nil
}

// cursor yields changes sorted by shard and key, one a key; a change is valid
// until the next call. After the last one ok is false.
type cursor interface {
	next() (c change, ok bool, err error)
}

// runCursor reads a run from beginning to end.
type runCursor struct {
	f       openedFile
	table   string
	refs    []frameRef
	want    *[256]bool
	buf     []byte
	changes []byte
}

func (r *runCursor) next() (c change, ok bool, err error) {
	for {
		for len(r.changes) == 0 {
			if len(r.refs) == 0 {
				return c, false, nil
			}
			if r.changes, r.buf, err = readFrame(r.f.h, r.refs[0], r.f.name, r.table, r.buf); err != nil {
				return c, false, err
			}
			r.refs = r.refs[1:]
		}
		if c, r.changes, err = next(r.changes); err != nil {
			return c, false, &DamageError{r.f.name, 0, err.Error()}
		}
		if r.want[c.shard] {
			return c, true, nil
		}
	}
}

// logCursor has the changes of a log in memory, and their order.
type logCursor struct {
	changes []byte
	order   []place
}

// place is where a change begins, with the beginning of what it is sorted by.
type place struct {
	prefix uint64
	at     int
}

func (c change) prefix() uint64 {
	var b [8]byte
	b[0] = c.shard
	copy(b[1:], c.key)
	return binary.BigEndian.Uint64(b[:])
}

func sortLog(f openedFile, table string, refs []frameRef, want *[256]bool) (*logCursor, error) {
	total := 0
	for _, r := range refs {
		total += r.size
	}
	l := &logCursor{changes: make([]byte, 0, total)}
	var buf, changes []byte
	var err error
	for _, r := range refs {
		if changes, buf, err = readFrame(f.h, r, f.name, table, buf); err != nil {
			return nil, err
		}
		at := len(l.changes)
		l.changes = append(l.changes, changes...)
		for at < len(l.changes) {
			c, rest, err := next(l.changes[at:])
			if err != nil {
				return nil, &DamageError{f.name, r.at, err.Error()}
			}
			if want[c.shard] {
				l.order = append(l.order, place{c.prefix(), at})
			}
			at = len(l.changes) - len(rest)
		}
	}
	slices.SortFunc(l.order, func(a, b place) int {
		if a.prefix != b.prefix {
			return cmp.Compare(a.prefix, b.prefix)
		}
		return cmp.Or(bytes.Compare(l.change(a).key, l.change(b).key), cmp.Compare(a.at, b.at))
	})
	return l, nil
}

// change returns the change at p, which sortLog has found to be whole.
func (l *logCursor) change(p place) change {
	c, _, _ := next(l.changes[p.at:])
	return c
}

// next takes the newest change of the next key.
func (l *logCursor) next() (c change, ok bool, err error) {
	if len(l.order) == 0 {
		return c, false, nil
	}
	p := l.order[0]
	c = l.change(p)
	for l.order = l.order[1:]; len(l.order) > 0 && l.order[0].prefix == p.prefix; l.order = l.order[1:] {
		later := l.change(l.order[0])
		if !bytes.Equal(later.key, c.key) {
			break
		}
		c = later
	}
	return c, true, nil
}

// head is a cursor and the change it stands at.
type head struct {
	cursor
	change
	prefix uint64
	ok     bool
}

func (h *head) advance() (err error) {
	if h.change, h.ok, err = h.cursor.next(); h.ok {
		h.prefix = h.change.prefix()
	}
	return err
}

func (h *head) compare(o *head) int {
	if h.prefix != o.prefix {
		return cmp.Compare(h.prefix, o.prefix)
	}
	return bytes.Compare(h.key, o.key)
}

// merge yields one change a key, sorted: that of the last cursor which has the
// key. There are few cursors, so the smallest is found by looking at each.
func merge(cs []cursor, yield func(change) error) error {
	heads := make([]*head, len(cs))
	for i, c := range cs {
		heads[i] = &head{cursor: c}
		if err := heads[i].advance(); err != nil {
			return err
		}
	}
	for {
		var least *head
		for _, h := range heads {
			if h.ok && (least == nil || h.compare(least) <= 0) {
				least = h
			}
		}
		if least == nil {
			return nil
		}
		if err := yield(least.change); err != nil {
			return err
		}
		for _, h := range heads {
			if h != least && h.ok && h.compare(least) == 0 {
				if err := h.advance(); err != nil {
					return err
				}
			}
		}
		if err := least.advance(); err != nil {
			return err
		}
	}
}
