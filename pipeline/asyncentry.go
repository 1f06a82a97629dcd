package pipeline

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/zeebo/xxh3"
)

// entry is what an asynchronous stage knows of a key. Once it is settled, which
// is how it stays as long as nothing happens, that is a hash of the row and the
// result: who takes the row back will bring it along.
type entry struct {
	status byte
	order  uint64 // the epoch of the request, while it is open
	answer uint64 // version of the row that out answers
	out    []byte // the encoded result, or the text of the failure; nil if none
	of     []byte // the row that out answers, if it is needed and no longer in in
	in     []weighted
}

// weighted is a row and how often it is there.
type weighted struct {
	n       int
	version uint64
	row     []byte // encoded; nil if the entry was settled and nothing was said of the row since
}

const (
	statusOpen        = 1 << iota // asked, not answered
	statusFailed                  // out is a failure
	statusProvisional             // out is provisional
	statusSeveral                 // several rows have the key, and the error table says so
	statusSettled                 // its one row, once, is the one that out answers
)

func (e *entry) is(status byte) bool { return e.status&status != 0 }

// version tells the rows of a key apart; never 0.
func version(row []byte) uint64 { return xxh3.Hash(row) | 1 }

// read takes e from its encoding, which it shares. The encoding is: status;
// while the request is open, its epoch; length + 1 and bytes of out (0: none),
// behind the version that it answers; and unless it is settled, the same of of,
// and of each row its weight, version, length + 1 and bytes.
func (e *entry) read(b []byte) bool {
	d := entryReader{b: b}
	*e = entry{in: e.in[:0], status: d.byte()}
	if e.is(statusOpen) {
		e.order = d.uvarint()
	}
	if e.out = d.bytes(); e.out != nil {
		e.answer = d.uint64()
	}
	if e.is(statusSettled) {
		e.in = append(e.in, weighted{n: 1, version: e.answer})
		return d.ok() && e.out != nil
	}
	e.of = d.bytes()
	for !d.bad && len(d.b) > 0 {
		e.in = append(e.in, weighted{n: d.varint(), version: d.uint64(), row: d.bytes()})
	}
	return d.ok()
}

func (e *entry) append(b []byte) []byte {
	e.settle()
	b = append(b, e.status)
	if e.is(statusOpen) {
		b = binary.AppendUvarint(b, e.order)
	}
	if b = appendOptional(b, e.out); e.out != nil {
		b = binary.LittleEndian.AppendUint64(b, e.answer)
	}
	if e.is(statusSettled) {
		return b
	}
	b = appendOptional(b, e.of)
	for _, in := range e.in {
		b = binary.AppendVarint(b, int64(in.n))
		b = binary.LittleEndian.AppendUint64(b, in.version)
		b = appendOptional(b, in.row)
	}
	return b
}

func appendOptional(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(v))+1), v...)
}

// settle notes whether the entry is settled.
func (e *entry) settle() {
	e.status &^= statusSettled
	if !e.is(statusOpen|statusProvisional) && len(e.in) == 1 && e.in[0].n == 1 && e.answers(&e.in[0]) {
		e.status |= statusSettled
	}
}

// answers reports whether out is what became of the row.
func (e *entry) answers(in *weighted) bool { return e.out != nil && e.answer == in.version }

// row returns the row that counts: the only one there is, or of several the one
// that has been answered, or else the first by its bytes; nil if there is none.
func (e *entry) row() (row *weighted, several bool) {
	for i := range e.in {
		switch in := &e.in[i]; {
		case in.n <= 0:
		case row == nil:
			row = in
		default:
			several = true
			if !e.answers(row) && (e.answers(in) || bytes.Compare(in.row, row.row) < 0) {
				row = in
			}
		}
	}
	return row, several
}

// find returns the row of a version, nil if the entry does not have it.
func (e *entry) find(version uint64) *weighted {
	for i := range e.in {
		if e.in[i].version == version {
			return &e.in[i]
		}
	}
	return nil
}

// change adds n to the weight of a row. If keep is true, the row that a result
// belongs to is kept until the result goes.
func (e *entry) change(row []byte, n int, keep bool) {
	if row == nil {
		row = []byte{} // nil would say that it is not known
	}
	v := version(row)
	in := e.find(v)
	if in == nil {
		e.in = append(e.in, weighted{n, v, row})
		return
	}
	in.row = row
	if in.n += n; in.n != 0 {
		return
	}
	if keep && e.answers(in) && !e.is(statusFailed) {
		e.of = row
	}
	e.in = slices.DeleteFunc(e.in, func(in weighted) bool { return in.n == 0 })
}

// answeredRow returns the row that out answers, nil if it is not known.
func (e *entry) answeredRow() []byte {
	if in := e.find(e.answer); in != nil && in.row != nil {
		return in.row
	}
	return e.of
}

// entryReader reads the parts of an encoded entry.
type entryReader struct {
	b   []byte
	bad bool
}

func (d *entryReader) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *entryReader) byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *entryReader) uint64() uint64 {
	if v := d.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (d *entryReader) uvarint() uint64 {
	v, w := binary.Uvarint(d.b)
	if w <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[w:]
	return v
}

func (d *entryReader) varint() int {
	v, w := binary.Varint(d.b)
	if w <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[w:]
	return int(v)
}

// bytes reads what appendOptional wrote.
func (d *entryReader) bytes() []byte {
	n := d.uvarint()
	if n == 0 {
		return nil
	}
	return d.take(n - 1)
}

// ok reports whether everything could be read.
func (d *entryReader) ok() bool { return !d.bad && len(d.b) == 0 }
