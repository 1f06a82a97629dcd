package changelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	headerLen    = 16
	formatNow    = 1
	frameHead    = 8         // length and CRC
	frameTarget  = 256 << 10 // a writer closes a frame at this size
	maxFrame     = 1 << 30
	kindChanges  = 1
	kindDrop     = 2
	bodyFixed    = 1 + 8 + 2 // kind, epoch, shards
	maxTableName = 1 << 12
)

const (
	magicManifest = "ragsmani"
	magicLog      = "ragslog\x00"
	magicRun      = "ragsrun\x00"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DamageError says that a committed file is not what was written.
type DamageError struct {
	File   string
	Offset int64
	What   string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d: %s; restore the directory from a backup, or empty it together with what its sinks hold, so that everything is read and computed again",
		e.File, e.Offset, e.What)
}

func header(magic string) []byte {
	b := append(make([]byte, 0, headerLen), magic...)
	b = binary.LittleEndian.AppendUint32(b, formatNow)
	return binary.LittleEndian.AppendUint32(b, 0)
}

// checkHeader judges the first bytes of a file.
func checkHeader(file string, b []byte, magic string) error {
	if len(b) < headerLen || string(b[:8]) != magic {
		return &DamageError{file, 0, "it does not begin as such a file does"}
	}
	if v := binary.LittleEndian.Uint64(b[8:]); v != formatNow {
		return fmt.Errorf("%s has format version %d, this program knows %d: use the program that wrote it, or delete the directory so that everything is read again", file, v, formatNow)
	}
	return nil
}

// seal fills in the first eight bytes of a frame whose body is complete.
func seal(frame []byte) {
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-frameHead))
	crc := crc32.Update(0, castagnoli, frame[:4])
	binary.LittleEndian.PutUint32(frame[4:], crc32.Update(crc, castagnoli, frame[frameHead:]))
}

var (
	errShort = errors.New("it ends inside a frame")
	errCRC   = errors.New("checksum mismatch")
	errBody  = errors.New("a frame with a right checksum but a wrong content")
)

// firstFrame returns the body of the frame that b begins with, and how many
// bytes the frame takes.
func firstFrame(b []byte) (body []byte, size int, err error) {
	if len(b) < frameHead {
		return nil, 0, errShort
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-frameHead) {
		return nil, 0, errShort
	}
	body = b[frameHead : frameHead+int(n)]
	crc := crc32.Update(0, castagnoli, b[:4])
	if n < bodyFixed || crc32.Update(crc, castagnoli, body) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0, errCRC
	}
	return body, frameHead + int(n), nil
}

// frame is the decoded head of a frame's body.
type frame struct {
	kind     byte
	epoch    uint64
	min, max uint8 // shards
	table    string
	changes  []byte
}

// parseFrame reads a frame's head. It has a checksum of its own, for the head is
// what decides whether the rest is read.
func parseFrame(body []byte) (f frame, err error) {
	if len(body) < bodyFixed {
		return f, errBody
	}
	f.kind, f.epoch = body[0], binary.LittleEndian.Uint64(body[1:])
	f.min, f.max = body[9], body[10]
	table, rest, ok := cut(body[bodyFixed:])
	if !ok || len(table) > maxTableName || len(rest) < 4 {
		return f, errBody
	}
	if crc32.Checksum(body[:len(body)-len(rest)], castagnoli) != binary.LittleEndian.Uint32(rest) {
		return f, errCRC
	}
	if f.kind != kindChanges && f.kind != kindDrop {
		return f, errBody
	}
	f.table, f.changes = string(table), rest[4:]
	return f, nil
}

// cut takes a length-prefixed text off b.
func cut(b []byte) (text, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// change is one record of a frame. Its slices point into the frame.
type change struct {
	shard      uint8
	deleted    bool
	key, value []byte
}

// next takes the first change off b.
func next(b []byte) (c change, rest []byte, err error) {
	if len(b) < 2 {
		return c, nil, errBody
	}
	c.shard = b[0]
	n, w := binary.Uvarint(b[1:])
	if w <= 0 || n>>1 > uint64(len(b)-1-w) {
		return c, nil, errBody
	}
	at := 1 + w
	c.key, c.deleted = b[at:at+int(n>>1)], n&1 == 1
	at += int(n >> 1)
	if c.deleted {
		return c, b[at:], nil
	}
	var ok bool
	if c.value, rest, ok = cut(b[at:]); !ok {
		return c, nil, errBody
	}
	return c, rest, nil
}

func appendChange(b []byte, c change) []byte {
	b = append(b, c.shard)
	if c.deleted {
		b = binary.AppendUvarint(b, uint64(len(c.key))<<1|1)
		return append(b, c.key...)
	}
	b = binary.AppendUvarint(b, uint64(len(c.key))<<1)
	b = append(b, c.key...)
	b = binary.AppendUvarint(b, uint64(len(c.value)))
	return append(b, c.value...)
}

// beginFrame appends the head of a frame for table; setBounds and seal finish it.
func beginFrame(b []byte, kind byte, table string) []byte {
	b = append(b, make([]byte, frameHead)...)
	b = append(b, kind)
	b = append(b, make([]byte, 10)...) // epoch and shards
	b = binary.AppendUvarint(b, uint64(len(table)))
	b = append(b, table...)
	return append(b, 0, 0, 0, 0) // checksum of the head
}

// setBounds completes the head of a frame that beginFrame has begun.
func setBounds(frame []byte, epoch uint64, lowest, highest uint8) {
	body := frame[frameHead:]
	binary.LittleEndian.PutUint64(body[1:], epoch)
	body[9], body[10] = lowest, highest
	_, rest, _ := cut(body[bodyFixed:])
	end := len(body) - len(rest)
	binary.LittleEndian.PutUint32(body[end:], crc32.Checksum(body[:end], castagnoli))
}
