package rowfile

import (
	"io"

	"github.com/zeebo/xxh3"
)

const (
	fullPrint = 1 << 20  // up to this length all of it counts
	edgePrint = 64 << 10 // beyond, so much of its beginning and end
)

// fingerprint recognises a text by what was read of it, while it grows.
type fingerprint struct {
	n    int64
	head []byte       // the first edgePrint bytes
	tail []byte       // the last ones: at least edgePrint, if there are as many
	full *xxh3.Hasher // nil beyond fullPrint
}

func newFingerprint() *fingerprint { return &fingerprint{full: xxh3.New()} }

// add takes the next bytes of the text.
func (f *fingerprint) add(b []byte) {
	f.n += int64(len(b))
	if f.full != nil {
		if f.n <= fullPrint {
			f.full.Write(b)
		} else {
			f.full = nil
		}
	}
	f.head = append(f.head, b[:min(len(b), edgePrint-len(f.head))]...)
	if len(b) >= edgePrint {
		f.tail = append(f.tail[:0], b[len(b)-edgePrint:]...)
		return
	}
	if f.tail = append(f.tail, b...); len(f.tail) > 4*edgePrint {
		f.tail = append(f.tail[:0], f.tail[len(f.tail)-edgePrint:]...)
	}
}

// sum returns the fingerprint of the text so far.
func (f *fingerprint) sum() (s [16]byte) {
	if f.full != nil {
		return f.full.Sum128().Bytes()
	}
	h := xxh3.New()
	h.Write(f.head)
	h.Write(f.tail[max(0, len(f.tail)-edgePrint):])
	return h.Sum128().Bytes()
}

// printOf takes the fingerprint of the first n bytes of r; io.EOF if there are
// fewer.
func printOf(r io.ReaderAt, n int64) (*fingerprint, error) {
	f := newFingerprint()
	if n > fullPrint {
		f.full, f.n = nil, n
		f.head, f.tail = make([]byte, edgePrint), make([]byte, edgePrint)
		if _, err := r.ReadAt(f.head, 0); err != nil {
			return nil, err
		}
		// ReadAt may say io.EOF with a whole read that ends at the end.
		if k, err := r.ReadAt(f.tail, n-edgePrint); k < edgePrint {
			return nil, err
		}
		return f, nil
	}
	b := make([]byte, n)
	if k, err := r.ReadAt(b, 0); int64(k) < n {
		return nil, err
	}
	f.add(b)
	return f, nil
}
