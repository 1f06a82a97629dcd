package rowfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
)

// The source's state has an entry for each file, one for each chunk of its text,
// and the entries of the folder that watches it. The first byte tells which.
const (
	kindFile  = 'f' // then fileState as JSON
	kindChunk = 'c' // then uvarint offset, uvarint line, text compressed by s2
	kindWatch = 'w' // then the folder's key, and its value
)

// fileState is how far a file has been read.
type fileState struct {
	File    fsio.File `json:"file"`
	Offset  int64     `json:"offset"` // bytes read
	Line    int64     `json:"line"`   // lines in them
	Print   [16]byte  `json:"print"`  // fingerprint of them
	Header  []byte    `json:"header,omitempty"`
	Tail    []byte    `json:"tail,omitempty"` // a record without line end that is a row for now
	Kept    bool      `json:"kept,omitempty"` // the text read is in chunks
	First   int       `json:"first,omitempty"`
	Chunks  int       `json:"chunks,omitempty"`  // chunks [First, Chunks) have rows
	Retract bool      `json:"retract,omitempty"` // they are being retracted
	Gen     int       `json:"gen,omitempty"`     // how many files of that name there were before
	Gone    bool      `json:"gone,omitempty"`    // the file was deleted and its rows stay
	Broken  string    `json:"broken,omitempty"`  // why it cannot be read, from where it stands on
}

func (f *fileState) path() string { return f.File.Path }

func (r *reader[T]) fileKey(path string) pipeline.Key { return pipeline.KeyOf("file", path) }

func (r *reader[T]) chunkKey(path string, i int) pipeline.Key {
	return pipeline.KeyOf("chunk", path, fmt.Sprint(i))
}

func (r *reader[T]) save(f *fileState) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	r.in.Put(r.fileKey(f.path()), append([]byte{kindFile}, b...))
	return nil
}

// load reads the state of the last run.
func (r *reader[T]) load() (err error) {
	r.in.State(func(_ pipeline.Key, v []byte) bool {
		if len(v) == 0 {
			err = errState
			return false
		}
		switch v[0] {
		case kindFile:
			f := &fileState{}
			if err = json.Unmarshal(v[1:], f); err == nil {
				r.files[f.path()] = f
			}
		case kindWatch:
			if len(v) < 17 {
				err = errState
				break
			}
			r.watch.state[pipeline.KeyFromBytes([16]byte(v[1:17]))] = append([]byte{}, v[17:]...)
		}
		return err == nil
	})
	return err
}

var errState = errors.New("the saved state is not of this source")

// getter is what an Input that can look up one entry of its state has.
type getter interface {
	Get(key pipeline.Key) ([]byte, bool)
}

func (r *reader[T]) get(key pipeline.Key) (value []byte, ok bool) {
	if g, can := r.in.(getter); can {
		return g.Get(key)
	}
	r.in.State(func(k pipeline.Key, v []byte) bool {
		if k == key {
			value, ok = append([]byte{}, v...), true
		}
		return !ok
	})
	return value, ok
}

// chunk is a part of a file's text.
type chunk struct {
	offset, line int64
	text         []byte
}

func (c chunk) encode() []byte {
	b := binary.AppendUvarint([]byte{kindChunk}, uint64(c.offset))
	b = binary.AppendUvarint(b, uint64(c.line))
	return append(b, s2.Encode(nil, c.text)...)
}

func decodeChunk(b []byte) (c chunk, err error) {
	if len(b) == 0 || b[0] != kindChunk {
		return c, errState
	}
	offset, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return c, errState
	}
	line, m := binary.Uvarint(b[1+n:])
	if m <= 0 {
		return c, errState
	}
	size, err := s2.DecodedLen(b[1+n+m:])
	if err != nil || size > 2*maxRecord {
		return c, errState
	}
	c.offset, c.line = int64(offset), int64(line)
	c.text, err = s2.Decode(nil, b[1+n+m:])
	return c, err
}

// loadChunk reads a chunk that is known to be there.
func (r *reader[T]) loadChunk(f *fileState, i int) (chunk, error) {
	b, ok := r.get(r.chunkKey(f.path(), i))
	if !ok {
		return chunk{}, fmt.Errorf("%s: part %d of its text is missing from the saved state", f.path(), i)
	}
	c, err := decodeChunk(b)
	if err != nil {
		return c, fmt.Errorf("%s: part %d of its text: %w", f.path(), i, err)
	}
	return c, nil
}

// keep adds text that was read to the chunks of f: to the last one while that
// is small, so that a file which grows by lines does not get a chunk a line.
func (r *reader[T]) keep(f *fileState, offset, line int64, text []byte) error {
	if f.Chunks > f.First {
		i := f.Chunks - 1
		last, ok := r.lastChunk, r.lastOf == f.path()
		if !ok {
			var err error
			if last, err = r.loadChunk(f, i); err != nil {
				return err
			}
		}
		if last.offset+int64(len(last.text)) == offset && len(last.text)+len(text) <= blockSize/4 {
			last.text = append(last.text, text...)
			r.lastChunk, r.lastOf = last, f.path()
			r.in.Put(r.chunkKey(f.path(), i), last.encode())
			return nil
		}
	}
	c := chunk{offset, line, append([]byte{}, text...)}
	r.lastChunk, r.lastOf = c, f.path()
	r.in.Put(r.chunkKey(f.path(), f.Chunks), c.encode())
	f.Chunks++
	return nil
}
