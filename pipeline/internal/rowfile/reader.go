package rowfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/fsio"
)

// reader is one run of a source. All of it belongs to Run's goroutine.
type reader[T any] struct {
	s        *Source[T]
	in       pipeline.Input[T]
	folder   *fsio.Folder
	watch    *watch
	keepText bool

	files   map[string]*fileState
	tails   map[string]time.Time // files that end without line end, and when that counts
	waiting map[string][]byte    // that end

	rows, bytes int // in the open group
	dirty       bool

	lastChunk chunk  // the last chunk of the file lastOf
	lastOf    string // "" if there is none at hand
	skipped   int    // records of the present file that had no end
}

// isFile reports whether a path names a file. One that does not exist may still
// come if its name looks like a file's and its folder is there.
func isFile(path string) (bool, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if parent, e := os.Stat(filepath.Dir(path)); e == nil && parent.IsDir() && filepath.Ext(path) != "" {
			return true, nil
		}
		return false, errMissing
	}
	return err == nil && !fi.IsDir(), err
}

var errMissing = errors.New("it does not exist; create it or correct the path")

// take reads what the folder found, as one group if it is not too long.
func (r *reader[T]) take(ctx context.Context, found found) error {
	gone := map[pipeline.Key]bool{}
	for _, k := range found.gone {
		gone[k] = true
	}
	if len(gone) > 0 {
		for _, f := range r.files {
			if f.Gone || !gone[f.File.Key()] {
				continue
			}
			if err := r.deleted(ctx, f); err != nil {
				return err
			}
		}
	}
	for _, file := range found.files {
		if err := r.changed(ctx, file); err != nil {
			return err
		}
	}
	for _, e := range found.state {
		key := pipeline.KeyOf("watch", e.key.String())
		if e.drop {
			r.in.Drop(key)
			continue
		}
		k := e.key.Bytes()
		r.in.Put(key, append(append([]byte{kindWatch}, k[:]...), e.value...))
	}
	for _, f := range found.fails {
		r.in.Fail(f.where, f.err)
	}
	r.dirty = true
	return r.commit(ctx)
}

// commit ends the group, if there is anything in it.
func (r *reader[T]) commit(ctx context.Context) error {
	if !r.dirty {
		return nil
	}
	r.dirty, r.rows, r.bytes = false, 0, 0
	return r.in.Commit(ctx, nil)
}

// full ends the group if it is long enough. State is saved before.
func (r *reader[T]) full(ctx context.Context, f *fileState) error {
	if r.rows < groupRows && r.bytes < groupBytes {
		return nil
	}
	if err := r.save(f); err != nil {
		return err
	}
	return r.commit(ctx)
}

// resume goes on with retractions that a crash has cut short.
func (r *reader[T]) resume(ctx context.Context) error {
	for _, f := range r.files {
		if !f.Retract {
			continue
		}
		if err := r.retract(ctx, f); err != nil {
			return err
		}
		f.File.Size = -1 // what the file holds now is still to be read
		if err := r.save(f); err != nil {
			return err
		}
	}
	return r.commit(ctx)
}

// unfinished reports that not all was read of a file that its row speaks of.
func (f *fileState) unfinished() bool {
	return f.Broken == "" && f.File.Problem == "" && f.Offset+int64(len(f.Tail)) < f.File.Size
}

// deleted retracts the rows of a file that is gone.
func (r *reader[T]) deleted(ctx context.Context, f *fileState) error {
	delete(r.tails, f.path())
	switch {
	case f.Kept || f.Offset == 0 && len(f.Tail) == 0:
		if err := r.retract(ctx, f); err != nil {
			return err
		}
		delete(r.files, f.path())
		r.in.Drop(r.fileKey(f.path()))
	case r.s.Options.AppendOnly:
		f.Gone = true
		if err := r.save(f); err != nil {
			return err
		}
	default:
		return r.notKept(f, "deleted")
	}
	r.dirty = true
	return nil
}

func (r *reader[T]) notKept(f *fileState, what string) error {
	return fmt.Errorf("%s was %s since it was read, and its rows cannot be taken back because they were not kept (static mode does not); delete the state and read everything again, or have rows kept (option Keep)",
		r.abs(f.path()), what)
}

func (r *reader[T]) abs(path string) string {
	return filepath.Join(r.folder.Dir(), filepath.FromSlash(path))
}

// changed reads what is new in a file.
func (r *reader[T]) changed(ctx context.Context, file fsio.File) error {
	f := r.files[file.Path]
	if f == nil {
		f = &fileState{Kept: r.keepText}
		r.files[file.Path] = f
	}
	before := f.File
	f.File = file
	delete(r.tails, file.Path)
	if file.Problem != "" {
		r.dirty = true
		return r.save(f)
	}
	h, err := r.folder.Open(file.Path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // its deletion is on the way
			r.in.Fail(r.abs(file.Path), err)
		}
		f.File.Size = -1 // look again
		r.dirty = true
		return r.save(f)
	}
	defer h.Close()
	grown := file.Size > before.Size && file.Device == before.Device && file.Inode == before.Inode
	print, err := r.appended(ctx, f, h, grown)
	if err == nil {
		err = r.read(ctx, f, h, print)
	}
	if errors.Is(err, errUnreadable) {
		r.in.Fail(r.abs(file.Path), err)
		f.File.Size, err = -1, nil
	}
	if err != nil {
		return err
	}
	r.dirty = true
	return r.save(f)
}

