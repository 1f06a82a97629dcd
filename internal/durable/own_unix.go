//go:build unix

package durable

import (
	"os"
	"syscall"
)

// own gives f to the owner of as, if this process is root; others own what they
// make.
func own(f *os.File, as os.FileInfo) error {
	owner, ok := as.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || owner.Uid == 0 && owner.Gid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
