package changelog

import (
	"encoding/binary"
	"errors"
	"slices"
)

const (
	kindLog = 1
	kindRun = 2

	recordAll  = 1
	recordGrow = 2
)

// file is a log or a run as MANIFEST has it: what counts of it is length bytes.
type file struct {
	id     uint64
	kind   byte
	length int64
}

// state is what MANIFEST says: all that is committed.
type state struct {
	epoch  uint64
	meta   []byte
	nextID uint64
	files  []file   // oldest first
	tables []string // sorted
}

func (s *state) clone() state {
	c := *s
	c.files, c.tables = slices.Clone(s.files), slices.Clone(s.tables)
	return c
}

func appendRecord(b []byte, kind byte, seq uint64, s *state) []byte {
	at := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint64(b, seq)
	b = binary.LittleEndian.AppendUint64(b, s.epoch)
	if kind == recordGrow {
		b = binary.AppendUvarint(b, uint64(s.lastLength()))
	} else {
		b = binary.AppendUvarint(b, s.nextID)
		b = binary.AppendUvarint(b, uint64(len(s.files)))
		for _, f := range s.files {
			b = append(binary.AppendUvarint(b, f.id), f.kind)
			b = binary.AppendUvarint(b, uint64(f.length))
		}
		b = binary.AppendUvarint(b, uint64(len(s.tables)))
		for _, t := range s.tables {
			b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
		}
	}
	b = append(b, s.meta...)
	seal(b[at:])
	return b
}

func (s *state) lastLength() int64 {
	if len(s.files) == 0 {
		return 0
	}
	return s.files[len(s.files)-1].length
}

// apply reads one record's body into s. meta points into body.
func (s *state) apply(body []byte) (seq uint64, err error) {
	if len(body) < 17 {
		return 0, errBody
	}
	d := decoder{b: body[17:]}
	seq = binary.LittleEndian.Uint64(body[1:])
	epoch := binary.LittleEndian.Uint64(body[9:])
	switch body[0] {
	case recordGrow:
		n := d.length()
		if d.err != nil || len(s.files) == 0 && n != 0 {
			return 0, errBody
		}
		if len(s.files) > 0 {
			s.files[len(s.files)-1].length = n
		}
	case recordAll:
		next, files, tables := d.everything()
		if d.err != nil {
			return 0, errBody
		}
		s.nextID, s.files, s.tables = next, files, tables
	default:
		return 0, errBody
	}
	s.epoch, s.meta = epoch, d.b
	return seq, nil
}

func (d *decoder) everything() (nextID uint64, files []file, tables []string) {
	nextID = d.uvarint()
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		f := file{id: d.uvarint(), kind: d.byte(), length: d.length()}
		if f.kind != kindLog && f.kind != kindRun || f.id >= nextID || f.length < headerLen {
			d.err = errBody
		}
		files = append(files, f)
	}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		tables = append(tables, string(d.text()))
	}
	return nextID, files, tables
}

// decoder takes values off b until one is missing.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || d.err != nil {
		d.err = errBody
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) length() int64 {
	v := d.uvarint()
	if v > 1<<62 {
		d.err = errBody
	}
	return int64(v)
}

func (d *decoder) byte() byte {
	if d.err != nil || len(d.b) == 0 {
		d.err = errBody
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) text() []byte {
	t, rest, ok := cut(d.b)
	if !ok || d.err != nil {
		d.err = errBody
		return nil
	}
	d.b = rest
	return t
}

// readManifest returns what the last whole record says, its sequence number,
// and how many bytes of b are whole records. A record that is not whole ends the reading if
// nothing whole follows it; otherwise it is damage, for a record is only
// written when those before it are safe.
func readManifest(name string, b []byte) (s state, seq uint64, valid int64, err error) {
	if err := checkHeader(name, b, magicManifest); err != nil {
		return s, 0, 0, err
	}
	at := headerLen
	for at < len(b) {
		body, size, err := firstFrame(b[at:])
		if err != nil {
			if at == headerLen || wholeRecordAfter(b[at+1:], seq) {
				return s, 0, 0, &DamageError{name, int64(at), err.Error()}
			}
			break
		}
		n, err := s.apply(body)
		if err == nil && at > headerLen && n != seq+1 {
			err = errors.New("a record is missing or stands in the wrong place")
		}
		if err != nil {
			return s, 0, 0, &DamageError{name, int64(at), err.Error()}
		}
		seq, at = n, at+size
	}
	if at == headerLen {
		return s, 0, 0, &DamageError{name, int64(at), "it has no record"}
	}
	s.meta = slices.Clone(s.meta)
	return s, seq, int64(at), nil
}

// wholeRecordAfter looks for a record with a later sequence number anywhere in
// b. The cheap tests come first, so that garbage costs no checksums.
func wholeRecordAfter(b []byte, seq uint64) bool {
	for i := 0; i+frameHead+17 <= len(b); i++ {
		kind := b[i+frameHead]
		n := binary.LittleEndian.Uint64(b[i+frameHead+1:])
		if kind != recordAll && kind != recordGrow || n <= seq || n-seq > 1<<24 {
			continue
		}
		if _, _, err := firstFrame(b[i:]); err == nil {
			return true
		}
	}
	return false
}