// errUnreadable marks errors of the file, which end nothing else.
var errUnreadable = errors.New("cannot be read")

// appended finds out whether a file was only appended to, and makes it a new
// one if not. It returns the fingerprint of what was read. A file that has grown
// is believed by its fingerprint: logs grow by the second, and to read all of a
// long one each time would never end.
func (r *reader[T]) appended(ctx context.Context, f *fileState, h *os.File, grown bool) (*fingerprint, error) {
	if f.Gone {
		r.renew(f)
		return newFingerprint(), nil
	}
	print, err := printOf(h, f.Offset)
	same := err == nil && print.sum() == f.Print
	if same && !grown && f.Kept && f.Offset > fullPrint {
		same, err = r.sameText(f, h)
	}
	switch {
	case err == nil && same || f.Offset == 0 && f.Chunks == 0:
		if len(f.Tail) > 0 { // the record may have become longer
			return print, r.parse(f, f.Offset, f.Line, f.Tail, true, -1, nil)
		}
		if f.Offset == 0 {
			print = newFingerprint()
		}
		return print, nil
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	case f.Kept:
		return newFingerprint(), r.retract(ctx, f)
	case r.s.Options.AppendOnly:
		r.renew(f)
		return newFingerprint(), nil
	default:
		return nil, r.notKept(f, "rewritten")
	}
}

// sameText compares a file with all the text of it that was kept.
func (r *reader[T]) sameText(f *fileState, h *os.File) (bool, error) {
	var b []byte
	for i := f.First; i < f.Chunks; i++ {
		c, err := r.loadChunk(f, i)
		if err != nil {
			return false, err
		}
		b = slices.Grow(b[:0], len(c.text))[:len(c.text)]
		// ReadAt may say io.EOF with a whole read that ends at the end.
		if n, err := h.ReadAt(b, c.offset); n < len(b) {
			return false, err
		}
		if !bytes.Equal(b, c.text) {
			return false, nil
		}
	}
	return true, nil
}

// renew takes the file for a new one; the rows of the old one stay.
func (r *reader[T]) renew(f *fileState) {
	*f = fileState{File: f.File, Gen: f.Gen + 1, Kept: r.keepText}
}

// retract takes back all rows of a file whose text was kept.
func (r *reader[T]) retract(ctx context.Context, f *fileState) error {
	if len(f.Tail) > 0 {
		if err := r.parse(f, f.Offset, f.Line, f.Tail, true, -1, nil); err != nil {
			return err
		}
		f.Tail = nil
	}
	f.Retract = true
	r.lastOf = ""
	for f.First < f.Chunks {
		c, err := r.loadChunk(f, f.First)
		if err != nil {
			return err
		}
		if err := r.parse(f, c.offset, c.line, c.text, true, -1, nil); err != nil {
			return err
		}
		r.in.Drop(r.chunkKey(f.path(), f.First))
		f.First++
		if err := r.full(ctx, f); err != nil {
			return err
		}
	}
	*f = fileState{File: f.File, Gen: f.Gen, Kept: r.keepText}
	r.dirty = true
	return nil
}

// parse adds (n = 1) or retracts (n = -1) the rows in a part of a file that ends
// with a record. Records that are no rows fail when they are added.
func (r *reader[T]) parse(f *fileState, offset, line int64, text []byte, final bool, n int, p Parser[T]) error {
	if p == nil {
		header := f.Header
		if offset == 0 {
			header = nil
		} else if header == nil {
			header = []byte{}
		}
		p = r.s.Format.New(header)
	}
	p.Parse(text, final, r.emit(f, offset, line, n))
	r.dirty = true
	return nil
}

// emit returns what is called with each record of a text that begins at offset.
func (r *reader[T]) emit(f *fileState, offset, line int64, n int) func(at, line int, row *T, err error) {
	key := r.rowKeys(f)
	return func(at, l int, row *T, err error) {
		r.rows++
		if err == nil {
			r.in.Add(key(offset+int64(at)), *row, n)
			return
		}
		if n > 0 {
			r.in.Fail(fmt.Sprintf("%s:%d", r.abs(f.path()), line+int64(l)+1), err)
		}
	}
}

// rowKeys returns the keys of a file's rows, by offset.
func (r *reader[T]) rowKeys(f *fileState) func(offset int64) pipeline.Key {
	file := pipeline.KeyOf("row", f.path(), fmt.Sprint(f.Gen)).Bytes()
	var b [24]byte
	copy(b[:], file[:])
	return func(offset int64) pipeline.Key {
		binary.LittleEndian.PutUint64(b[16:], uint64(offset))
		h := xxh3.Hash128(b[:])
		return pipeline.Key{Hi: h.Hi, Lo: h.Lo}
	}
}
