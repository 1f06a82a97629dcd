//go:build unix

package fsio

import (
	"io/fs"
	"os/user"
	"strconv"
	"syscall"
)

// statOf reads what the system says about a file beyond fs.FileInfo.
func statOf(fi fs.FileInfo) stat {
	s := stat{size: fi.Size(), mtime: fi.ModTime().UnixNano(), mode: uint32(fi.Mode().Perm())}
	if sys, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.dev, s.ino, s.uid = uint64(sys.Dev), uint64(sys.Ino), sys.Uid
		s.ctime = changeTime(sys)
	}
	return s
}

func ownerName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}
