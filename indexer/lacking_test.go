package indexer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/indexer/index"
)

// wholeAgain waits until a.txt and the upload b are live and found by their
// vectors.
func (r *rig) wholeAgain() {
	r.t.Helper()
	r.until("a.txt", Live)
	id := DocumentID(UploadsName, "b")
	r.eventually("the upload is live", func() bool { s, _ := r.x.Document(id); return s.State == Live })
	for _, text := range []string{"Apples are red.", "Quinces are yellow."} {
		if hits := r.hits(text, index.Vector); len(hits) != 2 || !strings.HasPrefix(text, hits[0].Text) || hits[0].Unembedded {
			r.t.Errorf("by the vector of %q: %v", text, hits)
		}
	}
	if st := r.x.View().Stats(); st.Embedded != st.Chunks {
		r.t.Errorf("%d of %d chunks have a vector", st.Embedded, st.Chunks)
	}
	if states, pending := r.x.Counts(); pending != 0 || states[Live] != 2 {
		r.t.Errorf("counts: %v, %d pending", states, pending)
	}
}

func newRigOfTwo(t *testing.T) *rig {
	r := newRig(t)
	r.write("a.txt", "Apples are red.")
	r.start()
	if _, err := r.x.Put(t.Context(), UploadsName, "b", strings.NewReader("Quinces are yellow."), index.Meta{}); err != nil {
		t.Fatal(err)
	}
	r.wholeAgain()
	r.stop()
	return r
}

// Vectors whose file is lost are made again; meanwhile their texts are found by
// keyword, and the documents are said to be embedding.
func TestLostVectors(t *testing.T) {
	for name, lose := range map[string]func(file string) error{
		"gone": os.Remove,
		"torn": func(file string) error {
			st, err := os.Stat(file)
			if err != nil {
				return err
			}
			return os.Truncate(file, st.Size()-10)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigOfTwo(t)
			for range 2 { // also when it was lost before
				files, err := filepath.Glob(filepath.Join(r.dir, "index", "vectors*.log"))
				if err != nil || len(files) == 0 {
					t.Fatalf("no files of vectors: %v", err)
				}
				for _, f := range files {
					if err := lose(f); err != nil {
						t.Fatal(err)
					}
				}
				parsed := r.parser.n.Load()
				gate := make(chan struct{})
				r.embedder.set(gate, nil)
				r.start()
				r.eventually("one lacks its vector", func() bool {
					states, pending := r.x.Counts()
					return states[Embedding] == pending && pending > 0 && r.x.Unfound() == 0
				})
				if hits := r.hits("apples quinces", index.Keyword); len(hits) != 2 {
					t.Errorf("by keyword: %v", hits)
				}
				close(gate)
				r.embedder.set(nil, nil)
				r.wholeAgain()
				if n := r.parser.n.Load(); n != parsed {
					t.Errorf("parsed %d times for vectors alone", n-parsed)
				}
				r.stop()
				asked := r.embedder.texts.Load()
				r.start()
				r.wholeAgain()
				r.stop()
				// The questions of wholeAgain are asked by vector.
				if n := r.embedder.texts.Load() - asked; n != 2 {
					t.Errorf("a restart embedded %d texts", n-2)
				}
				if _, err := index.Check(filepath.Join(r.dir, "index"), nil); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

// A collection that was opened with another embedder for a while has its
// vectors again when the first one is back, however far the other had come.
func TestEmbedderThereAndBack(t *testing.T) {
	for name, other := range map[string]func(r *rig){
		"opened": func(r *rig) {
			x, err := Open(Options{Dir: r.dir, Folders: r.folders, Parser: r.parser, Space: Space{Name: "other", Dims: 32, Embedder: r.embedder}})
			if err != nil {
				r.t.Fatal(err)
			}
			if err := x.Close(); err != nil {
				r.t.Fatal(err)
			}
		},
		"under way": func(r *rig) {
			gate := make(chan struct{})
			r.embedder.set(gate, nil)
			r.space = "other"
			r.start()
			r.until("a.txt", Embedding)
			if hits := r.hits("apples quinces", index.Keyword); len(hits) != 2 {
				r.t.Errorf("by keyword: %v", hits)
			}
			r.stop()
			r.embedder.set(nil, nil)
			r.space = "letters"
		},
		"to its end": func(r *rig) {
			r.space = "other"
			r.start()
			r.wholeAgain()
			r.stop()
			r.space = "letters"
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigOfTwo(t)
			parsed := r.parser.n.Load()
			for range 2 {
				other(r)
				r.start()
				r.wholeAgain()
				r.stop()
			}
			if n := r.parser.n.Load(); n != parsed {
				t.Errorf("parsed %d times for another embedder", n-parsed)
			}
		})
	}
}

// The vectors of a source that is not there in this run are made again from the
// stored text.
func TestLostVectorsOfFormerSource(t *testing.T) {
	r := newRigOfTwo(t)
	r.folders, r.keep = nil, true
	files, err := filepath.Glob(filepath.Join(r.dir, "index", "vectors*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.eventually("vectors again", func() bool {
		st := r.x.View().Stats()
		_, pending := r.x.Counts()
		return st.Embedded == 2 && pending == 0
	})
}
