package changelog

import (
	"bytes"
	"io"
	"testing"
)

// memFile is a file for reading only.
type memFile struct{ *bytes.Reader }

func (memFile) WriteAt([]byte, int64) (int, error) { return 0, io.ErrShortWrite }
func (m memFile) Size() (int64, error)             { return m.Reader.Size(), nil }
func (memFile) Truncate(int64) error               { return nil }
func (memFile) Sync() error                        { return nil }
func (memFile) Close() error                       { return nil }

// aLog returns the frames of a log: two tables, a drop, a tombstone.
func aLog() []byte {
	b := header(magicLog)
	add := func(kind byte, table string, cs ...change) {
		f := beginFrame(nil, kind, table)
		for _, c := range cs {
			f = appendChange(f, c)
		}
		setBounds(f, 7, 0, 255)
		seal(f)
		b = append(b, f...)
	}
	add(kindChanges, "a", change{shard: 1, key: []byte("k"), value: []byte("v")}, change{shard: 0, key: []byte("gone"), deleted: true})
	add(kindDrop, "b")
	add(kindChanges, "b", change{shard: 9})
	return b
}

// FuzzFrames reads any bytes as a log. Checksums are put right, so that what
// is behind them is reached.
func FuzzFrames(f *testing.F) {
	f.Add(aLog(), true)
	f.Add(aLog()[:60], true)
	f.Add([]byte{}, false)
	f.Add(append(header(magicLog), make([]byte, 100)...), true)
	f.Fuzz(func(t *testing.T, b []byte, repair bool) {
		if repair {
			for at := headerLen; at+frameHead < len(b); {
				n := min(int(b[at])|int(b[at+1])<<8, len(b)-at-frameHead)
				b[at], b[at+1], b[at+2], b[at+3] = byte(n), byte(n>>8), byte(n>>16), 0
				if body := b[at+frameHead : at+frameHead+n]; len(body) > bodyFixed {
					if _, rest, ok := cut(body[bodyFixed:]); ok && len(rest) >= 4 {
						setBounds(b[at:at+frameHead+n], 7, body[9], body[10])
					}
				}
				seal(b[at : at+frameHead+n])
				at += frameHead + n
			}
		}
		var d directories
		o := openedFile{file: file{id: 1, kind: kindLog, length: int64(len(b))}, h: memFile{bytes.NewReader(b)}, name: "log"}
		tables, err := d.tables(o.h, o.file, o.name)
		if err != nil {
			return
		}
		o.tables = tables
		var all [256]bool
		for s := range all {
			all[s] = true
		}
		for table := range tables {
			for _, kind := range []byte{kindLog, kindRun} {
				o.kind = kind
				cs, _, err := openedFiles{o}.cursors(table, &all)
				if err != nil {
					continue
				}
				n := 0
				_ = merge(cs, func(c change) error { n += 2 + len(c.key) + len(c.value); return nil })
				if n > 2*len(b) {
					t.Fatalf("%d bytes of changes from %d bytes of log", n, len(b))
				}
			}
		}
	})
}

// FuzzManifest reads any bytes as MANIFEST; what is accepted must be written
// and read again as the same.
func FuzzManifest(f *testing.F) {
	s := state{epoch: 3, meta: []byte("meta"), nextID: 9, tables: []string{"a", "b"},
		files: []file{{1, kindRun, 99}, {8, kindLog, 77}}}
	b := appendRecord(header(magicManifest), recordAll, 1, &s)
	f.Add(b, true)
	f.Add(appendRecord(b, recordGrow, 2, &s), false)
	f.Add(appendRecord(b, recordGrow, 3, &s), true)
	f.Add(append(b, 1, 2, 3), false)
	f.Fuzz(func(t *testing.T, b []byte, repair bool) {
		if repair && len(b) > headerLen+frameHead && len(b) < 1<<16 {
			b[headerLen], b[headerLen+1], b[headerLen+2], b[headerLen+3] = 0, 0, 0, 0
			seal(b[headerLen:])
		}
		s, seq, valid, err := readManifest("MANIFEST", b)
		if err != nil {
			return
		}
		if valid > int64(len(b)) {
			t.Fatalf("%d of %d bytes are valid", valid, len(b))
		}
		again, seq2, _, err := readManifest("MANIFEST", appendRecord(header(magicManifest), recordAll, seq, &s))
		if err != nil || seq2 != seq || again.epoch != s.epoch || again.nextID != s.nextID ||
			len(again.files) != len(s.files) || len(again.tables) != len(s.tables) || !bytes.Equal(again.meta, s.meta) {
			t.Fatalf("%+v was read again as %+v, %v", s, again, err)
		}
	})
}
