package changelog

import (
	"fmt"
	"io"
)

// manifestLimit is the length at which MANIFEST is rewritten.
const manifestLimit = 1 << 20

// manifestFile is the open MANIFEST. Log.writing guards it.
type manifestFile struct {
	f      File // nil: write it anew
	length int64
	base   int64 // length when it was last rewritten
	seq    uint64
	buf    []byte
}

// writeManifest commits s. REQUIRES: l.writing.
func (l *Log) writeManifest(s *state, everything bool) error {
	m := &l.manifest
	kind := byte(recordGrow)
	if everything || m.f == nil {
		kind = recordAll
	}
	if m.f == nil || m.length > m.base+manifestLimit {
		return l.rewriteManifest(s)
	}
	m.buf = appendRecord(m.buf[:0], kind, m.seq+1, s)
	_, err := m.f.WriteAt(m.buf, m.length)
	if err == nil {
		err = l.sync(m.f)
	}
	if err != nil {
		// Whether the disk has the record is unknown: begin a new file next time.
		m.f.Close()
		m.f = nil
		return fmt.Errorf("write MANIFEST: %w", err)
	}
	m.length += int64(len(m.buf))
	m.seq++
	return nil
}

// rewriteManifest replaces MANIFEST by one with a single record.
func (l *Log) rewriteManifest(s *state) error {
	m := &l.manifest
	m.buf = appendRecord(append(m.buf[:0], header(magicManifest)...), recordAll, m.seq+1, s)
	f, err := l.replace("MANIFEST", m.buf)
	if m.f != nil {
		m.f.Close()
	}
	m.f = f
	if err != nil {
		return fmt.Errorf("rewrite MANIFEST: %w", err)
	}
	m.length, m.base = int64(len(m.buf)), int64(len(m.buf))
	m.seq++
	for _, name := range l.doubtful {
		l.fs.Remove(name) // no record names it any more; Open would remove it too
	}
	l.doubtful = nil
	return nil
}

// replace writes a file beside, syncs it and puts it in the place of name.
func (l *Log) replace(name string, content []byte) (File, error) {
	tmp := l.path(name + ".tmp")
	f, err := l.fs.Create(tmp)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = l.sync(f)
	}
	if err == nil {
		err = l.settle(f, name)
	} else {
		f.Close()
	}
	if err != nil {
		l.fs.Remove(tmp)
		return nil, err
	}
	return l.fs.Open(l.path(name))
}

// settle closes the synced file name.tmp and gives it its name, durably. It is
// closed first because Windows does not rename open files.
func (l *Log) settle(f File, name string) error {
	err := f.Close()
	if err == nil {
		err = l.fs.Rename(l.path(name+".tmp"), l.path(name))
	}
	if err == nil {
		err = l.syncDir()
	}
	return err
}

// loadManifest opens MANIFEST and reads it. REQUIRES: it exists.
func (l *Log) loadManifest() (state, error) {
	f, err := l.fs.Open(l.path("MANIFEST"))
	if err != nil {
		return state{}, err
	}
	l.manifest.f = f
	b, err := readAll(f)
	if err != nil {
		return state{}, fmt.Errorf("read MANIFEST: %w", err)
	}
	s, seq, valid, err := readManifest(l.path("MANIFEST"), b)
	if err != nil {
		return state{}, err
	}
	if valid < int64(len(b)) {
		l.o.Logger.Info("a commit was cut short by a crash and did not happen", "dir", l.dir, "epoch", s.epoch, "bytes", int64(len(b))-valid)
		if err := f.Truncate(valid); err != nil {
			return state{}, fmt.Errorf("cut MANIFEST to its last whole record: %w", err)
		}
	}
	l.manifest.length, l.manifest.base, l.manifest.seq = valid, 0, seq
	return s, nil
}

func readAll(f File) ([]byte, error) {
	n, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if k, err := f.ReadAt(b, 0); int64(k) < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}
