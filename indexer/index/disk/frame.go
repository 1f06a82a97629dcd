package disk

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"math/rand/v2"
)

const (
	fileHead  = 64
	frameMark = 0x52464752
	// FrameHead is the size of a frame's head: a payload starts so many bytes
	// after its frame.
	FrameHead = 48
	// FrameID is where in a frame its id is.
	FrameID = 16
	// FirstFrame is the offset of the first frame of a file.
	FirstFrame = fileHead
	// MaxPayload bounds a payload.
	MaxPayload = 1<<30 - 1
)

// Frame is an entry of a log. The rest of a payload to be written may be given as
// a string, so that a large text is not copied; one that is read is in Payload.
type Frame struct {
	Kind    uint32
	ID      [16]byte
	Time    int64 // Unix nanoseconds
	Payload []byte
	Tail    string // of the payload
}

// length is that of the payload.
func (f *Frame) length() int { return len(f.Payload) + len(f.Tail) }

// tail yields the bytes of Tail, piece by piece; a piece is valid until the next.
func (f *Frame) tail() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var buf []byte
		for s := f.Tail; s != ""; {
			n := min(len(s), pieceSize)
			buf = append(buf[:0], s[:n]...)
			if s = s[n:]; !yield(buf) {
				return
			}
		}
	}
}

// pieceSize is how much of a large payload is written at once.
const pieceSize = 1 << 20

// FrameSize is how many bytes a frame with so long a payload takes.
func FrameSize(payload int) int64 { return FrameHead + int64(payload+15)&^15 }

var padding [16]byte

func pad(n int) []byte { return padding[:-n&15] }

// header encodes the head of f, for a commit that began at base in a file of
// that salt.
func (f *Frame) header(base int64, salt uint32) (h [FrameHead]byte) {
	le := binary.LittleEndian
	le.PutUint32(h[0:], frameMark)
	le.PutUint32(h[8:], uint32(f.length()))
	le.PutUint32(h[12:], f.Kind)
	copy(h[16:], f.ID[:])
	le.PutUint64(h[32:], uint64(f.Time))
	le.PutUint64(h[40:], uint64(base))
	c := crc32.Update(salt, castagnoli, h[8:])
	c = crc32.Update(c, castagnoli, f.Payload)
	for b := range f.tail() {
		c = crc32.Update(c, castagnoli, b)
	}
	c = crc32.Update(c, castagnoli, pad(f.length()))
	le.PutUint32(h[4:], c)
	return h
}

func fileHeader(log string, number uint64, salt uint32) []byte {
	h := make([]byte, fileHead)
	copy(h, "RAGSLOG1")
	binary.LittleEndian.PutUint64(h[8:], number)
	copy(h[16:32], log)
	binary.LittleEndian.PutUint32(h[32:], salt)
	binary.LittleEndian.PutUint32(h[60:], crc32.Checksum(h[:60], castagnoli))
	return h
}

// errTorn marks a frame that is not whole.
var errTorn = errors.New("torn")

// frameAt reads the frame at offset at of size bytes. buf is reused for the
// payload. The error is errTorn, with what is wrong, or one of reading.
func frameAt(r io.ReaderAt, salt uint32, at, size int64, buf []byte) (f Frame, base int64, err error) {
	var h [FrameHead]byte
	if size-at < FrameHead {
		return f, 0, fmt.Errorf("%w: %d bytes are too few for a frame", errTorn, size-at)
	}
	if _, err := r.ReadAt(h[:], at); err != nil {
		return f, 0, err
	}
	le := binary.LittleEndian
	if le.Uint32(h[:]) != frameMark {
		return f, 0, fmt.Errorf("%w: no frame starts here", errTorn)
	}
	n := int64(le.Uint32(h[8:]))
	if n > MaxPayload || FrameSize(int(n)) > size-at {
		return f, 0, fmt.Errorf("%w: a payload of %d bytes does not fit the file", errTorn, n)
	}
	padded := int(FrameSize(int(n)) - FrameHead)
	if cap(buf) < padded {
		buf = make([]byte, max(padded, min(2*cap(buf), MaxPayload)))
	}
	buf = buf[:padded]
	if _, err := r.ReadAt(buf, at+FrameHead); err != nil && !(errors.Is(err, io.EOF) && padded == 0) {
		return f, 0, err
	}
	c := crc32.Update(crc32.Update(salt, castagnoli, h[8:]), castagnoli, buf)
	if c != le.Uint32(h[4:]) {
		return f, 0, fmt.Errorf("%w: the checksum does not match", errTorn)
	}
	f = Frame{Kind: le.Uint32(h[12:]), ID: [16]byte(h[16:32]), Time: int64(le.Uint64(h[32:])), Payload: buf[:n]}
	return f, int64(le.Uint64(h[40:])), nil
}

