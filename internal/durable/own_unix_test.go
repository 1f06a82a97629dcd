//go:build unix

package durable

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestReplaceKeepsOwner: root, who keeps a service's directory, does not lock
// the service out.
func TestReplaceKeepsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	owner := func(name string) [2]uint32 {
		t.Helper()
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		s := info.Sys().(*syscall.Stat_t)
		return [2]uint32{s.Uid, s.Gid}
	}
	if err := os.Chown(dir, 65534, 65533); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, nil); err != nil {
		t.Fatal(err)
	}
	if got := owner(path); got != [2]uint32{65534, 65533} {
		t.Errorf("a new file belongs to %v and not to the directory's owner", got)
	}
	if err := os.Chown(path, 1000, 1001); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, nil); err != nil {
		t.Fatal(err)
	}
	if got := owner(path); got != [2]uint32{1000, 1001} {
		t.Errorf("the file now belongs to %v", got)
	}
}

func TestReplaceKeepsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	for _, mode := range []os.FileMode{0o600, 0o640, 0o400} {
		if err := Replace(path, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := Replace(path, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %v became %v, %v", mode, info.Mode(), err)
		}
	}
}
