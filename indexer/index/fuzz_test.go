package index

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/ragserver/ragserver/indexer/index/disk"
	"github.com/ragserver/ragserver/indexer/index/disk/disktest"
)

func FuzzContent(f *testing.F) {
	c := contentOf("Title", "one\ntwo\nthree")
	c.Attributes = map[string]any{"pages": 3.0, "authors": []any{"a", "b"}, "nested": map[string]any{"x": true, "y": nil}}
	b, err := encodeContent(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(b, c.Text...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeContent(id("v"), b, len(b))
		if err != nil || checkContent(c) != nil {
			return
		}
		again, err := encodeContent(c)
		if err != nil {
			return // e.g. an attribute that is no number
		}
		again = append(again, c.Text...)
		c2, err := decodeContent(id("v"), again, len(again))
		if err != nil || !reflect.DeepEqual(c, c2) {
			t.Fatalf("%+v became %+v, %v", c, c2, err)
		}
	})
}

func FuzzBatch(f *testing.F) {
	var e encoder
	e.batch(&Batch{Epoch: 9, Delete: []ID{id("x")}, Put: []Document{{
		ID: id("d"), Path: "p", Meta: Meta{Attributes: map[string]any{"a": []any{1.0, "x", nil, map[string]any{}}}},
	}}})
	f.Add(e.b)
	f.Fuzz(func(t *testing.T, b []byte) {
		d := decoder{b: b}
		v := d.batch()
		if d.err != nil {
			return
		}
		var e encoder
		if e.batch(&v) != nil {
			return
		}
		d = decoder{b: e.b}
		if again := d.batch(); d.err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%+v became %+v, %v", v, again, d.err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	m := &manifest{Format: format, Embedder: "e", Dims: 3, Generation: 1, Text: []disk.FileInfo{{Number: 1, Length: 64}}}
	f.Add(m.encode())
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeManifest(b); err == nil && !bytes.HasPrefix(b, []byte("{")) {
			t.Fatalf("%q is no manifest, but %+v", b, m)
		}
	})
}

// FuzzState opens an index whose checkpoint holds an arbitrary record among good
// ones: with valid checksums, but untrue.
func FuzzState(f *testing.F) {
	base := disktest.New()
	x, err := Open(Options{fs: base, Space: testSpace})
	if err != nil {
		f.Fatal(err)
	}
	if err := newScript().run(x, 1, false); err != nil {
		f.Fatal(err)
	}
	m, err := readManifest(base)
	if err != nil || m.Checkpoint == 0 {
		f.Fatal(err)
	}
	var frames []disk.Frame
	disk.ReadFrames(base, stateLog, m.Checkpoint, func(fr disk.Frame) error {
		fr.Payload = bytes.Clone(fr.Payload)
		frames = append(frames, fr)
		f.Add(len(frames)-1, fr.Kind, fr.Payload)
		return nil
	})
	f.Fuzz(func(t *testing.T, at int, kind uint32, payload []byte) {
		fs := base.Crash(disktest.Survival{})
		if at < 0 || at >= len(frames) {
			return
		}
		err := disk.WriteFrames(fs, stateLog, m.Checkpoint, func(emit func(disk.Frame) error) error {
			for i, fr := range frames {
				if i == at {
					fr = disk.Frame{Kind: kind, Payload: payload}
				}
				if err := emit(fr); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		x, err := Open(Options{fs: fs, Space: testSpace})
		if err != nil {
			return
		}
		defer x.Close()
		// What is untrue may be found or not; nothing may break.
		v := x.View()
		if _, err := v.Search(t.Context(), Query{Text: "red river", Vector: vectorOf("red"), K: 50}); err != nil {
			t.Logf("a search failed: %v", err)
		}
		for d := range v.Documents() {
			v.Content(d.ID)
		}
	})
}