// Scan reads a log file from offset from, 0 for the first frame, calls visit for each frame with the
// offset it starts at, and returns where the good frames end. A frame's payload
// is valid during the call only. In the last file of a log, a torn commit at
// the end is no error; a head that was not written whole makes good 0.
func Scan(r io.ReaderAt, size int64, log string, number uint64, last bool, from int64, visit func(at int64, f Frame) error) (good int64, err error) {
	name := FileName(log, number)
	var h [fileHead]byte
	if _, err := r.ReadAt(h[:min(size, fileHead)], 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("reading %s: %w", name, err)
	}
	salt := binary.LittleEndian.Uint32(h[32:])
	if want := fileHeader(log, number, salt); !bytes.Equal(h[:], want) {
		if last && (size <= fileHead || laterCommit(r, salt, fileHead, size, 0) < 0) {
			return 0, nil
		}
		if bytes.Equal(h[:7], want[:7]) && h[7] != want[7] {
			return 0, &Damage{name, 0, fmt.Sprintf("it has format %q and this program reads %q", h[:8], want[:8])}
		}
		return 0, &Damage{name, 0, "its head is not that of " + name}
	}
	at := max(from, fileHead)
	if at > size {
		return size, &Damage{name, size, fmt.Sprintf("it ends here and had %d bytes", at)}
	}
	sr := &windowReader{r: r, size: size}
	var buf []byte
	for at < size {
		f, base, err := frameAt(sr, salt, at, size, buf)
		if err == nil && (base > at || base < fileHead) {
			err = fmt.Errorf("%w: its commit cannot begin at %d", errTorn, base)
		}
		if errors.Is(err, errTorn) {
			if !last {
				return at, &Damage{name, at, err.Error()}
			}
			if p := laterCommit(r, salt, at, size, at); p >= 0 {
				return at, &Damage{name, at, fmt.Sprintf("%v, and a later commit at byte %d is whole", err, p)}
			}
			return at, nil
		}
		if err != nil {
			return at, fmt.Errorf("reading %s at byte %d: %w", name, at, err)
		}
		buf = f.Payload[:0]
		if err := visit(at, f); err != nil {
			return at, err
		}
		at += FrameSize(len(f.Payload))
	}
	return at, nil
}

// laterCommit looks from offset at for a good frame whose commit began after
// bad, and returns its offset, or -1. The salt keeps bytes that were stored as a
// payload from looking like one. Its work is bounded by a few times size.
func laterCommit(r io.ReaderAt, salt uint32, at, size, bad int64) int64 {
	sr := &windowReader{r: r, size: size}
	var mark [4]byte
	for work := 4 * size; at+FrameHead <= size && work > 0; at += 16 {
		if _, err := sr.ReadAt(mark[:], at); err != nil || binary.LittleEndian.Uint32(mark[:]) != frameMark {
			continue
		}
		f, base, err := frameAt(r, salt, at, size, nil)
		work -= FrameSize(len(f.Payload))
		if errors.Is(err, errTorn) {
			work -= size / 1000
		} else if err == nil && base > bad && base <= at {
			return at
		}
	}
	return -1
}

// windowReader reads ahead, for readers that go forward.
type windowReader struct {
	r     io.ReaderAt
	size  int64
	buf   []byte
	first int64
}

func (w *windowReader) ReadAt(p []byte, at int64) (int, error) {
	if at < w.first || at+int64(len(p)) > w.first+int64(len(w.buf)) {
		if len(p) > 1<<19 {
			return w.r.ReadAt(p, at)
		}
		if w.buf == nil {
			w.buf = make([]byte, 0, min(1<<20, max(w.size, 1)))
		}
		n := min(int64(cap(w.buf)), w.size-at)
		if n < int64(len(p)) {
			return 0, io.ErrUnexpectedEOF
		}
		w.buf = w.buf[:n]
		if m, err := w.r.ReadAt(w.buf, at); int64(m) < n {
			w.buf = w.buf[:0]
			return 0, errors.Join(err, io.ErrUnexpectedEOF)
		}
		w.first = at
	}
	return copy(p, w.buf[at-w.first:]), nil
}

func saltOf(head []byte) uint32 { return binary.LittleEndian.Uint32(head[32:]) }

// WriteFrames writes a file of frames, whole or not at all, under the name
// FileName(log, number). Scan reads it.
func WriteFrames(fs FS, log string, number uint64, produce func(emit func(Frame) error) error) error {
	salt := rand.Uint32()
	return WriteFile(fs, FileName(log, number), func(w io.Writer) error {
		bw := bufio.NewWriterSize(w, 1<<20)
		if _, err := bw.Write(fileHeader(log, number, salt)); err != nil {
			return err
		}
		err := produce(func(f Frame) error {
			h := f.header(fileHead, salt)
			_, err := bw.Write(h[:])
			if err == nil {
				_, err = bw.Write(f.Payload)
			}
			if err == nil {
				_, err = bw.WriteString(f.Tail)
			}
			if err == nil {
				_, err = bw.Write(pad(f.length()))
			}
			return err
		})
		if err != nil {
			return err
		}
		return bw.Flush()
	})
}

// ReadFrames reads a file that WriteFrames wrote.
func ReadFrames(fs FS, log string, number uint64, visit func(Frame) error) error {
	f, err := fs.Open(FileName(log, number))
	if err != nil {
		return &Damage{FileName(log, number), -1, err.Error()}
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	_, err = Scan(f, size, log, number, false, 0, func(_ int64, f Frame) error { return visit(f) })
	return err
}
