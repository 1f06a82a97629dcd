package changelog

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// directories knows where the frames of each table lie in the files. It is
// filled when first asked, and costs a few bytes a frame.
type directories struct {
	mu    sync.Mutex
	files map[uint64]*directory
}

type directory struct {
	scanned int64
	tables  map[string][]frameRef
}

// frameRef is the place of a frame in its file.
type frameRef struct {
	at       int64
	size     int
	min, max uint8
	drop     bool
}

// tables returns the frames of f in order, by table.
func (d *directories) tables(h File, f file, name string) (map[string][]frameRef, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir := d.files[f.id]
	if dir == nil {
		dir = &directory{scanned: headerLen, tables: map[string][]frameRef{}}
	}
	if err := dir.scan(h, f.length, name); err != nil {
		return nil, err
	}
	if d.files == nil {
		d.files = map[uint64]*directory{}
	}
	d.files[f.id] = dir
	tables := make(map[string][]frameRef, len(dir.tables))
	for t, refs := range dir.tables {
		// The copy of the slice header is what keeps a later scan from being seen.
		tables[t] = refs[:len(refs):len(refs)]
	}
	return tables, nil
}

func (d *directories) forget(ids ...uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		delete(d.files, id)
	}
}

// scan notes the frames up to length. It reads only their heads: checksums are
// for those who read the rest.
func (d *directory) scan(h File, length int64, name string) error {
	const window = 16 << 10 // several heads of small frames, or one of a large
	var buf []byte
	var begin int64 // of buf in the file
	for d.scanned < length {
		at := d.scanned
		head := buf[min(int64(len(buf)), max(0, at-begin)):]
		if at < begin || len(head) < 2*maxTableName && begin+int64(len(buf)) < length {
			if cap(buf) < window {
				buf = make([]byte, window)
			}
			buf = buf[:min(window, length-at)]
			if n, err := h.ReadAt(buf, at); n < len(buf) {
				return readError(name, at, err)
			}
			begin, head = at, buf
		}
		ref, table, err := parseHead(head, at, length)
		if err != nil {
			return &DamageError{name, at, err.Error()}
		}
		d.tables[table] = append(d.tables[table], ref)
		d.scanned = at + int64(ref.size)
	}
	return nil
}

// parseHead reads the beginning of the frame at offset at.
func parseHead(head []byte, at, length int64) (ref frameRef, table string, err error) {
	if len(head) < frameHead+bodyFixed {
		return ref, "", errShort
	}
	n := int64(binary.LittleEndian.Uint32(head))
	if n > length-at-frameHead {
		return ref, "", errShort
	}
	body := head[frameHead:]
	f, err := parseFrame(body[:min(n, int64(len(body)))])
	if err != nil {
		return ref, "", err
	}
	return frameRef{at, frameHead + int(n), f.min, f.max, f.kind == kindDrop}, f.table, nil
}

func readError(name string, at int64, err error) error {
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %s at offset %d: %w", name, at, err)
}

// readFrame reads the frame at ref into buf, checks it and returns its changes.
func readFrame(h File, ref frameRef, name, table string, buf []byte) (changes, grown []byte, err error) {
	if cap(buf) < ref.size {
		buf = make([]byte, ref.size)
	}
	buf = buf[:ref.size]
	if n, err := h.ReadAt(buf, ref.at); n < ref.size {
		return nil, buf, readError(name, ref.at, err)
	}
	body, size, err := firstFrame(buf)
	if err == nil && size != ref.size {
		err = errCRC
	}
	var f frame
	if err == nil {
		f, err = parseFrame(body)
	}
	if err == nil && f.table != table {
		err = errBody
	}
	if err != nil {
		return nil, buf, &DamageError{name, ref.at, err.Error()}
	}
	return f.changes, buf, nil
}
