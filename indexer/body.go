package indexer

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ragserver/ragserver/internal/durable"
)

// The body of a document that was put is a file that tells whose it is, so that
// no upload is lost with the engine's state: the length of a description as
// 32 bits, big-endian, the description as JSON, and the bytes.
type description struct {
	Path, Title, Fields, Owner string
	Created, Modified, Seen    time.Time
}

const (
	bodyHead = 4
	// maxDescription bounds what is read into memory of a file that may be any.
	maxDescription = 64 << 20
	// unfinished is how the name of a body ends that is being written: only
	// whole ones have their name, so that none that was cut off counts.
	unfinished = ".part"
)

// writeBody makes a body durable under path and returns its size.
func writeBody(path string, d description, r io.Reader) (size int64, err error) {
	text, err := json.Marshal(d)
	if err != nil {
		return 0, err
	}
	if len(text) > maxDescription {
		return 0, fmt.Errorf("its metadata has %d bytes, more than %d", len(text), maxDescription)
	}
	part := path + unfinished
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	if err == nil {
		size, err = io.Copy(f, r)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(part))
	}
	return size, durable.SyncDir(filepath.Dir(path))
}

// openBody returns the description and the bytes of a body file.
func openBody(path string) (f *os.File, text []byte, body *io.SectionReader, err error) {
	f, err = os.Open(path)
	if err != nil {
		return nil, nil, nil, err
	}
	text, body, err = divide(f)
	if err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("%s is not as it was written: %w", path, err), f.Close())
	}
	return f, text, body, nil
}

func divide(f *os.File) (text []byte, body *io.SectionReader, err error) {
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	var head [bodyHead]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if rest := st.Size() - bodyHead; n > maxDescription || n > rest {
		return nil, nil, fmt.Errorf("a description of %d bytes in %d", n, rest)
	}
	text = make([]byte, n)
	if _, err := f.ReadAt(text, bodyHead); err != nil {
		return nil, nil, err
	}
	return text, io.NewSectionReader(f, bodyHead+n, st.Size()-bodyHead-n), nil
}

// describeBody returns what a body file tells of its document.
func describeBody(path string) (d description, size int64, err error) {
	f, text, body, err := openBody(path)
	if err != nil {
		return d, 0, err
	}
	defer f.Close()
	if err := json.Unmarshal(text, &d); err != nil {
		return d, 0, fmt.Errorf("the description in %s: %w", path, err)
	}
	return d, body.Size(), nil
}
