package fsio

import (
	"path"
	"strings"
)

// tree is what is known of a folder: the files that have rows, by directory.
type tree struct {
	root  *dir
	files int
	dirs  int
}

// dir is a directory that is not ignored.
type dir struct {
	parent *dir
	name   string // "" for the root
	path   string
	files  map[string]entry
	subs   map[string]*dir
	rules  *rules // of its own ignore file
	stamp  stat   // of that file when it was read
	dev    uint64
	ino    uint64
	seen   uint32 // walk in which its parent had it
	listed bool   // it has been read in this run
	watch  bool
	fault  string // why it cannot be read
}

// entry is a file, or with Options.Others what is none, that has a row.
type entry struct {
	stat
	walk    uint32 // in which it was last seen
	other   other  // it is no file
	problem bool   // it cannot be read
	missing bool   // the last listing did not have it, yet it is there
	racy    bool   // its modification time is not to be trusted yet
	hashed  bool   // hash is known
	hash    [16]byte
}

func newTree() *tree {
	return &tree{root: &dir{files: map[string]entry{}, subs: map[string]*dir{}}, dirs: 1}
}

func (d *dir) join(name string) string {
	if d.path == "" {
		return name
	}
	return d.path + "/" + name
}

// child returns the known directory name in d, made if need be.
func (t *tree) child(d *dir, name string) *dir {
	if s := d.subs[name]; s != nil {
		return s
	}
	s := &dir{parent: d, name: name, path: d.join(name), files: map[string]entry{}, subs: map[string]*dir{}}
	d.subs[name] = s
	t.dirs++
	return s
}

// find returns the directory at a path, nil if it is not known.
func (t *tree) find(p string) *dir {
	d := t.root
	if p == "" || p == "." {
		return d
	}
	for name := range strings.SplitSeq(p, "/") {
		if d = d.subs[name]; d == nil {
			return nil
		}
	}
	return d
}

// put notes a file that had a row when the last run ended.
func (t *tree) put(p string, e entry) {
	d := t.root
	if parent := path.Dir(p); parent != "." {
		for name := range strings.SplitSeq(parent, "/") {
			d = t.child(d, name)
		}
	}
	t.set(d, path.Base(p), e)
}

func (t *tree) set(d *dir, name string, e entry) {
	if _, ok := d.files[name]; !ok {
		t.files++
	}
	d.files[name] = e
}

func (t *tree) remove(d *dir, name string) {
	if _, ok := d.files[name]; ok {
		delete(d.files, name)
		t.files--
	}
}

// each calls f with every directory from d on, d last.
func (d *dir) each(f func(*dir)) {
	for _, s := range d.subs {
		s.each(f)
	}
	f(d)
}
